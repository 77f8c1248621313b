"""Stripe's events as they came in: which wait and why, and another try. Admins only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from pydantic import Field

from studypack.access.guards import AdminUser
from studypack.billing import replaying
from studypack.billing.models import StripeEvent
from studypack.billing.replaying import EventState
from studypack.core.http import DbSession, Out, Page, UtcTime
from studypack.core.paging import DEFAULT_LIMIT, MAX_LIMIT

router = APIRouter()


class StripeEventOut(Out):
    """An event, without its content."""

    id: str = Field(examples=["evt_1QK2mEB7WZ01zgkWAbCdEfGh"])
    type: str = Field(examples=["invoice.paid"])
    object_id: str | None
    state: EventState
    occurred_at: UtcTime
    received_at: UtcTime
    processed_at: UtcTime | None
    attempts: int
    next_attempt_at: UtcTime = Field(description="When a waiting one is tried again")
    error: str | None = Field(description="Why the last try failed")

    @classmethod
    def of(cls, event: StripeEvent) -> StripeEventOut:
        """From the inbox's row."""
        return cls(
            id=event.id,
            type=event.type,
            object_id=event.object_id,
            state=replaying.state_of(event),
            occurred_at=event.occurred_at,
            received_at=event.received_at,
            processed_at=event.processed_at,
            attempts=event.attempts,
            next_attempt_at=event.next_attempt_at,
            error=event.error,
        )


@router.get("/stripe-events")
def list_stripe_events(
    _caller: AdminUser,
    session: DbSession,
    cursor: Annotated[
        str | None, Query(max_length=400, description="`next_cursor` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    state: EventState | None = None,
    type: Annotated[
        str | None, Query(max_length=100, pattern=r"^[a-z_.]+$", examples=["invoice.paid"])
    ] = None,
) -> Page[StripeEventOut]:
    """Events as they came in, newest first. Admins only."""
    rows, after = replaying.events(session, after=cursor, limit=limit, state=state, type=type)
    return Page(items=[StripeEventOut.of(row) for row in rows], next_cursor=after)


@router.post("/stripe-events/{event_id}/replay")
def replay_stripe_event(
    event_id: Annotated[str, InPath(max_length=255, pattern=r"^[A-Za-z0-9_-]+$")],
    caller: AdminUser,
) -> StripeEventOut:
    """Try an event again now; one that took effect changes nothing. Admins only."""
    return StripeEventOut.of(replaying.replay(event_id, requested_by=caller.id))
