"""The inbox as administrators see it: what waits and why, and another try.

`replay` opens its short transactions itself: it may wait for Stripe.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, defer

from studypack.billing import inbox, owed
from studypack.billing.models import StripeEvent
from studypack.core import audit
from studypack.core.database import transaction
from studypack.core.errors import BadRequest, NotFound


class EventState(StrEnum):
    """`failed` ones wait too: they are tried again."""

    PROCESSED = "processed"
    WAITING = "waiting"
    FAILED = "failed"


def state_of(event: StripeEvent) -> EventState:
    """Whether it took effect."""
    if event.processed_at is not None:
        return EventState.PROCESSED
    return EventState.WAITING if event.error is None else EventState.FAILED


def events(
    session: Session,
    *,
    after: str | None,
    limit: int,
    state: EventState | None = None,
    type: str | None = None,
) -> tuple[Sequence[StripeEvent], str | None]:
    """A page of events without their content, newest first, and the cursor of the next page.

    Raises BadRequest (`bad_cursor`).
    """
    query = (
        select(StripeEvent)
        .options(defer(StripeEvent.payload))
        .order_by(StripeEvent.occurred_at.desc(), StripeEvent.id.desc())
        .limit(limit + 1)
    )
    match state:
        case EventState.PROCESSED:
            query = query.where(StripeEvent.processed_at.is_not(None))
        case EventState.WAITING:
            query = query.where(StripeEvent.processed_at.is_(None), StripeEvent.error.is_(None))
        case EventState.FAILED:
            query = query.where(StripeEvent.processed_at.is_(None), StripeEvent.error.is_not(None))
    if type is not None:
        query = query.where(StripeEvent.type == type)
    if after is not None:
        last = select(StripeEvent.occurred_at, StripeEvent.id).where(
            StripeEvent.id == _read_cursor(after)
        )
        query = query.where(
            tuple_(StripeEvent.occurred_at, StripeEvent.id) < last.scalar_subquery()
        )
    rows = session.scalars(query).all()
    more = len(rows) > limit
    return rows[:limit], _cursor(rows[limit - 1].id) if more else None


def _cursor(event_id: str) -> str:
    return base64.urlsafe_b64encode(event_id.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = raw.decode("ascii")
    except (binascii.Error, ValueError):
        found = ""
    if not found.startswith("evt_") or not found.isprintable():
        raise BadRequest("The cursor is not one of ours.", code="bad_cursor")
    return found


def replay(event_id: str, *, requested_by: UUID) -> StripeEvent:
    """Try an event again at once; audited. One that took effect changes nothing. Its row as it is
    afterwards, with the error if it failed again.

    Raises NotFound (`event_not_found`).
    """
    with transaction() as session:
        _get(session, event_id)
        audit.record(
            session,
            "stripe_event.replayed",
            actor_id=requested_by,
            subject_id=None,
            event_id=event_id,
        )
    done = inbox.process(event_id)
    owed.settle_at_once(done.owed_refunds, done.owed_cancellations)
    with transaction() as session:
        return _get(session, event_id)


def _get(session: Session, event_id: str) -> StripeEvent:
    found = session.scalars(
        select(StripeEvent).options(defer(StripeEvent.payload)).where(StripeEvent.id == event_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such event.", code="event_not_found")
    return found
