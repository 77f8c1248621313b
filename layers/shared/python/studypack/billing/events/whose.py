"""Whose money an event is about: the customer's row, locked until the transaction ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, String, bindparam, select
from sqlalchemy.orm import Session

from studypack.billing.customers import USER_ID
from studypack.billing.events.told import Told, Unexplained, id_of
from studypack.billing.models import (
    Checkout,
    Customer,
    Invoice,
    PaymentMethod,
    StripeEvent,
    Subscription,
    Transaction,
)
from studypack.billing.truth import INVOICE, PAYMENT_INTENT, Document, Truth


def lock_customer(session: Session, told: Told, truth: Truth) -> Customer | None:
    """Lock an event's row, then the row of the customer whom it is about: events of one customer
    take effect one after the other. None if the event has taken effect.

    Raises Unexplained when there is no such event or its customer is none of ours, Needed.
    """
    # Both in one statement where the event says whose it is. PostgreSQL locks a joined row's parts
    # in the order of FOR UPDATE OF, and reads each anew if it had to wait for it.
    found = session.execute(*_lock_both_by(told)).one_or_none()
    if found is not None:
        processed_at, customer = found
        return customer if processed_at is None else None
    if not lock_event(session, told.id):
        return None
    return _by_its_object(session, told, truth) or _by_metadata(session, told) or _nobody()


def lock_event(session: Session, event_id: str) -> bool:
    """Lock an event's row; whether it has still to take effect.

    Raises Unexplained when there is no such event.
    """
    event = session.execute(_LOCK_EVENT, {"id": event_id}).one_or_none()
    if event is None:
        raise Unexplained("There is no such event.")
    return event.processed_at is None


def _lock_both_by(told: Told) -> tuple[Select[datetime | None, Customer], dict[str, Any]]:
    named = _customer_named(told)
    kind = str(told.object.get("object"))
    if named or kind not in _LOCK_OWNER:
        return _LOCK_NAMED, {"id": told.id, "of": named}
    return _LOCK_OWNER[kind], {"id": told.id, "of": _OWNED_BY[kind](told.object)}


_LOCK_EVENT: Final = (
    select(StripeEvent.processed_at).where(StripeEvent.id == bindparam("id")).with_for_update()
)


def _lock_both(condition: Any) -> Select[datetime | None, Customer]:
    return (
        select(StripeEvent.processed_at, Customer)
        .join(Customer, condition)
        .where(StripeEvent.id == bindparam("id"))
        .with_for_update(of=(StripeEvent, Customer))
    )


_OF: Final = bindparam("of", type_=String)
_LOCK_NAMED: Final = _lock_both(Customer.stripe_customer_id == _OF)


def _lock(session: Session, condition: Any) -> Customer | None:
    return session.scalars(select(Customer).where(condition).with_for_update()).one_or_none()


def _nobody() -> Customer:
    raise Unexplained("It is about a customer who is none of ours.")


def _customer_named(told: Told) -> str | None:
    """Stripe's id of the customer, as the object or its state before says it."""
    if told.object.get("object") == "customer":
        return told.object_id
    return id_of(told.object.get("customer")) or id_of(told.previous.get("customer"))


def _by_its_object(session: Session, told: Told, truth: Truth) -> Customer | None:
    """By the row of the object itself: an object may name no customer, or one that was since
    replaced.
    """
    kind = str(told.object.get("object"))
    if kind in _OWNERS:
        of = _OWNED_BY[kind](told.object)
        owner = session.execute(_OWNERS[kind], {"of": of}).scalar_one_or_none()
        if owner is not None:
            return _lock(session, Customer.id == owner)
    stripe_id = _customer_of_parent(told.object, truth)
    return None if stripe_id is None else _lock(session, Customer.stripe_customer_id == stripe_id)


def _by_metadata(session: Session, told: Told) -> Customer | None:
    try:
        user_id = UUID((told.object.get("metadata") or {})[USER_ID])
    except (KeyError, ValueError):
        return None
    return _lock(session, Customer.user_id == user_id)


def _of_intent(document: Document) -> str | None:
    return id_of(document.get("payment_intent"))


def _of_itself(document: Document) -> str | None:
    return str(document["id"])


_OWNED_BY: Final[Mapping[str, Callable[[Document], str | None]]] = {
    "charge": _of_intent,
    "dispute": _of_intent,
    "refund": _of_intent,
    "payment_intent": _of_itself,
    "payment_method": _of_itself,
    "subscription": _of_itself,
    "invoice": _of_itself,
    "invoice_payment": lambda document: id_of(document["invoice"]),
    "checkout.session": _of_itself,
}
"""By which id of Stripe's the row of an object, or of its parent, is found."""

_BY_INTENT: Final = select(Transaction.customer_id).where(
    Transaction.stripe_payment_intent_id == _OF
)
_BY_INVOICE: Final = select(Invoice.customer_id).where(Invoice.stripe_invoice_id == _OF)
_OWNERS: Final[Mapping[str, Select[UUID]]] = {
    "charge": _BY_INTENT,
    "dispute": _BY_INTENT,
    "refund": _BY_INTENT,
    "payment_intent": _BY_INTENT,
    "payment_method": select(PaymentMethod.customer_id).where(
        PaymentMethod.stripe_payment_method_id == _OF
    ),
    "subscription": select(Subscription.customer_id).where(
        Subscription.stripe_subscription_id == _OF
    ),
    "invoice": _BY_INVOICE,
    "invoice_payment": _BY_INVOICE,
    "checkout.session": select(Checkout.customer_id).where(Checkout.stripe_session_id == _OF),
}
_LOCK_OWNER: Final = {
    kind: _lock_both(Customer.id == owner.scalar_subquery()) for kind, owner in _OWNERS.items()
}


def _customer_of_parent(document: Document, truth: Truth) -> str | None:
    """Of what names no customer itself: that of its payment or invoice, as Stripe has it."""
    kind = document.get("object")
    parent: Document | None = None
    if kind in {"dispute", "refund"}:
        intent = id_of(document.get("payment_intent"))
        parent = truth.get(PAYMENT_INTENT, intent) if intent else None
    elif kind == "invoice_payment":
        invoice = id_of(document.get("invoice"))
        parent = truth.get(INVOICE, invoice) if invoice else None
    return None if parent is None else id_of(parent.get("customer"))
