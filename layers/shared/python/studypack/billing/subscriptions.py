"""A user's subscription: read, cancelled at the end of its period, resumed, taken back.

What changes it at Stripe waits for the answer, which is applied to our row as its event would be;
so those functions open their short transactions themselves and are never called within one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from studypack.billing import customers, owed, refunds
from studypack.billing.events.subscriptions import upsert_subscription
from studypack.billing.events.told import Unexplained
from studypack.billing.models import (
    LIVE_STATUSES,
    Invoice,
    InvoiceStatus,
    Product,
    Refund,
    RefundOrigin,
    Seat,
    Subscription,
    SubscriptionStatus,
    Transaction,
    TransactionStatus,
)
from studypack.billing.settling import settle_subscription
from studypack.core.business_settings import get_business_settings
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unavailable
from studypack.core.idempotency import RepeatableRequest, once
from studypack.core.telemetry import get_logger
from studypack.integrations.stripe import call

if TYPE_CHECKING:
    from stripe import StripeClient

RENEWING = Subscription.status.in_(LIVE_STATUSES) & ~Subscription.is_duplicate
"""Of a user at most one: what they can end. Its present period may have been paid back."""
LIVE = RENEWING & Subscription.access_ended_at.is_(None)
"""What they can change."""


@dataclass(frozen=True)
class SubscriptionView:
    """A subscription as its owner or a member of it sees it."""

    subscription: Subscription
    product: Product
    seat_id: UUID | None
    """Of a member; None: the owner."""
    seats_taken: int
    grace_until: datetime | None
    """While its payment fails: until when it still opens what it opened."""
    refundable_until: datetime | None
    """The owner's; None where there is nothing left to take back."""


