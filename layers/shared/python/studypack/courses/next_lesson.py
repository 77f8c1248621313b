"""Where a learner goes on: the first published lesson, by module then lesson order, that is not
completed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_LESSON, VISIBLE_MODULE, is_entitled
from studypack.courses.enrollments import course_not_found
from studypack.courses.locks import Lock, lock_of
from studypack.courses.models import LessonKind


@dataclass(frozen=True)
class NextLesson:
    """The lesson to go on with."""

    id: UUID
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    is_free: bool
    estimated_minutes: int | None
    duration_seconds: int | None
    position_seconds: int
    """Where its video goes on."""
    module_id: UUID
    module_slug: str
    module_title: str
    lock: Lock | None


_NEXT: Final = text(
    f"""
    SELECT c.id AS course_id, e.enrolled_at, n.*
      FROM learning.courses c
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
      LEFT JOIN LATERAL (
           SELECT l.id, l.slug, l.title, l.summary, l.kind, l.is_free, l.estimated_minutes,
                  CASE WHEN l.video_status = 'READY' THEN l.duration_seconds END
                      AS duration_seconds,
                  (SELECT s.position_seconds FROM learning.lesson_progress s
                    WHERE s.user_id = :user_id AND s.lesson_id = l.id) AS position_seconds,
                  m.id AS module_id, m.slug AS module_slug, m.title AS module_title,
                  m.release_after_days
             FROM learning.modules m
             JOIN learning.lessons l ON l.module_id = m.id AND {VISIBLE_LESSON}
            WHERE m.course_id = c.id AND {VISIBLE_MODULE}
              AND NOT EXISTS (SELECT FROM learning.item_completions d
                               WHERE d.user_id = :user_id AND d.item_id = l.id)
            ORDER BY m.position, l.position LIMIT 1) n ON true
     WHERE c.slug = :slug AND {VISIBLE_COURSE}
    """  # noqa: S608 (our own text)
)


def find(session: Session, caller: Caller, slug: str) -> NextLesson | None:
    """The next lesson of a course, open or locked; None when all are completed. One statement.

    Raises NotFound (`course_not_found`).
    """
    row = session.execute(_NEXT, {"slug": slug, "user_id": caller.id}).one_or_none()
    if row is None:
        raise course_not_found()
    if row.id is None:
        return None
    return NextLesson(
        id=row.id,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        kind=LessonKind(row.kind),
        is_free=row.is_free,
        estimated_minutes=row.estimated_minutes,
        duration_seconds=row.duration_seconds,
        position_seconds=row.position_seconds or 0,
        module_id=row.module_id,
        module_slug=row.module_slug,
        module_title=row.module_title,
        lock=lock_of(
            is_free=row.is_free,
            is_entitled=is_entitled(caller, row.course_id),
            release_after_days=row.release_after_days,
            enrolled_at=row.enrolled_at,
            now=caller.now,
        ),
    )
