"""How far a learner is with a course and each of its modules: counts, without what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.courses.access import VISIBLE_COURSE, VISIBLE_MODULE
from studypack.courses.enrollments import course_not_found
from studypack.courses.models import EnrollmentStatus, ProgressStatus
from studypack.courses.page import EnrollmentLine, enrollment_of
from studypack.courses.tally import COUNT_OF_MODULE, course_percent, module_percent


@dataclass(frozen=True)
class ModuleStanding:
    """A module, and how much of it is done."""

    id: UUID
    slug: str
    title: str
    status: ProgressStatus
    started_at: datetime | None
    completed_at: datetime | None
    last_accessed_at: datetime | None
    items: int
    """How many things count in it."""
    done: int

    @property
    def completed(self) -> bool:
        """Whether it is completed for good."""
        return self.status is ProgressStatus.COMPLETED

    @property
    def percent(self) -> int:
        """How far the learner is with it."""
        return module_percent(self)


@dataclass(frozen=True)
class CourseStanding:
    """A course, and how much of it is done."""

    id: UUID
    slug: str
    enrollment: EnrollmentLine | None
    modules: tuple[ModuleStanding, ...]

    @property
    def percent(self) -> int:
        """How far the learner is with the course."""
        if self.enrollment and self.enrollment.status is EnrollmentStatus.COMPLETED:
            return 100
        return course_percent(self.modules)


_STANDING: Final = text(
    f"""
    SELECT c.id, c.slug, e.status, e.enrolled_at, e.paused_at, e.dropped_at, e.completed_at,
           CASE WHEN e.completed_at IS NOT NULL THEN (
               SELECT t.code FROM learning.certificates t
                WHERE t.user_id = :user_id AND t.course_id = c.id AND t.revoked_at IS NULL)
           END AS certificate_code,
           (SELECT json_agg(json_build_array(
                       m.id, m.slug, m.title, p.status, p.started_at, p.completed_at,
                       p.last_accessed_at, counted.items, counted.done) ORDER BY m.position)
              FROM learning.modules m
              LEFT JOIN learning.module_progress p
                     ON p.module_id = m.id AND p.user_id = :user_id
             CROSS JOIN LATERAL ({COUNT_OF_MODULE}) counted
             WHERE m.course_id = c.id AND {VISIBLE_MODULE}) AS modules
      FROM learning.courses c
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
     WHERE c.slug = :slug AND {VISIBLE_COURSE}
    """  # noqa: S608 (our own text)
)


def load(session: Session, user_id: UUID, slug: str) -> CourseStanding:
    """How far somebody is with a published course. One statement.

    Raises NotFound (`course_not_found`).
    """
    row = session.execute(_STANDING, {"slug": slug, "user_id": user_id}).one_or_none()
    if row is None:
        raise course_not_found()
    return CourseStanding(
        id=row.id,
        slug=row.slug,
        enrollment=None if row.status is None else enrollment_of(row),
        modules=tuple(_module(*each) for each in row.modules or ()),
    )


def _module(
    id_: str,
    slug: str,
    title: str,
    status: str | None,
    started: str | None,
    completed: str | None,
    accessed: str | None,
    items: int,
    done: int,
) -> ModuleStanding:
    return ModuleStanding(
        id=UUID(id_),
        slug=slug,
        title=title,
        status=ProgressStatus(status) if status else ProgressStatus.NOT_STARTED,
        started_at=_time(started),
        completed_at=_time(completed),
        last_accessed_at=_time(accessed),
        items=items,
        done=done,
    )


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
