"""What was promised and not made: refunds and cancellations that a crash or an outage left."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from studypack.billing import refunds
from studypack.billing.models import RefundOrigin, Transaction
from studypack.core.database import transaction
from tests.support import bank, billing
from tests.support.buyer import FAILS_LATER, GOOD, Buyer
from tests.support.concurrency import at_once


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return billing.run_job("settle_with_stripe", milliseconds)


def promise(buyer: Buyer, purchase: Any, amount: int | None = None) -> UUID:
    """A refund whose process died after the commit of the promise."""
    with transaction() as session:
        payment = session.get_one(Transaction, buyer.payment("purchase_id", purchase.id).id)
        return refunds.reserve(
            session, payment, amount, origin=RefundOrigin.BUYER, requested_by=None, reason=None
        ).id


def decide_to_cancel(subscription: Any) -> None:
    bank.execute(
        "UPDATE payments.subscriptions SET cancel_requested_at = now(), access_ended_at = now()"
        " WHERE id = :id",
        id=subscription.id,
    )


def test_a_promised_refund_is_made_once(buyer: Buyer) -> None:
    bought = buyer.buy()
    promise(buyer, bought)

    report = run()

    assert (report["refunds"], report["refused"], report["complete"]) == (1, 0, True)
    assert bank.value("SELECT status FROM payments.refunds") == "SUCCEEDED"
    assert run()["processed"] == 0
    buyer.local.deliver_new()
    assert len(buyer.local.standin.all("refund")) == 1
    assert bank.value("SELECT count(*) FROM payments.refunds") == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_runs_at_once_refund_once(buyer: Buyer) -> None:
    bought = buyer.buy()
    promise(buyer, bought)

    at_once(run, run, run)

    assert len(buyer.local.standin.all("refund")) == 1
    assert bank.value("SELECT status FROM payments.refunds") == "SUCCEEDED"


def test_an_outage_leaves_it_to_the_next_run_and_is_counted(buyer: Buyer) -> None:
    bought = buyer.buy()
    promise(buyer, bought)
    buyer.local.standin.set_switches({"api_failures": 2})

    assert run()["refused"] == 1
    assert bank.value("SELECT status FROM payments.refunds") == "PENDING"
    assert run()["refunds"] == 1


def test_one_that_fails_for_whatever_reason_keeps_no_other_from_being_done(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = promise(buyer, bought := buyer.buy(), 100), promise(buyer, bought, 200)
    settle = refunds.settle

    def fails_once(refund_id: UUID) -> Any:
        if refund_id == first:
            raise KeyError("a fault of ours")
        return settle(refund_id)

    monkeypatch.setattr(refunds, "settle", fails_once)

    report = run()

    assert (report["refunds"], report["refused"], report["complete"]) == (1, 1, True)
    assert bank.value("SELECT status FROM payments.refunds WHERE id = :id", id=second) == (
        "SUCCEEDED"
    )


def test_an_answer_that_was_lost_makes_no_second_refund(buyer: Buyer) -> None:
    bought = buyer.buy()
    promise(buyer, bought, 900)
    buyer.local.standin.set_switches({"api_lost_answers": 2})

    run()
    run()

    assert [each["amount"] for each in buyer.local.standin.all("refund")] == [900]
    assert bank.value("SELECT status FROM payments.refunds") == "SUCCEEDED"


def test_a_subscription_that_is_to_end_is_ended_at_stripe(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    decide_to_cancel(subscription)

    report = run()

    assert (report["cancellations"], report["refused"]) == (1, 0)
    ended = buyer.subscription()
    assert (ended.status, ended.cancel_requested_at) == ("CANCELED", None)
    at_stripe = buyer.local.standin.find("subscription", subscription.stripe_subscription_id)
    assert at_stripe["status"] == "canceled"
    assert run()["processed"] == 0


def test_one_that_has_ended_there_already_is_taken_over(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    buyer.local.client.v1.subscriptions.cancel(subscription.stripe_subscription_id)
    decide_to_cancel(subscription)

    assert run()["cancellations"] == 1
    assert buyer.subscription().status == "CANCELED"


def test_grace_that_ended_while_the_payment_came_through_ends_nothing(buyer: Buyer) -> None:
    buyer.subscribe()
    buyer.local.standin.replace_card(buyer.customer_id, FAILS_LATER)
    buyer.pass_days(32)
    buyer.local.deliver_new()
    bank.execute("UPDATE payments.subscriptions SET payment_failed_at = now() - interval '15 days'")
    assert billing.run_job("expire_access")["subscriptions"] == 1
    buyer.local.standin.replace_card(buyer.customer_id, GOOD)
    buyer.pass_days(5)  # paid at Stripe; the news is not here yet

    assert run()["cancellations"] == 1

    subscription = buyer.subscription()
    assert (subscription.status, subscription.cancel_requested_at) == ("ACTIVE", None)
    at_stripe = buyer.local.standin.find("subscription", subscription.stripe_subscription_id)
    assert at_stripe["status"] == "active"


def test_grace_that_ended_for_good_ends_the_subscription(buyer: Buyer) -> None:
    buyer.subscribe()
    buyer.local.standin.replace_card(buyer.customer_id, FAILS_LATER)
    buyer.pass_days(32)
    buyer.local.deliver_new()
    bank.execute("UPDATE payments.subscriptions SET payment_failed_at = now() - interval '15 days'")
    billing.run_job("expire_access")

    assert run()["cancellations"] == 1
    assert buyer.subscription().status == "CANCELED"


def test_without_time_nothing_is_asked(buyer: Buyer) -> None:
    bought = buyer.buy()
    promise(buyer, bought)

    report = run(milliseconds=5_000)

    assert (report["processed"], report["complete"]) == (0, False)
