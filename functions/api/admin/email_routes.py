"""The back office's view of mails, and broadcasts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from api.admin.email_schemas import (
    BroadcastIn,
    BroadcastOut,
    BroadcastPatch,
    EmailOut,
    ExplanationOut,
    PreviewOut,
    StepOut,
)
from studypack.access.guards import AdminUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.lifecycle import broadcasts, explaining, queue
from studypack.notifications.models import EmailStatus, EmailTemplate

router = APIRouter()


@router.get("/emails")
def search_emails(
    _caller: AdminUser,
    session: DbSession,
    paging: Paging,
    user_id: Annotated[UUID | None, Query(description="To whom")] = None,
    template: EmailTemplate | None = None,
    status: EmailStatus | None = None,
) -> Page[EmailOut]:
    """Mails in the queue and those that left it, newest first. Admins only."""
    found = queue.search(session, paging, user_id=user_id, template=template, status=status)
    return page_of(found, paging, key=lambda email: email.id, out=EmailOut.model_validate)


@router.get("/emails/explain")
def explain_emails(
    _caller: AdminUser, session: DbSession, user_id: UUID, template: EmailTemplate | None = None
) -> ExplanationOut:
    """Why this person got a mail, or didn't: what was decided, queued and tried, in order. Admins
    only.
    """
    steps = explaining.explain(session, user_id, template)
    return ExplanationOut(items=[StepOut.model_validate(step) for step in steps])


@router.post("/emails/{email_id}/retry")
def retry_email(email_id: UUID, caller: AdminUser, session: DbSession) -> EmailOut:
    """Put a mail that failed back into the queue; not to an address that bounced. Admins only."""
    return EmailOut.model_validate(queue.retry(session, email_id, by=caller.id, now=caller.now))


@router.get("/broadcasts")
def list_broadcasts(_caller: AdminUser, session: DbSession, paging: Paging) -> Page[BroadcastOut]:
    """Broadcasts, newest first. Admins only."""
    found = broadcasts.listed(session, paging)
    return page_of(found, paging, key=lambda each: each.id, out=BroadcastOut.model_validate)


@router.post("/broadcasts", status_code=201)
def create_broadcast(body: BroadcastIn, caller: AdminUser, session: DbSession) -> BroadcastOut:
    """Draft a mail to a segment of users. Admins only."""
    made = broadcasts.create(session, body.model_dump(mode="json"), by=caller.id)
    return BroadcastOut.model_validate(made)


@router.get("/broadcasts/{broadcast_id}")
def get_broadcast(broadcast_id: UUID, _caller: AdminUser, session: DbSession) -> BroadcastOut:
    """One broadcast and how far it is. Admins only."""
    return BroadcastOut.model_validate(broadcasts.get(session, broadcast_id))


@router.patch("/broadcasts/{broadcast_id}")
def change_broadcast(
    broadcast_id: UUID, body: BroadcastPatch, caller: AdminUser, session: DbSession
) -> BroadcastOut:
    """Change a draft; what is left out stays. Admins only."""
    changes = body.model_dump(mode="json", exclude_none=True)
    changed = broadcasts.change(session, broadcast_id, changes, by=caller.id)
    return BroadcastOut.model_validate(changed)


@router.post("/broadcasts/{broadcast_id}/preview")
def preview_broadcast(broadcast_id: UUID, caller: AdminUser, session: DbSession) -> PreviewOut:
    """What its readers will see, and how many there are. Admins only."""
    return PreviewOut.model_validate(broadcasts.preview(session, broadcast_id, now=caller.now))


@router.post("/broadcasts/{broadcast_id}/start")
def start_broadcast(broadcast_id: UUID, caller: AdminUser, session: DbSession) -> BroadcastOut:
    """Begin to send it at its rate, or go on after a stop. Admins only."""
    started = broadcasts.start(session, broadcast_id, by=caller.id, now=caller.now)
    return BroadcastOut.model_validate(started)


@router.post("/broadcasts/{broadcast_id}/stop")
def stop_broadcast(broadcast_id: UUID, caller: AdminUser, session: DbSession) -> BroadcastOut:
    """Stop it and take back what was not sent yet. Admins only."""
    stopped = broadcasts.stop(session, broadcast_id, by=caller.id, now=caller.now)
    return BroadcastOut.model_validate(stopped)
