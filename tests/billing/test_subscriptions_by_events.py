"""What events do to subscriptions and their invoices: trial, renewal, failure, recovery, end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.support import bank, billing
from tests.support.billing import LocalStripe
from tests.support.buyer import FAILS_LATER, GOOD, Buyer


def templates(buyer: Buyer) -> list[str]:
    return sorted(
        row.template
        for row in bank.rows(
            "SELECT template FROM notifications.email_queue WHERE user_id = :id"
            " AND template NOT LIKE 'VERIFY%' AND template <> 'WELCOME'",
            id=buyer.person.id,
        )
    )


def count(event_name: str) -> int:
    return int(
        bank.value(
            "SELECT count(*) FROM activity.analytics_events WHERE event_name = :name",
            name=event_name,
        )
    )


def invoices() -> list[Any]:
    return bank.rows("SELECT * FROM payments.invoices ORDER BY issued_at, number")


def told_at(event: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(event["created"], UTC)


def fail_the_renewal(buyer: Buyer) -> Any:
    """A month passes, and the card takes no more."""
    buyer.local.standin.replace_card(buyer.customer_id, FAILS_LATER)
    buyer.pass_days(32)
    buyer.local.deliver_new()
    return buyer.subscription()


def test_the_first_payment_makes_a_subscription_live(buyer: Buyer) -> None:
    subscription = buyer.subscribe()

    assert (subscription.status, subscription.plan, subscription.interval) == (
        "ACTIVE",
        "PRO",
        "MONTHLY",
    )
    assert (subscription.amount, subscription.currency, subscription.quantity) == (4900, "usd", 1)
    [invoice] = invoices()
    assert (invoice.status, invoice.total, invoice.subscription_id) == (
        "PAID",
        4900,
        subscription.id,
    )
    payment = buyer.payment("invoice_id", invoice.id)
    assert (payment.subscription_id, payment.status) == (subscription.id, "SUCCEEDED")
    assert templates(buyer) == ["RECEIPT"]
    assert count("subscription_started") == 1
    method = bank.row("SELECT * FROM payments.payment_methods")
    assert (method.type, method.brand, method.last4) == ("CARD", "visa", "4242")


def test_an_invoice_that_is_told_first_brings_its_subscription(buyer: Buyer) -> None:
    buyer.pay(buyer.visit("monthly"))

    buyer.local.deliver_new("invoice.paid")

    subscription = buyer.subscription()
    assert (subscription.status, subscription.version_at) == ("ACTIVE", None)
    assert buyer.payment("subscription_id", subscription.id).status == "SUCCEEDED"


def test_a_trial_is_announced_before_it_ends_and_then_paid(buyer: Buyer) -> None:
    subscription = buyer.subscribe(trial_days=7)
    assert (subscription.status, invoices()[0].total) == ("TRIALING", 0)
    assert "RECEIPT" not in templates(buyer)

    buyer.pass_days(5)
    buyer.local.deliver_new()
    assert templates(buyer) == ["TRIAL_ENDING"]

    buyer.pass_days(3)
    buyer.local.deliver_new()
    assert buyer.subscription().status == "ACTIVE"
    assert [invoice.total for invoice in invoices()] == [0, 4900]
    assert templates(buyer) == ["RECEIPT", "TRIAL_ENDING"]


def test_a_renewal_moves_the_period_on(buyer: Buyer) -> None:
    before = buyer.subscribe()
    buyer.pass_days(32)
    buyer.local.deliver_new()

    after = buyer.subscription()
    assert after.current_period_start == before.current_period_end
    assert [invoice.status for invoice in invoices()] == ["PAID", "PAID"]


def test_a_renewal_that_fails_begins_grace_at_its_first_failure(buyer: Buyer) -> None:
    buyer.subscribe()
    subscription = fail_the_renewal(buyer)
    [first, *_] = [e for e in buyer.local.events if e["type"] == "invoice.payment_failed"]

    assert subscription.status == "PAST_DUE"
    assert subscription.payment_failed_at == told_at(first)
    failing = invoices()[-1]
    assert (failing.status, failing.first_failed_at) == ("OVERDUE", told_at(first))
    assert templates(buyer) == ["PAYMENT_FAILED", "RECEIPT"]

    buyer.pass_days(4)  # another try fails
    buyer.local.deliver_new()
    assert buyer.subscription().payment_failed_at == told_at(first)
    assert templates(buyer) == ["PAYMENT_FAILED", "RECEIPT"]
    assert count("payment_failed") == 1


def test_a_failure_that_is_told_after_the_recovery_neither_mails_nor_begins_grace(
    buyer: Buyer,
) -> None:
    buyer.subscribe()
    buyer.local.standin.replace_card(buyer.customer_id, FAILS_LATER)
    buyer.pass_days(32)
    buyer.local.standin.replace_card(buyer.customer_id, GOOD)
    buyer.pass_days(6)
    late = buyer.local.new_events("invoice.payment_failed", "customer.subscription.updated")
    others = [event for event in buyer.local.new_events() if event not in late]

    for event in [*others, *reversed(late)]:
        assert billing.deliver(event).status == 200, event["type"]

    subscription = buyer.subscription()
    assert (subscription.status, subscription.payment_failed_at) == ("ACTIVE", None)
    assert "PAYMENT_FAILED" not in templates(buyer)
    assert invoices()[-1].first_failed_at is not None  # it did happen


def test_a_payment_that_succeeds_after_all_ends_grace(buyer: Buyer) -> None:
    buyer.subscribe()
    fail_the_renewal(buyer)
    buyer.local.standin.replace_card(buyer.customer_id, GOOD)
    buyer.pass_days(6)
    buyer.local.deliver_new()

    subscription = buyer.subscription()
    assert (subscription.status, subscription.payment_failed_at) == ("ACTIVE", None)
    assert invoices()[-1].status == "PAID"


def test_stripes_last_failure_ends_the_subscription(buyer: Buyer) -> None:
    buyer.subscribe()
    fail_the_renewal(buyer)
    buyer.pass_days(20)
    buyer.local.deliver_new()

    subscription = buyer.subscription()
    assert subscription.status == "CANCELED"
    assert subscription.ended_at is not None
    assert count("subscription_canceled") == 1


def test_unpaid_at_stripe_is_expired_here_and_comes_back_when_paid(buyer: Buyer) -> None:
    buyer.local.standin.set_switches({"after_last_retry": "unpaid"})
    buyer.subscribe()
    fail_the_renewal(buyer)
    buyer.pass_days(20)
    buyer.local.deliver_new()
    assert buyer.subscription().status == "EXPIRED"

    buyer.local.standin.replace_card(buyer.customer_id, GOOD)
    open_invoice = invoices()[-1].stripe_invoice_id
    buyer.local.client.v1.invoices.pay(open_invoice)
    buyer.local.deliver_new()

    assert buyer.subscription().status == "ACTIVE"
    assert count("subscription_started") == 1


def test_a_plan_change_moves_product_and_period(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    buyer.pass_days(10)
    buyer.local.client.v1.subscriptions.update(
        subscription.stripe_subscription_id,
        {
            "items": [
                {"id": subscription.stripe_item_id, "price": buyer.prices["annual"]},
            ],
            "proration_behavior": "always_invoice",
        },
    )
    buyer.local.deliver_new()

    changed = buyer.subscription()
    assert (changed.interval, changed.amount) == ("ANNUAL", 39900)
    assert changed.product_id == buyer.products["annual"]
    assert changed.id == subscription.id
    assert len(invoices()) == 2


def test_cancel_at_period_end_and_resume_are_mirrored(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    v1 = buyer.local.client.v1
    for wanted in (True, False):
        v1.subscriptions.update(
            subscription.stripe_subscription_id, {"cancel_at_period_end": wanted}
        )
        buyer.local.deliver_new()
        assert buyer.subscription().cancel_at_period_end is wanted


def test_a_full_refund_of_the_newest_period_ends_access_at_once(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    payment = buyer.payment("subscription_id", subscription.id)
    buyer.refund(payment.stripe_payment_intent_id, 900)
    buyer.local.deliver_new()
    assert buyer.subscription().access_ended_at is None

    buyer.refund(payment.stripe_payment_intent_id)
    buyer.local.deliver_new()

    ended = buyer.subscription()
    assert ended.access_ended_at == told_at(buyer.local.events[-1])
    assert ended.access_end_event_id is not None
    assert ended.status == "ACTIVE"  # Stripe has not been asked to end it


def more_seats(buyer: Buyer, subscription: Any) -> tuple[Any, Any]:
    """Pay for a second one within the period; its renewal's payment and this one."""
    buyer.pass_days(1)
    buyer.local.client.v1.subscriptions.update(
        subscription.stripe_subscription_id,
        {
            "items": [{"id": subscription.stripe_item_id, "quantity": 2}],
            "proration_behavior": "always_invoice",
        },
    )
    buyer.local.deliver_new()
    renewal, change = bank.rows("SELECT * FROM payments.transactions ORDER BY amount DESC")
    return renewal, change


