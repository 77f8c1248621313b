"""Lessons of modules, for their authors."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api.admin.lesson_schemas import (
    AdminLessonDetailOut,
    AdminLessonOut,
    LessonIn,
    LessonMove,
    LessonPatch,
)
from studypack.access.guards import AdminUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.courses.authoring import lessons, publishing

router = APIRouter()


@router.get("/modules/{module_id}/lessons")
def list_lessons(
    module_id: UUID, _caller: AdminUser, session: DbSession, paging: Paging
) -> Page[AdminLessonOut]:
    """A module's lessons in their order, unpublished ones too, without their content."""
    found = lessons.list_of(session, module_id, paging)
    return page_of(found, paging, key=lambda lesson: lesson.id, out=AdminLessonOut.model_validate)


@router.post("/modules/{module_id}/lessons", status_code=201)
def create_lesson(
    module_id: UUID, body: LessonIn, caller: AdminUser, session: DbSession
) -> AdminLessonDetailOut:
    """Write a lesson after the module's others. 409 `slug_taken`; 422 names the block of the
    content that cannot be used.
    """
    lesson_id = lessons.create(session, module_id, body.model_dump(), by=caller.id)
    return AdminLessonDetailOut.of(lessons.get(session, lesson_id))


@router.get("/lessons/{lesson_id}")
def get_authored_lesson(
    lesson_id: UUID, _caller: AdminUser, session: DbSession
) -> AdminLessonDetailOut:
    """One lesson with its content and a preview, published or not."""
    return AdminLessonDetailOut.of(lessons.get(session, lesson_id))


@router.patch("/lessons/{lesson_id}")
def change_lesson(
    lesson_id: UUID, body: LessonPatch, caller: AdminUser, session: DbSession
) -> AdminLessonDetailOut:
    """Change a lesson. 409 `changed_meanwhile` when somebody changed it since; 422 `not_ready` when
    a published one would lack its content.
    """
    lessons.change(session, lesson_id, body.changes(), seen_at=body.updated_at, by=caller.id)
    return AdminLessonDetailOut.of(lessons.get(session, lesson_id))


@router.delete("/lessons/{lesson_id}", status_code=204)
def delete_lesson(lesson_id: UUID, caller: AdminUser, session: DbSession) -> None:
    """Delete a lesson; what learners did in it stays."""
    lessons.remove(session, lesson_id, by=caller.id, now=caller.now)


@router.post("/lessons/{lesson_id}/move")
def move_lesson(
    lesson_id: UUID, body: LessonMove, caller: AdminUser, session: DbSession
) -> AdminLessonDetailOut:
    """Put a lesson at another place, also in another module of its course; the others make room."""
    lessons.move(session, lesson_id, body.position, module_id=body.module_id, by=caller.id)
    return AdminLessonDetailOut.of(lessons.get(session, lesson_id))


@router.post("/lessons/{lesson_id}/publish")
def publish_lesson(lesson_id: UUID, caller: AdminUser, session: DbSession) -> AdminLessonDetailOut:
    """Show a lesson. 422 `not_ready` names what it lacks: a ready video, content, a PDF."""
    publishing.publish_lesson(session, lesson_id, by=caller.id)
    return AdminLessonDetailOut.of(lessons.get(session, lesson_id))


@router.post("/lessons/{lesson_id}/unpublish")
def unpublish_lesson(
    lesson_id: UUID, caller: AdminUser, session: DbSession
) -> AdminLessonDetailOut:
    """Take a lesson from learners; what they completed stays."""
    publishing.unpublish_lesson(session, lesson_id, by=caller.id)
    return AdminLessonDetailOut.of(lessons.get(session, lesson_id))
