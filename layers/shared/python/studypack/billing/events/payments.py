"""payment_intent.* and charge.* but refunds and disputes."""

from __future__ import annotations

from studypack.billing.events.consequences import settle_of_transaction
from studypack.billing.events.told import Told, Work
from studypack.billing.events.transaction_rows import (
    apply_charge,
    apply_intent,
    transaction_of_charge,
)


def payment_succeeded(work: Work, told: Told) -> None:
    """payment_intent.succeeded"""
    row = apply_intent(work, told.object, version=told.version)
    # Of the event, also when the row came of a later state: every order ends with the same time.
    row.paid_at = told.occurred_at
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
    settle_of_transaction(work, row)
