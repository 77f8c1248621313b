"""Saved ways to pay, and the portal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank
from tests.support.billing import LocalStripe
from tests.support.subscribers import (
    SUBSCRIPTION,
    at_stripe,
    customer_of,
    mine,
    stripe_off,
    subscribe,
)

METHODS = "/api/billing/payment-methods"
PORTAL = "/api/billing/portal-session"
MASTERCARD = "5555555555554444"


def methods(person: Any) -> list[Any]:
    items: list[Any] = person.get(METHODS).json()["items"]
    return items


def add_card(person: Any, standin: LocalStripe) -> str:
    """As the portal does, without making it the default; our id of it."""
    made = standin.client.v1.payment_methods.attach(
        "pm_card_mastercard", {"customer": customer_of(person)}
    )
    standin.deliver_new()
    return str(
        bank.value(
            "SELECT id FROM payments.payment_methods WHERE stripe_payment_method_id = :id",
            id=made.id,
        )
    )


def test_what_one_paid_with_is_listed(
    learner: Any, standin: LocalStripe, statements: Callable[[], list[str]]
) -> None:
    subscribe(learner, standin)
    statements()

    [card] = methods(learner)

    assert len(statements()) == 2
    assert (card["type"], card["brand"], card["last4"]) == ("CARD", "visa", "4242")
    assert "stripe" not in str(card)


def test_newest_first_page_by_page(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)
    newest = add_card(learner, standin)

    first = learner.get(f"{METHODS}?limit=1").json()
    second = learner.get(f"{METHODS}?limit=1&cursor={first['next_cursor']}").json()

    assert [row["id"] for row in first["items"]] == [newest]
    assert [row["brand"] for row in second["items"]] == ["visa"]
    assert second["next_cursor"] is None


def test_the_default_pays_the_subscription_too(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)
    chosen = add_card(learner, standin)

    answer = learner.put(f"{METHODS}/{chosen}/default")

    assert (answer.status_code, answer.json()["is_default"]) == (200, True)
    assert [row["is_default"] for row in methods(learner)] == [True, False]
    default = bank.value("SELECT default_payment_method FROM payments.customers")
    customer = standin.standin.find("customer", customer_of(learner))
    assert customer["invoice_settings"]["default_payment_method"] == default
    assert at_stripe(learner, standin)["default_payment_method"] == default
    standin.deliver_new()
    assert [row["is_default"] for row in methods(learner)] == [True, False]


def test_one_that_is_not_needed_is_forgotten(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)
    chosen = add_card(learner, standin)
    learner.put(f"{METHODS}/{chosen}/default")
    [other] = [row["id"] for row in methods(learner) if row["id"] != chosen]

    answer = learner.delete(f"{METHODS}/{other}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert [row["id"] for row in methods(learner)] == [chosen]
    attached = [each for each in standin.standin.all("payment_method") if each["customer"]]
    assert len(attached) == 1
    standin.deliver_new()
    assert [row["id"] for row in methods(learner)] == [chosen]
    assert learner.delete(f"{METHODS}/{other}").status_code == 404


def test_the_only_one_stays_while_the_subscription_will_renew(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    [card] = methods(learner)

    refused = learner.delete(f"{METHODS}/{card['id']}")
    learner.post(f"{SUBSCRIPTION}/cancel")
    done = learner.delete(f"{METHODS}/{card['id']}")

    assert (refused.status_code, refused.json()["code"]) == (409, "only_payment_method")
    assert done.status_code == 204
    assert methods(learner) == []


def test_the_default_stays_while_the_subscription_will_renew(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    chosen = add_card(learner, standin)
    learner.put(f"{METHODS}/{chosen}/default")

    answer = learner.delete(f"{METHODS}/{chosen}")

    assert (answer.status_code, answer.json()["code"]) == (409, "default_payment_method")


def test_one_that_is_gone_at_stripe_already_is_forgotten_here(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    learner.post(f"{SUBSCRIPTION}/cancel")
    [card] = methods(learner)
    stripe_id = bank.value("SELECT stripe_payment_method_id FROM payments.payment_methods")
    standin.client.v1.payment_methods.detach(stripe_id)

    assert learner.delete(f"{METHODS}/{card['id']}").status_code == 204
    assert methods(learner) == []


def test_while_stripe_is_away_nothing_changes(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)
    learner.post(f"{SUBSCRIPTION}/cancel")
    [card] = methods(learner)
    stripe_off(standin)

    answers = [
        learner.delete(f"{METHODS}/{card['id']}"),
        learner.put(f"{METHODS}/{card['id']}/default"),
    ]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert methods(learner) == [card]


def test_anothers_does_not_exist(learner: Any, other_learner: Any, standin: LocalStripe) -> None:
    subscribe(other_learner, standin)
    [card] = methods(other_learner)

    for id in (card["id"], uuid4()):
        assert learner.delete(f"{METHODS}/{id}").status_code == 404
        assert learner.put(f"{METHODS}/{id}/default").status_code == 404
    assert methods(learner) == []
    assert mine(other_learner)["status"] == "ACTIVE"


def test_the_portal_leads_back_to_us(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)

    answer = learner.post(PORTAL, json={"return_url": "https://app.example.com/billing"})

    assert answer.status_code == 201
    assert answer.json()["url"].startswith(standin.url)


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example.com/", "javascript:alert(1)", "//app.example.com/", ""]
)
def test_the_portal_leads_nowhere_else(learner: Any, standin: LocalStripe, url: str) -> None:
    answer = learner.post(PORTAL, json={"return_url": url})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["return_url"]


def test_whoever_never_paid_has_no_portal(learner: Any, standin: LocalStripe) -> None:
    answer = learner.post(PORTAL, json={"return_url": "https://app.example.com/"})

    assert (answer.status_code, answer.json()["code"]) == (409, "no_customer")


def test_whoever_was_deleted_at_stripe_has_none_any_more(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    standin.client.v1.customers.delete(customer_of(learner))

    answer = learner.post(PORTAL, json={"return_url": "https://app.example.com/"})

    assert (answer.status_code, answer.json()["code"]) == (409, "no_customer")
