"""What a learner does with a lesson: open it, play its video, be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.activity.models import XpSource
from studypack.activity.service import grant_xp, record_activity
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import Conflict
from studypack.courses import first_video, heartbeats
from studypack.courses.access import OpenLesson, open_lesson
from studypack.courses.completion import Completed, complete_item
from studypack.courses.enrollments import require_working
from studypack.courses.heartbeats import Beat
from studypack.courses.models import ItemKind, LessonKind


@dataclass(frozen=True)
class LessonState:
    """How far a learner is with a lesson, and what a call brought about."""

    lesson_id: UUID
    view_count: int
    completed: bool
    completed_at: datetime | None
    position_seconds: int
    watched_seconds: int
    needed_seconds: int | None
    """To complete the lesson by watching; None when it is not completed so."""
    completion: Completed
    """By this call."""


_NOTHING: Final = Completed(first_time=False, module_completed=False, course_completed=False)
_STATE: Final = "view_count, completed, completed_at, position_seconds, watched_seconds"

_OPEN: Final = f"""
    INSERT INTO learning.lesson_progress AS p
           (id, user_id, lesson_id, view_count, last_viewed_at, created_at, updated_at)
    VALUES (public.uuid7(), :user_id, :lesson_id, 1, :now, :now, :now)
    ON CONFLICT (user_id, lesson_id) DO UPDATE
       SET view_count = p.view_count + 1, updated_at = excluded.updated_at,
           last_viewed_at = greatest(p.last_viewed_at, excluded.last_viewed_at)
    RETURNING {_STATE}
"""  # noqa: S608 (our own text)

_BEGIN_MODULE: Final = """
    INSERT INTO learning.module_progress AS m
           (id, user_id, module_id, status, started_at, last_accessed_at, created_at, updated_at)
    SELECT public.uuid7(), CAST(:user_id AS uuid), CAST(:module_id AS uuid), 'IN_PROGRESS',
           CAST(:now AS timestamptz), :now, :now, :now
      FROM opened
    ON CONFLICT (user_id, module_id) DO UPDATE
       SET last_accessed_at = greatest(m.last_accessed_at, excluded.last_accessed_at),
           started_at = coalesce(m.started_at, excluded.started_at),
           status = CASE WHEN m.status = 'NOT_STARTED' THEN excluded.status ELSE m.status END
