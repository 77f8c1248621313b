"""payment_method.*: what somebody pays with, as far as they need it to recognise it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from studypack.billing.events.told import Age, Told, Work, age_of, id_of, stamp
from studypack.billing.models import PaymentMethod, PaymentMethodType
from studypack.billing.truth import PAYMENT_METHOD, Document

_TYPES: Final = {"card": PaymentMethodType.CARD, "paypal": PaymentMethodType.PAYPAL}


def method_changed(work: Work, told: Told) -> None:
    """payment_method.attached, updated, automatically_updated"""
    row = _row(work, told)
    if row.detached_at is not None:
        stamp(row, told.version)  # for good: Stripe lets it never be used again
        return
    document = told.object
    match age_of(told.version, row.version_at, row.event_id):
        case Age.OLDER:
            return
        case Age.SAME_SECOND:
            document = work.truth.get(PAYMENT_METHOD, told.object_id) or document
    if id_of(document.get("customer")) is not None:
        take_over(row, document)
    stamp(row, told.version)


def method_detached(work: Work, told: Told) -> None:
    """payment_method.detached"""
    row = _row(work, told)
    take_over(row, told.object)
    row.detached_at = row.detached_at or told.occurred_at
    stamp(row, told.version)
    if work.customer.default_payment_method == told.object_id:
        work.customer.default_payment_method = None


def _row(work: Work, told: Told) -> PaymentMethod:
    row = work.session.scalars(
        select(PaymentMethod).where(PaymentMethod.stripe_payment_method_id == told.object_id)
    ).one_or_none()
    if row is None:
        row = PaymentMethod(customer_id=work.customer.id, stripe_payment_method_id=told.object_id)
        take_over(row, told.object)
        work.session.add(row)
    return row


def take_over(row: PaymentMethod, document: Document) -> None:
    """Set what Stripe says of it."""
    kind = document["type"]
    row.type = _TYPES.get(kind, PaymentMethodType.BANK_TRANSFER)
    details = document.get(kind) or {}
    row.brand = details.get("brand") or (None if kind in _TYPES else kind)
    row.last4 = details.get("last4")
    row.expiry_month = details.get("exp_month")
    row.expiry_year = details.get("exp_year")
    row.paypal_email = details.get("payer_email")
