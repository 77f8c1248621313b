"""Modules of a course, as authors make, change and order them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from studypack.core.paging import PageParams
from studypack.courses.authoring import editing, ordering
from studypack.courses.authoring.slugs import free_slug, slug_of
from studypack.courses.models import Course, Lesson, Module, ModuleItem


@dataclass(frozen=True)
class ModuleView:
    """A module as its authors see it."""

    module: Module
    lessons: int
    """Not deleted, published or not."""
    published_lessons: int
    published_items: int
    """Quizzes and assignments that are."""


def list_of(session: Session, course_id: UUID, page: PageParams) -> list[ModuleView]:
    """A course's modules in their order, unpublished ones too, one more than the page shows.

    Raises NotFound (`course_not_found`).
    """
    query = (
        _modules()
        .where(Module.course_id == course_id)
        .order_by(Module.position)
        .limit(page.limit + 1)
    )
    if page.after is not None:
        last = aliased(Module)
        query = query.where(
            Module.position > select(last.position).where(last.id == page.after).scalar_subquery()
        )
    found = [ModuleView(*row) for row in session.execute(query)]
    if not found:
        _require_course(session, course_id)
    return found


def get(session: Session, module_id: UUID) -> ModuleView:
    """One module. Raises NotFound (`module_not_found`)."""
    row = session.execute(
        _modules().where(Module.id == module_id).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise editing.not_found("module")
    return ModuleView(*row)


def create(
    session: Session, course_id: UUID, fields: Mapping[str, Any], *, by: UUID | None
) -> UUID:
    """Make a module, unpublished, after the others. `fields`: columns by name; without `slug` it is
    made of the title.

    Raises NotFound (`course_not_found`), Conflict (`slug_taken`, `too_many`).
    """
    editing.lock_course(session, course_id)
    siblings = ordering.modules_of(session, course_id)
    ordering.check_room(siblings)
    given = dict(fields)
    if given.get("slug") is None:
        taken = session.scalars(
            select(Module.slug).where(Module.course_id == course_id, Module.deleted_at.is_(None))
        ).all()
        given["slug"] = free_slug(slug_of(given["title"], otherwise="module"), taken)
    module = Module(course_id=course_id, position=len(siblings), **given)
    session.add(module)
    with editing.names_may_be_taken():
        session.flush()
    ordering.place(session, Module, [*siblings, module.id])
    editing.record(session, "module.created", module, by=by, title=module.title)
    session.flush()
    return module.id


def change(
    session: Session,
    module_id: UUID,
    changes: Mapping[str, Any],
    *,
    seen_at: datetime,
    by: UUID | None,
) -> None:
    """Change columns of a module.

    `seen_at`: the `updated_at` of the state that the author looked at. Raises NotFound
    (`module_not_found`), Conflict (`changed_meanwhile`, `slug_taken`).
    """
    module = editing.lock_module(session, module_id)
    editing.check_seen(module, seen_at, "module")
    told = editing.apply(module, changes)
    with editing.names_may_be_taken():
        session.flush()
    if told:
        editing.record(session, "module.changed", module, by=by, changes=told)
        session.flush()


def move(session: Session, module_id: UUID, position: int, *, by: UUID | None) -> None:
    """Put a module at a place of its course (from 0; beyond the end: last), and let the others
    make room.

    Raises NotFound (`module_not_found`).
    """
    course = editing.lock_course_of_module(session, module_id)
    module = editing.lock_module(session, module_id)
    before = ordering.modules_of(session, course.id)
    after = ordering.moved(before, module_id, position)
    ordering.place(session, Module, after)
    if after != before:
        editing.record(
            session,
            "module.moved",
            module,
            by=by,
            old=before.index(module_id),
            new=after.index(module_id),
        )
    session.flush()


def remove(session: Session, module_id: UUID, *, by: UUID | None, now: datetime) -> None:
    """Delete a module with its lessons; what learners did in it stays, and so do its rows.

    Raises NotFound (`module_not_found`).
    """
    course = editing.lock_course_of_module(session, module_id)
    module = editing.lock_module(session, module_id)
    module.deleted_at = now
    module.position = None
    editing.touch(module)
    editing.record(session, "module.deleted", module, by=by, title=module.title)
    session.flush()
    ordering.place(session, Module, ordering.modules_of(session, course.id))


def _modules() -> Select[Module, int, int, int]:
    mine = Lesson.module_id == Module.id, Lesson.deleted_at.is_(None)
    lessons = select(func.count()).where(*mine).scalar_subquery()
    published = select(func.count()).where(*mine, Lesson.published).scalar_subquery()
    items = (
        select(func.count())
        .where(ModuleItem.module_id == Module.id, ModuleItem.published)
        .scalar_subquery()
    )
    return (
        select(Module, lessons, published, items)
        .join(Course, Course.id == Module.course_id)
        .where(Module.deleted_at.is_(None), Course.deleted_at.is_(None))
    )


def _require_course(session: Session, course_id: UUID) -> None:
    found = session.scalar(
        select(Course.id).where(Course.id == course_id, Course.deleted_at.is_(None))
    )
    if found is None:
        raise editing.not_found("course")
