"""The stand-in on a loopback port, the official SDK as its client, a browser without scripts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import stripe

from local import server
from local.stripe import StandIn, application

NOON = 1_794_225_600
"""2026-11-09 12:00 UTC."""


class Wall:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@dataclass
class Local:
    """A stand-in that is being served."""

    standin: StandIn
    stripe: stripe.StripeClient
    wall: Wall
    url: str

    def types(self, *prefixes: str) -> list[str]:
        """The types of all events so far, or of those that begin so."""
        found = [each["type"] for each in self.standin.events]
        return [each for each in found if not prefixes or each.startswith(prefixes)]

    def price(self, amount: int = 4900, interval: str | None = "month", **more: Any) -> str:
        """A price of a product of its own."""
        product = self.stripe.v1.products.create({"name": f"PRO {interval or 'pack'}"})
        params: dict[str, Any] = {
            "product": product.id,
            "unit_amount": amount,
            "currency": "usd",
            **more,
        }
        if interval:
            params["recurring"] = {"interval": interval}
        return self.stripe.v1.prices.create(params).id

    def customer(self, card: str | None = "pm_card_visa", *, clock: bool = False) -> str:
        """A customer, with a card to pay with and a test clock if so wished."""
        params: dict[str, Any] = {"email": "lea@example.com", "name": "Lea Brandt"}
        if clock:
            made = self.stripe.v1.test_helpers.test_clocks.create({"frozen_time": NOON})
            params["test_clock"] = made.id
        customer = self.stripe.v1.customers.create(params)
        if card:
            method = self.stripe.v1.payment_methods.attach(card, {"customer": customer.id})
            self.stripe.v1.customers.update(
                customer.id, {"invoice_settings": {"default_payment_method": method.id}}
            )
        return customer.id

    def subscribe(self, customer: str, price: str, **more: Any) -> stripe.Subscription:
        """A subscription to one price."""
        return self.stripe.v1.subscriptions.create(
            {"customer": customer, "items": [{"price": price}], **more}
        )

    def session(self, price: str, mode: str = "payment", **more: Any) -> stripe.checkout.Session:
        """A checkout session for one price."""
        return self.stripe.v1.checkout.sessions.create(
            {
                "mode": mode,
                "line_items": [{"price": price, "quantity": 1}],
                "success_url": "https://app.example.com/paid?session={CHECKOUT_SESSION_ID}",
                "cancel_url": "https://app.example.com/plans",
                **more,
            }
        )

    def advance(self, customer: str, to: int) -> None:
        """Move the customer's test clock."""
        clock = self.stripe.v1.customers.retrieve(customer).test_clock
        assert isinstance(clock, str)
        self.stripe.v1.test_helpers.test_clocks.advance(clock, {"frozen_time": to})


@pytest.fixture
def local() -> Iterator[Local]:
    wall = Wall()
    # With its protocol named, asyncio sends small answers at once instead of after 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind((server.HOST, 0))
    listener.listen()
    url = f"http://{server.HOST}:{listener.getsockname()[1]}"
    standin = StandIn(url, api_key="sk_test_x", now=wall, seed="tests", acceleration=100_000)
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": url}, max_network_retries=0)
    with server.serving(application(standin), listener):  # type: ignore[arg-type]
        yield Local(standin, client, wall, url)
    standin.stop()
    client._requestor._client.close()


@pytest.fixture
def browser() -> Iterator[httpx2.Client]:
    """Follows no redirect by itself, so that a test sees where it leads."""
    with httpx2.Client(timeout=20) as client:
        yield client
