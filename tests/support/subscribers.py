"""People who subscribe as a browser does: our checkout, Stripe's page, its events."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studypack.billing.models import Subscription
from studypack.core.database import transaction
from tests.support import bank
from tests.support.billing import LocalStripe
from tests.support.people import Person

DAY = 86_400
GOOD, FAILS_LATER = "4242424242424242", "4000000000000341"
SUBSCRIPTION = "/api/billing/subscription"


def subscribe(
    person: Person,
    standin: LocalStripe,
    sku: str = "pro-annual",
    *,
    quantity: int = 1,
    card: str = GOOD,
) -> dict[str, Any]:
    """Pay for a subscription and take in what Stripe tells of it; the subscription as its owner
    then sees it.
    """
    opened = person.post(
        "/api/purchases/checkout-session",
        json={
            "sku": sku,
            "quantity": quantity,
            "success_url": "https://app.example.com/thanks",
            "cancel_url": "https://app.example.com/",
        },
    )
    assert opened.status_code == 201, opened.text
    session_id = bank.value(
        "SELECT stripe_session_id FROM payments.checkouts WHERE id = :id", id=opened.json()["id"]
    )
    assert standin.standin.pay(session_id, card) == "complete"
    standin.deliver_new()
    return mine(person)


def mine(person: Person) -> Any:
    """The caller's subscription."""
    answer = person.get(SUBSCRIPTION)
    assert answer.status_code == 200, answer.text
    return answer.json()["subscription"]


def row(person: Person) -> Subscription:
    """Our row of the person's only subscription."""
    with transaction() as session:
        return session.query(Subscription).filter_by(user_id=person.id).one()


def at_stripe(person: Person, standin: LocalStripe) -> Any:
    """The person's only subscription as Stripe has it."""
    return standin.standin.find("subscription", row(person).stripe_subscription_id)


def customer_of(person: Person) -> str:
    """Stripe's id of somebody."""
    found: str = bank.value(
        "SELECT stripe_customer_id FROM payments.customers WHERE user_id = :id", id=person.id
    )
    return found


def stripe_off(standin: LocalStripe) -> None:
    """From now on nobody answers where Stripe is said to be."""
    import os

    from studypack.core.config import get_settings
    from studypack.integrations.stripe import forget_client

    os.environ["STRIPE_API_BASE"] = "http://127.0.0.1:9"
    get_settings.cache_clear()
    forget_client()


def verify_address(person: Person, email: str | None = None) -> None:
    """As if the mailed link had been followed; with another address, if one is given."""
    bank.execute(
        "UPDATE auth.users SET email_verified_at = now(), email = coalesce(:email, email)"
        " WHERE id = :id",
        id=person.id,
        email=email,
    )


def ids(rows: Any) -> list[UUID]:
    """The ids of an answer's list."""
    return [UUID(row["id"]) for row in rows]
