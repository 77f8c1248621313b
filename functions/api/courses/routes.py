"""Courses: the catalogue, studying, searching, certificates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.courses import certificate_routes, lessons, search_routes
from api.courses.schemas import (
    CourseEnrollmentOut,
    CourseOut,
    CoursePageOut,
    CourseProgressOut,
    EnrollmentPatch,
    NextLessonOut,
)
from studypack.access.guards import CurrentUser, OptionalUser
from studypack.core.http import DbSession, Page
from studypack.courses import (
    catalogue,
    course_progress,
    enrollment_changes,
    next_lesson,
    page,
)
from studypack.courses.models import EnrollmentStatus

router = APIRouter(tags=["courses"])


@router.get("/api/courses")
def list_courses(
    caller: OptionalUser,
    session: DbSession,
    enrolled: Annotated[bool, Query(description="Only those that I am enrolled in")] = False,
) -> Page[CourseOut]:
    """The courses on offer, on one page, with my enrolment and progress when signed in."""
    found = catalogue.list_courses(session, caller, enrolled_only=enrolled)
    return Page(items=[CourseOut.of(course) for course in found], next_cursor=None)


@router.get("/api/courses/{slug}")
def get_course(slug: str, caller: OptionalUser, session: DbSession) -> CoursePageOut:
    """A course: modules, lessons, quizzes; what is locked and why; my progress when signed in."""
    return CoursePageOut.of(page.load(session, caller, slug))


@router.post("/api/courses/{slug}/enrollment", status_code=201)
def enroll(
    slug: str, caller: CurrentUser, session: DbSession, response: Response
) -> CourseEnrollmentOut:
    """Enrol in a course, or take a dropped one up again; 200 when I am in it already."""
    enrolled, changed = enrollment_changes.enroll(session, caller.id, slug, now=caller.now)
    response.status_code = 201 if changed else 200
    return CourseEnrollmentOut.of(enrolled)


@router.patch("/api/courses/{slug}/enrollment")
def change_enrollment(
    slug: str, change: EnrollmentPatch, caller: CurrentUser, session: DbSession
) -> CourseEnrollmentOut:
    """Pause, resume or drop a course."""
    wanted = EnrollmentStatus(change.status)
    changed = enrollment_changes.change_status(session, caller.id, slug, wanted, now=caller.now)
    return CourseEnrollmentOut.of(changed)


@router.get("/api/courses/{slug}/progress")
def get_course_progress(slug: str, caller: CurrentUser, session: DbSession) -> CourseProgressOut:
    """How far I am with a course and each of its modules."""
    return CourseProgressOut.of(course_progress.load(session, caller.id, slug))


@router.get("/api/courses/{slug}/next-lesson")
def get_next_lesson(slug: str, caller: CurrentUser, session: DbSession) -> NextLessonOut:
    """Where I go on: the first lesson that I have not completed; null when there is none."""
    return NextLessonOut.of(next_lesson.find(session, caller, slug))


router.include_router(lessons.router)
router.include_router(search_routes.router)
router.include_router(certificate_routes.router)
