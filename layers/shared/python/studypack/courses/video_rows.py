"""The rows that a video is kept in, its lesson's among them: locked and written in one way."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from studypack.core.errors import NotFound
from studypack.courses.models import Lesson, VideoStatus, VideoUpload

LESSONS = select(Lesson).where(Lesson.deleted_at.is_(None))


def lock_lesson(session: Session, lesson_id: UUID) -> Lesson:
    """A lesson's row, held until the end; read anew.

    Raises NotFound (`lesson_not_found`).
    """
    lesson = session.scalars(
        LESSONS.where(Lesson.id == lesson_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if lesson is None:
        raise no_lesson()
    return lesson


def drop_current(session: Session, lesson_id: UUID, *, now: datetime) -> list[UUID]:
    """Drop the video that a lesson has or waits for; the rows to clear after the commit."""
    return list(
        session.scalars(
            update(VideoUpload)
            .where(VideoUpload.lesson_id == lesson_id, VideoUpload.dropped_at.is_(None))
            .values(dropped_at=now)
            .returning(VideoUpload.id)
        )
    )


def set_video(
    session: Session, lesson_id: UUID, status: VideoStatus | None, *, video_error: str | None = None
) -> None:
    """Begin a lesson's video anew: nothing of the former one holds for it."""
    write(
        session,
        lesson_id,
        video_status=status,
        video_error=video_error,
        video_changed_at=None,
        mux_upload_id=None,
        mux_asset_id=None,
        mux_playback_id=None,
        duration_seconds=None,
        captions=[],
    )


def write(session: Session, lesson_id: UUID, **columns: Any) -> None:
    """Columns of the video; the time of the author's last change stays, by which edits are told
    from each other.
    """
    session.execute(
        update(Lesson)
        .where(Lesson.id == lesson_id)
        .values(**columns, updated_at=Lesson.updated_at)
        .execution_options(synchronize_session=False)
    )


def no_lesson() -> NotFound:
    """The refusal."""
    return NotFound("There is no such lesson.", code="lesson_not_found")
