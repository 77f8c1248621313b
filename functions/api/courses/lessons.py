"""Studying a lesson: read, watch, note, complete."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID

from fastapi import APIRouter

from api.courses.lesson_schemas import (
    CompleteIn,
    HeartbeatsIn,
    LessonOut,
    NoteIn,
    NoteOut,
    NotePatch,
    ProgressIn,
    ProgressOut,
    ViewIn,
)
from studypack.access.guards import CurrentUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.courses import lesson_page, notes, progress

router = APIRouter()


@router.get("/api/lessons/{lesson_id}")
def get_lesson(lesson_id: UUID, caller: CurrentUser, session: DbSession) -> LessonOut:
    """A lesson to study, with links to its video and files that expire. Reading it counts as no
    view: that is said by `progress`.
    """
    return LessonOut.of(lesson_page.load(session, caller, lesson_id))


@router.post("/api/lessons/{lesson_id}/progress")
def record_lesson_progress(
    lesson_id: UUID, body: ProgressIn, caller: CurrentUser, session: DbSession
) -> ProgressOut:
    """Say that the lesson was opened (`view`), what of its video was played (`heartbeats`), or that
    I am done with it (`complete`). A video lesson is completed by watching. Who is not enrolled in
    the course is so from now on.
    """
    match body:
        case ViewIn():
            state = progress.view(session, caller, lesson_id)
        case HeartbeatsIn():
            state = progress.beat(
                session,
                caller,
                lesson_id,
                [each.to_service() for each in body.beats],
                position=round(body.position),
                client_session_id=body.session_id,
            )
        case CompleteIn():
            state = progress.complete(session, caller, lesson_id)
        case _:
            assert_never(body)
    return ProgressOut.of(state)


@router.get("/api/lessons/{lesson_id}/notes")
def list_lesson_notes(
    lesson_id: UUID, caller: CurrentUser, session: DbSession, paging: Paging
) -> Page[NoteOut]:
    """My notes and bookmarks at a lesson, newest first; mine also when access has ended."""
    found = notes.list_notes(session, caller.id, lesson_id, paging)
    return page_of(found, paging, key=lambda note: note.id, out=NoteOut.model_validate)


@router.post("/api/lessons/{lesson_id}/notes", status_code=201)
def add_lesson_note(
    lesson_id: UUID, note: NoteIn, caller: CurrentUser, session: DbSession
) -> NoteOut:
    """Write a note at a lesson, or mark a place in it."""
    added = notes.add_note(
        session,
        caller,
        lesson_id,
        kind=note.kind,
        body=note.body,
        position_seconds=note.position_seconds,
    )
    return NoteOut.model_validate(added)


@router.patch("/api/notes/{note_id}")
def change_note(
    note_id: UUID, change: NotePatch, caller: CurrentUser, session: DbSession
) -> NoteOut:
    """Change a note of mine."""
    changed = notes.change_note(session, caller.id, note_id, change.changes(), now=caller.now)
    return NoteOut.model_validate(changed)


@router.delete("/api/notes/{note_id}", status_code=204)
def delete_note(note_id: UUID, caller: CurrentUser, session: DbSession) -> None:
    """Throw a note of mine away."""
    notes.delete_note(session, caller.id, note_id)
