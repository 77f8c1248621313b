"""The inbox: each event of Stripe's is recorded once, and takes effect once.

This module opens its short transactions itself: a statement that records, one that applies (begun
anew after each object that had to be fetched from Stripe, which is never called while rows are
locked), one that keeps why it failed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from studypack.billing import owed
from studypack.billing.events.handlers import HANDLERS
from studypack.billing.events.told import Told, Unexplained, Work, known_time, told_by
from studypack.billing.events.whose import lock_customer, lock_event
from studypack.billing.models import StripeEvent
from studypack.billing.truth import Needed, Truth, with_truth
from studypack.core.business_settings import get_business_settings
from studypack.core.database import autocommit, commit_with, transaction
from studypack.core.database.errors import sqlstate
from studypack.core.errors import AppError
from studypack.core.jobs import Run, delete_in_batches
from studypack.core.telemetry import get_logger

BATCH: Final = 50
TRIES_ALONE: Final = 5
"""After so many failures an event raises the alarm: about half an hour."""
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=6)


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    DONE_BEFORE = "done_before"
    NOT_HANDLED = "not_handled"
    BUSY = "busy"
    FAILED = "failed"


@dataclass
class Processed:
    """What became of an event, and what Stripe is owed since."""

    outcome: Outcome
    error: str | None = None
    owed_refunds: set[UUID] = field(default_factory=set)
    owed_cancellations: set[UUID] = field(default_factory=set)


class Malformed(ValueError):
    """This is no event of Stripe's."""


def record(document: Mapping[str, Any]) -> str:
    """Put an event into the inbox, unless it is there; its id. One that nobody handles is done
    thereby.

    Raises Malformed.
    """
    values = _row(document)
    values["payload"] = json.dumps(values["payload"])
    with autocommit() as connection:
        connection.execute(_RECORD, {**values, "done": document["type"] not in HANDLERS})
    return str(values["id"])


_RECORD = text(
    """
    INSERT INTO payments.stripe_events
           (id, type, api_version, object_id, occurred_at, payload, processed_at)
    VALUES (:id, :type, CAST(:api_version AS text), CAST(:object_id AS text), :occurred_at,
            CAST(:payload AS jsonb), CASE WHEN :done THEN now() END)
    ON CONFLICT DO NOTHING
    """
)


def _row(document: Mapping[str, Any]) -> dict[str, Any]:
    try:
        about = document["data"]["object"]
        values = {
            "id": document["id"],
            "type": document["type"],
            "api_version": document.get("api_version"),
            "object_id": about.get("id"),
            "occurred_at": known_time(document["created"]),
            "payload": dict(document),
        }
        named = all(isinstance(values[name], str) for name in ("id", "type"))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
        raise Malformed("this is no event") from None
    if document.get("object") != "event" or not named:
        raise Malformed("this is no event")
    return values


def process(
    event_id: str, document: Mapping[str, Any] | None = None, *, skip_locked: bool = False
) -> Processed:
    """Let a recorded event take effect, unless it has; a failure is kept with it and returned.

    `document`: the event where it is at hand, to spare reading it. `skip_locked`: another process
    that is at it is not waited for (BUSY).
    """
    try:
        return with_truth(
            lambda session, truth: _apply(
                session, event_id, document, truth, skip_locked=skip_locked
            )
        )
    except Needed:
        reason = "It needs more of Stripe's objects than it may ask for."
        _keep_failure(event_id, reason)
        return Processed(Outcome.FAILED, reason)
    except Exception as error:
        reason = _in_our_words(error)
        get_logger().warning(
            "stripe event failed",
            extra={"stripe_event_id": event_id, "reason": reason},
            exc_info=None if isinstance(error, (Unexplained, AppError)) else error,
        )
        _keep_failure(event_id, reason)
        return Processed(Outcome.FAILED, reason)


_LOCK = select(StripeEvent.type, StripeEvent.payload, StripeEvent.processed_at).where(
    StripeEvent.id == bindparam("id")
)
_DONE = text(
    """
    UPDATE payments.stripe_events
       SET processed_at = now(), attempts = attempts + 1, error = NULL WHERE id = :id
    """
)