def test_a_period_that_was_paid_in_parts_is_refunded_when_all_of_them_are(buyer: Buyer) -> None:
    renewal, change = more_seats(buyer, buyer.subscribe())

    buyer.refund(change.stripe_payment_intent_id)
    buyer.local.deliver_new()
    assert buyer.subscription().access_ended_at is None

    buyer.refund(renewal.stripe_payment_intent_id)
    buyer.local.deliver_new()
    assert buyer.subscription().access_ended_at is not None


def test_a_renewal_lost_to_a_dispute_ends_access_also_after_a_change_of_plan(buyer: Buyer) -> None:
    renewal, _ = more_seats(buyer, buyer.subscribe())
    dispute = buyer.local.standin.dispute(renewal.stripe_charge_id)

    buyer.local.standin.close_dispute(dispute, won=False)
    buyer.local.deliver_new()

    assert buyer.subscription().access_ended_at is not None


def test_the_next_period_opens_again(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    payment = buyer.payment("subscription_id", subscription.id)
    buyer.refund(payment.stripe_payment_intent_id)
    buyer.pass_days(32)
    buyer.local.deliver_new()

    assert buyer.subscription().access_ended_at is None


def test_a_lost_dispute_ends_access_and_the_subscription(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    charge = buyer.payment("subscription_id", subscription.id).stripe_charge_id
    dispute = buyer.local.standin.dispute(charge)
    buyer.local.deliver_new()
    assert buyer.subscription().access_ended_at is None
    buyer.local.standin.close_dispute(dispute, won=False)

    buyer.local.deliver_new()  # and asks Stripe at once to end it
    buyer.local.deliver_new()

    ended = buyer.subscription()
    assert ended.access_ended_at is not None
    assert (ended.status, ended.cancel_requested_at) == ("CANCELED", None)
    at_stripe = buyer.local.standin.find("subscription", ended.stripe_subscription_id)
    assert at_stripe["status"] == "canceled"


def test_a_second_live_subscription_is_cancelled_and_paid_back(buyer: Buyer) -> None:
    first = buyer.subscribe()
    buyer.pass_days(1)
    buyer.pay(buyer.visit("annual"))

    buyer.local.deliver_new()
    buyer.local.deliver_new()

    second = buyer.subscription()
    assert (second.is_duplicate, second.status) == (True, "CANCELED")
    assert bank.value("SELECT status FROM payments.subscriptions WHERE id = :i", i=first.id) == (
        "ACTIVE"
    )
    refund = bank.row("SELECT * FROM payments.refunds")
    assert (refund.origin, refund.amount, refund.status) == ("AUTOMATIC", 39900, "SUCCEEDED")


def test_a_new_subscription_after_the_end_of_the_former_is_not_the_second(buyer: Buyer) -> None:
    former = buyer.subscribe()
    buyer.pass_days(1)
    buyer.local.client.v1.subscriptions.cancel(former.stripe_subscription_id)
    late = buyer.local.new_events()  # news of the end comes last
    buyer.local.delivered.update(event["id"] for event in late)
    buyer.pass_days(1)

    again = buyer.subscribe()

    assert (again.status, again.is_duplicate) == ("ACTIVE", False)
    for event in late:
        assert billing.deliver(event).status == 200
    assert bank.value("SELECT count(*) FROM payments.refunds") == 0


def test_a_price_of_nobodys_is_kept_and_explained_and_works_once_it_is_known(
    buyer: Buyer,
) -> None:
    bank.execute("DELETE FROM payments.product_prices")
    bank.execute("UPDATE payments.products SET stripe_price_id = NULL, stripe_product_id = NULL")
    buyer.pay(buyer.visit("monthly"))
    [event] = buyer.local.new_events("customer.subscription.created")
    assert billing.deliver(event).status == 500
    said = "The subscription's price belongs to no product of ours."
    assert billing.error_of(event["id"]) == said

    bank.execute(
        "UPDATE payments.products SET stripe_price_id = :price WHERE sku = 'buyer-monthly'",
        price=buyer.prices["monthly"],
    )

    assert billing.deliver(event).status == 200
    assert buyer.subscription().status == "INCOMPLETE"


def test_a_price_that_changed_in_between_still_belongs_to_its_product(buyer: Buyer) -> None:
    visit = buyer.visit("monthly")
    bank.execute(
        "UPDATE payments.products SET stripe_price_id = 'price_of_today', price_amount = 5900"
        " WHERE sku = 'buyer-monthly'"
    )
    buyer.pay(visit)
    buyer.local.deliver_new()

    subscription = buyer.subscription()
    assert (subscription.product_id, subscription.amount) == (buyer.products["monthly"], 4900)


def test_two_events_of_one_second_end_in_stripes_state_in_either_order(buyer: Buyer) -> None:
    buyer.pay(buyer.visit("monthly"))
    created, *updated = buyer.local.new_events(
        "customer.subscription.created", "customer.subscription.updated"
    )
    assert {event["created"] for event in updated} == {created["created"]}

    for event in (*updated, created):
        assert billing.deliver(event).status == 200

    assert buyer.subscription().status == "ACTIVE"


def test_a_paused_subscription_is_paused_here(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    document = buyer.local.standin.find("subscription", subscription.stripe_subscription_id)
    later = int(subscription.started_at.timestamp()) + 60
    for number, (kind, status) in enumerate((("paused", "paused"), ("resumed", "active"))):
        event = {
            "id": f"evt_{kind}",
            "object": "event",
            "created": later + number,
            "type": f"customer.subscription.{kind}",
            "data": {"object": {**document, "status": status}},
        }
        assert billing.deliver(event).status == 200
        assert buyer.subscription().status == status.upper()


def test_an_invoice_is_voided_or_given_up(buyer: Buyer) -> None:
    buyer.subscribe()
    fail_the_renewal(buyer)
    v1 = buyer.local.client.v1
    failing = invoices()[-1].stripe_invoice_id

    v1.invoices.mark_uncollectible(failing)
    buyer.local.deliver_new()
    assert invoices()[-1].status == "OVERDUE"

    v1.invoices.void_invoice(failing)
    buyer.local.deliver_new()
    assert invoices()[-1].status == "CANCELED"
    assert buyer.subscription().payment_failed_at is None


def test_a_payment_method_is_attached_changed_and_detached(buyer: Buyer) -> None:
    buyer.subscribe()
    v1 = buyer.local.client.v1
    method = bank.row("SELECT * FROM payments.payment_methods")
    v1.payment_methods.update(
        method.stripe_payment_method_id, {"card": {"exp_month": 1, "exp_year": 2040}}
    )
    buyer.pass_days(0.01)
    buyer.local.deliver_new()
    changed = bank.row("SELECT * FROM payments.payment_methods")
    assert (changed.expiry_month, changed.expiry_year) == (1, 2040)

    v1.customers.update(
        buyer.customer_id,
        {"invoice_settings": {"default_payment_method": method.stripe_payment_method_id}},
    )
    buyer.local.deliver_new()
    default = "SELECT default_payment_method FROM payments.customers WHERE id = :id"
    assert bank.value(default, id=buyer.row) == method.stripe_payment_method_id

    v1.payment_methods.detach(method.stripe_payment_method_id)
    buyer.local.deliver_new()
    assert bank.row("SELECT * FROM payments.payment_methods").detached_at is not None
    assert bank.value(default, id=buyer.row) is None


def test_an_address_that_was_changed_at_stripe_is_taken_over(buyer: Buyer) -> None:
    address = {"line1": "1 High Street", "city": "Leeds", "postal_code": "LS1", "country": "GB"}
    buyer.local.client.v1.customers.update(
        buyer.customer_id, {"name": "Lea Ltd", "address": address}
    )
    buyer.local.deliver_new()

    row = bank.row("SELECT * FROM payments.customers WHERE id = :id", id=buyer.row)
    assert (row.name, row.city, row.country) == ("Lea Ltd", "Leeds", "GB")


def test_a_customer_deleted_at_stripe_is_gone_and_their_money_is_still_told(
    buyer: Buyer, standin: LocalStripe
) -> None:
    bought = buyer.buy()
    standin.client.v1.customers.delete(buyer.customer_id)
    buyer.local.deliver_new()
    row = bank.row("SELECT * FROM payments.customers WHERE id = :id", id=buyer.row)
    assert row.gone_at is not None

    # The next checkout makes another customer of the same row; the old charge is refunded then.
    bank.execute(
        "UPDATE payments.customers SET stripe_customer_id = 'cus_new', gone_at = NULL,"
        " version_at = NULL, event_id = NULL WHERE id = :id",
        id=buyer.row,
    )
    buyer.refund(bought.stripe_payment_intent_id)
    buyer.local.deliver_new()
    assert bank.value("SELECT status FROM payments.purchases") == "REFUNDED"
    row = bank.row("SELECT * FROM payments.customers WHERE id = :id", id=buyer.row)
    assert (row.stripe_customer_id, row.gone_at) == ("cus_new", None)


def test_seats_are_counted_as_stripe_has_them(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    buyer.local.client.v1.subscriptions.update(
        subscription.stripe_subscription_id,
        {"items": [{"id": subscription.stripe_item_id, "quantity": 5}]},
    )
    buyer.local.deliver_new()

    assert buyer.subscription().quantity == 5
