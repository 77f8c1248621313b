"""The order of siblings: places from 0 without gaps or doubles.

Whoever calls holds the course's lock (editing.py), so two changes of one order never meet. Rows
that only make room keep their `updated_at`: nobody's edit of them is refused for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Uuid, cast, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict
from studypack.courses.models import Lesson, Module, Topic

MOST_SIBLINGS = 1_000
"""Modules of a course, lessons of a module, topics below one: a page of them stays one
statement.
"""

Ordered = type[Module] | type[Lesson] | type[Topic]


def moved(order: Sequence[UUID], item: UUID, position: int) -> list[UUID]:
    """The order with the item at a position (from 0), beyond the end at the end."""
    others = [each for each in order if each != item]
    place = min(max(position, 0), len(others))
    return [*others[:place], item, *others[place:]]


def modules_of(session: Session, course_id: UUID) -> list[UUID]:
    """A course's modules in their order."""
    return _order(session, Module, Module.course_id == course_id, Module.deleted_at.is_(None))


def lessons_of(session: Session, module_id: UUID) -> list[UUID]:
    """A module's lessons in their order."""
    return _order(session, Lesson, Lesson.module_id == module_id, Lesson.deleted_at.is_(None))


def topics_below(session: Session, course_id: UUID, parent_id: UUID | None) -> list[UUID]:
    """The topics below one, or a course's uppermost, in their order."""
    parent = Topic.parent_id == parent_id if parent_id else Topic.parent_id.is_(None)
    return _order(session, Topic, Topic.course_id == course_id, parent)


def check_room(siblings: Sequence[UUID]) -> None:
    """Raises Conflict (`too_many`) when one more would be more than MOST_SIBLINGS."""
    if len(siblings) >= MOST_SIBLINGS:
        raise Conflict(f"There can be at most {MOST_SIBLINGS:,} here.", code="too_many")


def place(session: Session, model: Ordered, order: Sequence[UUID]) -> None:
    """Write the places of siblings: one statement, that touches only who moves."""
    if not order:
        return
    places = (
        func.jsonb_array_elements_text(cast([str(each) for each in order], JSONB))
        .table_valued("id", with_ordinality="place")
        .render_derived()
    )
    wanted = cast(places.c.place, Integer) - 1
    session.execute(
        update(model)
        .where(model.id == cast(places.c.id, Uuid), model.position.is_distinct_from(wanted))
        .values(position=wanted, updated_at=model.updated_at),
        execution_options={"synchronize_session": False},
    )


def _order(session: Session, model: Ordered, *conditions: ColumnElement[bool]) -> list[UUID]:
    return list(
        session.scalars(select(model.id).where(*conditions).order_by(model.position, model.id))
    )
