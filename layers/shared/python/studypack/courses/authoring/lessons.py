"""Lessons of a module, as authors write, change and order them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session, aliased, defer

from studypack.core.errors import Unprocessable
from studypack.core.paging import PageParams
from studypack.courses import content
from studypack.courses.authoring import editing, ordering, publishing
from studypack.courses.authoring.slugs import free_slug, slug_of
from studypack.courses.models import Course, ItemCompletion, ItemKind, Lesson, Module, Topic

_CONTENT = ("content", "content_markdown")


@dataclass(frozen=True)
class LessonView:
    """A lesson as its authors see it."""

    lesson: Lesson
    course_id: UUID
    course_slug: str

    def html(self, media_base_url: str) -> str:
        """The content as learners would see it; courses' pictures lie below `media_base_url`."""
        return content.to_html(
            self.lesson.content,
            self.lesson.content_markdown,
            media_base=f"{media_base_url}/{self.course_slug}",
        )


def list_of(session: Session, module_id: UUID, page: PageParams) -> list[Lesson]:
    """A module's lessons in their order, unpublished ones too, one more than the page shows;
    without their content.

    Raises NotFound (`module_not_found`).
    """
    query = (
        select(Lesson)
        .join(Module, Module.id == Lesson.module_id)
        .join(Course, Course.id == Module.course_id)
        .where(
            Lesson.module_id == module_id,
            Lesson.deleted_at.is_(None),
            Module.deleted_at.is_(None),
            Course.deleted_at.is_(None),
        )
        .options(
            *(
                defer(column, raiseload=True)
                for column in (
                    Lesson.content,
                    Lesson.content_markdown,
                    Lesson.body_text,
                    Lesson.transcript,
                )
            )
        )
        .order_by(Lesson.position)
        .limit(page.limit + 1)
    )
    if page.after is not None:
        last = aliased(Lesson)
        query = query.where(
            Lesson.position > select(last.position).where(last.id == page.after).scalar_subquery()
        )
    found = list(session.scalars(query))
    if not found:
        _require_module(session, module_id)
    return found


