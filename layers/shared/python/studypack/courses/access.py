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
from studypack.courses.models import EnrollmentStatus, LessonKind


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

IS_FIRST_FREE_VIDEO: Final = """
    (l.kind = 'VIDEO' AND l.is_free AND NOT EXISTS (
        SELECT FROM learning.modules em JOIN learning.lessons el ON el.module_id = em.id
         WHERE em.course_id = m.course_id AND em.published AND em.deleted_at IS NULL
           AND el.kind = 'VIDEO' AND el.is_free AND el.published AND el.deleted_at IS NULL
           AND (em.position, el.position) < (m.position, l.position)))
"""
"""Whether the lesson `l` of the module `m` is the first video of its course that all may see."""

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


@dataclass(frozen=True)
class OpenLesson:
    """A published lesson that the caller may use, and their enrolment in its course."""

    course_id: UUID
    course_slug: str
    course_title: str
    module_id: UUID
    lesson_id: UUID
    kind: LessonKind
    title: str
    duration_seconds: int | None
    """Of a video that can be watched; None without one."""
    is_first_free_video: bool
    enrollment: EnrollmentStatus | None
    """None: not enrolled."""


_LESSON: Final = text(
    f"""
    SELECT c.id AS course_id, c.slug AS course_slug, c.title AS course_title, m.id AS module_id,
           m.release_after_days, l.id AS lesson_id, l.kind, l.title, l.is_free,
           CASE WHEN l.video_status = 'READY' THEN l.duration_seconds END AS duration_seconds,
           {IS_FIRST_FREE_VIDEO} AS is_first_free_video, e.status, e.enrolled_at
      FROM learning.lessons l
      JOIN learning.modules m ON m.id = l.module_id AND {VISIBLE_MODULE}
      JOIN learning.courses c ON c.id = m.course_id AND {VISIBLE_COURSE}
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
     WHERE l.id = :lesson_id AND {VISIBLE_LESSON}
    """  # noqa: S608 (our own text)
)


def open_lesson(session: Session, caller: Caller, lesson_id: UUID) -> OpenLesson:
    """The lesson, if it is open to the caller; one statement.

    Raises NotFound (`lesson_not_found`), and as `open_module` does.
    """
    row = session.execute(_LESSON, {"lesson_id": lesson_id, "user_id": caller.id}).one_or_none()
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
    return OpenLesson(
        course_id=row.course_id,
        course_slug=row.course_slug,
        course_title=row.course_title,
        module_id=row.module_id,
        lesson_id=row.lesson_id,
        kind=LessonKind(row.kind),
        title=row.title,
        duration_seconds=row.duration_seconds,
        is_first_free_video=row.is_first_free_video,
        enrollment=None if row.status is None else EnrollmentStatus(row.status),
    )


def lesson_not_found() -> NotFound:
    """The answer for a lesson that learners cannot see."""
    return NotFound("There is no such lesson.", code="lesson_not_found")


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
