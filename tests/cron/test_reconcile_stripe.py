"""What never reached us is found in Stripe's own lists."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from studypack.billing import reconciling
from tests.support import bank, billing
from tests.support.billing import LocalStripe
from tests.support.buyer import Buyer


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return billing.run_job("reconcile_stripe", milliseconds)


def test_events_that_never_came_are_backfilled_oldest_first(buyer: Buyer) -> None:
    visit = buyer.pay(buyer.visit("pack"))
    buyer.pay(buyer.visit("monthly"))

    report = run()

    assert report["complete"] is True
    assert report["events_failed"] == 0
    assert report["events_missed"] == len(buyer.local.events)
    assert buyer.purchase(visit).status == "COMPLETED"
    assert buyer.subscription().status == "ACTIVE"
    assert "drifted" not in report
    assert run().get("events_missed", 0) == 0


def test_what_came_is_not_processed_again(buyer: Buyer) -> None:
    buyer.buy()
    buyer.local.delivered.clear()
    known = bank.value("SELECT count(*) FROM payments.stripe_events")

    report = run()

    assert report["events_missed"] == len(buyer.local.events) - known
    assert bank.value("SELECT count(*) FROM payments.invoices") == 1


def test_a_lost_event_between_others_is_found_within_a_day(buyer: Buyer) -> None:
    run()
    buyer.pay(buyer.visit("monthly"))
    lost = buyer.local.new_events("customer.subscription.updated")
    for event in buyer.local.new_events():
        if event not in lost:
            billing.deliver(event)

    report = run()

    assert report["events_missed"] == len(lost)
    assert buyer.subscription().status == "ACTIVE"


def test_one_customer_ahead_in_time_hides_nobody_elses_events(buyer: Buyer) -> None:
    buyer.subscribe()
    run()
    bank.execute("UPDATE payments.stripe_events SET occurred_at = now() + interval '400 days'")
    buyer.pay(buyer.visit("pack"))

    assert run()["events_missed"] == len(buyer.local.new_events())


def test_events_that_should_have_come_long_ago_raise_the_alarm(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer.pay(buyer.visit("pack"))
    assert run()["events_undelivered"] == 0, "a new account has 30 days of them"
    buyer.pay(buyer.visit("monthly"))
    young = len(buyer.local.new_events())
    monkeypatch.setattr(reconciling, "DELIVERED_WITHIN", timedelta(seconds=-60))

    report = run()

    assert 0 < report["events_undelivered"] == report["events_missed"] < young
    assert run()["events_undelivered"] == 0


def test_an_event_that_may_be_on_its_way_still_raises_none(buyer: Buyer) -> None:
    run()
    buyer.subscribe()
    buyer.pay(buyer.visit("pack"))

    report = run()

    assert report["events_missed"] > 0
    assert report["events_undelivered"] == 0


def test_one_that_cannot_be_repaired_does_not_end_the_run_and_raises_the_alarm(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer.subscribe()
    run()
    bank.execute("UPDATE payments.subscriptions SET quantity = 9")

    def fault(*_given: Any) -> None:
        raise KeyError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(reconciling, "apply_answer", fault)
        report = run()

    assert (report["unexplained"], report["complete"]) == (1, True)
    assert run()["drifted"] == 1


def test_a_subscription_that_differs_is_repaired_and_counted(buyer: Buyer) -> None:
    buyer.subscribe()
    run()
    bank.execute("UPDATE payments.subscriptions SET status = 'PAST_DUE', quantity = 9")

    report = run()

    assert (report["drifted"], report["subscriptions_compared"]) == (1, 1)
    row = buyer.subscription()
    assert (row.status, row.quantity) == ("ACTIVE", 1)
    assert "drifted" not in run()


def test_one_that_lives_here_and_not_there_is_ended(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    run()
    buyer.local.client.v1.subscriptions.cancel(subscription.stripe_subscription_id)
    # Its event came, and somebody restored an older row.
    run()
    bank.execute("UPDATE payments.subscriptions SET status = 'ACTIVE', ended_at = NULL")

    assert run()["drifted"] == 1
    assert buyer.subscription().status == "CANCELED"


def test_one_that_lives_there_and_not_here_is_made(buyer: Buyer) -> None:
    buyer.subscribe()
    run()
    bank.execute("UPDATE payments.transactions SET subscription_id = NULL, invoice_id = NULL")
    bank.execute("DELETE FROM payments.invoices")
    bank.execute("DELETE FROM payments.subscriptions")

    assert run()["drifted"] == 1
    assert buyer.subscription().status == "ACTIVE"


@pytest.mark.parametrize("gone", ["deleted_at = now()", None])
def test_whoever_deleted_their_account_is_charged_no_more(buyer: Buyer, gone: str | None) -> None:
    subscription = buyer.subscribe()
    assert run()["refused"] == 0
    assert buyer.subscription().status == "ACTIVE"
    if gone is None:  # erased
        bank.execute("UPDATE payments.subscriptions SET user_id = NULL")
        bank.execute("UPDATE payments.customers SET user_id = NULL")
    else:
        bank.execute(f"UPDATE auth.users SET {gone} WHERE id = :id", id=buyer.person.id)

    report = run()

    assert (report["cancellations"], report["refused"], report["complete"]) == (1, 0, True)
    at_stripe = buyer.local.standin.find("subscription", subscription.stripe_subscription_id)
    assert at_stripe["status"] == "canceled"
    assert bank.value("SELECT status FROM payments.subscriptions") == "CANCELED"
    assert run().get("cancellations", 0) == 0


def test_others_customers_are_none_of_ours(standin: LocalStripe, buyer: Buyer) -> None:
    v1 = standin.client.v1
    other = v1.customers.create({"email": "x@example.com"})
    method = v1.payment_methods.attach("pm_card_visa", {"customer": other.id})
    v1.subscriptions.create(
        {
            "customer": other.id,
            "items": [{"price": buyer.prices["monthly"]}],
            "default_payment_method": method.id,
        }
    )

    report = run()

    assert report["events_failed"] > 0
    assert "drifted" not in report
    assert bank.value("SELECT count(*) FROM payments.subscriptions") == 0


def test_without_time_it_goes_on_in_the_next_run(buyer: Buyer) -> None:
    buyer.pay(buyer.visit("pack"))

    report = run(milliseconds=5_000)

    assert (report["processed"], report["complete"]) == (0, False)


def test_without_an_account_there_is_nothing_to_reconcile(database_url: str) -> None:
    assert run()["complete"] is True
