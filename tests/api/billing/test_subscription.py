"""Reading, cancelling, resuming and taking back a subscription."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from studypack.billing.holdings import list_holdings
from studypack.billing.models import ProductKind, SubscriptionStatus
from studypack.core.database import transaction
from tests.support import bank, holdings, shop
from tests.support.billing import LocalStripe
from tests.support.subscribers import (
    DAY,
    FAILS_LATER,
    SUBSCRIPTION,
    at_stripe,
    customer_of,
    mine,
    row,
    stripe_off,
    subscribe,
)


def closed_because(person: Any) -> list[str | None]:
    """Why each thing that somebody holds opens nothing; None: it does."""
    with transaction() as session:
        held = list_holdings(session, person.id, grace_days=14)
    return [holding.closed_because for holding in held]


def test_nobody_has_one_at_first(learner: Any, statements: Callable[[], list[str]]) -> None:
    statements()

    assert learner.get(SUBSCRIPTION).json() == {"subscription": None}
    assert len(statements()) == 2


def test_mine_with_its_period_and_price(learner: Any, standin: LocalStripe) -> None:
    found = subscribe(learner, standin)

    assert (found["role"], found["status"], found["plan"]) == ("owner", "ACTIVE", "PRO")
    assert found["product"] == {"sku": "pro-annual", "name": "PRO annual"}
    assert found["price"] == {"amount": 39_900, "currency": "usd"}
    assert found["seats"] is None
    assert found["cancel_at_period_end"] is False
    started = datetime.fromisoformat(found["started_at"])
    assert datetime.fromisoformat(found["refundable_until"]) == started + timedelta(days=90)
    assert datetime.fromisoformat(found["current_period_end"]) > started + timedelta(days=364)


def test_another_one_does_not_see_it(
    learner: Any, other_learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)

    assert mine(other_learner) is None


def test_a_member_sees_the_plan_and_not_the_price(learner: Any, other_learner: Any) -> None:
    product = holdings.product(kind=ProductKind.SUBSCRIPTION, seats=True)
    seat = holdings.seat(holdings.subscription(learner.id, product, quantity=3), other_learner.id)

    found = mine(other_learner)

    assert (found["role"], found["seat_id"]) == ("member", str(seat))
    assert (found["price"], found["seats"], found["refundable_until"]) == (None, None, None)
    assert mine(learner)["seats"] == {"taken": 1, "total": 3}


def test_ones_own_live_one_comes_before_a_seat_and_before_an_ended_one(
    learner: Any, other_learner: Any
) -> None:
    product = holdings.product(kind=ProductKind.SUBSCRIPTION, seats=True)
    seated = holdings.subscription(other_learner.id, product, quantity=3)
    holdings.seat(seated, learner.id)
    ended = holdings.subscription(learner.id, product, status=SubscriptionStatus.CANCELED)

    of_the_other = mine(learner)["id"]
    own = holdings.subscription(learner.id, product)

    assert of_the_other == str(seated)
    assert mine(learner)["id"] == str(own)
    assert str(ended) not in {of_the_other, str(own)}


def test_a_failed_renewal_says_until_when_it_still_opens(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin, "pro-basic-monthly")
    standin.standin.replace_card(customer_of(learner), FAILS_LATER)
    standin.standin.advance(customer_of(learner), seconds=32 * DAY)
    standin.deliver_new()

    found = mine(learner)

    assert found["status"] == "PAST_DUE"
    failed = datetime.fromisoformat(found["payment_failed_at"])
    assert datetime.fromisoformat(found["grace_until"]) == failed + timedelta(days=14)


def test_cancelled_it_runs_to_the_end_of_its_period_and_can_be_resumed(
    learner: Any, standin: LocalStripe
) -> None:
    before = subscribe(learner, standin)

    cancelled = learner.post(f"{SUBSCRIPTION}/cancel").json()

    assert (cancelled["status"], cancelled["cancel_at_period_end"]) == ("ACTIVE", True)
    assert cancelled["current_period_end"] == before["current_period_end"]
    assert at_stripe(learner, standin)["cancel_at_period_end"] is True
    resumed = learner.post(f"{SUBSCRIPTION}/resume").json()
    assert (resumed["status"], resumed["cancel_at_period_end"]) == ("ACTIVE", False)
    assert at_stripe(learner, standin)["cancel_at_period_end"] is False
    standin.deliver_new()
    assert mine(learner) == resumed


@pytest.mark.parametrize("act", ["cancel", "resume"])
def test_again_changes_nothing_and_asks_nobody(
    learner: Any, standin: LocalStripe, act: str
) -> None:
    subscribe(learner, standin)
    first = learner.post(f"{SUBSCRIPTION}/{act}")
    stripe_off(standin)

    again = learner.post(f"{SUBSCRIPTION}/{act}")

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("cancel", None),
        ("resume", None),
        ("refund", None),
        ("change-plan/preview", {"sku": "pro-annual"}),
        ("change-plan", {"sku": "pro-annual", "proration_date": "2026-11-21T12:00:00Z"}),
    ],
)
def test_without_a_subscription_there_is_nothing_to_change(
    learner: Any, other_learner: Any, standin: LocalStripe, act: str, body: Any
) -> None:
    product = holdings.product(kind=ProductKind.SUBSCRIPTION, seats=True)
    holdings.seat(holdings.subscription(other_learner.id, product, quantity=2), learner.id)

    answer = learner.post(f"{SUBSCRIPTION}/{act}", json=body)

    assert (answer.status_code, answer.json()["code"]) == (404, "subscription_not_found")


def test_while_stripe_cannot_be_reached_nothing_changes(learner: Any, standin: LocalStripe) -> None:
    before = subscribe(learner, standin)
    stripe_off(standin)

    answer = learner.post(f"{SUBSCRIPTION}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (503, "payments_unavailable")
    assert mine(learner) == before


def test_taken_back_it_ends_at_once_and_its_payment_goes_back(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    assert closed_because(learner) == [None]

    answer = learner.post(f"{SUBSCRIPTION}/refund")

    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert body["subscription"]["status"] == "CANCELED"
    assert body["subscription"]["access_ended_at"] is not None
    assert body["subscription"]["refundable_until"] is None
    [refund] = body["refunds"]
    assert (refund["status"], refund["origin"]) == ("SUCCEEDED", "BUYER")
    assert refund["money"] == {"amount": 39_900, "currency": "usd"}
    assert at_stripe(learner, standin)["status"] == "canceled"
    standin.deliver_new()
    assert mine(learner)["status"] == "CANCELED"
    assert bank.value("SELECT count(*) FROM payments.credit_notes") == 1
    assert closed_because(learner) == ["refunded"]


def test_a_repetition_with_its_key_gets_the_same_and_without_is_refused(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    key = {"Idempotency-Key": str(uuid4())}
    first = learner.post(f"{SUBSCRIPTION}/refund", headers=key)

    again = learner.post(f"{SUBSCRIPTION}/refund", headers=key)
    anew = learner.post(f"{SUBSCRIPTION}/refund")

    assert again.json() == first.json()
    assert (anew.status_code, anew.json()["code"]) == (409, "already_refunded")
    assert bank.value("SELECT count(*) FROM payments.refunds") == 1


def test_when_stripe_is_away_access_ends_all_the_same_and_the_rest_is_owed(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    stripe_off(standin)

    body = learner.post(f"{SUBSCRIPTION}/refund").json()

    assert body["subscription"]["access_ended_at"] is not None
    assert [refund["status"] for refund in body["refunds"]] == ["PENDING"]
    assert row(learner).cancel_requested_at is not None


def test_after_the_window_it_is_for_support(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)
    bank.execute(
        "UPDATE payments.subscriptions SET started_at = now() - interval '90 days 1 minute'"
    )

    answer = learner.post(f"{SUBSCRIPTION}/refund")

    assert (answer.status_code, answer.json()["code"]) == (409, "refund_window_over")
    assert "refundable_until" in answer.json()


def test_a_trial_was_not_paid_for(learner: Any, standin: LocalStripe) -> None:
    found = subscribe(learner, standin, "pro-monthly")

    answer = learner.post(f"{SUBSCRIPTION}/refund")

    assert found["status"] == "TRIALING"
    assert (answer.status_code, answer.json()["code"]) == (409, "not_refundable")


def test_a_payment_whose_news_is_on_its_way_is_waited_for(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    bank.execute("UPDATE payments.transactions SET invoice_id = NULL")

    answer = learner.post(f"{SUBSCRIPTION}/refund")

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_not_settled")


def change_plan(person: Any, standin: LocalStripe, sku: str, **more: Any) -> Any:
    """Preview a change, make it, and take in what Stripe tells; the preview."""
    wanted = {"sku": sku, "proration": "always_invoice", **more}
    shown = person.post(f"{SUBSCRIPTION}/change-plan/preview", json=wanted).json()
    changed = person.post(
        f"{SUBSCRIPTION}/change-plan", json={**wanted, "proration_date": shown["proration_date"]}
    )
    assert changed.status_code == 200, changed.text
    standin.deliver_new()
    return shown


def test_all_that_was_paid_for_the_period_goes_back(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin, "enterprise-monthly", quantity=1)
    shown = change_plan(learner, standin, "enterprise-monthly", quantity=3)

    body = learner.post(f"{SUBSCRIPTION}/refund").json()

    amounts = sorted(refund["money"]["amount"] for refund in body["refunds"])
    assert amounts == sorted([3_900, shown["due_now"]["amount"]])
    assert {refund["status"] for refund in body["refunds"]} == {"SUCCEEDED"}
    assert closed_because(learner) == ["refunded"]


@pytest.mark.parametrize(
    ("bought", "quantity", "changed", "credit"),
    [("enterprise-monthly", 5, "enterprise-monthly", 15_600), ("pro-annual", 1, "pro-monthly", 1)],
)
def test_what_a_smaller_plan_gave_back_already_does_not_go_back_again(
    learner: Any, standin: LocalStripe, bought: str, quantity: int, changed: str, credit: int
) -> None:
    subscribe(learner, standin, bought, quantity=quantity)
    change_plan(learner, standin, changed, quantity=1)

    answer = learner.post(f"{SUBSCRIPTION}/refund")

    assert (answer.status_code, answer.json()["code"]) == (409, "credit_given")
    assert answer.json()["credit"]["amount"] >= credit
    assert standin.standin.all("refund") == []
    assert closed_because(learner) == [None]


def test_one_paid_back_at_stripe_and_not_ended_there_can_be_ended_by_its_owner(
    learner: Any, standin: LocalStripe
) -> None:
    subscribe(learner, standin)
    standin.client.v1.refunds.create(
        {"payment_intent": bank.value("SELECT stripe_payment_intent_id FROM payments.transactions")}
    )
    standin.deliver_new()
    assert closed_because(learner) == ["refunded"]

    again = shop.ask(learner, "pro-annual")
    answer = learner.post(f"{SUBSCRIPTION}/cancel")

    assert (again.status_code, again.json()["change_plan"]) == (409, None)
    assert answer.status_code == 200, answer.text
    assert answer.json()["cancel_at_period_end"] is True


def test_what_is_being_ended_is_not_changed(learner: Any, standin: LocalStripe) -> None:
    subscribe(learner, standin)
    bank.execute("UPDATE payments.subscriptions SET cancel_requested_at = now()")

    answers = [learner.post(f"{SUBSCRIPTION}/{act}") for act in ("cancel", "resume")]

    assert {answer.json()["code"] for answer in answers} == {"subscription_ending"}
