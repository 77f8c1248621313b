"""Stripe in a test: its stand-in behind the official SDK, and its events at our webhook.

`standin` is served on loopback, once a run; each test gets an empty one there. Events are
listed by it and delivered when the test says so: `standin.deliver_new()`, or one by one and in any
order with `deliver`.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import bank
from tests.support.environment import environment
from tests.support.exams import JobContext

WEBHOOK_SECRET = "whsec_of_the_tests"
OTHER_SECRET = "whsec_another_one_in_force"
API_KEY = "sk_test_known_to_everybody_and_good_for_this_stand_in_only"
PATH = "/api/webhooks/stripe"

Document = dict[str, Any]


class Wall:
    """The stand-in's wall clock: the real one, until it is set."""

    def __init__(self) -> None:
        self.set_to: int | None = None

    def __call__(self) -> int:
        return int(time.time()) if self.set_to is None else self.set_to


@dataclass(frozen=True)
class Answer:
    """What our webhook answered."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def outcome(self) -> str:
        found: str = self.body["outcome"]
        return found


@dataclass
class LocalStripe:
    """A stand-in, the official client for it, and what of its events was delivered."""

    standin: Any
    """local.stripe.StandIn: `pay`, `advance`, `dispute`, `settle`, `events`, `switches`, ..."""
    client: Any
    """stripe.StripeClient"""
    wall: Wall
    url: str
    delivered: set[str] = field(default_factory=set)

    @property
    def events(self) -> list[Document]:
        """Every event so far, oldest first."""
        found: list[Document] = self.standin.events
        return found

    def new_events(self, *types: str) -> list[Document]:
        """Those that were not delivered yet; of these types, if some are given."""
        return [
            each
            for each in self.events
            if each["id"] not in self.delivered and (not types or each["type"] in types)
        ]

    def deliver_new(self, *types: str) -> list[Answer]:
        """Deliver what was not delivered yet, in Stripe's order; every answer is a 200."""
        answers = []
        for event in self.new_events(*types):
            self.delivered.add(event["id"])
            answer = deliver(event)
            assert answer.status == 200, (event["type"], answer, error_of(event["id"]))
            answers.append(answer)
        return answers


@contextmanager
def served() -> Iterator[tuple[str, list[Any]]]:
    """A server on loopback for whichever application is the last in the list."""
    from local import server

    current: list[Any] = []

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        await current[-1](scope, receive, send)

    listener = server.listen(0, preferred=0)
    url = f"http://{server.HOST}:{listener.getsockname()[1]}"
    with server.serving(dispatch, listener):
        yield url, current


@contextmanager
def stripe_settings(url: str, *, secrets: str = WEBHOOK_SECRET) -> Iterator[None]:
    """The application's settings of Stripe, for a while."""
    values = {
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_API_BASE": url,
        "STRIPE_WEBHOOK_SECRETS": secrets,
    }
    with environment(values, forget=_forget):
        yield


def _forget() -> None:
    from studypack.core.config import get_settings
    from studypack.integrations.stripe import forget_client

    get_settings.cache_clear()
    forget_client()


@contextmanager
def standing_in(url: str, current: list[Any], *, seed: str | None = None) -> Iterator[LocalStripe]:
    """An empty stand-in behind the server, with our settings pointing there."""
    from local.stripe import StandIn, application
    from studypack.integrations.stripe import get_stripe

    wall = Wall()
    standin = StandIn(url, now=wall, seed=seed)
    current.append(application(standin))
    try:
        with stripe_settings(url):
            yield LocalStripe(standin, get_stripe(), wall, url)
    finally:
        current.pop()
        standin.stop()


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[tuple[str, list[Any]]]:
    """The address at which each test's stand-in is reached."""
    with served() as server:
        yield server


@pytest.fixture
def standin(database_url: str, stripe_server: tuple[str, list[Any]]) -> Iterator[LocalStripe]:
    """Stripe's stand-in, empty; the application calls it and takes its webhooks."""
    with standing_in(*stripe_server) as local:
        yield local


@pytest.fixture
def webhook_settings(database_url: str) -> Iterator[None]:
    """Settings that accept signed events, for tests that need no stand-in: nothing listens."""
    with stripe_settings("http://127.0.0.1:9"):
        yield


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    """The Stripe-Signature header of a body, by the official SDK."""
    from stripe import WebhookSignature

    return WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=at)


def gateway_event(
    body: bytes, headers: Mapping[str, str], *, encoded: bool = False
) -> dict[str, Any]:
    """A request as API Gateway hands it to Lambda (format 2.0)."""
    return {
        "version": "2.0",
        "routeKey": f"POST {PATH}",
        "rawPath": PATH,
        "rawQueryString": "",
        "headers": {"content-type": "application/json; charset=utf-8", **headers},
        "requestContext": {
            "http": {"method": "POST", "path": PATH, "sourceIp": "203.0.113.7"},
            "requestId": "test",
        },
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def post(body: bytes, signature: str | None, *, encoded: bool = False) -> Answer:
    """Have our webhook answer a delivery."""
    from webhooks.stripe.handler import handler

    headers = {} if signature is None else {"stripe-signature": signature}
    answer = handler(gateway_event(body, headers, encoded=encoded), JobContext())
    return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))


