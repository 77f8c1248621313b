"""Buying in a test: over our API, on the stand-in's page, by its events."""

from __future__ import annotations

from typing import Any

from tests.support import bank
from tests.support.billing import LocalStripe

SUCCESS = "https://app.example.com/thanks?session={CHECKOUT_SESSION_ID}"
CANCEL = "https://app.example.com/prices"
EXAM_PACK = "ot-exam-pack"
PRO = "pro-monthly"


def wish(sku: str = EXAM_PACK, **other: Any) -> dict[str, Any]:
    """What a browser sends to buy something."""
    return {"sku": sku, "success_url": SUCCESS, "cancel_url": CANCEL, **other}


def ask(person: Any, sku: str = EXAM_PACK, *, key: str | None = None, **other: Any) -> Any:
    """Ask for a payment page; the answer, whatever it is."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return person.post("/api/purchases/checkout-session", json=wish(sku, **other), headers=headers)


def open_page(person: Any, sku: str = EXAM_PACK, **other: Any) -> dict[str, Any]:
    """A payment page."""
    answer = ask(person, sku, **other)
    assert answer.status_code == 201, answer.text
    opened: dict[str, Any] = answer.json()
    return opened


def session_of(page: dict[str, Any]) -> str:
    """Stripe's id of a payment page."""
    return str(
        bank.value("SELECT stripe_session_id FROM payments.checkouts WHERE id = :id", id=page["id"])
    )


def pay(standin: LocalStripe, page: dict[str, Any], **how: Any) -> str:
    """Pay on the page, and have the events delivered."""
    outcome: str = standin.standin.pay(session_of(page), **how)
    standin.deliver_new()
    return outcome


def buy(person: Any, standin: LocalStripe, sku: str = EXAM_PACK, **other: Any) -> dict[str, Any]:
    """Buy something once; the purchase as its buyer sees it."""
    pay(standin, open_page(person, sku, **other))
    return newest(person)


def newest(person: Any) -> dict[str, Any]:
    """The buyer's newest purchase."""
    purchase: dict[str, Any] = person.get("/api/purchases").json()["items"][0]
    return purchase


def payment_of(purchase: dict[str, Any]) -> Any:
    """The transaction's row of a purchase."""
    return bank.row(
        "SELECT * FROM payments.transactions WHERE purchase_id = :id", id=purchase["id"]
    )


def sessions(standin: LocalStripe, status: str | None = None) -> list[dict[str, Any]]:
    """Payment pages at Stripe, oldest first."""
    return [
        each
        for each in standin.standin.all("checkout.session")
        if status is None or each["status"] == status
    ]
