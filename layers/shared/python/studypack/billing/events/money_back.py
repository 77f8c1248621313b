"""refund.* and charge.dispute.*: money that goes back."""

from __future__ import annotations

from studypack.billing.events.consequences import refund_settled, settle_of_transaction
from studypack.billing.events.refund_rows import apply_dispute, apply_refund, payment_of
from studypack.billing.events.told import Told, Work
from studypack.billing.events.transaction_rows import transaction_of


def refund_changed(work: Work, told: Told) -> None:
    """refund.created, updated, failed"""
    payment = transaction_of(work, payment_of(told.object))
    refund = apply_refund(work, payment, told.object, version=told.version)
    refund_settled(work, refund, payment)


def dispute_changed(work: Work, told: Told) -> None:
    """charge.dispute.created, updated"""
    payment = transaction_of(work, payment_of(told.object))
    apply_dispute(work, payment, told.object, version=told.version)
    settle_of_transaction(work, payment)


def dispute_closed(work: Work, told: Told) -> None:
    """charge.dispute.closed"""
    payment = transaction_of(work, payment_of(told.object))
    apply_dispute(work, payment, told.object, version=told.version, closed_at=told.occurred_at)
    settle_of_transaction(work, payment)
