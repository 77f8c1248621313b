"""checkout.session.*: facts that only add up, so that their order does not matter."""

from __future__ import annotations

from sqlalchemy import or_, select

from studypack.billing.events.consequences import settle_after_purchase
from studypack.billing.events.told import Told, Unexplained, Work, id_of, stamp
from studypack.billing.events.transaction_rows import checkout_named, find_transaction
from studypack.billing.models import Checkout, CheckoutStatus, Purchase

_PAID = {"paid", "no_payment_required"}


def session_completed(work: Work, told: Told) -> None:
    """checkout.session.completed: the buyer went through the page; a slow method may be unpaid."""
    checkout = _checkout_of(work, told)
    if checkout.status is not CheckoutStatus.FAILED:
        checkout.status = CheckoutStatus.COMPLETED
    if told.object["payment_status"] in _PAID:
        _note_payment(checkout, told)
    _settle(work, checkout, told)


def session_paid_later(work: Work, told: Told) -> None:
    """checkout.session.async_payment_succeeded"""
    checkout = _checkout_of(work, told)
    _note_payment(checkout, told)
    _settle(work, checkout, told)


def session_failed_later(work: Work, told: Told) -> None:
    """checkout.session.async_payment_failed"""
    checkout = _checkout_of(work, told)
    if not checkout.is_paid:
        checkout.status = CheckoutStatus.FAILED
    _settle(work, checkout, told)


def session_expired(work: Work, told: Told) -> None:
    """checkout.session.expired"""
    checkout = _checkout_of(work, told)
    if checkout.status is CheckoutStatus.OPEN:
        checkout.status = CheckoutStatus.EXPIRED
    _settle(work, checkout, told)


def _checkout_of(work: Work, told: Told) -> Checkout:
    """Our reservation of a session, by Stripe's id or by the metadata that we gave it."""
    found = Checkout.stripe_session_id == told.object_id
    named = checkout_named(told.object.get("metadata"))
    checkout = work.session.scalars(
        select(Checkout).where(
            Checkout.customer_id == work.customer.id,
            found if named is None else or_(found, Checkout.id == named),
        )
    ).first()
    if checkout is None:
        raise Unexplained("No checkout of ours opened this payment page.")
    return checkout


def _note_payment(checkout: Checkout, told: Told) -> None:
    checkout.is_paid = True
    checkout.status = CheckoutStatus.COMPLETED
    checkout.paid_at = min(checkout.paid_at or told.occurred_at, told.occurred_at)


def _settle(work: Work, checkout: Checkout, told: Told) -> None:
    session, document = work.session, told.object
    checkout.stripe_session_id = told.object_id
    checkout.amount_total = document.get("amount_total")
    checkout.stripe_payment_intent_id = (
        id_of(document.get("payment_intent")) or checkout.stripe_payment_intent_id
    )
    checkout.stripe_subscription_id = (
        id_of(document.get("subscription")) or checkout.stripe_subscription_id
    )
    stamp(checkout, told.version)
    with session.no_autoflush:
        purchase = session.scalars(
            select(Purchase).where(Purchase.checkout_id == checkout.id)
        ).one_or_none()
    if purchase is None:
        return  # a subscription's
    intent_id = checkout.stripe_payment_intent_id
    if intent_id is not None:
        purchase.stripe_payment_intent_id = intent_id
        with session.no_autoflush:  # written once, with what follows
            payment = find_transaction(session, intent_id)
        if payment is not None and payment.purchase_id is None:
            payment.purchase_id = purchase.id
    settle_after_purchase(work, purchase)
