"""Pausing a course, going on with it, dropping it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.activity.service import record_activity
from studypack.core.errors import Conflict, NotFound
from studypack.courses.completion import settle_enrollment
from studypack.courses.enrollments import find_course
from studypack.courses.models import Enrollment, EnrollmentStatus

_SAID: Final = {
    EnrollmentStatus.ACTIVE: ("course.resumed", "Went on with {}"),
    EnrollmentStatus.PAUSED: ("course.paused", "Paused {}"),
    EnrollmentStatus.DROPPED: ("course.dropped", "Dropped {}"),
}


def change_status(
    session: Session, user_id: UUID, slug: str, wanted: EnrollmentStatus, *, now: datetime
) -> Enrollment:
    """Pause, resume or drop; the status that it has already changes nothing. Who goes on with a
    course of which nothing is left to do completes it.

    Raises NotFound (`course_not_found`, `enrollment_not_found`), Conflict (`course_completed`;
    `not_enrolled` for pausing what was dropped).
    """
    course = find_course(session, slug)
    enrolled = session.scalar(
        select(Enrollment)
        .where(Enrollment.user_id == user_id, Enrollment.course_id == course.id)
        .with_for_update(key_share=True)
    )
    if enrolled is None:
        raise NotFound("You are not enrolled in this course.", code="enrollment_not_found")
    if enrolled.status is wanted:
        return enrolled
    if enrolled.status is EnrollmentStatus.COMPLETED:
        raise Conflict("You have completed this course.", code="course_completed")
    if enrolled.status is EnrollmentStatus.DROPPED and wanted is EnrollmentStatus.PAUSED:
        raise Conflict("You dropped this course: enrol again first.", code="not_enrolled")
    enrolled.status = wanted
    enrolled.paused_at = now if wanted is EnrollmentStatus.PAUSED else None
    enrolled.dropped_at = now if wanted is EnrollmentStatus.DROPPED else None
    enrolled.updated_at = now
    session.flush()
    kind, sentence = _SAID[wanted]
    record_activity(
        session,
        user_id,
        kind,
        sentence.format(course.title),
        now=now,
        course_id=str(course.id),
        course_slug=course.slug,
    )
    if wanted is EnrollmentStatus.ACTIVE:
        settle_enrollment(session, user_id, course.id, now=now)
        session.refresh(enrolled)
    return enrolled
