"""Courses, as their authors make and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from studypack.core.errors import Conflict
from studypack.core.paging import PageParams
from studypack.courses.authoring import editing, prerequisites
from studypack.courses.authoring.slugs import free_slug, slug_of
from studypack.courses.models import Course, Enrollment, Module


@dataclass(frozen=True)
class CourseView:
    """A course as its authors see it."""

    course: Course
    modules: int
    """Not deleted, published or not."""
    enrollments: int


def list_all(session: Session, page: PageParams) -> list[CourseView]:
    """Courses in the catalogue's order, unpublished ones too, one more than the page shows; one
    statement.
    """
    place = tuple_(Course.position, Course.title, Course.id)
    query = _courses().order_by(Course.position, Course.title, Course.id).limit(page.limit + 1)
    if page.after is not None:
        last = aliased(Course)
        query = query.where(
            place
            > select(last.position, last.title, last.id)
            .where(last.id == page.after)
            .scalar_subquery()
        )
    return [CourseView(*row) for row in session.execute(query)]


def get(session: Session, course_id: UUID) -> CourseView:
    """One course. Raises NotFound (`course_not_found`)."""
    row = session.execute(
        _courses().where(Course.id == course_id).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise editing.not_found("course")
    return CourseView(*row)


def create(session: Session, fields: Mapping[str, Any], *, by: UUID | None) -> UUID:
    """Make a course, unpublished. `fields`: columns by name; without `slug` it is made of the
    title.

    Raises Conflict (`slug_taken`, `title_taken`).
    """
    editing.lock_catalogue(session, editing.Catalogue.NAMES)
    given = dict(fields)
    if given.get("slug") is None:
        wanted = slug_of(given["title"], otherwise="course")
        given["slug"] = free_slug(wanted, _slugs(session, wanted))
    course = Course(**given)
    session.add(course)
    with editing.names_may_be_taken():
        session.flush()
    editing.record(session, "course.created", course, by=by, title=course.title)
    session.flush()
    return course.id


def change(
    session: Session,
    course_id: UUID,
    changes: Mapping[str, Any],
    *,
    seen_at: datetime,
    by: UUID | None,
) -> None:
    """Change columns of a course.

    `seen_at`: the `updated_at` of the state that the author looked at. Raises NotFound
    (`course_not_found`), Conflict (`changed_meanwhile`, `slug_taken`, `title_taken`).
    """
    course = editing.lock_course(session, course_id)
    editing.check_seen(course, seen_at, "course")
    told = editing.apply(course, changes)
    with editing.names_may_be_taken():
        session.flush()
    if told:
        editing.record(session, "course.changed", course, by=by, changes=told)
        session.flush()


def remove(session: Session, course_id: UUID, *, by: UUID | None, now: datetime) -> None:
    """Delete a course; what learners did in it stays, and so do its rows.

    Raises NotFound (`course_not_found`), Conflict (`course_required`) naming the courses that ask
    for it, because nobody could enrol in them any more.
    """
    editing.lock_catalogue(session, editing.Catalogue.PREREQUISITES)
    course = editing.lock_course(session, course_id)
    asking = prerequisites.asking_for(session, course_id)
    if asking:
        raise Conflict(
            f"These courses ask for it: {', '.join(asking)}.",
            code="course_required",
            courses=asking,
        )
    course.deleted_at = now
    editing.touch(course)
    editing.record(session, "course.deleted", course, by=by, title=course.title)
    session.flush()


def _courses() -> Select[Course, int, int]:
    modules = (
        select(func.count())
        .where(Module.course_id == Course.id, Module.deleted_at.is_(None))
        .scalar_subquery()
    )
    enrollments = select(func.count()).where(Enrollment.course_id == Course.id).scalar_subquery()
    return select(Course, modules, enrollments).where(Course.deleted_at.is_(None))


def _slugs(session: Session, beginning: str) -> Sequence[str]:
    return session.scalars(
        select(Course.slug).where(Course.slug.startswith(beginning), Course.deleted_at.is_(None))
    ).all()