def _apply(
    session: Session,
    event_id: str,
    document: Mapping[str, Any] | None,
    truth: Truth,
    *,
    skip_locked: bool,
) -> Processed:
    if document is None:
        event = session.execute(
            _LOCK.with_for_update(skip_locked=skip_locked), {"id": event_id}
        ).one_or_none()
        if event is None:
            if skip_locked:
                return Processed(Outcome.BUSY)
            raise Unexplained("There is no such event.")
        if event.processed_at is not None:
            return _done_before(event.type)
        document = event.payload
    told = told_by(document)
    handler = HANDLERS.get(told.type)
    if handler is None:
        if not lock_event(session, event_id):
            return _done_before(told.type)
        done = Processed(Outcome.NOT_HANDLED)
    else:
        customer = lock_customer(session, told, truth)
        if customer is None:
            return _done_before(told.type)
        work = Work(session, customer, truth)
        handler(work, told)
        done = Processed(
            Outcome.APPLIED,
            owed_refunds=work.owed_refunds,
            owed_cancellations=work.owed_cancellations,
        )
    commit_with(session, _DONE, {"id": event_id})
    return done


def _done_before(kind: str) -> Processed:
    return Processed(Outcome.DONE_BEFORE if kind in HANDLERS else Outcome.NOT_HANDLED)


def _in_our_words(error: Exception) -> str:
    """Why, without anybody's data: what a library says may quote a row."""
    if isinstance(error, (Unexplained, AppError)):
        return str(error)
    kind = type(error).__name__
    code = sqlstate(error) if isinstance(error, DBAPIError) else None
    return f"{kind} [{code}]" if code else kind


_KEEP_FAILURE = text(
    """
    UPDATE payments.stripe_events
       SET attempts = least(attempts + 1, 32000), error = :reason,
           next_attempt_at = clock_timestamp() + least(
               make_interval(secs => :first * power(2, least(attempts, 20))),
               make_interval(secs => :longest))
     WHERE id = :id AND processed_at IS NULL
    """
)


def _keep_failure(event_id: str, reason: str) -> None:
    with transaction() as session:
        session.execute(
            _KEEP_FAILURE,
            {
                "id": event_id,
                "reason": reason,
                "first": FIRST_PAUSE.total_seconds(),
                "longest": LONGEST_PAUSE.total_seconds(),
            },
        )


_DUE = text(
    """
    SELECT id FROM payments.stripe_events
     WHERE processed_at IS NULL AND next_attempt_at <= clock_timestamp()
       AND NOT (id = ANY(CAST(:tried AS text[])))
     ORDER BY next_attempt_at, id LIMIT :size
    """
)
_WAITING_FOR_SOMEBODY = text(
    "SELECT count(*) FROM payments.stripe_events WHERE processed_at IS NULL AND attempts >= :tries"
)


def retry_due(run: Run) -> int:
    """Process what is due and has not taken effect, until nothing is left that this run has not
    tried; how many events have failed so often that somebody has to look at them.

    An event that fails waits longer each time and keeps no other from its turn; one that another
    process is at is left to it.
    """
    tried: list[str] = []
    while run.has_time():
        with transaction() as session:
            due = session.execute(_DUE, {"tried": tried, "size": BATCH}).scalars().all()
        if not due:
            run.complete = True
            break
        run.batches += 1
        for event_id in due:
            if not run.has_time():
                break
            tried.append(event_id)
            done = process(event_id, skip_locked=True)
            owed.settle_at_once(done.owed_refunds, done.owed_cancellations)
            run.count(done.outcome.value, 1)
            run.processed += done.outcome is Outcome.APPLIED
    with transaction() as session:
        return int(session.scalar(_WAITING_FOR_SOMEBODY, {"tries": TRIES_ALONE}) or 0)


def purge_old_contents(run: Run) -> None:
    """Blank the content of events that took effect long ago (setting `stripe_event_days`)."""
    days = get_business_settings(None).stripe_event_days
    delete_in_batches(
        run,
        "blanked_events",
        f"""UPDATE payments.stripe_events SET payload = NULL WHERE id IN (
              SELECT id FROM payments.stripe_events
               WHERE occurred_at < now() - interval '{days:d} days'
                 AND processed_at IS NOT NULL AND payload IS NOT NULL
               ORDER BY occurred_at LIMIT :size FOR UPDATE SKIP LOCKED)""",  # noqa: S608 (a number)
    )


__all__ = ["HANDLERS", "Malformed", "Outcome", "Processed", "Told", "process", "record"]
