from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.admin.course_files import archive
from studypack.admin.course_files.archive import read_zip, write_zip
from studypack.core.errors import AppError, ContentTooLarge, Unprocessable
from tests.support.course_folder import course, zipped


def of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that stands there twice
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr("course.yaml", b"slug: x")
            for name, data in entries:
                opened.writestr(name, data)
    return buffer.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def test_what_was_written_is_read_and_always_the_same_bytes() -> None:
    data = write_zip(course(), "knots")
    assert read_zip(data) == course()
    assert write_zip(dict(reversed(course().items())), "knots") == data


def test_a_zip_with_or_without_its_folder_and_what_systems_add() -> None:
    extra = {"__MACOSX/knots/._course.yaml": b"x", "knots/.DS_Store": b"x"}
    assert read_zip(zipped(course())) == course()
    inside = {f"knots/{path}": data for path, data in course().items()}
    assert read_zip(zipped(inside | extra)) == course()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.yaml",
        "modules/../../evil.yaml",
        "/etc/passwd",
        "C:/windows.yaml",
        "modules\\first.yaml",
        "modules//first.yaml",
        "./course2.yaml",
        "modules/für.md",
        "modules/\x7f.md",
        "x" * 301,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(Unprocessable) as refusal:
        read_zip(of((name, b"x")))
    assert refusal.value.errors[0].code == "unreadable"


def test_a_name_cut_at_nul_is_refused() -> None:
    data = of(("modules/a.mdx.yaml", b"x")).replace(b"a.mdx.yaml", b"a.md\0.yaml")
    with pytest.raises(Unprocessable):
        read_zip(data)


def test_a_link_is_refused() -> None:
    with pytest.raises(Unprocessable, match="link"):
        read_zip(of((link("media/passwd.svg"), b"/etc/passwd")))


def test_a_file_that_is_there_twice_is_refused() -> None:
    with pytest.raises(Unprocessable, match="twice"):
        read_zip(of(("exams.yaml", b"a"), ("exams.yaml", b"b")))


def test_an_encrypted_file_is_refused() -> None:
    data = bytearray(of(("exams.yaml", b"a")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.rfind(signature) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    with pytest.raises(Unprocessable, match="encrypted"):
        read_zip(bytes(data))


def test_another_method_than_deflate_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("course.yaml", b"slug: x")
    with pytest.raises(Unprocessable, match="deflate"):
        read_zip(buffer.getvalue())


def test_a_bomb_is_stopped_while_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    data = of(("media/a.png", b"\0" * 300_000))
    assert len(data) < 2_000
    monkeypatch.setattr(archive, "LARGEST_UNPACKED", 200_000)
    with pytest.raises(ContentTooLarge):
        read_zip(data)


def test_a_size_that_is_a_lie_helps_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(of(("media/a.png", b"\0" * 300_000)))
    at = data.rfind(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    monkeypatch.setattr(archive, "LARGEST_UNPACKED", 200_000)
    with pytest.raises(AppError) as refusal:
        read_zip(bytes(data))
    assert refusal.value.status in {413, 422}


def test_too_many_files_too_much_text_and_too_large_a_zip_are_refused() -> None:
    many = {f"media/{number}.png": b"" for number in range(archive.MOST_FILES)}
    with pytest.raises(ContentTooLarge, match="files"):
        read_zip(zipped({"course.yaml": b"x", **many}))
    with pytest.raises(ContentTooLarge, match="texts"):
        read_zip(of(("questions/a.yaml", b" " * (archive.LARGEST_TEXTS + 1))))
    with pytest.raises(ContentTooLarge):
        read_zip(b"\0" * (archive.LARGEST_ZIP + 1))


@pytest.mark.parametrize("data", [b"", b"PK", b"slug: x", zipped({}), zipped({"a.txt": b"x"})])
def test_what_is_no_course_is_refused(data: bytes) -> None:
    with pytest.raises(Unprocessable):
        read_zip(data)


def test_two_courses_in_one_zip_are_refused() -> None:
    with pytest.raises(Unprocessable, match="more than one"):
        read_zip(zipped({"a/course.yaml": b"x", "b/course.yaml": b"x"}))


def status_of(data: bytes) -> int:
    try:
        read_zip(data)
    except AppError as error:
        return error.status
    return 200


WHOLE = zipped(course())


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_a_broken_zip_is_a_refusal_and_no_fault(at: int, junk: bytes) -> None:
    data = WHOLE[:at] + junk + WHOLE[at + len(junk) :]
    assert status_of(data) in {200, 413, 422}


@given(st.integers(0, len(WHOLE)))
def test_a_zip_that_is_cut_off_is_a_refusal(length: int) -> None:
    assert status_of(WHOLE[:length]) == (200 if length == len(WHOLE) else 422)
