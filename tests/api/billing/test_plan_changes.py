"""Changing the plan: what it would cost, and that it costs just that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support import bank, holdings
from tests.support.billing import LocalStripe
from tests.support.subscribers import (
    DAY,
    FAILS_LATER,
    SUBSCRIPTION,
    at_stripe,
    customer_of,
    mine,
    subscribe,
)

PREVIEW, CHANGE = f"{SUBSCRIPTION}/change-plan/preview", f"{SUBSCRIPTION}/change-plan"


def preview(person: Any, sku: str, **wish: Any) -> Any:
    answer = person.post(PREVIEW, json={"sku": sku, **wish})
    assert answer.status_code == 200, answer.text
    return answer.json()


def change(person: Any, previewed: Any, sku: str, **wish: Any) -> Any:
    return person.post(
        CHANGE,
        json={
            "sku": sku,
            "proration": previewed["proration"],
            "proration_date": previewed["proration_date"],
            "unit_amount": previewed["price"]["amount"],
            **wish,
        },
    )


def begun_days_ago(person: Any, standin: LocalStripe, days: int) -> None:
    """As if the period had begun earlier, here and at Stripe."""
    with standin.standin.lock:
        found = standin.standin.account.need("subscription", at_stripe(person, standin)["id"])
        for item in found["items"]["data"]:
            item["current_period_start"] -= days * DAY
            item["current_period_end"] -= days * DAY
        standin.standin.account.store.changed(found)
    bank.execute(
        "UPDATE payments.subscriptions SET"
        " current_period_start = current_period_start - make_interval(days => :days),"
        " current_period_end = current_period_end - make_interval(days => :days)",
        days=days,
    )


def paid_invoices(standin: LocalStripe) -> list[Any]:
    return [each for each in standin.standin.all("invoice") if each["status"] == "paid"]


@pytest.mark.parametrize("proration", ["create_prorations", "always_invoice", "none"])
def test_what_is_applied_is_what_was_previewed(
    learner: Any, standin: LocalStripe, proration: str
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    begun_days_ago(learner, standin, 10)

    # PRO is sold with a trial; somebody who subscribes already has none.
    shown = preview(learner, "pro-monthly", proration=proration)
    answer = change(learner, shown, "pro-monthly")

    assert answer.status_code == 200, answer.text
    assert answer.json()["product"]["sku"] == "pro-monthly"
    assert answer.json()["price"] == {"amount": 4_900, "currency": "usd"}
    item = at_stripe(learner, standin)["items"]["data"][0]
    assert item["price"]["unit_amount"] == 4_900
    newest = paid_invoices(standin)[-1]
    prorations = [line["amount"] for line in shown["lines"] if line["is_proration"]]
    if proration == "always_invoice":
        assert shown["next_payment_at"] is None
        assert shown["due_now"]["amount"] == newest["amount_paid"] > 0
        assert prorations == [line["amount"] for line in newest["lines"]["data"]]
        assert shown["total"] == shown["due_now"]
    else:
        assert len(paid_invoices(standin)) == 1
        assert shown["due_now"]["amount"] == 0
        assert datetime.fromisoformat(shown["next_payment_at"]) > datetime.fromisoformat(
            shown["proration_date"]
        )
        pending = [item["amount"] for item in standin.standin.all("invoiceitem")]
        assert prorations == pending
        assert bool(pending) == (proration == "create_prorations")
    standin.deliver_new()
    assert mine(learner)["product"]["sku"] == "pro-monthly"


def test_from_monthly_to_annual_a_whole_period_is_paid_at_once(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    begun_days_ago(learner, standin, 10)

    shown = preview(learner, "pro-annual")
    changed = change(learner, shown, "pro-annual").json()

    assert shown["next_payment_at"] is None
    assert 39_900 - 999 < shown["due_now"]["amount"] < 39_900
    assert paid_invoices(standin)[-1]["amount_paid"] == shown["due_now"]["amount"]
    assert changed["interval"] == "ANNUAL"


def test_during_a_trial_nothing_is_due(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin, "pro-monthly")

    shown = preview(learner, "pro-annual", proration="always_invoice")
    changed = change(learner, shown, "pro-annual").json()

    assert shown["due_now"]["amount"] == 0
    assert (changed["status"], changed["product"]["sku"]) == ("TRIALING", "pro-annual")


def test_a_declined_payment_leaves_the_plan_as_it_was(learner: Any, standin: LocalStripe) -> None:
    before = subscribe(learner, standin, "pro-basic-monthly")
    standin.standin.replace_card(customer_of(learner), FAILS_LATER)
    shown = preview(learner, "pro-monthly", proration="always_invoice")

    answer = change(learner, shown, "pro-monthly")

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_refused")
    assert answer.json()["reason"] == "card_declined"
    assert mine(learner)["product"] == before["product"]
    assert at_stripe(learner, standin)["items"]["data"][0]["price"]["unit_amount"] == 999


def test_the_same_again_changes_nothing(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    begun_days_ago(learner, standin, 10)
    shown = preview(learner, "pro-monthly", proration="always_invoice")
    first = change(learner, shown, "pro-monthly")
    number = len(paid_invoices(standin))

    again = change(learner, shown, "pro-monthly")

    assert again.json() == first.json()
    assert len(paid_invoices(standin)) == number
    unchanged = learner.post(PREVIEW, json={"sku": "pro-monthly"})
    assert (unchanged.status_code, unchanged.json()["code"]) == (409, "unchanged")


@pytest.mark.parametrize("moved", [timedelta(minutes=-16), timedelta(days=-9), timedelta(hours=1)])
def test_nobody_chooses_the_moment_of_a_change(
    learner: Any, standin: LocalStripe, moved: timedelta
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    begun_days_ago(learner, standin, 10)
    shown = preview(learner, "pro-monthly")
    date = datetime.fromisoformat(shown["proration_date"]) + moved

    answer = change(learner, {**shown, "proration_date": date.isoformat()}, "pro-monthly")

    assert (answer.status_code, answer.json()["code"]) == (409, "preview_outdated")


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_no_date_is_too_far_away(learner: Any, standin: LocalStripe, date: str) -> None:
    subscribe(learner, standin, "pro-basic-monthly")

    answer = learner.post(CHANGE, json={"sku": "pro-annual", "proration_date": date})

    assert (answer.status_code, answer.json()["code"]) == (409, "preview_outdated")


def test_a_price_that_changed_since_the_preview_is_refused(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    shown = preview(learner, "pro-monthly")
    bank.execute("UPDATE payments.products SET price_amount = 5900 WHERE sku = 'pro-monthly'")

    answer = change(learner, shown, "pro-monthly")

    assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
    assert change(learner, preview(learner, "pro-monthly"), "pro-monthly").status_code == 200


def test_seats_come_at_the_price_that_the_subscription_began_with(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin, "enterprise-monthly", quantity=2)
    bank.execute(
        "UPDATE payments.products SET price_amount = 9900 WHERE sku = 'enterprise-monthly'"
    )

    shown = preview(learner, "enterprise-monthly", quantity=5)
    changed = change(learner, shown, "enterprise-monthly", quantity=5).json()

    assert shown["price"]["amount"] == 3_900
    assert changed["seats"] == {"taken": 0, "total": 5}
    assert at_stripe(learner, standin)["items"]["data"][0]["quantity"] == 5


@pytest.mark.parametrize(
    ("wish", "allowed"),
    [
        ({"sku": "enterprise-monthly", "quantity": 2}, True),
        ({"sku": "enterprise-monthly", "quantity": 1}, False),
        ({"sku": "enterprise-annual"}, True),
        ({"sku": "enterprise-annual", "quantity": 1}, False),
        ({"sku": "pro-annual"}, False),
    ],
)
def test_seats_that_are_held_stay(
    learner: Any,
    other_learner: Any,
    standin: LocalStripe,
    wish: dict[str, Any],
    allowed: bool,
) -> None:
    mine_ = subscribe(learner, standin, "enterprise-monthly", quantity=3)
    holdings.seat(mine_["id"], other_learner.id)
    learner.post("/api/billing/seats", json={"email": "third@example.com"})

    answer = learner.post(PREVIEW, json=wish)

    assert answer.status_code == (200 if allowed else 409), answer.text
    if not allowed:
        assert (answer.json()["code"], answer.json()["held"]) == ("seats_taken", 2)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"sku": "no-such-thing"}, "sku"),
        ({"sku": "ot-exam-pack"}, "sku"),
        ({"sku": "pro-annual", "quantity": 2}, "quantity"),
        ({"sku": "enterprise-annual", "quantity": 0}, "quantity"),
        ({"sku": "enterprise-annual", "quantity": 1_001}, "quantity"),
        ({"sku": "pro-annual", "proration": "sometimes"}, "proration"),
        ({}, "sku"),
    ],
)
def test_a_wish_that_does_not_fit_names_its_field(
    learner: Any, standin: LocalStripe, wish: dict[str, Any], field: str
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")

    answer = learner.post(PREVIEW, json=wish)

    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("cancel_at_period_end = true", "subscription_ending"),
        ("cancel_requested_at = now()", "subscription_ending"),
        ("status = 'PAST_DUE'", "payment_overdue"),
        ("currency = 'eur'", "other_currency"),
    ],
)
def test_a_subscription_in_trouble_is_mended_first(
    learner: Any, standin: LocalStripe, state: str, code: str
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    bank.execute(f"UPDATE payments.subscriptions SET {state}")

    answer = learner.post(PREVIEW, json={"sku": "pro-annual"})

    assert (answer.status_code, answer.json()["code"]) == (409, code)