def get(session: Session, lesson_id: UUID) -> LessonView:
    """One lesson with its content. Raises NotFound (`lesson_not_found`)."""
    row = session.execute(
        select(Lesson, Course.id, Course.slug)
        .join(Module, Module.id == Lesson.module_id)
        .join(Course, Course.id == Module.course_id)
        .where(
            Lesson.id == lesson_id,
            Lesson.deleted_at.is_(None),
            Module.deleted_at.is_(None),
            Course.deleted_at.is_(None),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise editing.not_found("lesson")
    return LessonView(*row)


def create(
    session: Session, module_id: UUID, fields: Mapping[str, Any], *, by: UUID | None
) -> UUID:
    """Write a lesson, unpublished, after the others. `fields`: columns by name; without `slug` it
    is made of the title.

    Raises NotFound (`module_not_found`), Conflict (`slug_taken`, `too_many`), Unprocessable naming
    the field.
    """
    given = _with_content(fields)
    course = editing.lock_course_of_module(session, module_id)
    _check_topic(session, given.get("topic_id"), course.id)
    siblings = ordering.lessons_of(session, module_id)
    ordering.check_room(siblings)
    if given.get("slug") is None:
        wanted = slug_of(given["title"], otherwise="lesson")
        given["slug"] = free_slug(wanted, _slugs(session, module_id))
    lesson = Lesson(module_id=module_id, position=len(siblings), **given)
    session.add(lesson)
    with editing.names_may_be_taken():
        session.flush()
    ordering.place(session, Lesson, [*siblings, lesson.id])
    editing.record(
        session, "lesson.created", lesson, by=by, title=lesson.title, kind=lesson.kind.value
    )
    session.flush()
    return lesson.id


def change(
    session: Session,
    lesson_id: UUID,
    changes: Mapping[str, Any],
    *,
    seen_at: datetime,
    by: UUID | None,
) -> None:
    """Change columns of a lesson. New content takes the place of the old, in whichever of the two
    forms it was.

    `seen_at`: the `updated_at` of the state that the author looked at. Raises NotFound
    (`lesson_not_found`), Conflict (`changed_meanwhile`, `slug_taken`), Unprocessable naming the
    field: also (`not_ready`) when a published lesson would lack what publishing asks for.
    """
    given = _with_content(changes)
    lesson = editing.lock_lesson(session, lesson_id)
    editing.check_seen(lesson, seen_at, "lesson")
    if given.get("topic_id") not in (None, lesson.topic_id):
        course_id = session.scalar(select(Module.course_id).where(Module.id == lesson.module_id))
        _check_topic(session, given["topic_id"], course_id)
    told = editing.apply(lesson, given)
    told.pop("body_text", None)  # follows from the content
    with editing.names_may_be_taken():
        session.flush()
    if lesson.published:
        publishing.check_lesson(session, lesson)
    if told:
        editing.record(session, "lesson.changed", lesson, by=by, changes=told)
        session.flush()


def move(
    session: Session,
    lesson_id: UUID,
    position: int,
    *,
    module_id: UUID | None,
    by: UUID | None,
) -> None:
    """Put a lesson at a place (from 0; beyond the end: last) of its module or of another one of its
    course. What learners completed goes along.

    Raises NotFound (`lesson_not_found`), Conflict (`slug_taken` in the other module, `too_many`),
    Unprocessable (`module_id`).
    """
    course = editing.lock_course_of_lesson(session, lesson_id)
    lesson = editing.lock_lesson(session, lesson_id)
    source = lesson.module_id
    target = source if module_id is None else module_id
    before = ordering.lessons_of(session, source)
    if target == source:
        after = ordering.moved(before, lesson_id, position)
        ordering.place(session, Lesson, after)
    else:
        _check_target(session, target, course.id)
        siblings = ordering.lessons_of(session, target)
        ordering.check_room(siblings)
        after = ordering.moved(siblings, lesson_id, position)
        lesson.module_id = target
        lesson.position = len(siblings)
        editing.touch(lesson)
        with editing.names_may_be_taken():
            session.flush()
        ordering.place(session, Lesson, after)
        ordering.place(session, Lesson, [each for each in before if each != lesson_id])
        _take_completions_along(session, lesson_id, source, target)
    if target != source or after != before:
        editing.record(
            session,
            "lesson.moved",
            lesson,
            by=by,
            old={"module_id": str(source), "position": before.index(lesson_id)},
            new={"module_id": str(target), "position": after.index(lesson_id)},
        )
    session.flush()


def remove(session: Session, lesson_id: UUID, *, by: UUID | None, now: datetime) -> None:
    """Delete a lesson; what learners did in it stays, and so does its row.

    Raises NotFound (`lesson_not_found`).
    """
    editing.lock_course_of_lesson(session, lesson_id)
    lesson = editing.lock_lesson(session, lesson_id)
    lesson.deleted_at = now
    lesson.position = None
    editing.touch(lesson)
    editing.record(session, "lesson.deleted", lesson, by=by, title=lesson.title)
    session.flush()
    ordering.place(session, Lesson, ordering.lessons_of(session, lesson.module_id))


def _with_content(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The columns with the content checked and its words beside it; untouched without any."""
    given = dict(fields)
    if not any(name in given for name in _CONTENT):
        return given
    prepared = content.prepare(given.get("content"), given.get("content_markdown"))
    given["content"] = prepared.content
    given["content_markdown"] = prepared.content_markdown
    given["body_text"] = prepared.body_text
    return given


def _check_topic(session: Session, topic_id: UUID | None, course_id: UUID | None) -> None:
    if topic_id is None:
        return
    found = session.scalar(
        select(Topic.id).where(Topic.id == topic_id, Topic.course_id == course_id)
    )
    if found is None:
        raise Unprocessable.field("topic_id", "The course has no such topic.", code="unknown")


def _check_target(session: Session, module_id: UUID, course_id: UUID) -> None:
    found = session.scalar(
        select(Module.id).where(
            Module.id == module_id, Module.course_id == course_id, Module.deleted_at.is_(None)
        )
    )
    if found is None:
        raise Unprocessable.field("module_id", "The course has no such module.", code="unknown")


def _take_completions_along(session: Session, lesson_id: UUID, source: UUID, target: UUID) -> None:
    """Who completed it has completed it in the module where it is."""
    session.execute(
        update(ItemCompletion)
        .where(
            ItemCompletion.module_id == source,
            ItemCompletion.kind == ItemKind.LESSON,
            ItemCompletion.item_id == lesson_id,
        )
        .values(module_id=target),
        execution_options={"synchronize_session": False},
    )


def _slugs(session: Session, module_id: UUID) -> set[str]:
    return set(
        session.scalars(
            select(Lesson.slug).where(Lesson.module_id == module_id, Lesson.deleted_at.is_(None))
        )
    )


def _require_module(session: Session, module_id: UUID) -> None:
    found = session.scalar(
        select(Module.id)
        .join(Course, Course.id == Module.course_id)
        .where(Module.id == module_id, Module.deleted_at.is_(None), Course.deleted_at.is_(None))
    )
    if found is None:
        raise editing.not_found("module")
