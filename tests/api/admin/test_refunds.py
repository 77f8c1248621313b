"""Support gives money back: any time, a part too, never more than there is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import bank, billing, shop
from tests.support.billing import LocalStripe
from tests.support.concurrency import at_once
from tests.support.people import PASSWORD


def refund(
    support: Any, owner: Any, transaction_id: Any, *, key: str | None = None, **other: Any
) -> Any:
    return support.post(
        f"/api/admin/users/{owner.id}/refunds",
        json={"transaction_id": str(transaction_id), "reason": "a kindness", **other},
        headers={} if key is None else {"Idempotency-Key": key},
    )


@pytest.fixture
def payment(learner: Any, standin: LocalStripe) -> Any:
    return shop.payment_of(shop.buy(learner, standin))


def look(support: Any, learner: Any) -> dict[str, Any]:
    answer = support.get(f"/api/admin/users/{learner.id}/purchases")
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()
    return seen


def test_support_sees_purchases_subscriptions_payments_and_refunds(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-annual"))
    refund(support, learner, payment.id, amount=100)
    standin.deliver_new()

    seen = look(support, learner)

    [purchase] = seen["purchases"]
    [subscription] = seen["subscriptions"]
    of_subscription, of_purchase = seen["transactions"]
    assert (purchase["sku"], purchase["refunded"]["amount"]) == (shop.EXAM_PACK, 100)
    assert (subscription["sku"], subscription["status"]) == ("pro-annual", "ACTIVE")
    assert of_purchase["id"] == str(payment.id)
    assert [(each["money"]["amount"], each["reason"]) for each in of_purchase["refunds"]] == [
        (100, "a kindness")
    ]
    assert of_subscription["subscription_id"] == subscription["id"]


def test_somebody_who_never_bought_has_nothing(learner: Any, support: Any) -> None:
    seen = look(support, learner)

    assert (seen["purchases"], seen["subscriptions"], seen["transactions"]) == ([], [], [])


def test_the_look_is_three_statements(
    learner: Any,
    support: Any,
    standin: LocalStripe,
    payment: Any,
    statements: Callable[[], list[str]],
) -> None:
    look(support, learner)
    statements()

    look(support, learner)

    assert len(statements()) == 3  # authentication, subscriptions, purchases with payments


def test_a_part_goes_back_and_the_access_stays(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    answer = refund(support, learner, payment.id, amount=900)

    assert answer.status_code == 202
    assert answer.json()["money"] == {"amount": 900, "currency": "usd"}
    assert shop.newest(learner)["status"] == "COMPLETED"
    assert standin.standin.all("refund")[0]["amount"] == 900
    # What support wrote is for support.
    assert "a kindness" not in learner.get("/api/purchases").text


def test_all_of_it_ends_the_access_also_after_the_buyers_time(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    bank.execute(
        "UPDATE payments.purchases SET access_start = access_start - interval '200 days',"
        " access_end = NULL"
    )

    answer = refund(support, learner, payment.id)

    assert answer.json()["money"]["amount"] == 7900
    assert shop.newest(learner)["status"] == "REFUNDED"


def test_a_subscriptions_payment_that_goes_back_ends_its_access(
    learner: Any, support: Any, standin: LocalStripe
) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-annual"))
    [paid] = look(support, learner)["transactions"]

    refund(support, learner, paid["id"])

    [subscription] = look(support, learner)["subscriptions"]
    assert subscription["access_ended_at"] is not None


def test_whoever_got_the_present_period_back_is_not_charged_for_the_next(
    learner: Any, support: Any, standin: LocalStripe
) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-annual"))
    [paid] = look(support, learner)["transactions"]

    refund(support, learner, paid["id"], amount=39_899)
    assert billing.run_job("settle_with_stripe")["processed"] == 0
    refund(support, learner, paid["id"])

    assert billing.run_job("settle_with_stripe")["cancellations"] == 1
    [at_stripe] = standin.standin.all("subscription")
    assert at_stripe["status"] == "canceled"
    assert shop.ask(learner, "pro-annual").status_code == 201


def test_a_refund_that_stripe_refuses_ends_no_subscription(
    learner: Any, support: Any, standin: LocalStripe
) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-annual"))
    [paid] = look(support, learner)["transactions"]
    standin.standin.dispute(standin.standin.all("charge")[-1]["id"])  # its news is on its way

    refused = refund(support, learner, paid["id"]).json()
    billing.run_job("settle_with_stripe")

    assert refused["status"] == "FAILED"
    [subscription] = look(support, learner)["subscriptions"]
    assert (subscription["status"], subscription["access_ended_at"]) == ("ACTIVE", None)
    assert standin.standin.all("subscription")[0]["status"] == "active"


def test_nobody_gives_themselves_money_back(support: Any, standin: LocalStripe) -> None:
    paid = shop.payment_of(shop.buy(support, standin))

    answer = refund(support, support, paid.id)

    assert (answer.status_code, answer.json()["code"]) == (409, "own_account")
    assert standin.standin.all("refund") == []


def test_an_act_of_support_is_written_down(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    made = refund(support, learner, payment.id, amount=5).json()

    [act] = bank.rows("SELECT * FROM auth.audit_log WHERE action = 'refund.requested'")
    assert (act.actor_id, act.subject_id) == (support.id, learner.id)
    assert (act.details["refund_id"], act.details["amount"]) == (made["id"], 5)


def test_more_than_is_left_is_refused_with_what_is_left(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    refund(support, learner, payment.id, amount=7000)

    answer = refund(support, learner, payment.id, amount=901)

    assert (answer.status_code, answer.json()["code"]) == (409, "refund_exceeds_payment")
    assert answer.json()["refundable"] == {"amount": 900, "currency": "usd"}
    assert refund(support, learner, payment.id, amount=900).status_code == 202
    nothing = refund(support, learner, payment.id)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "already_refunded")


def test_what_somebody_gave_back_at_stripe_counts_too(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    standin.client.v1.refunds.create(
        {"payment_intent": payment.stripe_payment_intent_id, "amount": 7000}
    )
    standin.deliver_new()

    answer = refund(support, learner, payment.id, amount=901)

    assert (answer.status_code, answer.json()["code"]) == (409, "refund_exceeds_payment")


def test_a_repeated_key_gives_back_once(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    first, again = (refund(support, learner, payment.id, amount=10, key="k") for _ in range(2))

    assert first.json()["id"] == again.json()["id"]
    assert len(standin.standin.all("refund")) == 1
    assert refund(support, learner, payment.id, amount=11, key="k").status_code == 422


@pytest.mark.usefixtures("wide_pool")
def test_twenty_parts_at_once_are_never_more_than_the_payment(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    answers = at_once(*[lambda: refund(support, learner, payment.id, amount=1000)] * 20)

    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(202), statuses.count(409)) == (7, 13)
    standin.deliver_new()
    assert sum(each["amount"] for each in standin.standin.all("refund")) == 7000
    assert bank.value("SELECT refunded_amount FROM payments.transactions") == 7000
    assert bank.value("SELECT sum(amount) FROM payments.credit_notes") == 7000


def test_a_payment_of_another_or_of_nobody_is_not_found(
    learner: Any, other_learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    anothers = refund(support, other_learner, payment.id)
    nobodys = refund(support, learner, learner.id)

    for answer in (anothers, nobodys):
        assert (answer.status_code, answer.json()["code"]) == (404, "transaction_not_found")


def test_a_payment_that_failed_is_not_given_back(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    bank.execute("UPDATE payments.transactions SET status = 'FAILED'")

    answer = refund(support, learner, payment.id)

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_not_settled")


def test_a_learner_gives_nothing_back(learner: Any, standin: LocalStripe, payment: Any) -> None:
    assert refund(learner, learner, payment.id).status_code == 403
    assert learner.get(f"/api/admin/users/{learner.id}/purchases").status_code == 403


def test_the_money_of_a_deleted_account_can_be_given_back(
    learner: Any, support: Any, standin: LocalStripe, payment: Any
) -> None:
    gone = learner.request("DELETE", "/api/users/me", json={"password": PASSWORD})
    assert gone.status_code in {200, 202, 204}, gone.text

    [seen] = look(support, learner)["transactions"]
    answer = refund(support, learner, seen["id"])

    assert (answer.status_code, answer.json()["status"]) == (202, "SUCCEEDED")
