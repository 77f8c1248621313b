"""Invoices of purchases, as they are once the payment was told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from studypack.billing import invoicing
from studypack.billing.models import (
    Purchase,
    Refund,
    RefundOrigin,
    RefundStatus,
    Transaction,
    TransactionStatus,
)
from studypack.core.database import transaction
from tests.support import holdings
from tests.support.people import Person

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def invoiced(person: Person, *, refunded: int | None = None, at: datetime = NOON) -> UUID:
    """The id of the invoice of a purchase of 49.00, and perhaps a credit note."""
    bought = holdings.purchase(person.id, holdings.product())
    with transaction() as session:
        purchase = session.get_one(Purchase, bought)
        invoice = invoicing.issue_for_purchase(session, purchase, at=at, tax=782)
        if refunded is not None:
            paid = Transaction(
                user_id=person.id,
                customer_id=invoice.customer_id,
                purchase_id=bought,
                stripe_payment_intent_id=f"pi_{uuid4().hex[:8]}",
                amount=4_900,
                currency="usd",
                status=TransactionStatus.SUCCEEDED,
            )
            session.add(paid)
            session.flush()
            refund = Refund(
                transaction_id=paid.id,
                amount=refunded,
                currency="usd",
                origin=RefundOrigin.SUPPORT,
                reason="angry on the phone",
                status=RefundStatus.SUCCEEDED,
            )
            session.add(refund)
            session.flush()
            invoicing.issue_credit_note(session, refund, at=at + timedelta(days=2))
        return invoice.id
