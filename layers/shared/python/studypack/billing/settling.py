"""What follows from several objects of Stripe's, derived from our rows in one place, so that the
order in which they were told does not matter.

Whoever calls holds the lock of the customer's row (payments.customers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from studypack.billing.models import (
    LIVE_STATUSES,
    Checkout,
    CheckoutStatus,
    Product,
    Purchase,
    PurchaseStatus,
    Subscription,
    SubscriptionStatus,
    Transaction,
    TransactionStatus,
)

REFUNDED, PAID_TWICE, DISPUTE_LOST = "refunded", "paid_twice", "dispute_lost"
CHECKOUT_EXPIRED, PAYMENT_FAILED = "checkout_expired", "payment_failed"

PAID_PURCHASE = (PurchaseStatus.COMPLETED, PurchaseStatus.REFUNDED)
_PAID = (TransactionStatus.SUCCEEDED, TransactionStatus.REFUNDED)

_MONEY_BACK: Final = """
    SELECT t.id, t.amount, t.refunded_amount, t.charge_version_at, t.charge_event_id,
           back.succeeded, back.pending, back.promised_at, back.last_at, back.last_event_id,
           lost.closed_at AS lost_at, lost.event_id AS lost_event_id
      FROM payments.transactions t
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(r.amount) FILTER (WHERE r.status = 'SUCCEEDED'), 0) AS succeeded,
                  coalesce(sum(r.amount) FILTER (WHERE r.status = 'PENDING'), 0) AS pending,
                  max(r.created_at) FILTER (WHERE r.status = 'PENDING') AS promised_at,
                  max(r.settled_at) FILTER (WHERE r.status = 'SUCCEEDED') AS last_at,
                  (array_agg(r.event_id ORDER BY r.settled_at DESC, r.event_id DESC)
                     FILTER (WHERE r.status = 'SUCCEEDED' AND r.event_id IS NOT NULL))[1]
                     AS last_event_id
             FROM payments.refunds r WHERE r.transaction_id = t.id) back
      LEFT JOIN LATERAL (
           SELECT coalesce(d.closed_at, d.version_at, d.opened_at) AS closed_at, d.event_id
             FROM payments.disputes d
            WHERE d.transaction_id = t.id AND d.status = 'LOST'
            ORDER BY 1, d.event_id LIMIT 1) lost ON true
"""
"""What went back of payments, and what was promised."""

_OF_PURCHASE = text(f"{_MONEY_BACK} WHERE t.purchase_id = :id ORDER BY t.id")

_OF_SUBSCRIPTION = text(
    f"""
    SELECT (SELECT min(i.first_failed_at) FROM payments.invoices i
             WHERE i.subscription_id = :id AND i.status IN ('SENT', 'OVERDUE')) AS failed_at,
           paid.issued_at, m.*
      FROM (SELECT max(i.period_end) AS ends_at FROM payments.invoices i
             WHERE i.subscription_id = :id AND i.status = 'PAID') period
     CROSS JOIN LATERAL (
           SELECT array_agg(i.id) AS ids, min(i.issued_at) AS issued_at
             FROM payments.invoices i
            WHERE i.subscription_id = :id AND i.status = 'PAID'
              AND i.period_end IS NOT DISTINCT FROM period.ends_at) paid
      LEFT JOIN LATERAL ({_MONEY_BACK} WHERE t.invoice_id = ANY(paid.ids) AND t.amount > 0
                         AND t.status IN ('SUCCEEDED', 'REFUNDED')) m ON true
     ORDER BY m.id
    """  # noqa: S608 (our own text)
)
"""All that was paid for the newest period: its renewal, and changes of plan within it, some of
which give back instead and are paid by nobody.
"""


@dataclass(frozen=True)
class MoneyBack:
    """What went back of a payment, or is promised to."""

    gone: int
    promised: int
    ended_at: datetime | None
    """When the last of it went back or was promised, if all of it is; or a dispute was lost."""
    event_id: str | None
    reason: str | None
    """Why the payment opens nothing any more: `refunded`, `dispute_lost`; None: it does."""

    @classmethod
    def of(cls, row: Any) -> MoneyBack:
        """From a row of _MONEY_BACK."""
        gone = max(row.refunded_amount, row.succeeded)
        if row.lost_at is not None:
            return cls(gone, row.pending, row.lost_at, row.lost_event_id, DISPUTE_LOST)
        if gone >= row.amount:
            counted = row.succeeded >= row.amount
            at = row.last_at if counted else row.charge_version_at
            event_id = row.last_event_id if counted else row.charge_event_id
            return cls(gone, row.pending, at, event_id, REFUNDED)
        # Promised is as good as gone: a refund ends access at once, whenever Stripe sees to it.
        if gone + row.pending >= row.amount:
            return cls(gone, row.pending, row.promised_at, None, REFUNDED)
        return cls(gone, row.pending, None, None, None)


NOTHING_BACK = MoneyBack(0, 0, None, None, None)


def money_back(session: Session, purchase: Purchase) -> MoneyBack:
    """What went back of a purchase's payment."""
    row = session.execute(_OF_PURCHASE, {"id": purchase.id}).first()
    return NOTHING_BACK if row is None else MoneyBack.of(row)


