"""Modules of courses, for their authors."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api.admin.course_schemas import AdminModuleOut, ModuleIn, ModuleMove, ModulePatch
from studypack.access.guards import AdminUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.courses.authoring import modules, publishing

router = APIRouter()


@router.get("/courses/{course_id}/modules")
def list_modules(
    course_id: UUID, _caller: AdminUser, session: DbSession, paging: Paging
) -> Page[AdminModuleOut]:
    """A course's modules in their order, unpublished ones too."""
    found = modules.list_of(session, course_id, paging)
    return page_of(found, paging, key=lambda view: view.module.id, out=AdminModuleOut.of)


@router.post("/courses/{course_id}/modules", status_code=201)
def create_module(
    course_id: UUID, body: ModuleIn, caller: AdminUser, session: DbSession
) -> AdminModuleOut:
    """Make a module after the course's others. 409 `slug_taken`."""
    module_id = modules.create(session, course_id, body.model_dump(), by=caller.id)
    return AdminModuleOut.of(modules.get(session, module_id))


@router.get("/modules/{module_id}")
def get_module(module_id: UUID, _caller: AdminUser, session: DbSession) -> AdminModuleOut:
    """One module, published or not."""
    return AdminModuleOut.of(modules.get(session, module_id))


@router.patch("/modules/{module_id}")
def change_module(
    module_id: UUID, body: ModulePatch, caller: AdminUser, session: DbSession
) -> AdminModuleOut:
    """Change a module. 409 `changed_meanwhile` when somebody changed it since."""
    modules.change(session, module_id, body.changes(), seen_at=body.updated_at, by=caller.id)
    return AdminModuleOut.of(modules.get(session, module_id))


@router.delete("/modules/{module_id}", status_code=204)
def delete_module(module_id: UUID, caller: AdminUser, session: DbSession) -> None:
    """Delete a module with its lessons; what learners did in it stays."""
    modules.remove(session, module_id, by=caller.id, now=caller.now)


@router.post("/modules/{module_id}/move")
def move_module(
    module_id: UUID, body: ModuleMove, caller: AdminUser, session: DbSession
) -> AdminModuleOut:
    """Put a module at another place of its course; the others make room."""
    modules.move(session, module_id, body.position, by=caller.id)
    return AdminModuleOut.of(modules.get(session, module_id))


@router.post("/modules/{module_id}/publish")
def publish_module(module_id: UUID, caller: AdminUser, session: DbSession) -> AdminModuleOut:
    """Show a module. 422 `nothing_to_publish` without a published lesson or quiz."""
    publishing.publish_module(session, module_id, by=caller.id)
    return AdminModuleOut.of(modules.get(session, module_id))


@router.post("/modules/{module_id}/unpublish")
def unpublish_module(module_id: UUID, caller: AdminUser, session: DbSession) -> AdminModuleOut:
    """Take a module from learners; what they completed stays."""
    publishing.unpublish_module(session, module_id, by=caller.id)
    return AdminModuleOut.of(modules.get(session, module_id))
