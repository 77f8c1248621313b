"""Money that goes back: promised in our rows first, so that the sum never exceeds the payment and
Stripe is asked once for each.

`settle` asks Stripe and therefore opens its short transactions itself: it comes after the commit of
the promise. What it cannot do, or a crash left, the sweep `settle_with_stripe` finds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studypack.billing import customers, invoicing
from studypack.billing.models import (
    LIVE_STATUSES,
    Dispute,
    DisputeStatus,
    Purchase,
    PurchaseStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
    Subscription,
    Transaction,
    TransactionStatus,
)
from studypack.billing.settling import settle_purchase, settle_subscription
from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unavailable
from studypack.core.idempotency import RepeatableRequest, once
from studypack.core.telemetry import get_logger
from studypack.integrations.stripe import call, call_once

REFUND_ID: Final = "studypack_refund_id"
REFUND_ORIGIN: Final = "studypack_refund_origin"

_REASONS: Final = {
    RefundOrigin.AUTOMATIC: "duplicate",
    RefundOrigin.BUYER: "requested_by_customer",
    RefundOrigin.SUPPORT: "requested_by_customer",
}
_STATUSES: Final = {
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
_LATER: Final = frozenset({"balance_insufficient", "insufficient_funds"})
"""Refusals of Stripe's that another day may bring another answer to."""
_KEYS_LAST: Final = timedelta(hours=20)
"""Stripe forgets idempotency keys after a day; a later repetition looks first."""


