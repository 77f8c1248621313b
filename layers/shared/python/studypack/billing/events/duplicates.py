"""What was paid for twice: found when a payment is first told, and paid back automatically.

Of two that overlap the earlier one counts. Both are compared by when they began and ended, not by
when we heard of it, so that it does not matter which was told first; and before one counts as paid
twice, Stripe is asked whether the other still stood.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from studypack.billing import refunds
from studypack.billing.events.refund_rows import apply_dispute, apply_refund
from studypack.billing.events.subscription_rows import NOT_BEGUN, status_told, take_over
from studypack.billing.events.told import Unexplained, Work, known_time, time
from studypack.billing.models import (
    LIVE_STATUSES,
    Checkout,
    Purchase,
    PurchaseStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
    Subscription,
    SubscriptionStatus,
    Transaction,
    TransactionStatus,
)
from studypack.billing.settling import PAID_PURCHASE, money_back, settle_purchase
from studypack.billing.truth import DISPUTES, REFUNDS, SUBSCRIPTION, Document


def find_purchases_paid_twice(work: Work, paid: Purchase) -> list[Purchase]:
    """Mark what overlaps: this purchase, or later ones of the same product that were told before
    it.
    """
    others = work.session.scalars(
        select(Purchase)
        .join(Checkout, Checkout.id == Purchase.checkout_id)
        .where(
            Checkout.customer_id == work.customer.id,
            Purchase.product_id == paid.product_id,
            Purchase.id != paid.id,
            Purchase.status.in_(PAID_PURCHASE),
        )
        .order_by(Purchase.access_start, Purchase.id)
    ).all()
    found = []
    for other in others:
        first, second = sorted((paid, other), key=_begun)
        if not first.is_duplicate and not second.is_duplicate and _held(work, first, second):
            second.is_duplicate = True
            found.append(second)
    return found


def _begun(purchase: Purchase) -> tuple[datetime, str]:
    if purchase.access_start is None:
        raise RuntimeError("a paid purchase has begun")
    return purchase.access_start, str(purchase.id)


def _held(work: Work, first: Purchase, second: Purchase) -> bool:
    """Whether the buyer still had the first when the second was paid."""
    at = second.access_start
    if at is None or (first.access_end is not None and first.access_end <= at):
        return False
    _learn_of_money_back(work, first)
    if first.status is not PurchaseStatus.REFUNDED:
        return True
    ended_at = money_back(work.session, first).ended_at
    return ended_at is not None and ended_at > at


def _learn_of_money_back(work: Work, purchase: Purchase) -> None:
    """Ask Stripe for the purchase's refunds and disputes: news of them may be late."""
    payment = work.session.scalars(
        select(Transaction).where(Transaction.purchase_id == purchase.id)
    ).first()
    if payment is None:
        return  # nothing was to pay
    for told in work.truth.items(REFUNDS, payment.stripe_payment_intent_id):
        apply_refund(work, payment, told, version=None)
    for told in work.truth.items(DISPUTES, payment.stripe_payment_intent_id):
        apply_dispute(work, payment, told, version=None)
    settle_purchase(work.session, purchase)


@dataclass(frozen=True)
class Life:
    """From when to when a subscription stood."""

    stripe_subscription_id: str
    started_at: datetime
    ended_at: datetime | None
    status: SubscriptionStatus

    @classmethod
    def told(cls, document: Document) -> Life:
        """As Stripe's object has it."""
        return cls(
            document["id"],
            known_time(document["start_date"]),
            time(document.get("ended_at")),
            status_told(document),
        )

    @classmethod
    def of(cls, row: Subscription) -> Life:
        """As our row has it: one that was paid back stood until then, whenever Stripe ends it."""
        ends = [at for at in (row.ended_at, row.access_ended_at) if at is not None]
        ended_at = min(ends) if ends else None
        return cls(row.stripe_subscription_id, row.started_at, ended_at, row.status)

    @property
    def order(self) -> tuple[datetime, str]:
        return self.started_at, self.stripe_subscription_id

    def covers(self, at: datetime) -> bool:
        """Whether it stood then."""
        return self.status not in NOT_BEGUN and (self.ended_at is None or self.ended_at > at)


def is_begun_twice(work: Work, told: Document) -> tuple[bool, list[Subscription]]:
    """Whether a subscription that begins overlaps an earlier one; and later ones, told before it,
    that overlap it and are marked now: their cancellation is owed to Stripe.

    Nothing of the one that begins is written yet: the table takes one live subscription a user.
    """
    begun = Life.told(told)
    rows = work.session.scalars(
        select(Subscription)
        .where(
            Subscription.customer_id == work.customer.id,
            Subscription.stripe_subscription_id != begun.stripe_subscription_id,
            Subscription.status.not_in(NOT_BEGUN),
            ~Subscription.is_duplicate,
        )
        .order_by(Subscription.started_at, Subscription.stripe_subscription_id)
    ).all()
    if any(Life.of(row).order < begun.order and _stood(work, row, begun) for row in rows):
        return True, []
    later = [row for row in rows if begun.order < Life.of(row).order]
    marked = []
    if later:
        begun = _as_of_now(work, begun)
        marked = [row for row in later if begun.covers(row.started_at)]
    for row in marked:
        row.is_duplicate = True
        row.cancel_requested_at = row.started_at
    work.session.flush()
    if begun.status in LIVE_STATUSES:
        for row in rows:
            _must_have_ended(work, row)
    return False, marked


def _must_have_ended(work: Work, row: Subscription) -> None:
    """Of two that don't overlap the other one may be live here still, and the table takes one."""
    if row.is_duplicate or row.status not in LIVE_STATUSES:
        return
    _learn(work, row)
    if row.status in LIVE_STATUSES:
        raise Unexplained("The subscription before this one is about to be ended at Stripe.")


def _as_of_now(work: Work, life: Life) -> Life:
    told = work.truth.get(SUBSCRIPTION, life.stripe_subscription_id)
    return life if told is None else Life.told(told)


def _stood(work: Work, earlier: Subscription, begun: Life) -> bool:
    """Whether the earlier one was live when the later began."""
    if not Life.of(earlier).covers(begun.started_at):
        return False
    _learn(work, earlier)
    return Life.of(earlier).covers(begun.started_at)


def _learn(work: Work, row: Subscription) -> None:
    """Bring a row up to what Stripe says of it now: news of its end may be late."""
    told = work.truth.get(SUBSCRIPTION, row.stripe_subscription_id)
    if told is not None:
        take_over(work.session, row, told)
        work.session.flush()


def pay_back(work: Work, payments: list[Transaction]) -> None:
    """Promise what is left of payments for something that was paid twice."""
    for payment in payments:
        if payment.status is not TransactionStatus.SUCCEEDED:
            continue
        back = work.session.execute(
            select(func.coalesce(func.sum(Refund.amount), 0)).where(
                Refund.transaction_id == payment.id,
                Refund.status.in_([RefundStatus.PENDING, RefundStatus.SUCCEEDED]),
            )
        ).scalar_one()
        if max(back, payment.refunded_amount) < payment.amount:
            refund = refunds.reserve(
                work.session,
                payment,
                None,
                origin=RefundOrigin.AUTOMATIC,
                requested_by=None,
                reason="duplicate",
            )
            work.owed_refunds.add(refund.id)
