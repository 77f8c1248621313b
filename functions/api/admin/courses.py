"""Courses, for their authors."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api.admin.course_schemas import (
    AdminCourseOut,
    AdminPrerequisitesOut,
    CourseIn,
    CoursePatch,
    PrerequisitesIn,
)
from studypack.access.guards import AdminUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.courses.authoring import courses, prerequisites, publishing

router = APIRouter(prefix="/courses")


@router.get("")
def list_all_courses(
    _caller: AdminUser, session: DbSession, paging: Paging
) -> Page[AdminCourseOut]:
    """Every course in the catalogue's order, unpublished ones too."""
    found = courses.list_all(session, paging)
    return page_of(found, paging, key=lambda view: view.course.id, out=AdminCourseOut.of)


@router.post("", status_code=201)
def create_course(body: CourseIn, caller: AdminUser, session: DbSession) -> AdminCourseOut:
    """Make a course; learners see it once it is published. 409 `slug_taken`, `title_taken`."""
    course_id = courses.create(session, body.model_dump(), by=caller.id)
    return AdminCourseOut.of(courses.get(session, course_id))


@router.get("/{course_id}")
def get_authored_course(course_id: UUID, _caller: AdminUser, session: DbSession) -> AdminCourseOut:
    """One course, published or not."""
    return AdminCourseOut.of(courses.get(session, course_id))


@router.patch("/{course_id}")
def change_course(
    course_id: UUID, body: CoursePatch, caller: AdminUser, session: DbSession
) -> AdminCourseOut:
    """Change a course. 409 `changed_meanwhile` when somebody changed it since."""
    courses.change(session, course_id, body.changes(), seen_at=body.updated_at, by=caller.id)
    return AdminCourseOut.of(courses.get(session, course_id))


@router.delete("/{course_id}", status_code=204)
def delete_course(course_id: UUID, caller: AdminUser, session: DbSession) -> None:
    """Delete a course; what learners did in it stays. 409 `course_required` while another asks for
    it.
    """
    courses.remove(session, course_id, by=caller.id, now=caller.now)


@router.post("/{course_id}/publish")
def publish_course(course_id: UUID, caller: AdminUser, session: DbSession) -> AdminCourseOut:
    """Put a course into the catalogue. 422 `nothing_to_publish` without a published module."""
    publishing.publish_course(session, course_id, by=caller.id)
    return AdminCourseOut.of(courses.get(session, course_id))


@router.post("/{course_id}/unpublish")
def unpublish_course(course_id: UUID, caller: AdminUser, session: DbSession) -> AdminCourseOut:
    """Take a course out of the catalogue; learners cannot go on in it."""
    publishing.unpublish_course(session, course_id, by=caller.id)
    return AdminCourseOut.of(courses.get(session, course_id))


@router.get("/{course_id}/prerequisites")
def list_prerequisites(
    course_id: UUID, _caller: AdminUser, session: DbSession
) -> AdminPrerequisitesOut:
    """The courses that one must have completed before enrolling in this one."""
    return AdminPrerequisitesOut.of(prerequisites.of_course(session, course_id))


@router.put("/{course_id}/prerequisites")
def set_prerequisites(
    course_id: UUID, body: PrerequisitesIn, caller: AdminUser, session: DbSession
) -> AdminPrerequisitesOut:
    """Let a course ask for exactly these. 422 `prerequisite_cycle` with the `path` when that would
    be a circle.
    """
    prerequisites.replace(session, course_id, body.course_ids, by=caller.id)
    return AdminPrerequisitesOut.of(prerequisites.of_course(session, course_id))