def reserve(
    session: Session,
    payment: Transaction,
    amount: int | None,
    *,
    origin: RefundOrigin,
    requested_by: UUID | None,
    reason: str | None,
) -> Refund:
    """Promise that this much of a payment goes back (None: all that is left), with its row locked.

    Raises Conflict: `payment_not_settled`, `already_refunded` when nothing is left,
    `refund_exceeds_payment` (with what is `refundable`).
    """
    locked = session.scalars(
        select(Transaction)
        .where(Transaction.id == payment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if locked.status not in {TransactionStatus.SUCCEEDED, TransactionStatus.REFUNDED}:
        raise Conflict("This payment has not gone through.", code="payment_not_settled")
    left = refundable(session, locked)
    if left <= 0:
        raise Conflict("All of this payment went back already.", code="already_refunded")
    wanted = left if amount is None else amount
    if wanted > left:
        raise Conflict(
            "More than is left of this payment.",
            code="refund_exceeds_payment",
            refundable={"amount": left, "currency": locked.currency},
        )
    refund = Refund(
        transaction_id=locked.id,
        amount=wanted,
        currency=locked.currency,
        origin=origin,
        reason=reason,
        requested_by=requested_by,
        status=RefundStatus.PENDING,
    )
    session.add(refund)
    session.flush()
    return refund


def refundable(session: Session, payment: Transaction) -> int:
    """What is left of a payment: neither gone nor promised, in minor units."""
    sums: dict[RefundStatus, int] = {
        row.status: int(row.amount)
        for row in session.execute(
            select(Refund.status, func.sum(Refund.amount).label("amount"))
            .where(Refund.transaction_id == payment.id)
            .group_by(Refund.status)
        )
    }
    gone = max(payment.refunded_amount, sums.get(RefundStatus.SUCCEEDED, 0))
    return payment.amount - gone - sums.get(RefundStatus.PENDING, 0)


def request_by_buyer(
    user_id: UUID, purchase_id: UUID, *, idempotency_key: str | None, now: datetime
) -> Refund:
    """Take a purchase back: its access ends at once, and all of its payment goes back.

    Raises NotFound (`purchase_not_found`), Conflict: `not_refundable`, `refund_window_over`,
    `payment_disputed`, `payment_not_settled`, `already_refunded`.
    """
    repeatable = RepeatableRequest(user_id, "purchases.refund", idempotency_key, str(purchase_id))
    with transaction() as session:

        def work() -> UUID:
            customers.find_locked(session, user_id)
            purchase = session.scalars(
                select(Purchase).where(Purchase.id == purchase_id, Purchase.user_id == user_id)
            ).one_or_none()
            if purchase is None:
                raise NotFound("There is no such purchase.", code="purchase_not_found")
            payment = _payment_to_take_back(session, purchase, now=now)
            refund = reserve(
                session,
                payment,
                None,
                origin=RefundOrigin.BUYER,
                requested_by=user_id,
                reason="requested_by_customer",
            )
            settle_purchase(session, purchase)
            return refund.id

        refund_id = once(session, repeatable, work, lambda made: made)
    return settle(refund_id)


def _payment_to_take_back(session: Session, purchase: Purchase, *, now: datetime) -> Transaction:
    if purchase.status is PurchaseStatus.REFUNDED:
        raise Conflict("This purchase was taken back already.", code="already_refunded")
    if purchase.status is not PurchaseStatus.COMPLETED or purchase.access_start is None:
        raise Conflict(
            "This purchase has not been paid.", code="not_refundable", status=purchase.status
        )
    days = get_business_settings(session).refund_days
    until = purchase.access_start + timedelta(days=days)
    if now > until:
        raise Conflict(
            f"A purchase can be taken back for {days} days; ask support.",
            code="refund_window_over",
            refundable_until=until,
        )
    payment = session.scalars(
        select(Transaction).where(Transaction.purchase_id == purchase.id).order_by(Transaction.id)
    ).first()
    if payment is None and purchase.total_amount == 0:
        raise Conflict("Nothing was paid for this purchase.", code="not_refundable")
    if payment is None:
        raise Conflict("This payment has not gone through.", code="payment_not_settled")
    refuse_disputed(session, payment)
    return payment


def refuse_disputed(session: Session, payment: Transaction) -> None:
    """Raise Conflict (`payment_disputed`) when the payer's bank decides about the money, or did."""
    disputed = session.scalar(
        select(Dispute.id)
        .where(Dispute.transaction_id == payment.id, Dispute.status != DisputeStatus.WON)
        .limit(1)
    )
    if disputed is not None:
        raise Conflict("The payer contests this payment at the bank.", code="payment_disputed")


def request_by_support(
    user_id: UUID,
    transaction_id: UUID,
    *,
    amount: int | None,
    reason: str,
    requested_by: UUID,
    idempotency_key: str | None,
) -> Refund:
    """Give back a payment of this user or a part of it, at any time; audited. All of it ends the
    access that it paid for, and a subscription whose present period it paid.

    Raises NotFound (`transaction_not_found`), Conflict: see `reserve`, `payment_disputed`, and
    `own_account`: nobody gives themselves money.
    """
    if user_id == requested_by:
        raise Conflict("Somebody else has to give back your payment.", code="own_account")
    given = {"transaction": str(transaction_id), "amount": amount, "reason": reason}
    repeatable = RepeatableRequest(requested_by, "admin.refunds", idempotency_key, given)
    with transaction() as session:

        def work() -> UUID:
            payment = session.scalars(
                select(Transaction).where(
                    Transaction.id == transaction_id, Transaction.user_id == user_id
                )
            ).one_or_none()
            if payment is None:
                raise NotFound("There is no such payment.", code="transaction_not_found")
            customers.lock_row(session, payment.customer_id)
            refuse_disputed(session, payment)
            refund = reserve(
                session,
                payment,
                amount,
                origin=RefundOrigin.SUPPORT,
                requested_by=requested_by,
                reason=reason,
            )
            audit.record(
                session,
                "refund.requested",
                actor_id=requested_by,
                subject_id=user_id,
                refund_id=str(refund.id),
                transaction_id=str(transaction_id),
                amount=refund.amount,
                currency=refund.currency,
                reason=reason,
            )
            settle_what_was_paid(session, payment)
            _end_what_renews(session, payment)
            return refund.id

        refund_id = once(session, repeatable, work, lambda made: made)
    return settle(refund_id)


def _end_what_renews(session: Session, payment: Transaction) -> None:
    """Whoever got the present period's money back must not be charged for the next one: from now on
    the subscription's end is owed to Stripe (the sweep sees to it).
    """
    if payment.subscription_id is None:
        return
    subscription = session.get_one(Subscription, payment.subscription_id)
    if subscription.access_ended_at is None or subscription.ended_at is not None:
        return
    if subscription.cancel_requested_at is None and subscription.status in LIVE_STATUSES:
        subscription.cancel_requested_at = subscription.access_ended_at
        session.flush()


def settle(refund_id: UUID) -> Refund:
    """Ask Stripe for a promised refund and write down what it says; what is settled stays as it
    is. When Stripe cannot be reached, it stays promised.

    Raises NotFound (`refund_not_found`).
    """
    with transaction() as session:
        refund, intent_id = _load(session, refund_id)
        is_old = session.execute(select(func.now())).scalar_one() - refund.created_at > _KEYS_LAST
    if refund.status is not RefundStatus.PENDING or refund.stripe_refund_id is not None:
        return refund
    try:
        told = _find_at_stripe(refund, intent_id) if is_old else None
        if told is None:
            told = _create_at_stripe(refund, intent_id)
    except Unavailable:
        return refund
    except Conflict as refused:
        reason = str(refused.extra.get("reason", "refused"))
        if reason in _LATER:
            get_logger().error("a refund waits", extra={"reason": reason})
            return refund
        # Somebody was promised this money: no run tries it again, so the log says it aloud.
        get_logger().error(
            "a refund was refused", extra={"refund_id": str(refund_id), "reason": reason}
        )
        return _record(refund_id, status=RefundStatus.FAILED, error=reason)
    return _record(
        refund_id,
        stripe_refund_id=told.id,
        status=_STATUSES.get(told.status or "", RefundStatus.PENDING),
        settled_at=datetime.fromtimestamp(told.created, UTC),
    )


def _create_at_stripe(refund: Refund, intent_id: str) -> Any:
    return call_once(
        lambda stripe: stripe.v1.refunds.create(
            {
                "payment_intent": intent_id,
                "amount": refund.amount,
                "reason": _REASONS.get(refund.origin, "requested_by_customer"),
                "metadata": {REFUND_ID: str(refund.id), REFUND_ORIGIN: refund.origin.value},
            },
            {"idempotency_key": f"refund-{refund.id}"},
        )
    )


def _find_at_stripe(refund: Refund, intent_id: str) -> Any:
    """What Stripe made of this refund already, whose answer we never got."""
    made = call(lambda stripe: stripe.v1.refunds.list({"payment_intent": intent_id, "limit": 100}))
    for each in made.data:
        named = each.to_dict().get("metadata") or {}
        if named.get(REFUND_ID) == str(refund.id):
            return each
    return None


def _record(
    refund_id: UUID,
    *,
    status: RefundStatus,
    stripe_refund_id: str | None = None,
    error: str | None = None,
    settled_at: datetime | None = None,
) -> Refund:
    """Write Stripe's answer, unless an event was faster; and what follows from it."""
    with transaction() as session:
        refund, _ = _load(session, refund_id)
        payment = session.get_one(Transaction, refund.transaction_id)
        customers.lock_row(session, payment.customer_id)
        session.refresh(refund)
        session.refresh(payment)
        if refund.status is not RefundStatus.PENDING or refund.stripe_refund_id is not None:
            return refund
        refund.stripe_refund_id = stripe_refund_id
        refund.error = error
        refund.status = status
        if status is not RefundStatus.PENDING:
            refund.settled_at = settled_at or session.scalar(select(func.now()))
        session.flush()
        if refund.settled_at is not None:
            invoicing.issue_credit_note(session, refund, at=refund.settled_at)
        settle_what_was_paid(session, payment)
        return refund


def _load(session: Session, refund_id: UUID) -> tuple[Refund, str]:
    row = session.execute(
        select(Refund, Transaction.stripe_payment_intent_id)
        .join(Transaction, Transaction.id == Refund.transaction_id)
        .where(Refund.id == refund_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such refund.", code="refund_not_found")
    return row[0], row[1]


def settle_what_was_paid(session: Session, payment: Transaction) -> None:
    """Bring the purchase or subscription of a payment up to date with what goes back."""
    if payment.purchase_id is not None:
        settle_purchase(session, session.get_one(Purchase, payment.purchase_id))
    elif payment.subscription_id is not None:
        settle_subscription(session, session.get_one(Subscription, payment.subscription_id))
