"""Objects as Stripe has them at this moment: for what an event leaves out or cannot decide.

Stripe is never called inside of a transaction. Who needs an object raises `Needed`; `with_truth`
ends the transaction, fetches the object, and begins anew with it: it opens its short transactions
itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy.orm import Session

from studypack.core.database import transaction
from studypack.core.errors import Conflict
from studypack.integrations.stripe import call

if TYPE_CHECKING:
    from stripe import StripeClient

T = TypeVar("T")
Document = dict[str, Any]
Fetch = Callable[["StripeClient", str], Any]

MAX_FETCHES: Final = 8

SUBSCRIPTION: Final = "subscription"
INVOICE: Final = "invoice"
INVOICE_PAYMENTS: Final = "invoice_payments"
PAYMENT_INTENT: Final = "payment_intent"
CHARGE: Final = "charge"
CUSTOMER: Final = "customer"
PAYMENT_METHOD: Final = "payment_method"
REFUND: Final = "refund"
REFUNDS: Final = "refunds"
DISPUTE: Final = "dispute"
DISPUTES: Final = "disputes"


class Needed(Exception):
    """An object of Stripe's has to be fetched before this event can take effect."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"{kind} {id}")
        self.kind = kind
        self.id = id


class Truth:
    """What was fetched for one event."""

    def __init__(self) -> None:
        self._fetched: dict[tuple[str, str], Document | None] = {}

    def get(self, kind: str, id: str) -> Document | None:
        """The object; None if Stripe has none of this id. Raises Needed until it was fetched."""
        if (kind, id) not in self._fetched:
            raise Needed(kind, id)
        return self._fetched[kind, id]

    def peek(self, kind: str, id: str) -> Document | None:
        """The object if it was fetched for another question already."""
        return self._fetched.get((kind, id))

    def items(self, kind: str, id: str) -> list[Document]:
        """What a list holds. Raises Needed until it was fetched."""
        found = self.get(kind, id)
        return [] if found is None else list(found["data"])

    def add(self, kind: str, id: str, document: Document | None) -> None:
        """Keep what was fetched."""
        self._fetched[kind, id] = document


_FETCH: Final[Mapping[str, Fetch]] = {
    SUBSCRIPTION: lambda stripe, key: stripe.v1.subscriptions.retrieve(key),
    INVOICE: lambda stripe, key: stripe.v1.invoices.retrieve(key),
    INVOICE_PAYMENTS: lambda stripe, key: stripe.v1.invoice_payments.list(
        {"invoice": key, "limit": 100}
    ),
    PAYMENT_INTENT: lambda stripe, key: stripe.v1.payment_intents.retrieve(
        key, {"expand": ["latest_charge"]}
    ),
    CHARGE: lambda stripe, key: stripe.v1.charges.retrieve(key),
    CUSTOMER: lambda stripe, key: stripe.v1.customers.retrieve(key),
    PAYMENT_METHOD: lambda stripe, key: stripe.v1.payment_methods.retrieve(key),
    REFUND: lambda stripe, key: stripe.v1.refunds.retrieve(key),
    REFUNDS: lambda stripe, key: stripe.v1.refunds.list({"payment_intent": key, "limit": 100}),
    DISPUTE: lambda stripe, key: stripe.v1.disputes.retrieve(key),
    DISPUTES: lambda stripe, key: stripe.v1.disputes.list({"payment_intent": key, "limit": 100}),
}


def fetch(needed: Needed) -> Document | None:
    """Ask Stripe for an object (or the list of those that belong to one); None if there is none.

    Raises Unavailable when Stripe cannot be reached.
    """
    try:
        answer = call(lambda stripe: _FETCH[needed.kind](stripe, needed.id))
    except Conflict as refused:
        if refused.extra.get("reason") == "resource_missing":
            return None
        raise
    document: Document = answer.to_dict(for_json=True)
    return document


def with_truth(work: Callable[[Session, Truth], T]) -> T:
    """Do `work` in a transaction of its own; when it needs an object of Stripe's, the transaction
    ends, the object is fetched, and all of it is done anew.

    Raises Needed when that happens too often, Unavailable when Stripe cannot be reached.
    """
    truth = Truth()
    for _ in range(MAX_FETCHES):
        try:
            return _once(work, truth)
        except Needed as needed:
            truth.add(needed.kind, needed.id, fetch(needed))
    return _once(work, truth)


def _once(work: Callable[[Session, Truth], T], truth: Truth) -> T:
    with transaction() as session:
        return work(session, truth)
