"""Getting into a course."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.activity.service import record_activity
from studypack.core.errors import Conflict, NotFound
from studypack.core.ids import uuid7
from studypack.courses.access import VISIBLE_COURSE
from studypack.courses.models import Enrollment, EnrollmentStatus

_MISSING: Final = text(
    f"""
    SELECT c.slug, c.title
      FROM learning.course_prerequisites p
      JOIN learning.courses c ON c.id = p.required_course_id AND {VISIBLE_COURSE}
      LEFT JOIN learning.enrollments e
             ON e.course_id = c.id AND e.user_id = :user_id AND e.completed_at IS NOT NULL
     WHERE p.course_id = :course_id AND e.id IS NULL
     ORDER BY c.position, c.title
    """  # noqa: S608 (our own text)
)
"""A prerequisite that is withdrawn asks for nothing: nobody could complete it any more."""

_COURSE: Final = text(
    f"""
    SELECT c.id, c.slug, c.title FROM learning.courses c WHERE c.slug = :slug AND {VISIBLE_COURSE}
    """  # noqa: S608 (our own text)
)


def find_course(session: Session, slug: str) -> Row[Any]:
    """The id, slug and title of a course that learners can see.

    Raises NotFound (`course_not_found`).
    """
    row = session.execute(_COURSE, {"slug": slug}).one_or_none()
    if row is None:
        raise course_not_found()
    return row


def course_not_found() -> NotFound:
    """The answer for a course that learners cannot see."""
    return NotFound("There is no such course.", code="course_not_found")


def require_working(
    session: Session,
    user_id: UUID,
    course_id: UUID,
    status: EnrollmentStatus | None,
    *,
    now: datetime,
) -> None:
    """Let a learner's work in a course be recorded, whose status there was read before: who is not
    in it is enrolled by beginning. No statement for who is.

    Raises Conflict: `not_enrolled` (dropped), `enrollment_paused`, `prerequisites_missing`.
    """
    match status:
        case None:
            insert_enrollment(session, user_id, course_id, now=now)
        case EnrollmentStatus.DROPPED:
            raise Conflict(
                "You dropped this course: enrol again to go on with it.", code="not_enrolled"
            )
        case EnrollmentStatus.PAUSED:
            raise Conflict("You paused this course: resume it to go on.", code="enrollment_paused")
        case _:
            pass


def insert_enrollment(
    session: Session,
    user_id: UUID,
    course_id: UUID,
    *,
    now: datetime,
    checks_prerequisites: bool = True,
) -> bool:
    """Enrol somebody who is not; False when they are by now.

    Raises Conflict (`prerequisites_missing`) with the `missing` courses' slugs and titles.
    """
    if checks_prerequisites:
        _check_prerequisites(session, user_id, course_id)
    created = session.scalar(
        insert(Enrollment)
        .values(
            id=uuid7(now),
            user_id=user_id,
            course_id=course_id,
            enrolled_at=now,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(index_elements=["user_id", "course_id"])
        .returning(Enrollment.id)
    )
    if created is None:
        return False
    course = session.execute(
        text("SELECT id, slug, title FROM learning.courses WHERE id = :id"), {"id": course_id}
    ).one()
    record_activity(
        session,
        user_id,
        "course.enrolled",
        f"Enrolled in {course.title}",
        now=now,
        course_id=str(course.id),
        course_slug=course.slug,
    )
    return True


def _check_prerequisites(session: Session, user_id: UUID, course_id: UUID) -> None:
    missing = session.execute(_MISSING, {"user_id": user_id, "course_id": course_id}).all()
    if missing:
        names = ", ".join(row.title for row in missing)
        raise Conflict(
            f"Complete first: {names}.",
            code="prerequisites_missing",
            missing=[{"slug": row.slug, "title": row.title} for row in missing],
        )
