"""The funnel's first video: a course's first free video lesson, the first that somebody begins and
the first that somebody completes, over all courses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.activity.service import record_first_event
from studypack.courses.access import VISIBLE_LESSON, VISIBLE_MODULE, OpenLesson

_AROUND: Final = text(
    f"""
    SELECT ordered.next_title, ordered.lessons
      FROM (SELECT l.id, lead(l.title) OVER course AS next_title, count(*) OVER () AS lessons
              FROM learning.modules m JOIN learning.lessons l ON l.module_id = m.id
             WHERE m.course_id = :course_id AND {VISIBLE_MODULE} AND {VISIBLE_LESSON}
            WINDOW course AS (ORDER BY m.position, l.position)) ordered
     WHERE ordered.id = :lesson_id
    """  # noqa: S608 (our own text)
)


def record_started(
    session: Session,
    user_id: UUID,
    lesson: OpenLesson,
    *,
    client_session_id: str | None,
    now: datetime,
) -> None:
    """`video_1_started`, unless there is one."""
    record_first_event(
        session,
        "video_1_started",
        user_id=user_id,
        client_session_id=client_session_id,
        now=now,
        **_payload(session, lesson),
    )


def record_completed(session: Session, user_id: UUID, lesson: OpenLesson, *, now: datetime) -> None:
    """`video_1_completed`, unless there is one; lifecycle/abandonment.py makes mails of it."""
    record_first_event(
        session, "video_1_completed", user_id=user_id, now=now, **_payload(session, lesson)
    )


def _payload(session: Session, lesson: OpenLesson) -> dict[str, Any]:
    around = session.execute(
        _AROUND, {"course_id": lesson.course_id, "lesson_id": lesson.lesson_id}
    ).one_or_none()
    return {
        "course_id": str(lesson.course_id),
        "course_title": lesson.course_title,
        "course_slug": lesson.course_slug,
        "lesson_id": str(lesson.lesson_id),
        "lesson_title": lesson.title,
        "next_lesson_title": around.next_title if around else None,
        "lesson_count": around.lessons if around else None,
    }