def find_view(session: Session, user_id: UUID) -> SubscriptionView | None:
    """The subscription that this user has or has a seat in: a live one first, one's own first, then
    the newest; in one statement.
    """
    is_live = case((LIVE, 0), else_=1)
    own = aliased(Seat)
    taken = (
        select(func.count())
        .where(Seat.subscription_id == Subscription.id, Seat.removed_at.is_(None))
        .scalar_subquery()
    )
    row = session.execute(
        select(Subscription, Product, own.id.label("seat_id"), taken.label("taken"))
        .join(Product, Product.id == Subscription.product_id)
        .outerjoin(
            own,
            (own.subscription_id == Subscription.id)
            & (own.user_id == user_id)
            & own.removed_at.is_(None),
        )
        .where(or_(Subscription.user_id == user_id, own.id.is_not(None)))
        .where(Subscription.status != SubscriptionStatus.INCOMPLETE, ~Subscription.is_duplicate)
        .order_by(
            is_live,
            case((Subscription.user_id == user_id, 0), else_=1),
            Subscription.started_at.desc(),
            Subscription.id,
        )
        .limit(1)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    subscription = row.Subscription
    is_owner = subscription.user_id == user_id
    settings = get_business_settings(session)
    return SubscriptionView(
        subscription=subscription,
        product=row.Product,
        seat_id=None if is_owner else row.seat_id,
        seats_taken=row.taken,
        grace_until=_grace_until(subscription, days=settings.grace_days),
        refundable_until=(
            subscription.started_at + timedelta(days=settings.refund_days)
            if is_owner and subscription.access_ended_at is None
            else None
        ),
    )


def _grace_until(subscription: Subscription, *, days: int) -> datetime | None:
    if subscription.status is not SubscriptionStatus.PAST_DUE:
        return None
    failed_at = subscription.payment_failed_at or subscription.current_period_start
    return failed_at + timedelta(days=days)


def lock_live(
    session: Session, user_id: UUID, *, which: ColumnElement[bool] = LIVE
) -> Subscription:
    """The user's own live subscription, with their money locked.

    Raises NotFound (`subscription_not_found`).
    """
    customer = customers.find_locked(session, user_id)
    found = None
    if customer is not None:
        found = session.scalars(
            select(Subscription)
            .where(Subscription.user_id == user_id, which)
            .execution_options(populate_existing=True)
        ).one_or_none()
    if found is None:
        raise no_subscription()
    return found


def no_subscription() -> NotFound:
    """For those who have none, and for those who only have a seat in another's."""
    return NotFound("You have no subscription.", code="subscription_not_found")


def refuse_ending(subscription: Subscription) -> None:
    """Raise Conflict (`subscription_ending`) when its end is decided and cannot be undone."""
    if subscription.cancel_requested_at is not None:
        raise Conflict("This subscription is being ended.", code="subscription_ending")


def cancel(user_id: UUID) -> SubscriptionView:
    """End the subscription with the period that is paid; again changes nothing.

    Raises NotFound (`subscription_not_found`), Conflict (`subscription_ending`), Unavailable.
    """
    with transaction() as session:
        subscription = lock_live(session, user_id, which=RENEWING)
        refuse_ending(subscription)
        stripe_id, is_done = subscription.stripe_subscription_id, subscription.cancel_at_period_end
    if not is_done:
        change_at_stripe(
            user_id,
            lambda stripe: stripe.v1.subscriptions.update(
                stripe_id, {"cancel_at_period_end": True}
            ),
        )
    return own_view(user_id)


def resume(user_id: UUID) -> SubscriptionView:
    """Take a cancellation back, or go on with a subscription that is paused (a new period begins
    and is paid); again changes nothing.

    Raises NotFound (`subscription_not_found`), Conflict (`subscription_ending`, `payment_refused`),
    Unavailable.
    """
    with transaction() as session:
        subscription = lock_live(session, user_id, which=RENEWING)
        refuse_ending(subscription)
        stripe_id = subscription.stripe_subscription_id
        is_ending = subscription.cancel_at_period_end
        is_paused = subscription.status is SubscriptionStatus.PAUSED
    if is_ending:
        change_at_stripe(
            user_id,
            lambda stripe: stripe.v1.subscriptions.update(
                stripe_id, {"cancel_at_period_end": False}
            ),
        )
    if is_paused:
        change_at_stripe(user_id, lambda stripe: stripe.v1.subscriptions.resume(stripe_id))
    return own_view(user_id)


def change_at_stripe(user_id: UUID, change: Callable[[StripeClient], Any]) -> None:
    """Have Stripe change a subscription of this user, and bring our row up to its answer.

    Raises Conflict: `subscription_ended` when it is no longer there, `payment_refused`; Unavailable
    (`payments_unavailable`).
    """
    try:
        answer = call(change)
    except Conflict as refused:
        if refused.extra.get("reason") != "resource_missing":
            raise
        raise Conflict("This subscription has ended.", code="subscription_ended") from None
    try:
        with transaction() as session:
            customers.find_locked(session, user_id)
            upsert_subscription(session, answer.to_dict(), version=None)
    except Unexplained as error:
        # Done at Stripe; the event will say what it is that we do not know.
        get_logger().error("stripe's answer is not understood", extra={"why": str(error)})
        raise Unavailable(
            "Payments are not available at the moment; try again.", code="payments_unavailable"
        ) from None


def own_view(user_id: UUID) -> SubscriptionView:
    """The subscription after a change of it. Raises NotFound (`subscription_not_found`)."""
    with transaction() as session:
        found = find_view(session, user_id)
    if found is None:
        raise no_subscription()
    return found


@dataclass(frozen=True)
class TakenBack:
    """A subscription that its buyer took back, and what goes back of its payments."""

    view: SubscriptionView
    refunds: tuple[Refund, ...]


def take_back(user_id: UUID, *, idempotency_key: str | None, now: datetime) -> TakenBack:
    """Give what was paid for the present period back to the buyer, end access now and cancel the
    subscription at Stripe at once.

    Raises NotFound (`subscription_not_found`); Conflict: `refund_window_over`, `not_refundable`
    when nothing was paid, `credit_given`, `payment_not_settled`, `payment_disputed`,
    `already_refunded`.
    """
    repeatable = RepeatableRequest(user_id, "subscription.refund", idempotency_key, None)
    with transaction() as session:
        subscription_id = once(
            session,
            repeatable,
            lambda: _promise(session, user_id, now=now),
            lambda promised: promised,
        )
        promised = [refund.id for refund in _buyers_refunds(session, subscription_id)]
    owed.settle_at_once(promised, [subscription_id])
    with transaction() as session:
        given = tuple(_buyers_refunds(session, subscription_id))
    return TakenBack(own_view(user_id), given)


def _promise(session: Session, user_id: UUID, *, now: datetime) -> UUID:
    subscription = _lock_newest(session, user_id)
    if subscription.access_ended_at is not None:
        raise Conflict("This subscription was taken back already.", code="already_refunded")
    days = get_business_settings(session).refund_days
    until = subscription.started_at + timedelta(days=days)
    if now > until:
        raise Conflict(
            f"A subscription can be taken back for {days} days; ask support.",
            code="refund_window_over",
            refundable_until=until,
        )
    payments = _payments_of_period(session, subscription)
    if not payments:
        raise _nothing_to_take_back(session, subscription)
    _refuse_credited(session, subscription, payments)
    for payment in payments:
        refunds.refuse_disputed(session, payment)
        if refunds.refundable(session, payment) > 0 or len(payments) == 1:
            refunds.reserve(
                session,
                payment,
                None,
                origin=RefundOrigin.BUYER,
                requested_by=user_id,
                reason="requested_by_customer",
            )
    if subscription.ended_at is None:
        subscription.cancel_requested_at = subscription.cancel_requested_at or now
    settle_subscription(session, subscription)
    if subscription.access_ended_at is None:
        subscription.access_ended_at = now
    session.flush()
    return subscription.id


def _nothing_to_take_back(session: Session, subscription: Subscription) -> Conflict:
    """Nothing was paid; or it was, and the news of which payment it was is on its way."""
    paid = session.scalar(
        select(Invoice.amount_paid)
        .where(Invoice.subscription_id == subscription.id, Invoice.status == InvoiceStatus.PAID)
        .order_by(Invoice.issued_at.desc())
        .limit(1)
    )
    if paid:
        return Conflict("This payment has not gone through.", code="payment_not_settled")
    return Conflict("Nothing was paid for this period.", code="not_refundable")


def _refuse_credited(
    session: Session, subscription: Subscription, payments: Sequence[Transaction]
) -> None:
    """Raise Conflict (`credit_given`) when a smaller plan gave back a part of these payments: it
    lies on the customer's balance at Stripe, and would go back a second time.
    """
    first = (
        select(func.min(Invoice.issued_at))
        .where(Invoice.id.in_([payment.invoice_id for payment in payments]))
        .scalar_subquery()
    )
    credit = session.scalar(
        select(func.sum(-Invoice.total)).where(
            Invoice.subscription_id == subscription.id,
            Invoice.status == InvoiceStatus.PAID,
            Invoice.total < 0,
            Invoice.issued_at >= first,
        )
    )
    if credit:
        raise Conflict(
            "A part of this payment is credited to you since the plan changed; ask support.",
            code="credit_given",
            credit={"amount": int(credit), "currency": subscription.currency},
        )


def _lock_newest(session: Session, user_id: UUID) -> Subscription:
    """The user's live subscription, else the last that they had, with their money locked."""
    found = None
    if customers.find_locked(session, user_id) is not None:
        found = session.scalars(
            select(Subscription)
            .where(
                Subscription.user_id == user_id,
                Subscription.status != SubscriptionStatus.INCOMPLETE,
                ~Subscription.is_duplicate,
            )
            .order_by(case((LIVE, 0), else_=1), Subscription.started_at.desc())
            .limit(1)
            .execution_options(populate_existing=True)
        ).one_or_none()
    if found is None:
        raise no_subscription()
    return found


def _payments_of_period(session: Session, subscription: Subscription) -> Sequence[Transaction]:
    """What was paid for the newest paid period: its renewal, and changes of plan within it."""
    of_it = (Invoice.subscription_id == subscription.id) & (Invoice.status == InvoiceStatus.PAID)
    newest_end = select(func.max(Invoice.period_end)).where(of_it).scalar_subquery()
    return session.scalars(
        select(Transaction)
        .join(Invoice, Invoice.id == Transaction.invoice_id)
        .where(of_it, Invoice.period_end == newest_end)
        .where(
            Transaction.status.in_((TransactionStatus.SUCCEEDED, TransactionStatus.REFUNDED)),
            Transaction.amount > 0,
        )
        .order_by(Invoice.issued_at.desc(), Transaction.id)
    ).all()


def _buyers_refunds(session: Session, subscription_id: UUID) -> Sequence[Refund]:
    return session.scalars(
        select(Refund)
        .join(Transaction, Transaction.id == Refund.transaction_id)
        .where(Transaction.subscription_id == subscription_id, Refund.origin == RefundOrigin.BUYER)
        .order_by(Refund.id)
        .execution_options(populate_existing=True)
    ).all()
