"""Refunds and disputes as Stripe has them: the rows of `payments.refunds` and `.disputes`."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing.events.told import Age, Version, Work, age_of, id_of, known_time, stamp
from studypack.billing.models import (
    Dispute,
    DisputeStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
    Transaction,
)
from studypack.billing.refunds import REFUND_ID, REFUND_ORIGIN
from studypack.billing.truth import DISPUTE, REFUND, Document

_REFUND_STATUSES: Final = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
_DISPUTE_STATUSES: Final = {
    "lost": DisputeStatus.LOST,
    "won": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,
    "prevented": DisputeStatus.WON,
}


def apply_refund(
    work: Work, payment: Transaction, told: Document, *, version: Version | None
) -> Refund:
    """Bring our row of a refund up to this state (`version` None: by reference)."""
    session = work.session
    row = _find_refund(session, payment, told)
    if row is None:
        row = Refund(
            transaction_id=payment.id,
            amount=told["amount"],
            currency=told["currency"],
            origin=_origin(told),
            reason=told.get("reason"),
        )
        session.add(row)
    row.stripe_refund_id = told["id"]
    if version is not None:
        match age_of(version, row.version_at, row.event_id):
            case Age.OLDER:
                session.flush()
                return row
            case Age.SAME_SECOND if row.status is not _REFUND_STATUSES[told["status"]]:
                told = work.truth.get(REFUND, told["id"]) or told
        stamp(row, version)
    row.status = _REFUND_STATUSES[told["status"]]
    row.error = told.get("failure_reason")
    # Of the refund, not of the event: every order ends with the same time.
    settled = row.status is not RefundStatus.PENDING
    row.settled_at = known_time(told["created"]) if settled else None
    session.flush()
    return row


def _find_refund(session: Session, payment: Transaction, told: Document) -> Refund | None:
    """Our row: by Stripe's id, by the id that we gave it, else one that Stripe was not asked for
    yet and that this one does instead.
    """
    rows = list(session.scalars(select(Refund).where(Refund.transaction_id == payment.id)))
    named = (told.get("metadata") or {}).get(REFUND_ID)
    for row in rows:
        if row.stripe_refund_id == told["id"]:
            return row
    waiting = [row for row in rows if row.stripe_refund_id is None]
    for row in waiting:
        if str(row.id) == named:
            return row
    for row in sorted(waiting, key=_id):
        if row.status is RefundStatus.PENDING and row.amount == told["amount"]:
            return row
    return None


def _id(row: Refund) -> UUID:
    return row.id


def _origin(told: Document) -> RefundOrigin:
    """Who wanted a refund of which we have no row: somebody at Stripe, unless it says else (the
    row may be lost by a restored backup).
    """
    try:
        return RefundOrigin((told.get("metadata") or {}).get(REFUND_ORIGIN, ""))
    except ValueError:
        return RefundOrigin.STRIPE


def apply_dispute(
    work: Work,
    payment: Transaction,
    told: Document,
    *,
    version: Version | None,
    closed_at: datetime | None = None,
) -> Dispute:
    """Bring our row of a dispute up to this state (`version` None: by reference). `closed_at`: of
    the event that tells of its end.
    """
    session = work.session
    row = session.scalars(
        select(Dispute).where(Dispute.stripe_dispute_id == told["id"])
    ).one_or_none()
    if row is None:
        row = Dispute(
            transaction_id=payment.id,
            stripe_dispute_id=told["id"],
            amount=told["amount"],
            currency=told["currency"],
            opened_at=known_time(told["created"]),
            status=DisputeStatus.OPEN,
        )
        session.add(row)
    row.closed_at = closed_at or row.closed_at
    if version is not None:
        age = age_of(version, row.version_at, row.event_id)
        stamp(row, version)
        if age is Age.OLDER or row.status is not DisputeStatus.OPEN:
            session.flush()
            return row  # what is decided stays so
        if age is Age.SAME_SECOND and row.status is not _dispute_status(told):
            told = work.truth.get(DISPUTE, told["id"]) or told
    row.amount = told["amount"]
    row.reason = told.get("reason")
    row.status = _dispute_status(told)
    session.flush()
    return row


def _dispute_status(told: Document) -> DisputeStatus:
    return _DISPUTE_STATUSES.get(told["status"], DisputeStatus.OPEN)


def payment_of(told: Document) -> str | None:
    """The payment intent that a refund or a dispute is about."""
    return id_of(told.get("payment_intent"))