def deliver(event: Document, *, secret: str = WEBHOOK_SECRET) -> Answer:
    """Sign an event and have our webhook answer it."""
    body = json.dumps(event, separators=(",", ":")).encode()
    return post(body, signed(body, secret=secret))


def error_of(event_id: str) -> str | None:
    """Why an event could not take effect the last time."""
    found = bank.rows("SELECT error FROM payments.stripe_events WHERE id = :id", id=event_id)
    return found[0].error if found else None


def inbox_row(event_id: str) -> Any:
    """An event as the inbox has it."""
    return bank.row("SELECT * FROM payments.stripe_events WHERE id = :id", id=event_id)


def make_customer(user_id: UUID, stripe_customer_id: str | None) -> UUID:
    """The customers row of a user."""
    id = uuid4()
    bank.execute(
        "INSERT INTO payments.customers (id, user_id, stripe_customer_id)"
        " VALUES (:id, :user, :stripe)",
        id=id,
        user=user_id,
        stripe=stripe_customer_id,
    )
    return id


def make_product(
    sku: str,
    *,
    amount: int = 4900,
    interval: str | None = None,
    plan: str = "PRO",
    days: int | None = 90,
    currency: str = "usd",
    has_seats: bool = False,
    features: tuple[str, ...] = ("exams",),
    stripe_price_id: str | None = None,
    stripe_product_id: str | None = None,
) -> UUID:
    """A product with its grants and its price at Stripe."""
    id = uuid4()
    is_subscription = interval is not None
    bank.execute(
        "INSERT INTO payments.products (id, sku, name, kind, plan, interval, price_amount,"
        " currency, access_window_days, has_seats, stripe_product_id, stripe_price_id)"
        " VALUES (:id, :sku, :sku, :kind, :plan, :interval, :amount, :currency, :days, :seats,"
        " :product, :price)",
        id=id,
        sku=sku,
        kind="SUBSCRIPTION" if is_subscription else "ONE_TIME",
        plan=plan if is_subscription else None,
        interval=interval,
        amount=amount,
        currency=currency,
        days=None if is_subscription else days,
        seats=has_seats,
        product=stripe_product_id or f"prod_{sku}",
        price=stripe_price_id or f"price_{sku}",
    )
    bank.execute(
        "INSERT INTO payments.product_prices (stripe_price_id, product_id, amount, currency)"
        " VALUES (:price, :id, :amount, :currency)",
        price=stripe_price_id or f"price_{sku}",
        id=id,
        amount=amount,
        currency=currency,
    )
    for feature in features:
        bank.execute(
            "INSERT INTO payments.product_grants (id, product_id, feature)"
            " VALUES (:id, :product, :feature)",
            id=uuid4(),
            product=id,
            feature=feature,
        )
    return id


@dataclass(frozen=True)
class Reserved:
    """A checkout that was reserved, and its purchase (of one that is paid once)."""

    checkout: UUID
    purchase: UUID | None


def make_checkout(
    user_id: UUID | None,
    customer_id: UUID,
    product_id: UUID,
    *,
    session_id: str | None = None,
    intent_id: str | None = None,
    status: str = "OPEN",
    expires_in: str = "1 hour",
) -> Reserved:
    """A checkout's row and, for a product that is paid once, its PENDING purchase."""
    checkout, purchase = uuid4(), uuid4()
    product = bank.row("SELECT * FROM payments.products WHERE id = :id", id=product_id)
    is_payment = product.kind == "ONE_TIME"
    bank.execute(
        "INSERT INTO payments.checkouts (id, user_id, customer_id, product_id, mode, status,"
        " price_amount, currency, stripe_price_id, success_url, cancel_url, stripe_session_id,"
        " stripe_payment_intent_id, expires_at)"
        " VALUES (:id, :user, :customer, :product, :mode, :status, :amount, :currency, :price,"
        " 'https://app.example.com/thanks', 'https://app.example.com/', :session, :intent,"
        " now() + CAST(:expires AS interval))",
        id=checkout,
        user=user_id,
        customer=customer_id,
        product=product_id,
        mode="PAYMENT" if is_payment else "SUBSCRIPTION",
        status=status,
        amount=product.price_amount,
        currency=product.currency,
        price=product.stripe_price_id or "price_unknown",
        session=session_id,
        intent=intent_id,
        expires=expires_in,
    )
    if is_payment:
        bank.execute(
            "INSERT INTO payments.purchases (id, user_id, product_id, checkout_id, total_amount,"
            " currency) VALUES (:id, :user, :product, :checkout, :amount, :currency)",
            id=purchase,
            user=user_id,
            product=product_id,
            checkout=checkout,
            amount=product.price_amount,
            currency=product.currency,
        )
    return Reserved(checkout, purchase if is_payment else None)


def run_job(name: str, milliseconds: int = 60_000) -> dict[str, Any]:
    """Run a cron's handler as Lambda would."""
    import importlib

    report: dict[str, Any] = importlib.import_module(f"cron.{name}").handler(
        {}, JobContext(milliseconds)
    )
    return report
