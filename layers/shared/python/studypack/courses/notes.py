"""A learner's own notes and bookmarks at lessons; theirs also when access has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Boolean, func, select, text, true
from sqlalchemy.orm import Session, aliased

from studypack.access.authentication import Caller
from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.core.ids import uuid7
from studypack.core.paging import PageParams
from studypack.courses.access import (
    VISIBLE_COURSE,
    VISIBLE_LESSON,
    VISIBLE_MODULE,
    lesson_not_found,
    open_lesson,
)
from studypack.courses.models import Note, NoteKind

MAX_NOTES: Final = 500
"""Of one learner at one lesson."""

_LESSON: Final = (
    text(
        f"""
    SELECT EXISTS (SELECT FROM learning.lessons l
                     JOIN learning.modules m ON m.id = l.module_id AND {VISIBLE_MODULE}
                     JOIN learning.courses c ON c.id = m.course_id AND {VISIBLE_COURSE}
                    WHERE l.id = :lesson_id AND {VISIBLE_LESSON}) AS is_there
    """  # noqa: S608 (our own text)
    )
    .columns(is_there=Boolean)
    .subquery("lesson")
)
"""Whether there is such a lesson to learners: a row in any case."""


def list_notes(
    session: Session, user_id: UUID, lesson_id: UUID, page: PageParams
) -> Sequence[Note]:
    """A learner's notes at a lesson, newest first, one more than the page shows; one
    statement.

    Raises NotFound (`lesson_not_found`) when there is no such lesson to learners, and no note.
    """
    query = (
        select(Note)
        .where(Note.user_id == user_id, Note.lesson_id == lesson_id)
        .order_by(Note.id.desc())
        .limit(page.limit + 1)
    )
    if page.after is not None:
        query = query.where(Note.id < page.after)
    note = aliased(Note, query.subquery())
    rows = session.execute(
        select(_LESSON.c.is_there, note)
        .select_from(_LESSON)
        .outerjoin(note, true())
        .order_by(note.id.desc()),
        {"lesson_id": lesson_id},
    ).all()
    found = [row[1] for row in rows if row[1] is not None]
    if not found and not rows[0].is_there:
        raise lesson_not_found()
    return found


def add_note(
    session: Session,
    caller: Caller,
    lesson_id: UUID,
    *,
    kind: NoteKind,
    body: str,
    position_seconds: int | None,
) -> Note:
    """Write a note at a lesson that is open to the caller.

    Raises what `open_lesson` raises, Unprocessable (`body`), Conflict (`too_many_notes`).
    """
    lesson = open_lesson(session, caller, lesson_id)
    _check_body(kind, body)
    written = session.scalar(
        select(func.count())
        .select_from(Note)
        .where(Note.user_id == caller.id, Note.lesson_id == lesson.lesson_id)
    )
    if (written or 0) >= MAX_NOTES:
        raise Conflict(
            f"There are {MAX_NOTES} notes at this lesson, which is as many as there may be.",
            code="too_many_notes",
        )
    note = Note(
        id=uuid7(caller.now),
        user_id=caller.id,
        lesson_id=lesson.lesson_id,
        kind=kind,
        body=body,
        position_seconds=position_seconds,
        created_at=caller.now,
        updated_at=caller.now,
    )
    session.add(note)
    session.flush()
    return note


def change_note(
    session: Session, user_id: UUID, note_id: UUID, changes: Mapping[str, Any], *, now: datetime
) -> Note:
    """Change a note of the learner's: `body`, `position_seconds`.

    Raises NotFound (`note_not_found`), Unprocessable (`body`).
    """
    note = _find(session, user_id, note_id)
    for name in ("body", "position_seconds"):
        if name in changes:
            setattr(note, name, changes[name])
    _check_body(note.kind, note.body)
    note.updated_at = now
    session.flush()
    return note


def delete_note(session: Session, user_id: UUID, note_id: UUID) -> None:
    """Throw a note of the learner's away.

    Raises NotFound (`note_not_found`).
    """
    session.delete(_find(session, user_id, note_id))
    session.flush()


def _find(session: Session, user_id: UUID, note_id: UUID) -> Note:
    note = session.scalar(
        select(Note).where(Note.id == note_id, Note.user_id == user_id).with_for_update()
    )
    if note is None:
        raise NotFound("There is no such note.", code="note_not_found")
    return note


def _check_body(kind: NoteKind, body: str) -> None:
    if kind is NoteKind.NOTE and not body.strip():
        raise Unprocessable.field("body", "A note says something.", code="missing")
