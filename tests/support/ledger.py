"""Somebody with one of every kind of row that their money leaves."""

from __future__ import annotations

from dataclasses import dataclass, fields
from uuid import uuid4

from studypack.billing.models import ProductKind
from tests.support import bank, holdings
from tests.support.invoices import invoiced
from tests.support.people import Person


@dataclass(frozen=True)
class Ledger:
    """The ids of the rows, as they stand in a path."""

    invoice_id: str
    credit_note_id: str
    method_id: str
    subscription_id: str
    seat_id: str
    invitation_id: str

    @property
    def all_ids(self) -> set[str]:
        return {getattr(self, field.name) for field in fields(self)}


def fill(person: Person, *, member: Person) -> Ledger:
    """A purchase with its invoice and a credit note, a card, and a subscription in which `member`
    has a seat and somebody was invited to another.
    """
    invoice_id = invoiced(person, refunded=1_000)
    product = holdings.product(kind=ProductKind.SUBSCRIPTION, seats=True)
    subscription = holdings.subscription(person.id, product, quantity=3)
    method_id, invitation_id = uuid4(), uuid4()
    bank.execute(
        "INSERT INTO payments.payment_methods"
        " (id, customer_id, type, stripe_payment_method_id, last4)"
        " SELECT :id, id, 'CARD', :stripe, '4242' FROM payments.customers WHERE user_id = :user",
        id=method_id,
        stripe=f"pm_{method_id.hex}",
        user=person.id,
    )
    bank.execute(
        "INSERT INTO payments.seat_invitations (id, subscription_id, email, token_hash, expires_at)"
        " VALUES (:id, :subscription, 'invited@example.com', :hash, now() + interval '1 day')",
        id=invitation_id,
        subscription=subscription,
        hash=method_id.bytes,
    )
    return Ledger(
        invoice_id=str(invoice_id),
        credit_note_id=str(
            bank.value("SELECT id FROM payments.credit_notes WHERE invoice_id = :id", id=invoice_id)
        ),
        method_id=str(method_id),
        subscription_id=str(subscription),
        seat_id=str(holdings.seat(subscription, member.id)),
        invitation_id=str(invitation_id),
    )
