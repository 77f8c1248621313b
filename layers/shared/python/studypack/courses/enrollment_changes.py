"""Enrolling in a course, pausing it, going on with it, dropping it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from studypack.activity.service import record_activity
from studypack.core.errors import Conflict, NotFound
from studypack.courses.completion import settle_enrollment
from studypack.courses.enrollments import course_not_found, find_course, insert_enrollment
from studypack.courses.models import Enrollment, EnrollmentStatus

_SAID: Final = {
    EnrollmentStatus.ACTIVE: ("course.resumed", "Went on with {}"),
    EnrollmentStatus.PAUSED: ("course.paused", "Paused {}"),
    EnrollmentStatus.DROPPED: ("course.dropped", "Dropped {}"),
}


def enroll(session: Session, user_id: UUID, slug: str, *, now: datetime) -> tuple[Enrollment, bool]:
    """Enrol in a course, and whether that changed anything. Who had dropped it takes it up again
    where they were, which completes it when nothing is left to do; any other enrolment is returned
    as it is.

    Raises NotFound (`course_not_found`), Conflict (`prerequisites_missing`).
    """
    course = find_course(session, slug)
    enrolled = _locked(session, user_id, course.id)
    if enrolled is None:
        changed = insert_enrollment(session, user_id, course.id, now=now)
        enrolled = _locked(session, user_id, course.id)
    else:
        changed = enrolled.status is EnrollmentStatus.DROPPED
    if enrolled is None:
        raise course_not_found()
    if enrolled.status is EnrollmentStatus.DROPPED:
        again = ("course.enrolled", "Took up {} again")
        _switch(session, enrolled, course, EnrollmentStatus.ACTIVE, again, now=now)
    return enrolled, changed


def change_status(
    session: Session, user_id: UUID, slug: str, wanted: EnrollmentStatus, *, now: datetime
) -> Enrollment:
    """Pause, resume or drop; the status that it has already changes nothing. Who goes on with a
    course of which nothing is left to do completes it.

    Raises NotFound (`course_not_found`, `enrollment_not_found`), Conflict (`course_completed`;
    `not_enrolled` for pausing what was dropped).
    """
    course = find_course(session, slug)
    enrolled = _locked(session, user_id, course.id)
    if enrolled is None:
        raise NotFound("You are not enrolled in this course.", code="enrollment_not_found")
    if enrolled.status is wanted:
        return enrolled
    if enrolled.status is EnrollmentStatus.COMPLETED:
        raise Conflict("You have completed this course.", code="course_completed")
    if enrolled.status is EnrollmentStatus.DROPPED and wanted is EnrollmentStatus.PAUSED:
        raise Conflict("You dropped this course: enrol again first.", code="not_enrolled")
    _switch(session, enrolled, course, wanted, _SAID[wanted], now=now)
    return enrolled


def _locked(session: Session, user_id: UUID, course_id: UUID) -> Enrollment | None:
    return session.scalar(
        select(Enrollment)
        .where(Enrollment.user_id == user_id, Enrollment.course_id == course_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )


def _switch(
    session: Session,
    enrolled: Enrollment,
    course: Row[Any],
    wanted: EnrollmentStatus,
    said: tuple[str, str],
    *,
    now: datetime,
) -> None:
    enrolled.status = wanted
    enrolled.paused_at = now if wanted is EnrollmentStatus.PAUSED else None
    enrolled.dropped_at = now if wanted is EnrollmentStatus.DROPPED else None
    enrolled.updated_at = now
    session.flush()
    kind, sentence = said
    record_activity(
        session,
        enrolled.user_id,
        kind,
        sentence.format(course.title),
        now=now,
        course_id=str(course.id),
        course_slug=course.slug,
    )
    if wanted is EnrollmentStatus.ACTIVE:
        settle_enrollment(session, enrolled.user_id, course.id, now=now)
        session.refresh(enrolled)
