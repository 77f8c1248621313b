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
    SuppressionOut,
)
from studypack.access.guards import AdminUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.lifecycle import broadcasts, explaining, queue, suppressed
from studypack.notifications.models import EmailStatus, EmailTemplate, SuppressionReason

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
    """Why this person got a mail, or didn't: what was decided, queued and tried, in order; 404
    `user_not_found`. Admins only.
    """
    steps = explaining.explain(session, user_id, template)
    return ExplanationOut(items=[StepOut.model_validate(step) for step in steps])


@router.post("/emails/{email_id}/retry")
def retry_email(email_id: UUID, caller: AdminUser, session: DbSession) -> EmailOut:
    """Put a mail that failed back into the queue; not to an address that bounced. Admins only."""
    return EmailOut.model_validate(queue.retry(session, email_id, by=caller.id, now=caller.now))


@router.get("/emails/suppressions")
def list_suppressions(
    _caller: AdminUser,
    session: DbSession,
    paging: Paging,
    user_id: Annotated[
        UUID | None, Query(description="Of this account or the address that it has now")
    ] = None,
    reason: SuppressionReason | None = None,
    lifted: Annotated[bool, Query(description="Those that were lifted too")] = False,
) -> Page[SuppressionOut]:
    """Addresses that must not be written to, newest first. Admins only."""
    found = suppressed.search(session, paging, user_id=user_id, reason=reason, with_lifted=lifted)
    return page_of(found, paging, key=lambda each: each.id, out=SuppressionOut.model_validate)


@router.delete("/emails/suppressions/{suppression_id}", status_code=204)
def lift_suppression(suppression_id: UUID, caller: AdminUser, session: DbSession) -> None:
    """Write to an address again that bounced or complained; who unsubscribed takes that back alone
    (409 `readers_choice`). Admins only.
    """
    suppressed.lift(session, suppression_id, by=caller.id, now=caller.now)


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
