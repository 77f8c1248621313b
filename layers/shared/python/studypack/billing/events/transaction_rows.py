"""Payment intents and their charges: the rows of `payments.transactions`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from studypack.billing.events.told import (
    Age,
    Unexplained,
    Version,
    Work,
    age_of,
    id_of,
    stamp,
)
from studypack.billing.models import (
    Checkout,
    Purchase,
    Subscription,
    Transaction,
    TransactionStatus,
)
from studypack.billing.truth import CHARGE, PAYMENT_INTENT, Document

CHECKOUT_ID = "studypack_checkout_id"
"""The key in Stripe's metadata under which an object names our checkout."""

_INTENT_STATUSES = {
    "succeeded": TransactionStatus.SUCCEEDED,
    "processing": TransactionStatus.PROCESSING,
    "canceled": TransactionStatus.FAILED,
}
_PAID = {TransactionStatus.SUCCEEDED, TransactionStatus.REFUNDED}


def find_transaction(session: Session, intent_id: str) -> Transaction | None:
    """Our row of a payment intent. What it is for comes along: it is settled next."""
    found = session.execute(_WITH_WHAT_IS_PAID, {"intent": intent_id}).one_or_none()
    if found is None:
        return None
    session.info.setdefault(_AT_HAND, []).append(found)  # a session forgets what nobody holds
    row: Transaction = found[0]
    return row


_AT_HAND = "transaction_rows"
_WITH_WHAT_IS_PAID = (
    select(Transaction, Purchase, Checkout, Subscription)
    .outerjoin(Purchase, Purchase.id == Transaction.purchase_id)
    .outerjoin(Checkout, Checkout.id == Purchase.checkout_id)
    .outerjoin(Subscription, Subscription.id == Transaction.subscription_id)
    .where(Transaction.stripe_payment_intent_id == bindparam("intent"))
)


def transaction_of(work: Work, intent_id: str | None) -> Transaction:
    """Our row of a payment intent, made of Stripe's object if it is not there yet.

    Raises Unexplained when the intent is somebody else's, Needed.
    """
    if intent_id is None:
        raise Unexplained("This payment was made without a payment intent.")
    found = find_transaction(work.session, intent_id)
    if found is not None:
        return found
    intent = work.truth.get(PAYMENT_INTENT, intent_id)
    if intent is None:
        raise Unexplained("Stripe has no such payment intent.")
    if id_of(intent["customer"]) != work.customer.stripe_customer_id:
        raise Unexplained("The payment intent belongs to another customer.")
    row = apply_intent(work, intent, version=None)
    work.session.flush()
    return row


def apply_intent(work: Work, intent: Document, *, version: Version | None) -> Transaction:
    """Bring our row of a payment intent up to this state; `version` None: by reference."""
    row = find_transaction(work.session, intent["id"])
    if row is None:
        row = _new_transaction(work, intent["id"], intent["metadata"])
    if version is not None:
        match age_of(version, row.version_at, row.event_id):
            case Age.OLDER:
                return row
            case Age.SAME_SECOND if _differs(row, intent):
                intent = work.truth.get(PAYMENT_INTENT, intent["id"]) or intent
    _take_over(work, row, intent)
    if version is not None:
        stamp(row, version)
    return row


def _new_transaction(work: Work, intent_id: str, metadata: Any) -> Transaction:
    customer = work.customer
    row = Transaction(
        user_id=customer.user_id,
        customer_id=customer.id,
        stripe_payment_intent_id=intent_id,
        amount=0,
        currency="usd",
        refunded_amount=0,
        status=TransactionStatus.PENDING,
        purchase_id=_purchase_of(work.session, customer.id, intent_id, metadata),
    )
    work.session.add(row)
    return row


def _purchase_of(session: Session, customer_id: UUID, intent_id: str, metadata: Any) -> UUID | None:
    """The purchase that a payment intent pays, by what its metadata or the checkout says."""
    named = checkout_named(metadata)
    found = Checkout.stripe_payment_intent_id == intent_id
    return session.scalars(
        select(Purchase.id)
        .join(Checkout, Checkout.id == Purchase.checkout_id)
        .where(
            Checkout.customer_id == customer_id,
            found if named is None else or_(found, Checkout.id == named),
        )
    ).one_or_none()


def checkout_named(metadata: Any) -> UUID | None:
    """The checkout that an object's metadata names."""
    named = (metadata or {}).get(CHECKOUT_ID)
    try:
        return UUID(named) if named else None
    except ValueError:
        return None


def _status(row: Transaction, intent: Document) -> TransactionStatus:
    """A payment intent that succeeded stays so, whatever an older event says."""
    if row.status in _PAID:
        return row.status
    known = _INTENT_STATUSES.get(intent["status"])
    if known is not None:
        return known
    failed = intent.get("last_payment_error") is not None
    return TransactionStatus.FAILED if failed else TransactionStatus.PENDING


def _failure_code(intent: Document) -> str | None:
    error = intent.get("last_payment_error") or {}
    return error.get("decline_code") or error.get("code")


def _differs(row: Transaction, intent: Document) -> bool:
    """Whether this state would change the row; only then does it matter which one came last."""
    if row.status in _PAID:
        return False
    return (row.status, row.failure_code, row.stripe_charge_id) != (
        _status(row, intent),
        _failure_code(intent),
        id_of(intent.get("latest_charge")),
    )


def _take_over(work: Work, row: Transaction, intent: Document) -> None:
    was_paid = row.status in _PAID
    row.amount, row.currency = intent["amount"], intent["currency"]
    row.description = intent.get("description")
    if was_paid and intent["status"] != "succeeded":
        return
    row.status = _status(row, intent)
    row.failure_code = _failure_code(intent)
    charge = intent.get("latest_charge")
    row.stripe_charge_id = id_of(charge) or row.stripe_charge_id
    if isinstance(charge, dict) and charge["status"] == "succeeded":
        _take_over_charge(row, charge)


def transaction_of_charge(work: Work, charge: Document) -> Transaction:
    """Our row of the payment intent of a charge that succeeded, which says of it all that we keep.

    Raises Unexplained when there is no payment intent.
    """
    intent_id = id_of(charge["payment_intent"])
    if intent_id is None:
        raise Unexplained("This charge was made without a payment intent.")
    found = find_transaction(work.session, intent_id)
    if found is not None:
        return found
    row = _new_transaction(work, intent_id, charge["metadata"])
    row.amount, row.currency = charge["amount"], charge["currency"]
    row.description = charge.get("description")
    return row


def apply_charge(work: Work, row: Transaction, charge: Document, *, version: Version) -> None:
    """Bring a transaction up to this state of its charge."""
    match age_of(version, row.charge_version_at, row.charge_event_id):
        case Age.OLDER:
            return
        case Age.SAME_SECOND if row.refunded_amount != charge["amount_refunded"]:
            charge = work.truth.get(CHARGE, charge["id"]) or charge
    _take_over_charge(row, charge)
    known = (row.charge_version_at, row.charge_event_id or "")
    if row.charge_version_at is None or version > known:
        row.charge_version_at, row.charge_event_id = version


def _take_over_charge(row: Transaction, charge: Document) -> None:
    row.stripe_charge_id = charge["id"]
    row.failure_code = None
    row.payment_method = (charge.get("payment_method_details") or {}).get("type")
    row.refunded_amount = charge["amount_refunded"]
    refunded = row.refunded_amount >= row.amount
    row.status = TransactionStatus.REFUNDED if refunded else TransactionStatus.SUCCEEDED
