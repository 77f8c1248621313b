"""Which files a lesson may have, and whether one is what its name says."""

from __future__ import annotations

import pytest

from studypack.core.errors import Unprocessable
from studypack.courses.file_types import TYPES, check_announced, is_what_its_name_says
from studypack.integrations.storage.files import disposition

REAL = {
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "jpeg": b"\xff\xd8\xff\xe1\0\x10Exif\0",
    "zip": b"PK\x03\x04\x14\0",
    "txt": "Grüße\tund Zeilen\r\n".encode(),
    "md": b"# A heading\n",
    "csv": b"a,b\n1,2\n",
    "ipynb": b'{"cells": [], "nbformat": 4}',
    "py": b"print('hello')\n",
    "docx": b"PK\x03\x04\x14\0[Content_Types].xml",
    "pptx": b"PK\x03\x04\x14\0[Content_Types].xml",
    "xlsx": b"PK\x03\x04\x14\0[Content_Types].xml",
    "mp3": b"ID3\x04\0\0",
}


def test_each_type_is_known_by_its_first_bytes() -> None:
    assert REAL.keys() == TYPES.keys()
    for ending, first in REAL.items():
        assert is_what_its_name_says(f"a file.{ending.upper()}", first), ending
        assert check_announced(f"a.{ending}", TYPES[ending].mime_type) == TYPES[ending].mime_type


@pytest.mark.parametrize("ending", sorted(TYPES))
def test_a_program_is_none_of_them(ending: str) -> None:
    for program in (b"MZ\x90\0\x03\0\0\0", b"\x7fELF\x02\x01\x01\0", b"\xca\xfe\xba\xbe\0\0"):
        assert not is_what_its_name_says(f"a.{ending}", program)


def test_an_mp3_without_a_tag_is_known_by_its_frame() -> None:
    assert is_what_its_name_says("a.mp3", b"\xff\xfb\x90\x64")
    assert not is_what_its_name_says("a.mp3", b"\xff\xfe\x00\x00")


def test_text_may_be_cut_within_a_character() -> None:
    assert is_what_its_name_says("a.txt", "é".encode()[:1])
    assert not is_what_its_name_says("a.txt", b"\xe9t\xe9")


@pytest.mark.parametrize(
    "name",
    ["a.svg", "a.html", "a.exe", "a.js", "a", ".pdf.", "pdf", "a.pdf.svg", "a.xhtml", "a.htm"],
)
def test_what_could_hold_a_script_is_not_taken(name: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        check_announced(name, None)
    assert refused.value.errors[0].field == "file_name"
    assert "svg" not in refused.value.extra["allowed"]


@pytest.mark.parametrize(
    "name", ["../a.pdf", "a/b.pdf", "a\\b.pdf", "a\0.pdf", "a\n.pdf", "x" * 200 + ".pdf", " ", ".."]
)
def test_a_name_that_is_a_path_is_not_taken(name: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        check_announced(name, "application/pdf")
    assert [each.field for each in refused.value.errors] == ["file_name"]


def test_a_mime_type_that_is_another_files_is_refused_by_name() -> None:
    with pytest.raises(Unprocessable) as refused:
        check_announced("a.pdf", "text/html")
    assert [each.field for each in refused.value.errors] == ["mime_type"]


def test_a_file_is_kept_under_its_own_type_however_it_was_announced() -> None:
    assert check_announced("a.py", "text/plain; charset=utf-8") == "text/x-python"
    assert check_announced("a.JPG", "image/jpg") == "image/jpeg"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a b.pdf", "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf"),
        ("é.pdf", "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C3%A9.pdf"),
        ('a";x.pdf', "attachment; filename=\"a_;x.pdf\"; filename*=UTF-8''a%22%3Bx.pdf"),
    ],
)
def test_a_name_travels_in_a_header_whatever_is_in_it(name: str, header: str) -> None:
    assert disposition(name) == header
    assert disposition(name, inline=True).startswith("inline; ")