"""

# The module's row comes from the lesson's: so they are locked in the one order of completion.py.
_VIEW: Final = text(
    f"WITH opened AS ({_OPEN}), begun AS ({_BEGIN_MODULE}) SELECT * FROM opened"  # noqa: S608 (our own text)
)
_OPEN_ONLY: Final = text(_OPEN)
_BEGIN_MODULE_ONLY: Final = text(f"WITH opened AS (SELECT 1) {_BEGIN_MODULE}")

_LOCK: Final = text(
    f"""
    SELECT {_STATE} FROM learning.lesson_progress
     WHERE user_id = :user_id AND lesson_id = :lesson_id
       FOR NO KEY UPDATE
    """  # noqa: S608 (our own text)
)

_COMPLETE: Final = text(
    f"""
    UPDATE learning.lesson_progress
       SET completed = true, completed_at = :now, updated_at = :now
     WHERE user_id = :user_id AND lesson_id = :lesson_id AND NOT completed
    RETURNING {_STATE}
    """  # noqa: S608 (our own text)
)


def view(session: Session, caller: Caller, lesson_id: UUID) -> LessonState:
    """Count that the lesson was opened.

    Raises what `open_lesson` and `require_working` raise, as all of these do.
    """
    lesson = _to_work_on(session, caller, lesson_id)
    return _state(session, lesson, session.execute(_VIEW, _given(caller, lesson)).one())


def beat(
    session: Session,
    caller: Caller,
    lesson_id: UUID,
    beats: Sequence[Beat],
    *,
    position: int,
    client_session_id: str | None = None,
) -> LessonState:
    """Record what a player played; a video lesson of which enough was watched is completed. A
    lesson that was not opened before is opened by it.

    Raises Conflict (`no_video`) for a lesson without one that can be watched.
    """
    lesson = _to_work_on(session, caller, lesson_id)
    if lesson.duration_seconds is None:
        raise Conflict("This lesson has no video to watch.", code="no_video")
    recorded = _record(session, caller, lesson, beats, position)
    was_open = recorded is not None
    if recorded is None:
        session.execute(_OPEN_ONLY, _given(caller, lesson))
        recorded = _record(session, caller, lesson, beats, position)
        if recorded is None:
            raise RuntimeError("a lesson's progress is gone while its transaction is under way")
    needed = _needed(session, lesson)
    if needed is not None and not recorded.completed and recorded.watched_seconds >= needed:
        state = _complete(session, caller, lesson)
    else:
        state = _state(session, lesson, recorded)
        if not was_open:
            # Not before the enrolment, which a completion locks: see completion.py.
            session.execute(_BEGIN_MODULE_ONLY, _given(caller, lesson))
    if recorded.is_first and lesson.is_first_free_video:
        first_video.record_started(
            session, caller.id, lesson, client_session_id=client_session_id, now=caller.now
        )
    return state


def complete(session: Session, caller: Caller, lesson_id: UUID) -> LessonState:
    """Be done with a lesson; done before, nothing changes.

    Raises Conflict: `not_viewed`; of a video lesson `not_watched_enough` with `watched_seconds` and
    `needed_seconds`, or `video_not_ready`.
    """
    lesson = _to_work_on(session, caller, lesson_id)
    before = session.execute(_LOCK, _given(caller, lesson)).one_or_none()
    if before is not None and before.completed:
        return _state(session, lesson, before)
    if before is None or before.view_count == 0:
        raise Conflict("Open this lesson before you complete it.", code="not_viewed")
    needed = _needed(session, lesson)
    if lesson.kind is LessonKind.VIDEO and needed is None:
        raise Conflict("The video of this lesson cannot be watched yet.", code="video_not_ready")
    if needed is not None and before.watched_seconds < needed:
        raise Conflict(
            "You have not watched enough of this video yet.",
            code="not_watched_enough",
            watched_seconds=before.watched_seconds,
            needed_seconds=needed,
        )
    return _complete(session, caller, lesson)


def _to_work_on(session: Session, caller: Caller, lesson_id: UUID) -> OpenLesson:
    """The lesson, open to the caller, who is in its course or is so from now on."""
    lesson = open_lesson(session, caller, lesson_id)
    require_working(session, caller.id, lesson.course_id, lesson.enrollment, now=caller.now)
    return lesson


def _given(caller: Caller, lesson: OpenLesson) -> dict[str, Any]:
    return {
        "user_id": caller.id,
        "lesson_id": lesson.lesson_id,
        "module_id": lesson.module_id,
        "now": caller.now,
    }


def _record(
    session: Session, caller: Caller, lesson: OpenLesson, beats: Sequence[Beat], position: int
) -> Row[Any] | None:
    return heartbeats.record(
        session,
        caller.id,
        lesson.lesson_id,
        beats,
        position=position,
        duration_seconds=lesson.duration_seconds or 0,
        now=caller.now,
    )


def _needed(session: Session, lesson: OpenLesson) -> int | None:
    if lesson.kind is not LessonKind.VIDEO or lesson.duration_seconds is None:
        return None
    percent = get_business_settings(session).video_complete_percent
    return heartbeats.needed_seconds(lesson.duration_seconds, percent)


def _complete(session: Session, caller: Caller, lesson: OpenLesson) -> LessonState:
    """The lesson's progress is locked, and there is nothing against it."""
    row = session.execute(_COMPLETE, _given(caller, lesson)).one()
    completed = complete_item(
        session,
        caller.id,
        lesson.lesson_id,
        ItemKind.LESSON,
        lesson.module_id,
        now=caller.now,
    )
    if completed.first_time:
        grant_xp(session, caller.id, XpSource.LESSON, lesson.lesson_id, now=caller.now)
        record_activity(
            session,
            caller.id,
            "lesson.completed",
            f"Completed {lesson.title}",
            now=caller.now,
            lesson_id=str(lesson.lesson_id),
            course_slug=lesson.course_slug,
        )
        if lesson.is_first_free_video:
            first_video.record_completed(session, caller.id, lesson, now=caller.now)
    return _state(session, lesson, row, completed)


def _state(
    session: Session, lesson: OpenLesson, row: Row[Any], completion: Completed = _NOTHING
) -> LessonState:
    return LessonState(
        lesson_id=lesson.lesson_id,
        view_count=row.view_count,
        completed=row.completed,
        completed_at=row.completed_at,
        position_seconds=row.position_seconds,
        watched_seconds=row.watched_seconds,
        needed_seconds=_needed(session, lesson),
        completion=completion,
    )
