"""The back office: support's view of accounts and their money, the price list, the audit log."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.admin import (
    assets,
    certificates,
    course_files,
    courses,
    email_routes,
    lessons,
    modules,
    products,
    promotion_codes,
    quizzes,
    refunds,
    stripe_events,
    topics,
    videos,
)
from api.admin.schemas import AccommodationIn, AccountOut, AccountPatch, AuditEntryOut, RoleIn
from studypack.access.guards import AdminUser, SupportUser
from studypack.admin import audit_log, users
from studypack.core.http import DbSession, Page, Paging, page_of

router = APIRouter(prefix="/api/admin", tags=["admin"])
router.include_router(stripe_events.router)
router.include_router(email_routes.router)


@router.get("/users")
def search_users(
    _caller: SupportUser,
    session: DbSession,
    paging: Paging,
    q: Annotated[
        str | None, Query(max_length=200, description="Part of an address or a name")
    ] = None,
) -> Page[AccountOut]:
    """Find accounts, newest first."""
    found = users.search(session, q, paging)
    return page_of(found, paging, key=lambda account: account.user.id, out=AccountOut.of)


@router.get("/users/{user_id}")
def get_user(user_id: UUID, _caller: SupportUser, session: DbSession) -> AccountOut:
    """One account with its accommodation."""
    return AccountOut.of(users.get(session, user_id))


@router.patch("/users/{user_id}")
def change_user(
    user_id: UUID, body: AccountPatch, caller: SupportUser, session: DbSession
) -> AccountOut:
    """Close an account or open it again, give it every feature or take that back; what is left out
    stays. Nobody's own; accounts of staff by admins alone.
    """
    changes = body.model_dump(exclude_unset=True)
    account = users.change_account(
        session, user_id, changes, changed_by=caller.id, role=caller.role
    )
    return AccountOut.of(account)


@router.post("/users/{user_id}/sessions/revoke", status_code=204)
def revoke_sessions(user_id: UUID, caller: SupportUser, session: DbSession) -> None:
    """Sign an account out everywhere, also out of sign-ins under way; an admin by admins alone."""
    users.sign_out_account(session, user_id, ended_by=caller.id, role=caller.role)


@router.put("/users/{user_id}/accommodation")
def grant_accommodation(
    user_id: UUID, body: AccommodationIn, caller: SupportUser, session: DbSession
) -> AccountOut:
    """Give a learner more exam time, from the next session on. Nobody's own."""
    account = users.grant_accommodation(
        session,
        user_id,
        time_factor=body.time_factor,
        reason=body.reason,
        granted_by=caller.id,
        now=caller.now,
    )
    return AccountOut.of(account)


@router.patch("/users/{user_id}/role")
def change_role(user_id: UUID, body: RoleIn, caller: AdminUser, session: DbSession) -> AccountOut:
    """Give an account another role; it is signed out everywhere. Admins only."""
    return AccountOut.of(users.change_role(session, user_id, body.role, changed_by=caller.id))


@router.get("/audit-log")
def read_audit_log(
    _caller: AdminUser,
    session: DbSession,
    paging: Paging,
    actor_id: Annotated[UUID | None, Query(description="Who did it")] = None,
    subject_id: Annotated[UUID | None, Query(description="To whom or what it was done")] = None,
    action: Annotated[
        str | None,
        Query(max_length=100, pattern=r"^[a-z_]+\.[a-z_]+$", examples=["account.role_changed"]),
    ] = None,
) -> Page[AuditEntryOut]:
    """Acts of support and admins, acts on an account's security and refused sign-ins, newest first.
    Admins only.
    """
    found = audit_log.entries(
        session, paging, actor_id=actor_id, subject_id=subject_id, action=action
    )
    return page_of(found, paging, key=lambda entry: entry.id, out=AuditEntryOut.model_validate)


router.include_router(products.router)
router.include_router(promotion_codes.router)
router.include_router(refunds.router)
router.include_router(course_files.router)
router.include_router(courses.router)
router.include_router(modules.router)
router.include_router(lessons.router)
router.include_router(videos.router)
router.include_router(assets.router)
router.include_router(topics.router)
router.include_router(certificates.router)
router.include_router(quizzes.router)
