"""Which files a lesson may have, and whether one is what its name says. Pure.

No SVG and no HTML: both can hold scripts.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from studypack.core.errors import FieldError, Unprocessable

LONGEST_NAME: Final = 200
_CONTROL_BYTES: Final = frozenset({*range(0x20)} - {0x09, 0x0A, 0x0C, 0x0D, 0x1B})


@dataclass(frozen=True)
class FileType:
    """A kind of file: what browsers call it, and how its first bytes look."""

    mime_type: str
    is_it: Callable[[bytes], bool]
    other_names: frozenset[str] = frozenset()
    """Mime types that some systems announce it by."""


def _begins(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda first: first.startswith(beginnings)


def _is_pdf(first: bytes) -> bool:
    return b"%PDF-" in first[:1024]


def _is_mp3(first: bytes) -> bool:
    """A tag, or a frame of MPEG audio layer III."""
    if first.startswith(b"ID3"):
        return True
    return len(first) > 2 and first[0] == 0xFF and (first[1] & 0xE6) == 0xE2


def _is_text(first: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut off."""
    if not _CONTROL_BYTES.isdisjoint(first):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(first)
    except UnicodeDecodeError:
        return False
    return True


def _is_notebook(first: bytes) -> bool:
    return _is_text(first) and first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


_ZIP: Final = _begins(b"PK\x03\x04", b"PK\x05\x06")
_OFFICE: Final = _begins(b"PK\x03\x04")
_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument"
_PLAIN: Final = frozenset({"text/plain", "application/octet-stream"})

TYPES: Final[Mapping[str, FileType]] = {
    "pdf": FileType("application/pdf", _is_pdf),
    "png": FileType("image/png", _begins(b"\x89PNG\r\n\x1a\n")),
    "jpg": FileType("image/jpeg", _begins(b"\xff\xd8\xff"), frozenset({"image/jpg"})),
    "jpeg": FileType("image/jpeg", _begins(b"\xff\xd8\xff"), frozenset({"image/jpg"})),
    "zip": FileType("application/zip", _ZIP, frozenset({"application/x-zip-compressed"})),
    "txt": FileType("text/plain", _is_text),
    "md": FileType("text/markdown", _is_text, _PLAIN | {"text/x-markdown"}),
    "csv": FileType("text/csv", _is_text, _PLAIN | {"application/vnd.ms-excel"}),
    "ipynb": FileType("application/x-ipynb+json", _is_notebook, _PLAIN | {"application/json"}),
    "py": FileType("text/x-python", _is_text, _PLAIN | {"application/x-python-code"}),
    "docx": FileType(f"{_OPEN_XML}.wordprocessingml.document", _OFFICE),
    "pptx": FileType(f"{_OPEN_XML}.presentationml.presentation", _OFFICE),
    "xlsx": FileType(f"{_OPEN_XML}.spreadsheetml.sheet", _OFFICE),
    "mp3": FileType("audio/mpeg", _is_mp3, frozenset({"audio/mp3"})),
}
"""By the ending of the name."""


def extension_of(file_name: str) -> str:
    """The ending of a name, in small letters and without its dot; empty if it has none."""
    return file_name.rpartition(".")[2].lower() if "." in file_name else ""


def check_announced(file_name: str, mime_type: str | None) -> str:
    """The mime type that a file of this name is kept under.

    `mime_type`: as announced; None: by the name alone. Raises Unprocessable naming `file_name` or
    `mime_type` (`not_allowed`, `invalid`).
    """
    if (
        not file_name.strip(". ")
        or len(file_name) > LONGEST_NAME
        or any(each in "/\\" or not each.isprintable() for each in file_name)
    ):
        raise Unprocessable.field(
            "file_name", f"A name without slashes, of at most {LONGEST_NAME} characters."
        )
    kind = TYPES.get(extension_of(file_name))
    if kind is None:
        allowed = ", ".join(TYPES)
        raise Unprocessable(
            f"Files of this type are not taken; these are: {allowed}.",
            errors=[FieldError("file_name", "not_allowed", f"One of these types: {allowed}.")],
            allowed=list(TYPES),
        )
    announced = None if mime_type is None else mime_type.partition(";")[0].strip().lower()
    if announced is not None and announced not in {kind.mime_type, *kind.other_names}:
        raise Unprocessable.field(
            "mime_type",
            f"A .{extension_of(file_name)} file is {kind.mime_type}.",
            code="not_allowed",
        )
    return kind.mime_type


def is_what_its_name_says(file_name: str, first_bytes: bytes) -> bool:
    """Whether the beginning of a file fits the ending of its name."""
    kind = TYPES.get(extension_of(file_name))
    return kind is not None and kind.is_it(first_bytes)
