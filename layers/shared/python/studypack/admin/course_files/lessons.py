"""Modules, lessons and their files, from a course's files to rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from studypack.admin.course_files.content import (
    CourseContent,
    LessonContent,
    ModuleContent,
    lesson_path,
)
from studypack.admin.course_files.files import (
    MEDIA_TYPES,
    FileStore,
    asset_key,
    is_key_of,
    media_key,
    suffix_of,
)
from studypack.admin.course_files.lesson_types import CaptionFile, VideoFile
from studypack.admin.course_files.report import Change, CourseReport, Kind
from studypack.admin.course_files.rows import CourseRows
from studypack.admin.course_files.setting import assign, markdown_as_written
from studypack.core.database import new_id
from studypack.core.errors import FieldError
from studypack.courses import video_rows
from studypack.courses.file_types import check_announced
from studypack.courses.models import (
    Asset,
    AssetStatus,
    Lesson,
    LessonKind,
    Module,
    VideoStatus,
)


def write(
    session: Session,
    rows: CourseRows,
    content: CourseContent,
    report: CourseReport,
    *,
    files: FileStore | None,
    now: datetime,
) -> list[FieldError]:
    """Make the course have the files' modules and lessons, in their order; what is missing for a
    lesson to be published, which only the database knows.
    """
    if files is not None:
        _put_media(files, content)
    for position, module in enumerate(content.modules):
        _module(session, rows, module, position, report)
    session.flush()  # each level before the one that points to it
    for module in content.modules:
        for place, lesson in enumerate(module.lessons):
            _lesson(session, rows, module, lesson, place, report, now=now)
    session.flush()
    errors = []
    for module, lesson in content.every_lesson():
        row = rows.lessons[rows.modules[module.slug].id, lesson.slug]
        wants_video = lesson.file.published and lesson.file.kind is LessonKind.VIDEO
        if wants_video and row.video_status is not VideoStatus.READY:
            message = "Its video is not ready: name it, or say published: false."
            path = f"{lesson_path(module.slug, lesson)}: video"
            errors.append(FieldError(path, "video_not_ready", message))
        _assets(session, rows, row, module, lesson, report, files=files)
    _remove_missing(rows, content, report, now=now)
    session.flush()
    return errors


def _module(
    session: Session,
    rows: CourseRows,
    module: ModuleContent,
    position: int,
    report: CourseReport,
) -> None:
    found = rows.modules.get(module.slug)
    row = found or Module(id=new_id(), course_id=rows.course.id, slug=module.slug)
    if found is None:
        session.add(row)
        rows.modules[module.slug] = row
    came = found is None or found.deleted_at is not None
    file = module.file
    changed = assign(
        row,
        title=file.title,
        description=file.description,
        syllabus=file.syllabus,
        release_after_days=file.release_after_days,
        published=file.published,
        position=position,
        deleted_at=None,
    )
    path = f"modules/{module.slug}/module.yaml"
    report.note(Kind.MODULE, path, _change(came=came, changed=changed))


def _lesson(
    session: Session,
    rows: CourseRows,
    module: ModuleContent,
    lesson: LessonContent,
    position: int,
    report: CourseReport,
    *,
    now: datetime,
) -> None:
    module_id = rows.modules[module.slug].id
    found = rows.lessons.get((module_id, lesson.slug))
    row = found or Lesson(id=new_id(), module_id=module_id, slug=lesson.slug, captions=[])
    if found is None:
        session.add(row)
        rows.lessons[module_id, lesson.slug] = row
    came = found is None or found.deleted_at is not None
    file = lesson.file
    changed = assign(
        row,
        title=file.title,
        summary=file.summary,
        kind=file.kind,
        topic_id=rows.topics[file.topic].id if file.topic else None,
        is_free=file.free,
        published=file.published,
        estimated_minutes=file.minutes,
        position=position,
        deleted_at=None,
    )
    changed |= _set_content(row, lesson)
    if file.transcript is not None:
        changed |= assign(row, transcript=file.transcript)
    if file.video is not None:
        changed |= _set_video(session, row, file.video, now=now)
    report.note(Kind.LESSON, lesson_path(module.slug, lesson), _change(came=came, changed=changed))


def _set_content(row: Lesson, lesson: LessonContent) -> bool:
    stored = markdown_as_written(row.content_markdown)
    if (row.content, stored) == (lesson.content, lesson.content_markdown):
        return False
    row.content = lesson.content
    row.content_markdown = lesson.content_markdown
    row.body_text = lesson.body_text
    return True


def _set_video(session: Session, row: Lesson, video: VideoFile, *, now: datetime) -> bool:
    """What Mux has told of the same video stays; another one takes its place."""
    changed = False
    if row.mux_playback_id != video.playback_id:
        if row.mux_playback_id is not None or row.video_status is not None:
            video_rows.drop_current(session, row.id, now=now)
        assign(row, mux_upload_id=None, mux_asset_id=None, video_error=None, video_changed_at=None)
        changed = assign(row, mux_playback_id=video.playback_id, captions=[])
    changed |= assign(row, video_status=VideoStatus.READY, duration_seconds=video.duration_seconds)
    if video.captions is not None:
        wanted = [_track(caption) for caption in video.captions]
        if [_as_file(track) for track in row.captions] != list(video.captions):
            row.captions = wanted
            changed = True
    return changed


def _track(caption: CaptionFile) -> dict[str, Any]:
    return caption.model_dump(mode="json", exclude_none=True)


def _as_file(track: Mapping[str, Any]) -> CaptionFile:
    known = {name: track[name] for name in CaptionFile.model_fields if track.get(name) is not None}
    return CaptionFile.model_construct(**{"name": known.get("language"), **known})


def _put_media(files: FileStore, content: CourseContent) -> None:
    for file, data in content.media.items():
        key = media_key(content.course.slug, file)
        if files.read(key) != data:
            files.put(key, data, mime_type=MEDIA_TYPES[suffix_of(file)])


def _assets(
    session: Session,
    rows: CourseRows,
    row: Lesson,
    module: ModuleContent,
    lesson: LessonContent,
    report: CourseReport,
    *,
    files: FileStore | None,
) -> None:
    """The lesson's files: stored first, so that no row promises what is not there. Of those
    replaced the rows say DELETED, which the sweep of stored files reads.
    """
    if files is None:
        report.assets_skipped += len(lesson.file.assets)
        return
    known = rows.assets.get(row.id, [])
    kept: set[UUID] = set()
    for position, asset in enumerate(lesson.file.assets):
        data = module.assets[asset.file]
        found = next(
            (each for each in known if _is_same(each, row.id, asset.saved_as, data, files)), None
        )
        made = found or Asset(id=new_id(), lesson_id=row.id)
        if found is None:
            made.storage_key = asset_key(row.id, made.id, data, asset.file)
            session.add(made)
        mime_type = check_announced(asset.saved_as, None)
        if files.read(made.storage_key) != data:
            files.put(made.storage_key, data, mime_type=mime_type)
        changed = assign(
            made,
            title=asset.title,
            file_name=asset.saved_as,
            file_size=len(data),
            mime_type=mime_type,
            position=position,
            status=AssetStatus.READY,
        )
        kept.add(made.id)
        path = f"modules/{module.slug}/assets/{asset.file}"
        report.note(Kind.ASSET, path, _change(came=found is None, changed=changed))
    for each in known:
        if each.id not in kept:
            each.status = AssetStatus.DELETED
            path = f"modules/{module.slug}/assets/{each.file_name}"
            report.note(Kind.ASSET, path, Change.REMOVED)


def _is_same(asset: Asset, lesson_id: UUID, file: str, data: bytes, files: FileStore) -> bool:
    """Whether a row's stored file is this one; an admin's upload has a key that does not tell."""
    if (asset.file_name, asset.file_size) != (file, len(data)):
        return False
    if is_key_of(asset.storage_key, lesson_id, data):
        return True
    stored = files.read(asset.storage_key)
    return stored is not None and hashlib.sha256(stored).digest() == hashlib.sha256(data).digest()


def _remove_missing(
    rows: CourseRows, content: CourseContent, report: CourseReport, *, now: datetime
) -> None:
    """Delete modules and lessons that are gone from the files; what learners did there stays."""
    kept = {
        (rows.modules[module.slug].id, lesson.slug) for module, lesson in content.every_lesson()
    }
    slugs = {row.id: slug for slug, row in rows.modules.items()}
    for (module_id, slug), row in rows.lessons.items():
        if (module_id, slug) not in kept and row.deleted_at is None:
            row.deleted_at, row.position = now, None
            suffix = "md" if row.content is None else "json"
            report.note(Kind.LESSON, f"modules/{slugs[module_id]}/{slug}.{suffix}", Change.REMOVED)
    for slug, module in rows.modules.items():
        if slug not in {each.slug for each in content.modules} and module.deleted_at is None:
            module.deleted_at, module.position = now, None
            report.note(Kind.MODULE, f"modules/{slug}/module.yaml", Change.REMOVED)


def _change(*, came: bool, changed: bool) -> Change:
    if came:
        return Change.CREATED
    return Change.CHANGED if changed else Change.UNCHANGED
