"""Against what never reached us: Stripe's own list of events, and its subscriptions beside ours.

This module waits for Stripe and therefore opens its short transactions itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studypack.billing import inbox, owed
from studypack.billing.events.subscription_rows import differs
from studypack.billing.events.subscriptions import apply_answer
from studypack.billing.events.told import Unexplained, Work, id_of, known_time
from studypack.billing.inbox import Outcome
from studypack.billing.models import LIVE_STATUSES, Customer, StripeEvent, Subscription
from studypack.billing.truth import SUBSCRIPTION, Document, Truth, with_truth
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.core.errors import Unavailable
from studypack.core.jobs import Run
from studypack.core.telemetry import get_logger
from studypack.integrations.stripe import call

OVERLAP: Final = timedelta(hours=24)
"""Newer events may have come while an older one was lost."""
LISTED: Final = timedelta(days=30)
"""For how long Stripe lists events."""
DELIVERED_WITHIN: Final = timedelta(minutes=15)
"""A younger event may be on its way still."""
PAGE: Final = 100


def is_set_up() -> bool:
    """Whether there is an account at Stripe to reconcile with."""
    settings = get_settings()
    return settings.stripe_api_key is not None or settings.stripe_secret is not None


def backfill(run: Run) -> int:
    """Record and process the events that Stripe lists and we never saw, oldest first; how many of
    them should have been here by now.

    When the webhook refuses everything (a wrong secret, say), nothing else tells.
    """
    with transaction() as session:
        newest, now = _newest(session)
    since = _since(newest, now)
    missing: list[Document] = []
    undelivered = 0
    for page in _pages(run, "events", {"created": {"gte": int(since.timestamp())}}):
        run.count("events_listed", len(page))
        missing += _unknown(page)
    for event in sorted(missing, key=lambda each: (each["created"], each["id"])):
        if not run.has_time():
            run.complete = False
            return undelivered
        done = inbox.process(inbox.record(event))
        owed.settle_at_once(done.owed_refunds, done.owed_cancellations)
        run.count("events_missed", 1)
        if newest is not None and known_time(event["created"]) < now - DELIVERED_WITHIN:
            undelivered += 1
        run.count("events_failed", done.outcome is Outcome.FAILED)
        run.processed += 1
    return undelivered


def _newest(session: Session) -> tuple[datetime | None, datetime]:
    """When the newest event that we know was made (None: there is none), and now."""
    row = session.execute(
        select(func.max(StripeEvent.occurred_at).label("newest"), func.now().label("now"))
    ).one()
    return row.newest, row.now


def _since(newest: datetime | None, now: datetime) -> datetime:
    if newest is None:
        return now - LISTED
    # A customer on a test clock may be ahead of everybody else, who must not be missed for it.
    return max(min(newest, now) - OVERLAP, now - LISTED)


def _unknown(events: Sequence[Document]) -> list[Document]:
    with transaction() as session:
        known = set(
            session.scalars(
                select(StripeEvent.id).where(StripeEvent.id.in_([each["id"] for each in events]))
            )
        )
    return [each for each in events if each["id"] not in known]


def compare_subscriptions(run: Run) -> int:
    """Hold every live subscription, theirs and ours, against the other side; what differs is
    counted, logged, and repaired by Stripe's state. How many could not be repaired.
    """
    failed = 0
    seen: set[str] = set()
    for page in _pages(run, "subscriptions", {}):
        seen.update(each["id"] for each in page)
        run.count("subscriptions_compared", len(page))
        for told in _drifted(page):
            failed += not _repair(run, told["id"])
    if not run.complete:
        return failed  # what was not listed yet is not missing
    for stripe_id in _live_but_not(seen):
        if not run.has_time():
            run.complete = False
            return failed
        failed += not _repair(run, stripe_id)
    return failed


def _drifted(page: Sequence[Document]) -> list[Document]:
    """Those that our customers have and of which our rows say something else, or nothing."""
    with transaction() as session:
        ours = set(
            session.scalars(
                select(Customer.stripe_customer_id).where(
                    Customer.stripe_customer_id.in_([id_of(each["customer"]) for each in page])
                )
            )
        )
        rows = {
            row.stripe_subscription_id: row
            for row in session.scalars(
                select(Subscription).where(
                    Subscription.stripe_subscription_id.in_([each["id"] for each in page])
                )
            )
        }
        return [
            each
            for each in page
            if id_of(each["customer"]) in ours and _differs(session, rows.get(each["id"]), each)
        ]


def _differs(session: Session, row: Subscription | None, told: Document) -> bool:
    if row is None:
        return True
    if row.ended_at is not None:
        return True  # it lives there
    try:
        return differs(session, row, told)
    except Unexplained:
        return True


def _live_but_not(seen: set[str]) -> list[str]:
    with transaction() as session:
        ours = session.scalars(
            select(Subscription.stripe_subscription_id).where(
                Subscription.status.in_(LIVE_STATUSES)
            )
        )
        return [each for each in ours if each not in seen]


def _repair(run: Run, stripe_id: str) -> bool:
    """Take Stripe's state of a subscription over as it is at this moment; false if that fails."""

    def apply(session: Session, truth: Truth) -> Work | None:
        told = truth.get(SUBSCRIPTION, stripe_id)
        if told is None:
            return None
        customer = session.scalars(
            select(Customer)
            .where(Customer.stripe_customer_id == id_of(told["customer"]))
            .with_for_update()
        ).one_or_none()
        if customer is None:
            return None
        work = Work(session, customer, truth)
        apply_answer(work, told)
        return work

    try:
        work = with_truth(apply)
    except Unavailable:
        raise
    except Exception as error:
        # One that cannot be repaired keeps no other from it.
        explained = isinstance(error, Unexplained)
        get_logger().warning(
            "subscription differs from stripe's",
            extra={
                "stripe_subscription_id": stripe_id,
                "reason": str(error) if explained else type(error).__name__,
            },
            exc_info=None if explained else error,
        )
        return False
    get_logger().warning(
        "subscription differed from stripe's", extra={"stripe_subscription_id": stripe_id}
    )
    run.count("drifted", 1)
    if work is not None:
        owed.settle_at_once(work.owed_refunds, work.owed_cancellations)
    return True


def _pages(run: Run, kind: str, given: dict[str, Any]) -> Iterator[list[Document]]:
    """The pages of a list of Stripe's, newest first; `run.complete` says whether all were read."""
    run.complete = False
    after: str | None = None
    while run.has_time():
        params = {**given, "limit": PAGE, **({"starting_after": after} if after else {})}
        answer = call(lambda stripe, params=params: getattr(stripe.v1, kind).list(params))  # type: ignore[misc]
        document = answer.to_dict(for_json=True)
        page: list[Document] = document["data"]
        run.batches += 1
        if page:
            yield page
            after = page[-1]["id"]
        if not page or not document["has_more"]:
            run.complete = True
            return
