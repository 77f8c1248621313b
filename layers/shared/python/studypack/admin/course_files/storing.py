"""A course's files into storage, before the transaction that names them begins: so no lock is held
while storage is asked.

What a row or a page shows already is not touched: a lesson's file that changed gets a key of its
own, a picture that changed is replaced after the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.files import (
    MEDIA_TYPES,
    FileStore,
    Storage,
    asset_key,
    is_key_of,
    media_key,
    suffix_of,
)
from studypack.admin.course_files.lesson_types import AssetFile
from studypack.admin.course_files.rows import CourseRows, find_course, load_rows
from studypack.core.database import new_id, transaction
from studypack.core.errors import Unavailable
from studypack.core.telemetry import get_logger
from studypack.courses.file_types import check_announced
from studypack.courses.models import Asset


class Place(NamedTuple):
    """An entry in a lesson's list of files."""

    module: str
    lesson: str
    position: int


@dataclass(frozen=True)
class StoredAsset:
    """Where a lesson's file lies, and the row that names it or is to."""

    id: UUID
    storage_key: str
    mime_type: str
    is_new: bool


@dataclass
class StoredFiles:
    """Where the files of a course lie; of a dry run, where they would."""

    lesson_ids: dict[tuple[str, str], UUID] = field(default_factory=dict)
    """Those that new lessons are to have, by module and slug."""
    assets: dict[Place, StoredAsset] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    """Those that are shown with other content, and wait for the commit."""
    _added: list[str] = field(default_factory=list)

    def replace_pictures(self, files: Storage, content: CourseContent) -> None:
        """After the commit: show the new pictures. Repeating the import makes up for a failure."""
        for file, data in self.pictures.items():
            key = media_key(content.course.slug, file)
            files.put(key, data, mime_type=MEDIA_TYPES[suffix_of(file)])

    def take_back(self, files: Storage) -> None:
        """After the import was refused: remove lessons' files that no row will name."""
        for key in self._added:
            try:
                files.delete(key)
            except Unavailable:
                get_logger().warning("a file of no row stays", extra={"storage_key": key})

    def note_added(self, key: str) -> None:
        """Remember a file that no row names yet."""
        self._added.append(key)


def store(content: CourseContent, files: Storage, *, dry_run: bool) -> StoredFiles:
    """Store what storage lacks, and tell where all lies. `dry_run`: only tell.

    Raises Unavailable (`files_unavailable`).
    """
    with transaction() as session:
        course = find_course(session, content.course.slug)
        rows = None if course is None else load_rows(session, course)
    stored = StoredFiles()
    for place, asset, data in _every_asset(content):
        lesson = place.module, place.lesson
        lesson_id = _lesson_id(rows, *lesson) or stored.lesson_ids.setdefault(lesson, new_id())
        known = rows.assets.get(lesson_id, []) if rows is not None else []
        made = _asset(asset, data, known, lesson_id, files)
        stored.assets[place] = made
        if dry_run or (not made.is_new and files.read(made.storage_key) == data):
            continue
        if made.is_new:
            stored.note_added(made.storage_key)
        files.put(made.storage_key, data, mime_type=made.mime_type)
    if not dry_run:
        _store_media(content, files, stored)
    return stored


def _every_asset(content: CourseContent) -> Iterator[tuple[Place, AssetFile, bytes]]:
    for module, lesson in content.every_lesson():
        for position, asset in enumerate(lesson.file.assets):
            yield Place(module.slug, lesson.slug, position), asset, module.assets[asset.file]


def _lesson_id(rows: CourseRows | None, module: str, lesson: str) -> UUID | None:
    if rows is None or module not in rows.modules:
        return None
    found = rows.lessons.get((rows.modules[module].id, lesson))
    return None if found is None else found.id


def _asset(
    asset: AssetFile, data: bytes, known: list[Asset], lesson_id: UUID, files: FileStore
) -> StoredAsset:
    mime_type = check_announced(asset.saved_as, None)
    for each in known:
        if _is_same(each, lesson_id, asset.saved_as, data, files):
            return StoredAsset(each.id, each.storage_key, mime_type, is_new=False)
    id = new_id()
    return StoredAsset(id, asset_key(lesson_id, id, data, asset.file), mime_type, is_new=True)


def _is_same(asset: Asset, lesson_id: UUID, file: str, data: bytes, files: FileStore) -> bool:
    """Whether a row's stored file is this one; an admin's upload has a key that does not tell."""
    if (asset.file_name, asset.file_size) != (file, len(data)):
        return False
    if is_key_of(asset.storage_key, lesson_id, data):
        return True
    stored = files.read(asset.storage_key)
    return stored is not None and hashlib.sha256(stored).digest() == hashlib.sha256(data).digest()


def _store_media(content: CourseContent, files: Storage, stored: StoredFiles) -> None:
    for file, data in content.media.items():
        key = media_key(content.course.slug, file)
        shown = files.read(key)
        if shown is None:
            files.put(key, data, mime_type=MEDIA_TYPES[suffix_of(file)])
        elif shown != data:
            stored.pictures[file] = data
