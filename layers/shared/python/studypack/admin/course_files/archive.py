"""A course's files as a zip: read with suspicion, written the same each time."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from studypack.admin.course_files.tree import Tree, is_ignored
from studypack.core.errors import ContentTooLarge, Unprocessable

LARGEST_ZIP: Final = 4 * 1024 * 1024
"""Bytes: what one request or answer holds."""
LARGEST_UNPACKED: Final = 50 * 1024 * 1024
LARGEST_TEXTS: Final = 5 * 1024 * 1024
"""Bytes of YAML, Markdown and JSON together: reading them takes time."""
MOST_FILES: Final = 2_000
_TEXTS: Final = (".yaml", ".md", ".json")
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ENCRYPTED: Final = 0x1
_CHUNK: Final = 64 * 1024
_SAME_TIME: Final = (1980, 1, 1, 0, 0, 0)


def read_zip(data: bytes) -> dict[str, bytes]:
    """The files of a zip, without the one folder that they may all be in.

    Raises ContentTooLarge (a zip, or what comes out of it, that is too large; too many files);
    Unprocessable for what is no zip, is encrypted or broken, or leads out of its folder.
    """
    if len(data) > LARGEST_ZIP:
        raise ContentTooLarge(f"The zip is larger than {LARGEST_ZIP} bytes.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            return _without_folder(dict(_files(opened)))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refusal("zip", f"The body is no zip that can be read: {error}") from None
    except (ValueError, OSError, OverflowError) as error:
        raise _refusal("zip", f"The zip is broken: {error}") from None


def write_zip(tree: Tree, folder: str) -> bytes:
    """A zip of the files, all in a folder of this name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as opened:
        for path in sorted(tree):
            entry = zipfile.ZipInfo(f"{folder}/{path}", _SAME_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.create_system = 3  # Unix, wherever this runs
            opened.writestr(entry, tree[path])
    return buffer.getvalue()


def _files(opened: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    entries = opened.infolist()
    if len(entries) > MOST_FILES:
        raise ContentTooLarge(f"The zip holds more than {MOST_FILES} files.")
    seen: set[str] = set()
    room, text_room = LARGEST_UNPACKED, LARGEST_TEXTS
    for entry in entries:
        name = _checked_name(entry)
        if entry.is_dir() or is_ignored(name):
            continue
        if name in seen:
            raise _refusal(name, "The file is there twice.")
        seen.add(name)
        is_text = name.endswith(_TEXTS)
        content = _unpacked(opened, entry, min(room, text_room) if is_text else room)
        room -= len(content)
        text_room -= len(content) if is_text else 0
        yield name, content


def _checked_name(entry: zipfile.ZipInfo) -> str:
    name = entry.filename
    shown = name.encode("ascii", "backslashreplace").decode()[:200]
    # The reader turns a system's own separators into slashes and cuts at NUL: the name as it is in
    # the zip decides.
    if name != entry.orig_filename or "\\" in entry.orig_filename:
        raise _refusal(shown, "The name has characters that names of a course's files have not.")
    if not name.isascii() or not name.isprintable() or len(name) > 300:
        raise _refusal(shown, "A name has printable ASCII characters, and at most 300 of them.")
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or ":" in name or any(part in {"", ".", ".."} for part in parts):
        raise _refusal(shown, "The name leads out of the course's folder.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise _refusal(shown, "The entry is a link or another thing that is no file.")
    if entry.flag_bits & _ENCRYPTED:
        raise _refusal(shown, "The file is encrypted.")
    if entry.compress_type not in _METHODS:
        raise _refusal(shown, "The file is packed by another method than deflate.")
    return name


def _unpacked(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, room: int) -> bytes:
    """What comes out, whatever the zip says of its size."""
    parts: list[bytes] = []
    size = 0
    with opened.open(entry) as file:
        while part := file.read(_CHUNK):
            size += len(part)
            if size > room:
                raise ContentTooLarge(
                    f"The files are larger than {LARGEST_UNPACKED} bytes, or its texts than"
                    f" {LARGEST_TEXTS}."
                )
            parts.append(part)
    return b"".join(parts)


def _without_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    if "course.yaml" in files:
        return files
    folders = {name.partition("/")[0] for name in files}
    if len(folders) == 1:
        folder = folders.pop() + "/"
        if f"{folder}course.yaml" in files:
            return {name.removeprefix(folder): data for name, data in files.items()}
    raise _refusal("course.yaml", "The zip holds no course.yaml, or more than one course.")


def _refusal(field: str, message: str) -> Unprocessable:
    return Unprocessable.field(field, message, code="unreadable")
