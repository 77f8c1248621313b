"""Whether a caller may use something of a course, and the refusals that say why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.access.paywall import paywall
from studypack.billing.features import Feature
from studypack.core.errors import AppError, Forbidden, NotFound
from studypack.courses.locks import Lock, LockReason, lock_of
from studypack.courses.models import EnrollmentStatus


@dataclass(frozen=True)
class OpenModule:
    """A published module that the caller may use, and their enrolment in its course."""

    course_id: UUID
    course_slug: str
    course_title: str
    module_id: UUID
    module_title: str
    enrollment: EnrollmentStatus | None
    """None: not enrolled."""
    enrolled_at: datetime | None


VISIBLE_COURSE: Final = "c.published AND c.is_active AND c.deleted_at IS NULL"
VISIBLE_MODULE: Final = "m.published AND m.deleted_at IS NULL"
VISIBLE_LESSON: Final = "l.published AND l.deleted_at IS NULL"
"""What is there for learners, of tables by these aliases."""

_MODULE: Final = text(
    f"""
    SELECT c.id AS course_id, c.slug, c.title, m.id AS module_id, m.title AS module_title,
           m.release_after_days, e.status, e.enrolled_at
      FROM learning.modules m
      JOIN learning.courses c ON c.id = m.course_id AND {VISIBLE_COURSE}
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
     WHERE m.id = :module_id AND {VISIBLE_MODULE}
    """  # noqa: S608 (our own text)
)


def open_module(session: Session, caller: Caller, module_id: UUID) -> OpenModule:
    """The module, if what is in it (other than free lessons) is open to the caller; one statement.

    Raises NotFound (`module_not_found`), PaymentRequired (`entitlement_required`), Forbidden
    (`not_enrolled`, `not_released_yet` with `released_at`).
    """
    row = session.execute(_MODULE, {"module_id": module_id, "user_id": caller.id}).one_or_none()
    if row is None:
        raise NotFound("There is no such module.", code="module_not_found")
    lock = lock_of(
        is_entitled=is_entitled(caller, row.course_id),
        release_after_days=row.release_after_days,
        enrolled_at=row.enrolled_at,
        now=caller.now,
    )
    if lock is not None:
        raise refusal(session, lock, row.course_id)
    return OpenModule(
        course_id=row.course_id,
        course_slug=row.slug,
        course_title=row.title,
        module_id=row.module_id,
        module_title=row.module_title,
        enrollment=None if row.status is None else EnrollmentStatus(row.status),
        enrolled_at=row.enrolled_at,
    )


def is_entitled(caller: Caller, course_id: UUID) -> bool:
    """Whether what the caller holds opens this course."""
    return caller.entitlements.opens(Feature.COURSES, course_id=course_id)


def refusal(session: Session, lock: Lock, course_id: UUID) -> AppError:
    """The error that tells a signed-in caller of a lock."""
    match lock.reason:
        case LockReason.NOT_ENROLLED:
            return Forbidden(
                "This part opens some days after you enrol: enrol in the course first.",
                code=lock.reason.value,
            )
        case LockReason.NOT_RELEASED_YET:
            return Forbidden(
                "This part of the course is not open to you yet.",
                code=lock.reason.value,
                released_at=lock.released_at,
            )
        case _:
            return paywall(session, Feature.COURSES, course_id=course_id)
