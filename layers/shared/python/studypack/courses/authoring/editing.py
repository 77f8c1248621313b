"""What every edit of an author shares: locks, the check that one saw the newest state, the audit
entry of what changed, refusals of taken names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session

from studypack.core import audit
from studypack.core.database.errors import server_fields
from studypack.core.errors import Conflict, FieldError, NotFound, Unprocessable
from studypack.courses.models import Course, Lesson, Module, Topic

_LONG = 200
_TAKEN = {
    "uq_courses_slug": ("slug", "slug_taken", "Another course has this slug."),
    "uq_courses_title": ("title", "title_taken", "Another course has this title."),
    "uq_modules_course_id_slug": ("slug", "slug_taken", "Another module of it has this slug."),
    "uq_lessons_module_id_slug": ("slug", "slug_taken", "Another lesson of it has this slug."),
    "uq_topics_course_id_slug": ("slug", "slug_taken", "Another topic of it has this slug."),
}


class Catalogue(StrEnum):
    """What no row stands for and two edits must not do at once (advisory locks)."""

    NAMES = "courses.names"
    PREREQUISITES = "courses.prerequisites"


class Editable(Protocol):
    """A row that authors change."""

    id: Mapped[UUID]
    updated_at: Mapped[datetime]


Row = TypeVar("Row", Course, Module, Lesson, Topic)


def lock_catalogue(session: Session, what: Catalogue) -> None:
    """Let edits of this kind go one after the other until the transaction ends. It comes before
    any course's lock.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(what.value, 0))))


def lock_course(session: Session, course_id: UUID) -> Course:
    """A course, locked against other changes of what it consists of; learners can enrol meanwhile.

    Order, creation, deletion and publishing of everything in a course go by this one lock, so that
    no two locks can be taken crosswise. Raises NotFound (`course_not_found`).
    """
    return _locked(session, select(Course).where(Course.id == course_id), Course, "course")


def lock_course_of_module(session: Session, module_id: UUID) -> Course:
    """The locked course of a module. Raises NotFound (`module_not_found`)."""
    query = (
        select(Course)
        .join(Module, Module.course_id == Course.id)
        .where(Module.id == module_id, Module.deleted_at.is_(None))
    )
    return _locked(session, query, Course, "module")


def lock_course_of_lesson(session: Session, lesson_id: UUID) -> Course:
    """The locked course of a lesson. Raises NotFound (`lesson_not_found`)."""
    query = (
        select(Course)
        .join(Module, Module.course_id == Course.id)
        .join(Lesson, Lesson.module_id == Module.id)
        .where(Lesson.id == lesson_id, Lesson.deleted_at.is_(None), Module.deleted_at.is_(None))
    )
    return _locked(session, query, Course, "lesson")


def lock_course_of_topic(session: Session, topic_id: UUID) -> Course:
    """The locked course of a topic. Raises NotFound (`topic_not_found`)."""
    query = select(Course).join(Topic, Topic.course_id == Course.id).where(Topic.id == topic_id)
    return _locked(session, query, Course, "topic")


def lock_module(session: Session, module_id: UUID) -> Module:
    """A module, locked. Raises NotFound (`module_not_found`)."""
    query = (
        select(Module)
        .join(Course, Course.id == Module.course_id)
        .where(Module.id == module_id, Module.deleted_at.is_(None), Course.deleted_at.is_(None))
    )
    return _locked(session, query, Module, "module")


def lock_lesson(session: Session, lesson_id: UUID) -> Lesson:
    """A lesson, locked. Raises NotFound (`lesson_not_found`)."""
    query = (
        select(Lesson)
        .join(Module, Module.id == Lesson.module_id)
        .join(Course, Course.id == Module.course_id)
        .where(
            Lesson.id == lesson_id,
            Lesson.deleted_at.is_(None),
            Module.deleted_at.is_(None),
            Course.deleted_at.is_(None),
        )
    )
    return _locked(session, query, Lesson, "lesson")


def lock_topic(session: Session, topic_id: UUID) -> Topic:
    """A topic, locked. Raises NotFound (`topic_not_found`)."""
    query = (
        select(Topic)
        .join(Course, Course.id == Topic.course_id)
        .where(Topic.id == topic_id, Course.deleted_at.is_(None))
    )
    return _locked(session, query, Topic, "topic")


def not_found(what: str) -> NotFound:
    """`course_not_found`, `module_not_found`, `lesson_not_found`, `topic_not_found`."""
    return NotFound(f"There is no such {what}.", code=f"{what}_not_found")


def check_seen(row: Course | Module | Lesson | Topic, seen_at: datetime, what: str) -> None:
    """Refuse to change a state that the author has not seen.

    Raises Conflict (`changed_meanwhile`) with the newer state's `updated_at`.
    """
    if row.updated_at != seen_at:
        raise Conflict(
            f"Somebody changed this {what} since; look at it again.",
            code="changed_meanwhile",
            updated_at=row.updated_at.astimezone(UTC),
        )


def apply(row: Course | Module | Lesson | Topic, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Set columns, and return for the audit log what differs: the old and new value, of a long
    text only that it changed. `updated_at` moves on if anything did.
    """
    told: dict[str, Any] = {}
    for name, new in changes.items():
        old = getattr(row, name)
        if old == new:
            continue
        setattr(row, name, new)
        short = all(len(str(each)) <= _LONG for each in (old, new))
        told[name] = {"old": _plain(old), "new": _plain(new)} if short else "changed"
    if told:
        touch(row)
    return told


def touch(row: Course | Module | Lesson | Topic) -> None:
    """Say that the row changed now: by the clock of the moment, since its transaction may have
    begun before another's that changed it first.
    """
    row.updated_at = func.clock_timestamp()


def record(session: Session, act: str, row: Any, *, by: UUID | None, **details: Any) -> None:
    """Note an author's act in the audit log; not what nobody in particular did (a seed)."""
    if by is not None:
        audit.record(session, act, actor_id=by, subject_id=row.id, slug=row.slug, **details)


@contextmanager
def names_may_be_taken() -> Iterator[None]:
    """Around the flush that writes a slug or a title.

    Raises Conflict (`slug_taken`, `title_taken`) naming the field.
    """
    try:
        yield
    except IntegrityError as error:
        taken = _TAKEN.get(server_fields(error).get("n", ""))
        if taken is None:
            raise
        field, code, message = taken
        raise Conflict(message, code=code, errors=[FieldError(field, code, message)]) from None


def refuse(message: str, errors: list[FieldError], *, code: str = "invalid_input") -> None:
    """Raise Unprocessable if there are errors."""
    if errors:
        raise Unprocessable(message, code=code, errors=errors)


def _locked(session: Session, query: Select[Row], model: type[Row], what: str) -> Row:
    # Not FOR UPDATE, which would hold up learners' rows that point here.
    locked = query.with_for_update(key_share=True, of=model)
    if model is Course:
        locked = locked.where(Course.deleted_at.is_(None))
    row = session.scalars(locked.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise not_found(what)
    return row


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int) else str(value)
