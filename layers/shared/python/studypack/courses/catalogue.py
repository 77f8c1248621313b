"""The courses on offer, and how far their reader is with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.billing.features import Feature
from studypack.core.errors import Unauthenticated
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_MODULE
from studypack.courses.page import EnrollmentLine, enrollment_of, entitlements_of
from studypack.courses.tally import COUNT_OF_MODULE
from studypack.identity.models import Level


@dataclass(frozen=True)
class CourseLine:
    """A course in the catalogue."""

    id: UUID
    slug: str
    title: str
    description: str | None
    icon: str | None
    difficulty: Level
    disclaimer: str | None
    modules: int
    lessons: int
    free_lessons: int
    minutes: int
    """What its lessons say that they take, together."""
    is_entitled: bool
    enrollment: EnrollmentLine | None
    percent: int | None
    """None: not enrolled."""


_LIST: Final = text(
    f"""
    SELECT c.id, c.slug, c.title, c.description, c.icon, c.difficulty, c.disclaimer,
           content.modules, content.lessons, content.free_lessons, content.minutes,
           e.status, e.enrolled_at, e.paused_at, e.dropped_at, e.completed_at,
           CASE WHEN e.completed_at IS NOT NULL THEN (
               SELECT t.code FROM learning.certificates t
                WHERE t.user_id = :user_id AND t.course_id = c.id AND t.revoked_at IS NULL)
           END AS certificate_code,
           CASE WHEN e.status = 'COMPLETED' THEN 100
                WHEN e.status IS NOT NULL THEN (
               SELECT coalesce(100 * sum(CASE WHEN p.status = 'COMPLETED' THEN counted.items
                                              ELSE counted.done END)
                               / nullif(sum(counted.items), 0), 0)
                 FROM learning.modules m
                 LEFT JOIN learning.module_progress p
                        ON p.module_id = m.id AND p.user_id = :user_id
                CROSS JOIN LATERAL ({COUNT_OF_MODULE}) counted
                WHERE m.course_id = c.id AND {VISIBLE_MODULE}) END AS percent
      FROM learning.courses c
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
     CROSS JOIN LATERAL (
           SELECT count(DISTINCT m.id) AS modules, count(l.id) AS lessons,
                  count(l.id) FILTER (WHERE l.is_free) AS free_lessons,
                  coalesce(sum(coalesce(l.estimated_minutes, ceil(l.duration_seconds / 60.0))), 0)
                      AS minutes
             FROM learning.modules m
             LEFT JOIN learning.lessons l
                    ON l.module_id = m.id AND l.published AND l.deleted_at IS NULL
            WHERE m.course_id = c.id AND {VISIBLE_MODULE}) content
     WHERE {VISIBLE_COURSE} AND (NOT :enrolled_only OR e.id IS NOT NULL)
     ORDER BY c.position, c.title
    """  # noqa: S608 (our own text)
)


def list_courses(
    session: Session, caller: Caller | None, *, enrolled_only: bool = False
) -> list[CourseLine]:
    """The published courses in the catalogue's order, or only those that the reader is enrolled
    in (paused, dropped and completed ones too). One statement.

    Raises Unauthenticated for a visitor's.
    """
    if enrolled_only and caller is None:
        raise Unauthenticated("Sign in to see the courses that you are enrolled in.")
    entitlements = entitlements_of(caller)
    given = {"user_id": caller.id if caller else None, "enrolled_only": enrolled_only}
    return [
        CourseLine(
            id=row.id,
            slug=row.slug,
            title=row.title,
            description=row.description,
            icon=row.icon,
            difficulty=Level(row.difficulty),
            disclaimer=row.disclaimer,
            modules=row.modules,
            lessons=row.lessons,
            free_lessons=row.free_lessons,
            minutes=int(row.minutes),
            is_entitled=entitlements.opens(Feature.COURSES, course_id=row.id),
            enrollment=None if row.status is None else enrollment_of(row),
            percent=None if row.percent is None else int(row.percent),
        )
        for row in session.execute(_LIST, given)
    ]
