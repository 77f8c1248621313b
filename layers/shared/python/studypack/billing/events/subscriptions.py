"""customer.subscription.*"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing.events import printable
from studypack.billing.events.consequences import (
    settle_after_subscription,
    subscription_began,
    subscription_begins,
    subscription_canceled,
)
from studypack.billing.events.subscription_rows import (
    NOT_BEGUN,
    differs,
    find_subscription,
    new_subscription,
    status_told,
    take_over,
)
from studypack.billing.events.told import (
    Age,
    Told,
    Unexplained,
    Version,
    Work,
    age_of,
    id_of,
    stamp,
)
from studypack.billing.models import Customer, Subscription, SubscriptionStatus
from studypack.billing.truth import SUBSCRIPTION, Document, Truth
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email


def subscription_of(work: Work, stripe_subscription_id: str) -> Subscription:
    """Our row of a subscription, made of Stripe's object if it is not there yet.

    Raises Unexplained when it is somebody else's, Needed.
    """
    found = find_subscription(work.session, stripe_subscription_id)
    if found is not None:
        return found
    told = work.truth.get(SUBSCRIPTION, stripe_subscription_id)
    if told is None:
        raise Unexplained("Stripe has no such subscription.")
    if id_of(told["customer"]) != work.customer.stripe_customer_id:
        raise Unexplained("The subscription belongs to another customer.")
    row = apply_subscription(work, told, version=None)
    settle_after_subscription(work, row)
    return row


def subscription_changed(work: Work, told: Told) -> None:
    """customer.subscription.created, updated, deleted, paused, resumed"""
    row = apply_subscription(work, told.object, version=told.version)
    settle_after_subscription(work, row)


def trial_will_end(work: Work, told: Told) -> None:
    """customer.subscription.trial_will_end: three days before, or at once when it is shorter."""
    row = apply_subscription(work, told.object, version=told.version)
    settle_after_subscription(work, row)
    trial_end = row.trial_end
    if row.user_id is not None and row.status is SubscriptionStatus.TRIALING and trial_end:
        enqueue_email(
            work.session,
            row.user_id,
            EmailTemplate.TRIAL_ENDING,
            occasion=f"subscription:{row.id}:{trial_end.isoformat()}",
            subscription_id=str(row.id),
            **printable.of_trial(work.session, row),
        )


def apply_subscription(work: Work, told: Document, *, version: Version | None) -> Subscription:
    """Bring our row up to this state (`version` None: by reference), and see to what begins or
    ends with it.
    """
    row = find_subscription(work.session, told["id"])
    if row is not None and version is not None:
        match age_of(version, row.version_at, row.event_id):
            case Age.OLDER:
                return row
            case Age.SAME_SECOND if differs(work.session, row, told):
                told = work.truth.get(SUBSCRIPTION, told["id"]) or told
    before = row.status if row is not None else None
    begins = before in (None, *NOT_BEGUN) and status_told(told) not in NOT_BEGUN
    is_twice = begins and subscription_begins(work, told)
    # What was fetched to compare it with others is the newer state.
    told = work.truth.peek(SUBSCRIPTION, told["id"]) or told
    with work.session.no_autoflush:
        row = row or new_subscription(work.customer, told)
        take_over(work.session, row, told)
        if version is not None:
            stamp(row, version)
        if is_twice and not row.is_duplicate:
            row.is_duplicate, row.cancel_requested_at = True, row.started_at
    work.session.add(row)
    work.session.flush()
    if begins:
        subscription_began(work, row)
    if row.status is SubscriptionStatus.CANCELED:
        subscription_canceled(work, row)
    return row


def upsert_subscription(
    session: Session, stripe_subscription: Document, *, version: Version | None
) -> Subscription:
    """Bring our row of a subscription up to an answer of Stripe's (`version` None), for services
    that changed it there and hold the customer's lock.

    Raises Unexplained when its customer or its price is none of ours.
    """
    customer = session.scalars(
        select(Customer).where(
            Customer.stripe_customer_id == id_of(stripe_subscription["customer"])
        )
    ).one_or_none()
    if customer is None:
        raise Unexplained("No customer of ours has this subscription.")
    return apply_answer(Work(session, customer, Truth()), stripe_subscription, version=version)


def apply_answer(
    work: Work, stripe_subscription: Document, *, version: Version | None = None
) -> Subscription:
    """Likewise, where the customer is known and locked and what is needed can be fetched."""
    row = apply_subscription(work, stripe_subscription, version=version)
    settle_after_subscription(work, row)
    return row
