"""Modules, lessons and their files, from a course's files to rows."""

from __future__ import annotations

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
from studypack.admin.course_files.lesson_types import CaptionFile, VideoFile
from studypack.admin.course_files.report import Change, CourseReport, Kind
from studypack.admin.course_files.rows import CourseRows
from studypack.admin.course_files.setting import assign, markdown_as_written
from studypack.admin.course_files.storing import Place, StoredFiles
from studypack.core.database import new_id
from studypack.core.errors import Conflict, FieldError
from studypack.courses import video_rows
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
    stored: StoredFiles | None,
    now: datetime,
) -> list[FieldError]:
    """Make the course have the files' modules and lessons, in their order; what is missing for a
    lesson to be published, which only the database knows.
    """
    for position, module in enumerate(content.modules):
        _module(session, rows, module, position, report)
    session.flush()  # each level before the one that points to it
    for module in content.modules:
        for place, lesson in enumerate(module.lessons):
            _lesson(session, rows, module, lesson, place, report, stored=stored, now=now)
    session.flush()
    errors = []
    for module, lesson in content.every_lesson():
        row = rows.lessons[rows.modules[module.slug].id, lesson.slug]
        wants_video = lesson.file.published and lesson.file.kind is LessonKind.VIDEO
        if wants_video and row.video_status is not VideoStatus.READY:
            message = "Its video is not ready: name it, or say published: false."
            path = f"{lesson_path(module.slug, lesson)}: video"
            errors.append(FieldError(path, "video_not_ready", message))
        _assets(session, rows, row, module, lesson, report, stored=stored)
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
    stored: StoredFiles | None,
    now: datetime,
) -> None:
    module_id = rows.modules[module.slug].id
    found = rows.lessons.get((module_id, lesson.slug))
    planned = None if stored is None else stored.lesson_ids.get((module.slug, lesson.slug))
    row = found or Lesson(
        id=planned or new_id(), module_id=module_id, slug=lesson.slug, captions=[]
    )
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


def _assets(
    session: Session,
    rows: CourseRows,
    row: Lesson,
    module: ModuleContent,
    lesson: LessonContent,
    report: CourseReport,
    *,
    stored: StoredFiles | None,
) -> None:
    """The lesson's files, which are stored already: no row promises what is not there. Of those
    replaced the rows say DELETED, which the sweep of stored files reads.
    """
    if stored is None:
        report.assets_skipped += len(lesson.file.assets)
        return
    known = rows.assets.get(row.id, [])
    kept: set[UUID] = set()
    for position, asset in enumerate(lesson.file.assets):
        place = stored.assets[Place(module.slug, lesson.slug, position)]
        found = next((each for each in known if each.storage_key == place.storage_key), None)
        if found is None and not place.is_new:
            raise Conflict(
                "Somebody changed the course's files meanwhile; import it again.",
                code="changed_meanwhile",
            )
        made = found or Asset(id=place.id, lesson_id=row.id, storage_key=place.storage_key)
        if found is None:
            session.add(made)
        changed = assign(
            made,
            title=asset.title,
            file_name=asset.saved_as,
            file_size=len(module.assets[asset.file]),
            mime_type=place.mime_type,
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
