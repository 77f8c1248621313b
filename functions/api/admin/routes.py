"""The back office: support's view of accounts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.admin.schemas import AccommodationIn, AccountOut, RoleIn
from studypack.access.guards import AdminUser, SupportUser
from studypack.admin import users
from studypack.core.http import DbSession, Page, Paging, page_of

router = APIRouter(prefix="/api/admin/users", tags=["admin"])


@router.get("")
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


@router.get("/{user_id}")
def get_user(user_id: UUID, _caller: SupportUser, session: DbSession) -> AccountOut:
    """One account with its accommodation."""
    return AccountOut.of(users.get(session, user_id))


@router.put("/{user_id}/accommodation")
def grant_accommodation(
    user_id: UUID, body: AccommodationIn, caller: SupportUser, session: DbSession
) -> AccountOut:
    """Give a learner more exam time, from the next session on."""
    account = users.grant_accommodation(
        session,
        user_id,
        time_factor=body.time_factor,
        reason=body.reason,
        granted_by=caller.id,
        now=caller.now,
    )
    return AccountOut.of(account)


@router.patch("/{user_id}/role")
def change_role(user_id: UUID, body: RoleIn, caller: AdminUser, session: DbSession) -> AccountOut:
    """Give an account another role; it is signed out everywhere. Admins only."""
    return AccountOut.of(users.change_role(session, user_id, body.role, changed_by=caller.id))
