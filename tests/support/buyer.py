"""Somebody who buys at Stripe without our checkout's help: the reservations are made by hand, the
rest is the stand-in's and its events'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from tests.support import bank, billing
from tests.support.billing import LocalStripe, Reserved

GOOD, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"
ASKS = "4000002500003155"
SLOW = {"number": "DE89370400440532013000", "kind": "sepa_debit"}
DAY = 86_400


@dataclass
class Visit:
    """A payment page, and our reservation of it."""

    session_id: str
    reserved: Reserved


@dataclass
class Buyer:
    """A person who is a customer at the stand-in, and three products to buy."""

    person: Any
    local: LocalStripe
    customer_id: str = ""
    row: UUID | None = None
    prices: dict[str, str] = field(default_factory=dict)
    products: dict[str, UUID] = field(default_factory=dict)

    def offer(self, sku: str, amount: int, interval: str | None = None, **more: Any) -> None:
        """A product with a price at Stripe."""
        v1 = self.local.client.v1
        product = v1.products.create({"name": sku})
        currency = more.get("currency", "usd")
        params: dict[str, Any] = {
            "product": product.id,
            "unit_amount": amount,
            "currency": currency,
        }
        if interval is not None:
            params["recurring"] = {"interval": interval}
        self.prices[sku] = v1.prices.create(params).id
        self.products[sku] = billing.make_product(
            f"buyer-{sku}",
            amount=amount,
            interval={"month": "MONTHLY", "year": "ANNUAL"}.get(interval or ""),
            stripe_product_id=product.id,
            stripe_price_id=self.prices[sku],
            **more,
        )

    def visit(self, sku: str, *, status: str = "EXPIRED", **params: Any) -> Visit:
        """Open a payment page. Its reservation counts as replaced already, so that there may be
        several; Stripe's page works on.
        """
        assert self.row is not None
        reserved = billing.make_checkout(
            self.person.id, self.row, self.products[sku], status=status
        )
        metadata = {
            "studypack_checkout_id": str(reserved.checkout),
            "studypack_user_id": str(self.person.id),
        }
        once = reserved.purchase is not None
        data = {"metadata": metadata, **params.pop("data", {})}
        session = self.local.client.v1.checkout.sessions.create(
            {
                "mode": "payment" if once else "subscription",
                "customer": self.customer_id,
                "line_items": [{"price": self.prices[sku], "quantity": 1}],
                "success_url": "https://app.example.com/thanks",
                "metadata": metadata,
                "payment_intent_data" if once else "subscription_data": data,
                **params,
            }
        )
        return Visit(session.id, reserved)

    def pay(self, visit: Visit, number: str = GOOD, **more: Any) -> Visit:
        """Pay on the page; nothing is delivered yet."""
        self.local.standin.pay(visit.session_id, number, **more)
        return visit

    def buy(self, sku: str = "pack", **more: Any) -> Any:
        """Buy once and have the events delivered; the purchase's row."""
        visit = self.pay(self.visit(sku), **more)
        self.local.deliver_new()
        return self.purchase(visit)

    def subscribe(self, sku: str = "monthly", *, trial_days: int | None = None) -> Any:
        """Subscribe and have the events delivered; the subscription's row."""
        data = {} if trial_days is None else {"trial_period_days": trial_days}
        self.pay(self.visit(sku, data=data))
        self.local.deliver_new()
        return self.subscription()

    def purchase(self, visit: Visit) -> Any:
        """The purchase's row as it is."""
        return bank.row(
            "SELECT * FROM payments.purchases WHERE id = :id", id=visit.reserved.purchase
        )

    def checkout(self, visit: Visit) -> Any:
        """The checkout's row as it is."""
        return bank.row(
            "SELECT * FROM payments.checkouts WHERE id = :id", id=visit.reserved.checkout
        )

    def subscription(self) -> Any:
        """The newest subscription's row as it is."""
        return bank.rows(
            "SELECT * FROM payments.subscriptions WHERE customer_id = :id"
            " ORDER BY started_at, stripe_subscription_id",
            id=self.row,
        )[-1]

    def payment(self, column: str, id: UUID | None) -> Any:
        """The transaction of a purchase, an invoice or a subscription."""
        return bank.row(f"SELECT * FROM payments.transactions WHERE {column} = :id", id=id)

    def refund(self, intent_id: str, amount: int | None = None) -> str:
        """Somebody refunds in Stripe's dashboard."""
        params: dict[str, Any] = {"payment_intent": intent_id}
        if amount is not None:
            params["amount"] = amount
        made: str = self.local.client.v1.refunds.create(params).id
        return made

    def pass_days(self, days: float) -> None:
        """Let time go by for this customer at Stripe."""
        self.local.standin.advance(self.customer_id, seconds=int(days * DAY))

    def open_features(self) -> set[str]:
        """What this person may use now, as the API says it."""
        answer = self.person.get("/api/purchases/entitlements/explain")
        assert answer.status_code == 200, answer.text
        return {each["feature"] for each in answer.json()["features"] if each["is_open"]}


def make(person: Any, local: LocalStripe, *, clock_at: int | None = None) -> Buyer:
    """A buyer; `clock_at` gives their customer a test clock that begins then."""
    buyer = Buyer(person, local)
    params: dict[str, Any] = {"email": person.email}
    if clock_at is not None:
        clock = local.client.v1.test_helpers.test_clocks.create({"frozen_time": clock_at})
        params["test_clock"] = clock.id
    buyer.customer_id = local.client.v1.customers.create(params).id
    buyer.row = billing.make_customer(person.id, buyer.customer_id)
    buyer.offer("pack", 2900)
    buyer.offer("monthly", 4900, "month", features=("exams", "flashcards"))
    buyer.offer("annual", 39900, "year", features=("exams", "flashcards"))
    local.delivered.update(event["id"] for event in local.events)
    return buyer


@pytest.fixture
def buyer(learner: Any, standin: LocalStripe) -> Buyer:
    """A learner who is a customer at the stand-in, where time stands still until it is moved."""
    return make(learner, standin, clock_at=standin.wall())
