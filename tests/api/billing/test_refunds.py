"""A buyer takes a purchase back: all of it, within the time, once."""

from __future__ import annotations

from typing import Any

import pytest

from studypack.billing import refunds
from studypack.billing.models import RefundStatus
from studypack.core.errors import Conflict
from tests.support import bank, shop
from tests.support.accounts import change_setting
from tests.support.billing import LocalStripe
from tests.support.concurrency import at_once


def take_back(person: Any, purchase: dict[str, Any], *, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return person.post(f"/api/purchases/{purchase['id']}/refund", headers=headers)


@pytest.fixture
def bought(learner: Any, standin: LocalStripe) -> dict[str, Any]:
    return shop.buy(learner, standin)


def test_all_of_the_payment_goes_back_and_the_access_ends_at_once(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    answer = take_back(learner, bought)

    assert answer.status_code == 202
    assert answer.json()["money"] == {"amount": 7900, "currency": "usd"}
    # Before any event of Stripe's came.
    now = shop.newest(learner)
    assert (now["status"], now["status_reason"]) == ("REFUNDED", "refunded")
    [refund] = standin.standin.all("refund")
    assert (refund["amount"], refund["reason"]) == (7900, "requested_by_customer")
    assert refund["metadata"]["studypack_refund_id"] == answer.json()["id"]


def test_the_events_of_a_refund_change_nothing_any_more(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    take_back(learner, bought)
    before = learner.get("/api/purchases").json()

    standin.deliver_new()

    after = learner.get("/api/purchases").json()
    after["items"][0]["refunded"] = before["items"][0]["refunded"]
    assert after == before
    assert bank.value("SELECT count(*) FROM payments.refunds") == 1
    notes = bank.rows("SELECT number, amount FROM payments.credit_notes")
    assert [(row.number[:3], row.amount) for row in notes] == [("CN-", 7900)]


def test_twice_is_refused_and_a_repeated_key_is_not_twice(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    first, again = take_back(learner, bought, key="k"), take_back(learner, bought, key="k")
    other = take_back(learner, bought)

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "already_refunded")
    assert len(standin.standin.all("refund")) == 1


def test_after_the_time_one_asks_support(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    change_setting("refund_days", 30)
    bank.execute("UPDATE payments.purchases SET access_start = access_start - interval '31 days'")

    answer = take_back(learner, bought)

    assert (answer.status_code, answer.json()["code"]) == (409, "refund_window_over")
    assert answer.json()["refundable_until"]
    assert standin.standin.all("refund") == []


def test_what_is_left_after_a_part_went_back_can_be_taken_back(
    learner: Any, support: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    support.post(
        f"/api/admin/users/{learner.id}/refunds",
        json={
            "transaction_id": str(shop.payment_of(bought).id),
            "amount": 900,
            "reason": "a broken page",
        },
    )
    standin.deliver_new()
    assert shop.newest(learner)["status"] == "COMPLETED"

    answer = take_back(learner, bought)

    assert answer.json()["money"]["amount"] == 7000
    standin.deliver_new()
    assert shop.newest(learner)["refunded"]["amount"] == 7900


def test_an_unpaid_purchase_is_not_taken_back(learner: Any, standin: LocalStripe) -> None:
    shop.open_page(learner)

    answer = take_back(learner, shop.newest(learner))

    assert (answer.status_code, answer.json()["code"]) == (409, "not_refundable")


def test_a_payment_that_the_bank_decides_about_is_not_given_back(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    standin.standin.dispute(shop.payment_of(bought).stripe_charge_id)
    standin.deliver_new()

    answer = take_back(learner, bought)

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_disputed")


def test_anothers_purchase_is_not_taken_back(
    other_learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    answer = take_back(other_learner, bought)

    assert (answer.status_code, answer.json()["code"]) == (404, "purchase_not_found")
    assert standin.standin.all("refund") == []


def test_when_stripe_is_down_the_refund_is_promised_and_comes_later(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    standin.standin.set_switches({"api_failures": 1_000})
    answer = take_back(learner, bought)
    standin.standin.set_switches({"api_failures": 0})

    assert (answer.status_code, answer.json()["status"]) == (202, "PENDING")
    assert shop.newest(learner)["status"] == "REFUNDED"
    assert standin.standin.all("refund") == []

    settled = refunds.settle(bank.value("SELECT id FROM payments.refunds"))

    assert settled.status is RefundStatus.SUCCEEDED
    assert len(standin.standin.all("refund")) == 1


def test_an_answer_that_was_lost_does_not_pay_twice(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    standin.standin.set_switches({"api_lost_answers": 5})
    take_back(learner, bought)
    standin.standin.set_switches({"api_lost_answers": 0})

    refunds.settle(bank.value("SELECT id FROM payments.refunds"))

    assert len(standin.standin.all("refund")) == 1
    assert bank.value("SELECT status FROM payments.refunds") == "SUCCEEDED"


def test_after_days_it_is_looked_for_at_stripe_before_it_is_asked_for_again(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    take_back(learner, bought)
    made = bank.row("SELECT id, stripe_refund_id FROM payments.refunds")
    bank.execute(
        "UPDATE payments.refunds SET status = 'PENDING', stripe_refund_id = NULL,"
        " settled_at = NULL, created_at = now() - interval '3 days'"
    )

    refunds.settle(made.id)

    assert len(standin.standin.all("refund")) == 1
    assert bank.value("SELECT stripe_refund_id FROM payments.refunds") == made.stripe_refund_id


def test_a_refund_that_stripe_refuses_gives_the_access_back(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    standin.standin.dispute(shop.payment_of(bought).stripe_charge_id)  # not told to us yet

    answer = take_back(learner, bought)

    assert (answer.status_code, answer.json()["status"]) == (202, "FAILED")
    assert shop.newest(learner)["status"] == "COMPLETED"
    assert bank.value("SELECT error FROM payments.refunds") == "charge_disputed"


def test_without_funds_of_ours_it_stays_promised(
    learner: Any,
    standin: LocalStripe,
    bought: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def poor(*_: Any) -> Any:
        raise Conflict("no", code="payment_refused", reason="balance_insufficient")

    with monkeypatch.context() as patched:
        patched.setattr(refunds, "call_once", poor)
        assert take_back(learner, bought).json()["status"] == "PENDING"

    assert refunds.settle(bank.value("SELECT id FROM payments.refunds")).settled_at is not None


@pytest.mark.usefixtures("wide_pool")
def test_a_purchase_taken_back_many_times_at_once_goes_back_once(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    answers = at_once(*[lambda: take_back(learner, bought)] * 10)

    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 9
    assert len(standin.standin.all("refund")) == 1


@pytest.mark.usefixtures("wide_pool")
def test_one_promise_settled_by_many_is_asked_for_once(
    learner: Any, standin: LocalStripe, bought: dict[str, Any]
) -> None:
    standin.standin.set_switches({"api_failures": 1_000})
    take_back(learner, bought)
    standin.standin.set_switches({"api_failures": 0})
    id = bank.value("SELECT id FROM payments.refunds")

    settled = at_once(*[lambda: refunds.settle(id)] * 8)

    assert {each.status for each in settled} == {RefundStatus.SUCCEEDED}
    assert len(standin.standin.all("refund")) == 1
    assert bank.value("SELECT count(*) FROM payments.credit_notes") == 1
