"""What must be there before learners may see it.

A lesson needs its content, a module something published, a course a published module. What is
published can always be taken back, and may run empty by that: authors must be able to withdraw.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.authoring import editing
from studypack.courses.models import (
    Asset,
    AssetStatus,
    Course,
    Lesson,
    LessonKind,
    Module,
    ModuleItem,
    VideoStatus,
)

PDF_TYPE = "application/pdf"
NOT_READY = "not_ready"
NOTHING_TO_PUBLISH = "nothing_to_publish"

_IMAGE_IN_MARKDOWN = "!["


def lesson_errors(lesson: Lesson, *, has_pdf: bool) -> list[FieldError]:
    """What a lesson lacks to be published, by field: `video`, `content`, `assets`. Pure.

    `has_pdf`: whether it has a PDF file that has arrived.
    """
    match lesson.kind:
        case LessonKind.VIDEO if lesson.video_status is not VideoStatus.READY:
            return [FieldError("video", "video_not_ready", "Its video is not ready.")]
        case LessonKind.PDF if not has_pdf:
            return [FieldError("assets", "pdf_missing", "It has no PDF file that has arrived.")]
        case LessonKind.ARTICLE | LessonKind.CODE_EXAMPLE | LessonKind.INTERACTIVE if (
            not _has_content(lesson)
        ):
            return [FieldError("content", "content_missing", "It has no content.")]
        case _:
            return []


def check_lesson(session: Session, lesson: Lesson) -> None:
    """Raises Unprocessable (`not_ready`) naming what the lesson lacks to be published; one
    statement for a PDF, none for others.
    """
    has_pdf = lesson.kind is LessonKind.PDF and bool(
        session.scalar(
            select(
                exists().where(
                    Asset.lesson_id == lesson.id,
                    Asset.status == AssetStatus.READY,
                    Asset.mime_type == PDF_TYPE,
                )
            )
        )
    )
    editing.refuse(
        "The lesson is not ready to be published.",
        lesson_errors(lesson, has_pdf=has_pdf),
        code=NOT_READY,
    )


def check_module(session: Session, module_id: UUID) -> None:
    """Raises Unprocessable (`nothing_to_publish`) if nothing in a module is published."""
    something = or_(
        exists().where(
            Lesson.module_id == module_id, Lesson.published, Lesson.deleted_at.is_(None)
        ),
        exists().where(ModuleItem.module_id == module_id, ModuleItem.published),
    )
    _require(session, something, "lessons", "No lesson and no quiz of it is published.")


def check_course(session: Session, course_id: UUID) -> None:
    """Raises Unprocessable (`nothing_to_publish`) if no module of a course is published."""
    something = exists().where(
        Module.course_id == course_id, Module.published, Module.deleted_at.is_(None)
    )
    _require(session, something, "modules", "No module of it is published.")


def publish_lesson(session: Session, lesson_id: UUID, *, by: UUID | None) -> None:
    """Show a lesson to learners, if its module and course are; again changes nothing.

    Raises NotFound, Unprocessable (`not_ready`) naming the field.
    """
    editing.lock_course_of_lesson(session, lesson_id)
    lesson = editing.lock_lesson(session, lesson_id)
    if not lesson.published:
        check_lesson(session, lesson)
    _switch(session, lesson, "lesson", published=True, by=by)


def publish_module(session: Session, module_id: UUID, *, by: UUID | None) -> None:
    """Show a module to learners, if its course is; again changes nothing.

    Raises NotFound, Unprocessable (`nothing_to_publish`).
    """
    editing.lock_course_of_module(session, module_id)
    module = editing.lock_module(session, module_id)
    if not module.published:
        check_module(session, module_id)
    _switch(session, module, "module", published=True, by=by)


def publish_course(session: Session, course_id: UUID, *, by: UUID | None) -> None:
    """Put a course into the catalogue; again changes nothing.

    Raises NotFound, Unprocessable (`nothing_to_publish`).
    """
    course = editing.lock_course(session, course_id)
    if not course.published:
        check_course(session, course_id)
    _switch(session, course, "course", published=True, by=by)


def unpublish_lesson(session: Session, lesson_id: UUID, *, by: UUID | None) -> None:
    """Take a lesson from learners; what they completed stays. Raises NotFound."""
    editing.lock_course_of_lesson(session, lesson_id)
    _switch(session, editing.lock_lesson(session, lesson_id), "lesson", published=False, by=by)


def unpublish_module(session: Session, module_id: UUID, *, by: UUID | None) -> None:
    """Take a module from learners; what they completed stays. Raises NotFound."""
    editing.lock_course_of_module(session, module_id)
    _switch(session, editing.lock_module(session, module_id), "module", published=False, by=by)


def unpublish_course(session: Session, course_id: UUID, *, by: UUID | None) -> None:
    """Take a course out of the catalogue; what learners completed stays. Raises NotFound."""
    _switch(session, editing.lock_course(session, course_id), "course", published=False, by=by)


def _switch(
    session: Session,
    row: Course | Module | Lesson,
    what: str,
    *,
    published: bool,
    by: UUID | None,
) -> None:
    if row.published is published:
        return
    row.published = published
    editing.touch(row)
    act = "published" if published else "unpublished"
    editing.record(session, f"{what}.{act}", row, by=by)
    session.flush()


def _require(session: Session, something: ColumnElement[bool], field: str, message: str) -> None:
    if not session.scalar(select(something)):
        raise Unprocessable(
            "There is nothing to publish.",
            code=NOTHING_TO_PUBLISH,
            errors=[FieldError(field, NOTHING_TO_PUBLISH, message)],
        )


def _has_content(lesson: Lesson) -> bool:
    """Words, or pictures without any."""
    if lesson.body_text.strip():
        return True
    return _IMAGE_IN_MARKDOWN in (lesson.content_markdown or "") or _has_image(lesson.content)


def _has_image(node: Any) -> bool:
    match node:
        case {"type": "image"}:
            return True
        case {"content": [*children]}:
            return any(_has_image(child) for child in children)
        case _:
            return False
