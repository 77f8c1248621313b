"""The page of a lesson: its content, links to its video and files, where it stands in its course,
and how far its reader is. Two statements: the lesson, its files. Reading counts no view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.core.business_settings import get_business_settings
from studypack.courses.access import (
    VISIBLE_COURSE,
    VISIBLE_LESSON,
    VISIBLE_MODULE,
    is_entitled,
    lesson_not_found,
    refusal,
)
from studypack.courses.assets import AssetLink, links_of
from studypack.courses.heartbeats import needed_seconds
from studypack.courses.locks import lock_of
from studypack.courses.models import LessonKind, VideoStatus
from studypack.courses.video import Playback, playback_of


@dataclass(frozen=True)
class Neighbour:
    """The lesson before or after."""

    id: UUID
    slug: str
    title: str
    kind: LessonKind


@dataclass(frozen=True)
class Place:
    """The module or course that a lesson is in."""

    id: UUID
    slug: str
    title: str


@dataclass(frozen=True)
class LessonPage:
    """Everything that a lesson's page shows."""

    id: UUID
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    is_free: bool
    estimated_minutes: int | None
    content: dict[str, Any] | None
    content_markdown: str | None
    transcript: str | None
    course: Place
    disclaimer: str | None
    module: Place
    video_status: VideoStatus | None
    video: Playback | None
    assets: Sequence[AssetLink]
    previous: Neighbour | None
    next: Neighbour | None
    notes: int
    """How many the reader has made here."""
    view_count: int
    completed_at: datetime | None
    position_seconds: int
    watched_seconds: int
    needed_seconds: int | None
    """To complete a video lesson by watching."""


@dataclass(frozen=True)
class _Video:
    """What courses/video.py asks of a lesson."""

    video_status: VideoStatus | None
    mux_playback_id: str | None
    duration_seconds: int | None
    captions: list[dict[str, Any]]


def _neighbour(comparison: str, direction: str) -> str:
    return f"""
        (SELECT jsonb_build_array(nl.id, nl.slug, nl.title, nl.kind)
           FROM learning.modules nm JOIN learning.lessons nl ON nl.module_id = nm.id
          WHERE nm.course_id = c.id AND nm.published AND nm.deleted_at IS NULL
            AND nl.published AND nl.deleted_at IS NULL
            AND (nm.position, nl.position) {comparison} (m.position, l.position)
          ORDER BY nm.position {direction}, nl.position {direction} LIMIT 1)
    """  # noqa: S608 (our own text)


_PAGE: Final = text(
    f"""
    SELECT l.id, l.slug, l.title, l.summary, l.kind, l.is_free, l.estimated_minutes, l.content,
           l.content_markdown, l.transcript, l.video_status, l.mux_playback_id,
           l.duration_seconds, l.captions,
           c.id AS course_id, c.slug AS course_slug, c.title AS course_title, c.disclaimer,
           m.id AS module_id, m.slug AS module_slug, m.title AS module_title,
           m.release_after_days, e.enrolled_at, d.completed_at, s.view_count,
           s.position_seconds, s.watched_seconds,
           {_neighbour("<", "DESC")} AS previous, {_neighbour(">", "ASC")} AS next,
           (SELECT count(*) FROM learning.notes n
             WHERE n.user_id = :user_id AND n.lesson_id = l.id) AS notes
      FROM learning.lessons l
      JOIN learning.modules m ON m.id = l.module_id AND {VISIBLE_MODULE}
      JOIN learning.courses c ON c.id = m.course_id AND {VISIBLE_COURSE}
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
      LEFT JOIN learning.item_completions d ON d.user_id = :user_id AND d.item_id = l.id
      LEFT JOIN learning.lesson_progress s ON s.user_id = :user_id AND s.lesson_id = l.id
     WHERE l.id = :lesson_id AND {VISIBLE_LESSON}
    """  # noqa: S608 (our own text)
)


def load(session: Session, caller: Caller, lesson_id: UUID) -> LessonPage:
    """The page of a published lesson that is open to the caller.

    Raises what `open_lesson` raises (courses/access.py).
    """
    row = session.execute(_PAGE, {"lesson_id": lesson_id, "user_id": caller.id}).one_or_none()
    if row is None:
        raise lesson_not_found()
    lock = lock_of(
        is_free=row.is_free,
        is_entitled=is_entitled(caller, row.course_id),
        release_after_days=row.release_after_days,
        enrolled_at=row.enrolled_at,
        now=caller.now,
    )
    if lock is not None:
        raise refusal(session, lock, row.course_id)
    video = _Video(
        video_status=None if row.video_status is None else VideoStatus(row.video_status),
        mux_playback_id=row.mux_playback_id,
        duration_seconds=row.duration_seconds,
        captions=row.captions,
    )
    return LessonPage(
        id=row.id,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        kind=LessonKind(row.kind),
        is_free=row.is_free,
        estimated_minutes=row.estimated_minutes,
        content=row.content,
        content_markdown=row.content_markdown,
        transcript=row.transcript,
        course=Place(row.course_id, row.course_slug, row.course_title),
        disclaimer=row.disclaimer,
        module=Place(row.module_id, row.module_slug, row.module_title),
        video_status=video.video_status,
        video=playback_of(video, user_id=caller.id, now=caller.now),
        assets=links_of(session, row.id),
        previous=_to_neighbour(row.previous),
        next=_to_neighbour(row.next),
        notes=row.notes,
        view_count=row.view_count or 0,
        completed_at=row.completed_at,
        position_seconds=row.position_seconds or 0,
        watched_seconds=row.watched_seconds or 0,
        needed_seconds=_needed(session, row),
    )


def _needed(session: Session, row: Row[Any]) -> int | None:
    if (
        row.kind != LessonKind.VIDEO
        or row.video_status != VideoStatus.READY
        or row.duration_seconds is None
    ):
        return None
    percent = get_business_settings(session).video_complete_percent
    return needed_seconds(row.duration_seconds, percent)


def _to_neighbour(columns: list[str] | None) -> Neighbour | None:
    if columns is None:
        return None
    id_, slug, title, kind = columns
    return Neighbour(UUID(id_), slug, title, LessonKind(kind))
