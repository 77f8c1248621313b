"""What events do to what is bought once: paid, paid late, failed, expired, refunded, disputed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import bank, billing
from tests.support.billing import LocalStripe
from tests.support.buyer import DECLINED, SLOW, Buyer


def mails(person: Any) -> list[str]:
    return [
        row.template
        for row in bank.rows(
            "SELECT template FROM notifications.email_queue WHERE user_id = :id"
            " AND template IN ('RECEIPT', 'REFUND', 'PAYMENT_FAILED') ORDER BY created_at, id",
            id=person.id,
        )
    ]


def figures(person: Any) -> dict[str, int]:
    return {
        row.event_name: row.count
        for row in bank.rows(
            "SELECT event_name, count(*) FROM activity.analytics_events WHERE user_id = :id"
            " AND event_name NOT LIKE 'signup%' GROUP BY 1",
            id=person.id,
        )
    }


def credit_notes() -> list[Any]:
    return bank.rows("SELECT * FROM payments.credit_notes ORDER BY number")


def test_a_payment_opens_the_window_of_the_product(buyer: Buyer) -> None:
    bought = buyer.buy()

    assert (bought.status, bought.total_amount, bought.refunded_amount) == ("COMPLETED", 2900, 0)
    assert bought.access_end - bought.access_start == timedelta(days=90)
    payment = buyer.payment("purchase_id", bought.id)
    assert (payment.status, payment.amount, payment.payment_method) == ("SUCCEEDED", 2900, "card")
    assert bought.access_start == payment.paid_at
    assert bought.stripe_payment_intent_id == payment.stripe_payment_intent_id
    invoice = bank.row("SELECT * FROM payments.invoices")
    assert (invoice.status, invoice.total, invoice.purchase_id) == ("PAID", 2900, bought.id)
    assert mails(buyer.person) == ["RECEIPT"]
    assert figures(buyer.person) == {"purchase_completed": 1}


def test_the_payment_intent_alone_opens_it_too(buyer: Buyer) -> None:
    visit = buyer.pay(buyer.visit("pack"))

    buyer.local.deliver_new("payment_intent.succeeded")

    assert buyer.purchase(visit).status == "COMPLETED"
    assert buyer.checkout(visit).is_paid is False


def test_a_declined_card_leaves_the_page_open_and_the_next_one_pays(buyer: Buyer) -> None:
    from local.stripe import ApiError

    visit = buyer.visit("pack")
    with pytest.raises(ApiError):
        buyer.pay(visit, DECLINED)
    buyer.local.deliver_new()
    assert buyer.purchase(visit).status == "CANCELED"  # its reservation was replaced
    payment = bank.row("SELECT * FROM payments.transactions")
    assert (payment.status, payment.failure_code) == ("FAILED", "generic_decline")

    buyer.pay(visit)
    buyer.local.deliver_new()

    assert buyer.purchase(visit).status == "COMPLETED"
    payment = bank.row("SELECT * FROM payments.transactions")
    assert (payment.status, payment.failure_code) == ("SUCCEEDED", None)


def test_a_slow_method_opens_nothing_until_the_money_is_there(buyer: Buyer) -> None:
    visit = buyer.pay(buyer.visit("pack"), **SLOW)
    buyer.local.deliver_new()
    assert (buyer.checkout(visit).status, buyer.checkout(visit).is_paid) == ("COMPLETED", False)
    assert buyer.purchase(visit).status == "PENDING"

    buyer.pass_days(3)
    buyer.local.standin.settle(buyer.checkout(visit).stripe_payment_intent_id, succeeded=True)
    buyer.local.deliver_new()

    bought = buyer.purchase(visit)
    assert bought.status == "COMPLETED"
    paid = datetime.fromtimestamp(buyer.local.events[-1]["created"], UTC)
    assert bought.access_start == paid


def test_a_slow_method_that_fails_ends_the_purchase(buyer: Buyer) -> None:
    visit = buyer.pay(buyer.visit("pack"), **SLOW)
    buyer.local.deliver_new()
    buyer.local.standin.settle(buyer.checkout(visit).stripe_payment_intent_id, succeeded=False)
    buyer.local.deliver_new()

    bought = buyer.purchase(visit)
    assert (bought.status, bought.status_reason) == ("FAILED", "payment_failed")
    assert bank.value("SELECT count(*) FROM payments.invoices") == 0


def test_a_page_that_nobody_pays_cancels_the_purchase(buyer: Buyer) -> None:
    visit = buyer.visit("pack", status="OPEN")
    buyer.local.client.v1.checkout.sessions.expire(visit.session_id)

    buyer.local.deliver_new()

    assert buyer.checkout(visit).status == "EXPIRED"
    bought = buyer.purchase(visit)
    assert (bought.status, bought.status_reason) == ("CANCELED", "checkout_expired")


def test_a_page_that_counted_as_expired_and_was_paid_all_the_same_counts(buyer: Buyer) -> None:
    visit = buyer.visit("pack", status="OPEN")
    bank.execute("UPDATE payments.checkouts SET expires_at = now() - interval '1 hour'")
    assert billing.run_job("expire_access")["purchases"] == 1

    buyer.pay(visit)
    buyer.local.deliver_new()

    assert buyer.purchase(visit).status == "COMPLETED"


def test_a_full_refund_ends_access_and_a_credit_note_takes_the_invoice_back(buyer: Buyer) -> None:
    bought = buyer.buy()
    buyer.refund(bought.stripe_payment_intent_id)
    buyer.local.deliver_new()

    row = bank.row("SELECT * FROM payments.purchases WHERE id = :id", id=bought.id)
    assert (row.status, row.status_reason, row.refunded_amount) == ("REFUNDED", "refunded", 2900)
    assert buyer.payment("purchase_id", bought.id).status == "REFUNDED"
    refund = bank.row("SELECT * FROM payments.refunds")
    assert (refund.status, refund.origin, refund.amount) == ("SUCCEEDED", "STRIPE", 2900)
    [note] = credit_notes()
    assert (note.amount, note.refund_id) == (2900, refund.id)
    assert mails(buyer.person) == ["RECEIPT", "REFUND"]
    assert figures(buyer.person) == {"purchase_completed": 1, "refund_completed": 1}


def test_partial_refunds_leave_access_until_all_went_back(buyer: Buyer) -> None:
    bought = buyer.buy()
    for amount, status in ((900, "COMPLETED"), (1000, "COMPLETED"), (1000, "REFUNDED")):
        buyer.refund(bought.stripe_payment_intent_id, amount)
        buyer.local.deliver_new()
        row = bank.row("SELECT * FROM payments.purchases WHERE id = :id", id=bought.id)
        assert row.status == status
    assert [note.amount for note in credit_notes()] == [900, 1000, 1000]


def test_a_refund_that_is_told_before_its_payment_is_kept_and_counts(buyer: Buyer) -> None:
    visit = buyer.pay(buyer.visit("pack"))
    intent = buyer.local.standin.all("payment_intent")[-1]["id"]
    buyer.refund(intent)
    buyer.local.deliver_new("refund.created", "charge.refunded")
    assert buyer.purchase(visit).status == "CANCELED"  # nobody told of a payment yet
    assert credit_notes() == []

    buyer.local.deliver_new()

    assert (buyer.purchase(visit).status, len(credit_notes())) == ("REFUNDED", 1)


def test_a_dispute_leaves_access_until_it_is_lost(buyer: Buyer) -> None:
    bought = buyer.buy()
    charge = buyer.payment("purchase_id", bought.id).stripe_charge_id
    dispute = buyer.local.standin.dispute(charge)
    buyer.local.deliver_new()
    assert bank.value("SELECT status FROM payments.disputes") == "OPEN"
    assert bank.value("SELECT status FROM payments.purchases") == "COMPLETED"

    buyer.local.standin.close_dispute(dispute, won=False)
    buyer.local.deliver_new()

    row = bank.row("SELECT * FROM payments.purchases")
    assert (row.status, row.status_reason) == ("REFUNDED", "dispute_lost")
    assert bank.value("SELECT status FROM payments.disputes") == "LOST"


def test_a_dispute_that_is_won_changes_nothing(buyer: Buyer) -> None:
    bought = buyer.buy()
    charge = buyer.payment("purchase_id", bought.id).stripe_charge_id
    dispute = buyer.local.standin.dispute(charge)
    buyer.local.standin.close_dispute(dispute, won=True)
    buyer.local.deliver_new()

    assert bank.value("SELECT status FROM payments.disputes") == "WON"
    assert bank.value("SELECT status FROM payments.purchases") == "COMPLETED"


def test_what_was_paid_twice_opens_once_and_goes_back_by_itself(buyer: Buyer) -> None:
    first, second = buyer.pay(buyer.visit("pack")), buyer.pay(buyer.visit("pack"))

    buyer.local.deliver_new()  # our refund's own events come with the next delivery
    buyer.local.deliver_new()

    kept, other = sorted(
        (buyer.purchase(first), buyer.purchase(second)), key=lambda row: row.is_duplicate
    )
    assert (kept.status, kept.is_duplicate) == ("COMPLETED", False)
    assert (other.status, other.status_reason) == ("REFUNDED", "paid_twice")
    refund = bank.row("SELECT * FROM payments.refunds")
    assert (refund.origin, refund.amount, refund.status) == ("AUTOMATIC", 2900, "SUCCEEDED")
    assert refund.stripe_refund_id is not None
    assert len(buyer.local.standin.all("refund")) == 1
    assert len(credit_notes()) == 1


def test_the_same_product_after_a_refund_is_not_paid_twice_even_if_the_refund_is_told_last(
    buyer: Buyer,
) -> None:
    bought = buyer.buy()
    buyer.pass_days(1)
    buyer.refund(bought.stripe_payment_intent_id)
    late = buyer.local.new_events()
    buyer.local.delivered.update(event["id"] for event in late)
    buyer.pass_days(1)

    again = buyer.buy()

    assert (again.status, again.is_duplicate) == ("COMPLETED", False)
    for event in late:
        assert billing.deliver(event).status == 200
    assert bank.value("SELECT count(*) FROM payments.refunds") == 1


def test_a_second_window_after_the_first_has_ended_is_not_paid_twice(buyer: Buyer) -> None:
    buyer.buy()
    buyer.pass_days(91)

    again = buyer.buy()

    assert (again.status, again.is_duplicate) == ("COMPLETED", False)


def test_a_free_checkout_is_paid_without_a_payment(buyer: Buyer) -> None:
    v1 = buyer.local.client.v1
    coupon = v1.coupons.create({"percent_off": 100, "duration": "once"})
    visit = buyer.visit("pack", discounts=[{"coupon": coupon.id}])
    buyer.pay(visit)
    buyer.local.deliver_new()

    bought = buyer.purchase(visit)
    assert (bought.status, bought.total_amount) == ("COMPLETED", 0)
    assert bank.value("SELECT count(*) FROM payments.transactions") == 0


def test_a_currency_without_decimals_is_charged_as_it_is(learner: Any, buyer: Buyer) -> None:
    v1 = buyer.local.client.v1
    buyer.customer_id = v1.customers.create({"email": "yen@example.com"}).id
    bank.execute(
        "UPDATE payments.customers SET stripe_customer_id = :id WHERE id = :row",
        id=buyer.customer_id,
        row=buyer.row,
    )
    buyer.offer("yen", 4500, currency="jpy")

    bought = buyer.buy("yen")

    assert (bought.status, bought.total_amount, bought.currency) == ("COMPLETED", 4500, "jpy")


def test_the_window_keeps_the_length_that_was_bought(buyer: Buyer) -> None:
    bought = buyer.buy()
    bank.execute("UPDATE payments.products SET access_window_days = 5 WHERE sku = 'buyer-pack'")
    buyer.refund(bought.stripe_payment_intent_id, 100)
    buyer.local.deliver_new()

    row = bank.row("SELECT * FROM payments.purchases")
    assert (row.access_start, row.access_end) == (bought.access_start, bought.access_end)


def test_money_of_somebody_who_left_goes_on(buyer: Buyer) -> None:
    bought = buyer.buy()
    for table in ("customers", "checkouts", "purchases", "transactions", "invoices"):
        bank.execute(f"UPDATE payments.{table} SET user_id = NULL")
    bank.execute("DELETE FROM notifications.email_queue")
    buyer.refund(bought.stripe_payment_intent_id)

    buyer.local.deliver_new()

    assert bank.value("SELECT status FROM payments.purchases") == "REFUNDED"
    assert bank.value("SELECT count(*) FROM notifications.email_queue") == 0
    assert len(credit_notes()) == 1


def test_a_payment_page_of_nobodys_is_kept_and_explained(
    buyer: Buyer, standin: LocalStripe
) -> None:
    session = standin.client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "customer": buyer.customer_id,
            "line_items": [{"price": buyer.prices["pack"], "quantity": 1}],
            "success_url": "https://app.example.com/",
        }
    )
    standin.standin.pay(session.id)
    [event] = standin.new_events("checkout.session.completed")

    answer = billing.deliver(event)

    assert (answer.status, answer.outcome) == (500, "failed")
    assert billing.error_of(event["id"]) == "No checkout of ours opened this payment page."
