"""Customers' whole lives at Stripe, lived at the stand-in (local/stripe) and recorded: what the
webhook benchmark feeds to both sides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from local.stripe import API_KEY, StandIn
from local.stripe.account import DAY
from local.stripe.api import Request
from local.stripe.switches import Switches
from studypack.core.database import new_id

Document = dict[str, Any]

BASE_URL = "http://127.0.0.1:1"
"""Pages of the stand-in would be there; nobody opens one."""
BEGINS_DAYS_AGO = 200
TRIAL_DAYS = 7
PACK, MONTHLY, ANNUAL = 4_900, 999, 9_900
GOOD_CARD, NEXT_CARD, FAILS_LATER = "4242424242424242", "5555555555554444", "4000000000000341"


@dataclass(frozen=True)
class Price:
    """A product with its price, as both sides will know it."""

    sku: str
    amount: int
    interval: str | None
    stripe_product_id: str
    stripe_price_id: str


@dataclass(frozen=True)
class Visit:
    """A paid visit to Stripe's payment page, with the id that our reservation of it had."""

    checkout_id: UUID
    sku: str
    stripe_session_id: str


@dataclass
class Life:
    """One customer's: who it was, and every event that told of it, in order."""

    user_id: UUID
    stripe_customer_id: str
    visits: list[Visit] = field(default_factory=list)
    events: list[Document] = field(default_factory=list)


@dataclass(frozen=True)
class Recording:
    """What was recorded; `path` is the stand-in's state at the end."""

    path: Path
    prices: Mapping[str, Price]
    lives: list[Life]


def record(path: Path, lives: int, *, whole: bool = True) -> Recording:
    """Let so many customers live, one after the other; their state is kept at `path`.

    Not `whole`: they buy once, are refunded, and that is all.
    """
    begin = int(time.time()) - BEGINS_DAYS_AGO * DAY
    standin = StandIn(
        BASE_URL,
        path=path,
        seed="benchmark",
        now=lambda: begin,
        switches=Switches(clock_per_customer=True),
    )
    try:
        world = _World(standin)
        prices = {each.sku: each for each in _catalogue(world)}
        return Recording(path, prices, [_live(world, prices, whole=whole) for _ in range(lives)])
    finally:
        standin.stop()


class _World:
    """The stand-in's API."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin

    def post(self, path: str, **parameters: Any) -> Document:
        return self._ask("POST", path, parameters)

    def delete(self, path: str) -> Document:
        return self._ask("DELETE", path, {})

    def _ask(self, method: str, path: str, parameters: Mapping[str, Any]) -> Document:
        encoded = urlencode(list(_flat(parameters)))
        answer = self.standin.answer(Request(method, f"/v1/{path}", encoded, API_KEY))
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.document}")
        return answer.document


def _flat(values: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested parameters as a form: items[0][price]=..."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from _flat(value, f"{name}[{key}]" if name else key)
    elif isinstance(values, list):
        for place, value in enumerate(values):
            yield from _flat(value, f"{name}[{place}]")
    else:
        yield name, str(values).lower() if isinstance(values, bool) else str(values)


def _catalogue(world: _World) -> Iterator[Price]:
    for sku, amount, interval in (
        ("bench-pack", PACK, None),
        ("bench-monthly", MONTHLY, "month"),
        ("bench-annual", ANNUAL, "year"),
    ):
        product = world.post("products", name=sku)
        recurring = {"recurring": {"interval": interval}} if interval else {}
        price = world.post(
            "prices", product=product["id"], currency="usd", unit_amount=amount, **recurring
        )
        yield Price(sku, amount, interval, product["id"], price["id"])


def _live(world: _World, prices: Mapping[str, Price], *, whole: bool) -> Life:
    user_id = new_id()
    begins = len(world.standin.events)
    customer = world.post(
        "customers",
        email=f"{user_id.hex}@example.com",
        name="Sample Buyer",
        metadata={"studypack_user_id": user_id},
    )["id"]
    life = Life(user_id, customer)
    _passes(world, life)
    _pay(world, life, prices["bench-pack"])
    _passes(world, life)
    pack = _charge(world, life, PACK)
    if whole:
        _pay(world, life, prices["bench-monthly"])
    _passes(world, life, days=1)
    world.post("refunds", charge=pack["id"], amount=PACK // 3)
    _passes(world, life)
    world.post("refunds", charge=pack["id"])
    if whole:
        _subscribed(world, life, prices)
    life.events = world.standin.events[begins:]
    return life


def _subscribed(world: _World, life: Life, prices: Mapping[str, Price]) -> None:
    """Is told that the trial ends, pays, renews, disputes in vain, fails to pay, recovers, changes
    the plan, cancels, thinks better of it, and ends.
    """
    standin, customer = world.standin, life.stripe_customer_id
    [subscription] = [each for each in standin.all("subscription") if each["customer"] == customer]
    path = f"subscriptions/{subscription['id']}"
    _passes(world, life, days=TRIAL_DAYS)
    _passes(world, life, days=31)
    dispute = standin.dispute(_charge(world, life, MONTHLY)["id"])
    _passes(world, life, days=5)
    standin.close_dispute(dispute, won=True)
    _passes(world, life)
    standin.replace_card(customer, FAILS_LATER)
    _passes(world, life, days=27)
    last_card = standin.replace_card(customer, NEXT_CARD)
    _passes(world, life, days=8)
    item = subscription["items"]["data"][0]["id"]
    world.post(
        path,
        items=[{"id": item, "price": prices["bench-annual"].stripe_price_id}],
        proration_behavior="always_invoice",
    )
    for cancelling in (True, False):
        _passes(world, life, days=2)
        world.post(path, cancel_at_period_end=cancelling)
    _passes(world, life)
    world.delete(path)
    _passes(world, life)
    world.post(f"payment_methods/{last_card}/detach")


def _passes(world: _World, life: Life, *, days: int = 0) -> None:
    """Some days and a minute: no two steps fall into one second."""
    world.standin.advance(life.stripe_customer_id, seconds=days * DAY + 60)


def _charge(world: _World, life: Life, amount: int) -> Document:
    """The customer's latest payment of an amount."""
    return next(
        each
        for each in reversed(world.standin.all("charge"))
        if (each["customer"], each["amount"]) == (life.stripe_customer_id, amount)
    )


def _pay(world: _World, life: Life, price: Price) -> None:
    checkout_id = new_id()
    metadata = {
        "studypack_checkout_id": str(checkout_id),
        "studypack_user_id": str(life.user_id),
    }
    details: Document = {"payment_intent_data": {"metadata": metadata}}
    if price.interval:
        details = {"subscription_data": {"metadata": metadata, "trial_period_days": TRIAL_DAYS}}
    session = world.post(
        "checkout/sessions",
        mode="subscription" if price.interval else "payment",
        customer=life.stripe_customer_id,
        line_items=[{"price": price.stripe_price_id, "quantity": 1}],
        success_url="https://app.example.com/paid",
        cancel_url="https://app.example.com/prices",
        metadata=metadata,
        **details,
    )
    if world.standin.pay(session["id"], GOOD_CARD) != "complete":
        raise RuntimeError(f"{price.sku} was not paid")
    life.visits.append(Visit(checkout_id, price.sku, session["id"]))
