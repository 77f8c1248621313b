"""Whose money an event is about: the customer's row, locked until the transaction ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from studypack.billing.customers import USER_ID
from studypack.billing.events.told import Told, Unexplained, id_of
from studypack.billing.models import (
    Checkout,
    Customer,
    Invoice,
    PaymentMethod,
    Subscription,
    Transaction,
)
from studypack.billing.truth import INVOICE, PAYMENT_INTENT, Document, Truth


def lock_customer(session: Session, told: Told, truth: Truth) -> Customer:
    """The customer whom this event is about, with its row locked: events of one customer take
    effect one after the other.

    Raises Unexplained when it is none of ours, Needed.
    """
    stripe_id = _customer_named(told)
    found = stripe_id and _lock(session, Customer.stripe_customer_id == stripe_id)
    return found or _by_its_object(session, told, truth) or _by_metadata(session, told) or _nobody()


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
    statement = _OWNERS.get(str(told.object.get("object")), _no_owner)(told.object)
    owner = None if statement is None else session.execute(statement).scalar_one_or_none()
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


def _of_intent(document: Document) -> Select[UUID] | None:
    intent = id_of(document.get("payment_intent"))
    return select(Transaction.customer_id).where(Transaction.stripe_payment_intent_id == intent)


_OWNERS: Final[Mapping[str, Callable[[Document], Select[UUID] | None]]] = {
    "charge": _of_intent,
    "dispute": _of_intent,
    "refund": _of_intent,
    "payment_intent": lambda document: select(Transaction.customer_id).where(
        Transaction.stripe_payment_intent_id == document["id"]
    ),
    "payment_method": lambda document: select(PaymentMethod.customer_id).where(
        PaymentMethod.stripe_payment_method_id == document["id"]
    ),
    "subscription": lambda document: select(Subscription.customer_id).where(
        Subscription.stripe_subscription_id == document["id"]
    ),
    "invoice": lambda document: select(Invoice.customer_id).where(
        Invoice.stripe_invoice_id == document["id"]
    ),
    "invoice_payment": lambda document: select(Invoice.customer_id).where(
        Invoice.stripe_invoice_id == id_of(document["invoice"])
    ),
    "checkout.session": lambda document: select(Checkout.customer_id).where(
        Checkout.stripe_session_id == document["id"]
    ),
}


def _no_owner(document: Document) -> None:
    return None


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