def settle_purchase(session: Session, purchase: Purchase) -> None:
    """Set the purchase's status, amounts and window as they follow from its checkout, payment,
    refunds and disputes.

    Whether it was paid twice is looked for where a payment is first told (billing/duplicates.py).
    """
    session.flush()
    checkout = session.get_one(Checkout, purchase.checkout_id)
    payment = session.scalars(
        select(Transaction).where(Transaction.purchase_id == purchase.id).order_by(Transaction.id)
    ).first()
    paid_at = _paid_at(checkout, payment)
    if paid_at is None:
        _settle_unpaid(purchase, checkout)
        session.flush()
        return
    back = NOTHING_BACK if payment is None else money_back(session, purchase)
    purchase.total_amount = _charged(purchase, checkout, payment)
    purchase.refunded_amount = min(back.gone, purchase.total_amount)
    _settle_window(session, purchase, paid_at)
    reason = PAID_TWICE if purchase.is_duplicate and back.reason == REFUNDED else back.reason
    purchase.status = PurchaseStatus.REFUNDED if reason else PurchaseStatus.COMPLETED
    purchase.status_reason = reason
    paid_by = checkout.event_id if checkout.is_paid else None
    purchase.event_id = back.event_id or paid_by or (payment.event_id if payment else None)
    session.flush()


def _settle_unpaid(purchase: Purchase, checkout: Checkout) -> None:
    if checkout.status is CheckoutStatus.EXPIRED:
        purchase.status, purchase.status_reason = PurchaseStatus.CANCELED, CHECKOUT_EXPIRED
    elif checkout.status is CheckoutStatus.FAILED:
        purchase.status, purchase.status_reason = PurchaseStatus.FAILED, PAYMENT_FAILED
    else:
        purchase.status, purchase.status_reason = PurchaseStatus.PENDING, None
    purchase.event_id = checkout.event_id


def _charged(purchase: Purchase, checkout: Checkout, payment: Transaction | None) -> int:
    """What Stripe charged, after discounts and with tax."""
    if payment is not None and payment.status in _PAID:
        return payment.amount
    return purchase.total_amount if checkout.amount_total is None else checkout.amount_total


def _paid_at(checkout: Checkout, payment: Transaction | None) -> datetime | None:
    """When it was first told to be paid; None: it was not, or that is on its way."""
    times = [checkout.paid_at if checkout.is_paid else None]
    if payment is not None and payment.status in _PAID:
        times.append(payment.paid_at)
    known = [at for at in times if at is not None]
    return min(known) if known else None


def _settle_window(session: Session, purchase: Purchase, start: datetime) -> None:
    """The window begins with the payment. A later change of the product leaves it alone."""
    if purchase.access_start is None:
        days = session.get_one(Product, purchase.product_id).access_window_days
        purchase.access_end = None if days is None else start + timedelta(days=days)
    elif purchase.access_end is not None:
        purchase.access_end += start - purchase.access_start
    purchase.access_start = start


def settle_subscription(session: Session, subscription: Subscription) -> None:
    """Set what follows from the subscription's invoices: since when its payment fails, and whether
    its newest period was paid back. What has ended is owed no cancellation.
    """
    session.flush()
    rows = session.execute(_OF_SUBSCRIPTION, {"id": subscription.id}).all()
    failing = subscription.status is SubscriptionStatus.PAST_DUE
    subscription.payment_failed_at = rows[0].failed_at if failing else None
    back = _of_all([MoneyBack.of(row) for row in rows if row.id is not None])
    if back.reason is None:
        subscription.access_ended_at = subscription.access_end_event_id = None
    else:
        subscription.access_ended_at = _ended_at(subscription, back, rows[0].issued_at)
        subscription.access_end_event_id = back.event_id
        if back.reason == DISPUTE_LOST and subscription.status in LIVE_STATUSES:
            # Whoever had the bank take the money back must not be charged for the next period.
            subscription.cancel_requested_at = subscription.cancel_requested_at or back.ended_at
    if subscription.ended_at is not None:
        subscription.cancel_requested_at = None
    session.flush()


def _of_all(payments: Sequence[MoneyBack]) -> MoneyBack:
    """What became of the payments of one period together: one that was lost to a dispute ends it,
    and so does the refund of all of them.
    """
    lost = [back for back in payments if back.reason == DISPUTE_LOST]
    if lost:
        return min(lost, key=_when)
    if payments and all(back.reason is not None for back in payments):
        return max(payments, key=_when)
    return NOTHING_BACK


def _when(back: MoneyBack) -> tuple[datetime, str]:
    # Without a time: known by reference only, until the event of it comes.
    return back.ended_at or datetime.min.replace(tzinfo=UTC), back.event_id or ""


def _ended_at(
    subscription: Subscription, back: MoneyBack, issued_at: datetime | None
) -> datetime | None:
    """When it ended; a promise made earlier for the same period stands."""
    known = subscription.access_ended_at
    if known is not None and issued_at is not None and known < issued_at:
        known = None  # of an earlier period
    times = [at for at in (known, back.ended_at) if at is not None]
    return min(times) if times else None
