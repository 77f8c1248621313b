"""payment_intent.* and charge.* but refunds and disputes."""

from __future__ import annotations

from studypack.billing.events.consequences import settle_of_transaction
from studypack.billing.events.told import Told, Work
from studypack.billing.events.transaction_rows import (
    apply_charge,
    apply_intent,
    transaction_of_charge,
)
from studypack.billing.models import Transaction

CHARGE_SUCCEEDED = "charge.succeeded"


def payment_succeeded(work: Work, told: Told) -> None:
    """payment_intent.succeeded"""
    row = apply_intent(work, told.object, version=told.version)
    _note_payment(row, told)
    settle_of_transaction(work, row)


def payment_failed(work: Work, told: Told) -> None:
    """payment_intent.payment_failed"""
    row = apply_intent(work, told.object, version=told.version)
    row.failed_at = max(row.failed_at or told.occurred_at, told.occurred_at)
    settle_of_transaction(work, row)


def charge_changed(work: Work, told: Told) -> None:
    """charge.succeeded, charge.updated, charge.refunded"""
    charge = told.object
    if charge["status"] != "succeeded":
        return  # a failed try: the payment intent tells of it
    row = transaction_of_charge(work, charge)
    apply_charge(work, row, charge, version=told.version)
    if told.type == CHARGE_SUCCEEDED:
        _note_payment(row, told)
    settle_of_transaction(work, row)


def _note_payment(row: Transaction, told: Told) -> None:
    """Keep when it was paid: only these events know. A row made of Stripe's object has no time
    until one of them comes, and what it pays for has not begun.
    """
    row.paid_at = min(row.paid_at or told.occurred_at, told.occurred_at)
