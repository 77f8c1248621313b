"""Which courses one must have completed before another: without cycles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, delete, select
from sqlalchemy.orm import Session, aliased

from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.authoring import editing
from studypack.courses.models import Course, CoursePrerequisite


@dataclass(frozen=True)
class Prerequisite:
    """A course that another asks for."""

    id: UUID
    slug: str
    title: str


def of_course(session: Session, course_id: UUID) -> list[Prerequisite]:
    """What a course asks for, by slug; one statement. Raises NotFound (`course_not_found`)."""
    required = aliased(Course)
    rows = session.execute(
        select(Course.id, required.id, required.slug, required.title)
        .outerjoin(CoursePrerequisite, CoursePrerequisite.course_id == Course.id)
        .outerjoin(
            required,
            and_(
                required.id == CoursePrerequisite.required_course_id, required.deleted_at.is_(None)
            ),
        )
        .where(Course.id == course_id, Course.deleted_at.is_(None))
        .order_by(required.slug)
    ).all()
    if not rows:
        raise editing.not_found("course")
    return [Prerequisite(row[1], row[2], row[3]) for row in rows if row[1] is not None]


def asking_for(session: Session, course_id: UUID) -> list[str]:
    """The slugs of the courses that ask for a course."""
    return list(
        session.scalars(
            select(Course.slug)
            .join(CoursePrerequisite, CoursePrerequisite.course_id == Course.id)
            .where(CoursePrerequisite.required_course_id == course_id, Course.deleted_at.is_(None))
            .order_by(Course.slug)
        )
    )


def replace(
    session: Session, course_id: UUID, required: Sequence[UUID], *, by: UUID | None
) -> None:
    """Let a course ask for exactly these.

    All such edits go one after the other (advisory lock), so that no two of them, each harmless,
    close a cycle together. Raises NotFound (`course_not_found`), Unprocessable naming the place in
    `course_ids`: `unknown`, `duplicate`, or `cycle` with the path of slugs.
    """
    editing.lock_catalogue(session, editing.Catalogue.PREREQUISITES)
    course = editing.lock_course(session, course_id)
    slugs: dict[UUID, str] = {
        row.id: row.slug
        for row in session.execute(
            select(Course.id, Course.slug).where(Course.deleted_at.is_(None))
        )
    }
    asked: dict[UUID, set[UUID]] = {}
    for row in session.execute(
        select(CoursePrerequisite.course_id, CoursePrerequisite.required_course_id)
    ):
        asked.setdefault(row.course_id, set()).add(row.required_course_id)
    before = asked.pop(course_id, set())
    _check(course_id, required, slugs=slugs, asked=asked)
    if before == set(required):
        return
    session.execute(delete(CoursePrerequisite).where(CoursePrerequisite.course_id == course_id))
    session.add_all(
        CoursePrerequisite(course_id=course_id, required_course_id=each) for each in required
    )
    editing.touch(course)
    editing.record(
        session,
        "course.prerequisites_changed",
        course,
        by=by,
        old=sorted(slugs.get(each, str(each)) for each in before),
        new=sorted(slugs[each] for each in required),
    )
    session.flush()


def cycle_through(
    course: UUID, required: Iterable[UUID], asked: Mapping[UUID, Iterable[UUID]]
) -> list[UUID]:
    """The shortest way from a course over what it would ask for back to itself; empty if none.

    `asked`: what each other course asks for. Pure.
    """
    came_from: dict[UUID, UUID] = {}
    waiting = [each for each in required if each not in came_from]
    came_from.update(dict.fromkeys(waiting, course))
    for each in waiting:  # grows while it is walked: breadth first
        if each == course:
            return _way_back(course, came_from)
        for further in sorted(asked.get(each, ())):
            if further not in came_from:
                came_from[further] = each
                waiting.append(further)
    return []


def _way_back(course: UUID, came_from: Mapping[UUID, UUID]) -> list[UUID]:
    path = [course]
    while (before := came_from[path[-1]]) != course:
        path.append(before)
    return [course, *reversed(path)]


def _check(
    course_id: UUID,
    required: Sequence[UUID],
    *,
    slugs: Mapping[UUID, str],
    asked: Mapping[UUID, set[UUID]],
) -> None:
    errors: list[FieldError] = []
    path: list[str] = []
    for place, each in enumerate(required):
        field = f"course_ids.{place}"
        if each not in slugs:
            errors.append(FieldError(field, "unknown", "There is no such course."))
        elif each in required[:place]:
            errors.append(FieldError(field, "duplicate", "It is there already."))
        elif cycle := cycle_through(course_id, [each], asked):
            path = [slugs.get(step, str(step)) for step in cycle]
            told = f"That would be a circle: {' → '.join(path)}."
            errors.append(FieldError(field, "cycle", told))
    if path:
        raise Unprocessable(errors[0].message, code="prerequisite_cycle", errors=errors, path=path)
    editing.refuse("These courses cannot be asked for.", errors)
