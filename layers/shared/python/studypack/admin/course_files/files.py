"""Where a course's pictures and lessons' files lie."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import Final, Protocol
from uuid import UUID

MEDIA_TYPES: Final = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


class FileStore(Protocol):
    """Files by key; integrations/storage is one."""

    def put(self, key: str, content: bytes, *, mime_type: str) -> None:
        """Store a file."""

    def read(self, key: str) -> bytes | None:
        """A file, or None if there is none."""


class Storage(FileStore, Protocol):
    """Files that an import may store."""

    def delete(self, key: str) -> None:
        """Remove a file; none there is as well."""


class MemoryFiles:
    """Files for a while, e.g. to see whether a course would come back as it was."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.puts = 0

    def put(self, key: str, content: bytes, *, mime_type: str) -> None:
        """Store a file."""
        self.stored[key] = content
        self.puts += 1

    def delete(self, key: str) -> None:
        """Remove a file; none there is as well."""
        self.stored.pop(key, None)

    def read(self, key: str) -> bytes | None:
        """A file, or None if there is none."""
        return self.stored.get(key)


def media_key(course: str, file: str) -> str:
    """Where a course's picture lies; MEDIA_BASE_URL shows what is below `media/`."""
    return f"media/{course}/{file}"


def asset_key(lesson_id: UUID, asset_id: UUID, content: bytes, file: str) -> str:
    """Where a lesson's file lies: elsewhere when its content changes, so that what a learner
    fetches meanwhile stays whole; the key tells whether it has.
    """
    return f"{_folder(lesson_id, content)}{asset_id}{suffix_of(file)}"


def is_key_of(key: str, lesson_id: UUID, content: bytes) -> bool:
    """Whether a key is of this content."""
    return key.startswith(_folder(lesson_id, content))


def _folder(lesson_id: UUID, content: bytes) -> str:
    return f"lessons/{lesson_id}/{hashlib.sha256(content).hexdigest()[:32]}/"


def suffix_of(file: str) -> str:
    """`.pdf`"""
    return PurePosixPath(file).suffix.lower()
