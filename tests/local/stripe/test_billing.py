"""Subscriptions over time: renewals, failures, trials, changes with prorations, endings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import stripe

from local.stripe import money
from tests.local.stripe.conftest import NOON, Local

HOUR, DAY = 3600, 86400
MONTH_LATER = money.after_intervals(NOON, "month", 1)


def status(local: Local, subscription: stripe.Subscription) -> str:
    return local.stripe.v1.subscriptions.retrieve(subscription.id).status


def invoices(local: Local, subscription: stripe.Subscription) -> list[stripe.Invoice]:
    """Oldest first."""
    return local.stripe.v1.invoices.list({"subscription": subscription.id}).data[::-1]


def item(subscription: stripe.Subscription) -> stripe.SubscriptionItem:
    return subscription["items"]["data"][0]


def test_a_period_ends_and_the_next_is_paid(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    before = len(local.standin.events)
    local.advance(customer, MONTH_LATER)
    draft = invoices(local, subscription)[-1]
    assert (draft.status, draft.billing_reason) == ("draft", "subscription_cycle")
    local.advance(customer, MONTH_LATER + HOUR)
    assert [each for each in local.types()[before:] if "clock" not in each] == [
        "invoice.created",
        "customer.subscription.updated",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]
    renewed = local.stripe.v1.subscriptions.retrieve(subscription.id)
    assert item(renewed).current_period_start == MONTH_LATER
    assert renewed.latest_invoice == draft.id
    paid = local.standin.events[-1]
    assert paid["created"] == MONTH_LATER + HOUR
    [linked] = [each for each in local.standin.events[before:] if "payment.paid" in each["type"]]
    assert linked["created"] == MONTH_LATER + HOUR


def test_an_anchor_on_the_31st_stays_there(local: Local) -> None:
    start = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp())
    ends = [money.period_end(start, "month", 1, start)]
    for _ in range(2):
        ends.append(money.period_end(start, "month", 1, ends[-1]))
    days = [datetime.fromtimestamp(end, UTC).strftime("%m-%d") for end in ends]
    assert days == ["02-28", "03-31", "04-30"]


@pytest.mark.parametrize("ending", ["cancel", "unpaid", "past_due"])
def test_a_failed_renewal_is_tried_again_and_then_has_consequences(
    local: Local, ending: str
) -> None:
    local.standin.set_switches({"after_last_retry": ending})
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    local.standin.replace_card(customer, "4000000000000341")
    tried = MONTH_LATER + HOUR
    local.advance(customer, tried)
    assert status(local, subscription) == "past_due"
    failing = invoices(local, subscription)[-1]
    assert (failing.status, failing.attempt_count) == ("open", 1)
    assert failing.next_payment_attempt == tried + 3 * DAY
    local.advance(customer, tried + 8 * DAY)
    assert invoices(local, subscription)[-1].next_payment_attempt == tried + 15 * DAY
    local.advance(customer, tried + 15 * DAY)
    assert local.types("invoice.payment_failed") == ["invoice.payment_failed"] * 4
    assert invoices(local, subscription)[-1].next_payment_attempt is None
    expected = {"cancel": "canceled"}.get(ending, ending)
    assert status(local, subscription) == expected
    if ending == "cancel":
        deleted = local.standin.events[-2]
        assert deleted["type"] == "customer.subscription.deleted"
        details = deleted["data"]["object"]["cancellation_details"]
        assert details["reason"] == "payment_failed"


def test_a_subscription_recovers_when_a_retry_goes_well(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    local.standin.replace_card(customer, "4000000000000341")
    local.advance(customer, MONTH_LATER + HOUR)
    local.standin.replace_card(customer, "4242424242424242")
    local.advance(customer, MONTH_LATER + HOUR + 3 * DAY)
    assert status(local, subscription) == "active"
    assert invoices(local, subscription)[-1].status == "paid"


def test_an_open_invoice_is_paid_by_request(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    local.standin.replace_card(customer, "4000000000000341")
    local.advance(customer, MONTH_LATER + HOUR)
    failing = invoices(local, subscription)[-1].id
    with pytest.raises(stripe.CardError) as refused:
        local.stripe.v1.invoices.pay(failing)
    assert refused.value.code == "card_declined"
    good = local.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
    assert local.stripe.v1.invoices.pay(failing, {"payment_method": good.id}).status == "paid"
    assert status(local, subscription) == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        local.stripe.v1.invoices.pay(failing)


def test_a_trial_warns_three_days_before_and_then_is_paid(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(), trial_period_days=14)
    assert subscription.status == "trialing"
    assert [each.amount_due for each in invoices(local, subscription)] == [0]
    local.advance(customer, NOON + 11 * DAY - 1)
    assert not local.types("customer.subscription.trial_will_end")
    local.advance(customer, NOON + 11 * DAY)
    assert local.types("customer.subscription.trial_will_end")
    local.advance(customer, NOON + 14 * DAY + HOUR)
    assert status(local, subscription) == "active"
    assert [each.amount_paid for each in invoices(local, subscription)] == [0, 4900]


@pytest.mark.parametrize(("missing", "expected"), [("cancel", "canceled"), ("pause", "paused")])
def test_a_trial_without_a_card_ends_as_was_said(local: Local, missing: str, expected: str) -> None:
    customer = local.customer(None, clock=True)
    subscription = local.subscribe(
        customer,
        local.price(),
        trial_period_days=2,
        trial_settings={"end_behavior": {"missing_payment_method": missing}},
    )
    assert local.types("customer.subscription.trial_will_end")  # shorter than three days: at once
    local.advance(customer, NOON + 2 * DAY)
    assert status(local, subscription) == expected
    if missing == "pause":
        assert local.types("customer.subscription.paused")
        method = local.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer})
        local.stripe.v1.subscriptions.update(subscription.id, {"default_payment_method": method.id})
        assert local.stripe.v1.subscriptions.resume(subscription.id).status == "active"
        assert local.types("customer.subscription.resumed")
        assert invoices(local, subscription)[-1].status == "paid"


def test_a_trial_can_be_ended_now(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(), trial_period_days=14)
    ended = local.stripe.v1.subscriptions.update(subscription.id, {"trial_end": "now"})
    assert (ended.status, item(ended).current_period_end) == ("active", MONTH_LATER)
    assert invoices(local, subscription)[-1].amount_paid == 4900


def test_it_ends_with_its_period_and_not_before(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    update = local.stripe.v1.subscriptions.update
    ending = update(subscription.id, {"cancel_at_period_end": True})
    assert (ending.status, ending.cancel_at) == ("active", MONTH_LATER)
    previous = local.standin.events[-1]["data"]["previous_attributes"]
    assert previous["cancel_at_period_end"] is False
    assert update(subscription.id, {"cancel_at_period_end": False}).cancel_at is None
    update(subscription.id, {"cancel_at_period_end": True})
    local.advance(customer, MONTH_LATER)
    assert status(local, subscription) == "canceled"
    assert len(invoices(local, subscription)) == 1
    with pytest.raises(stripe.InvalidRequestError, match="canceled subscription"):
        update(subscription.id, {"cancel_at_period_end": False})


@pytest.mark.parametrize("behaviour", ["create_prorations", "always_invoice", "none"])
def test_a_preview_is_what_is_then_applied(local: Local, behaviour: str) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(4900))
    better = local.price(9900)
    at = NOON + 10 * DAY + 12_345
    local.advance(customer, at)
    change = {
        "items": [{"id": item(subscription).id, "price": better}],
        "proration_behavior": behaviour,
        "proration_date": at,
    }
    preview = local.stripe.v1.invoices.create_preview(
        {"subscription": subscription.id, "subscription_details": change}
    )
    updated = local.stripe.v1.subscriptions.update(subscription.id, change)
    assert item(updated).price.id == better
    whole, left = MONTH_LATER - NOON, MONTH_LATER - at
    credit, charge = -round(4900 * left / whole), round(9900 * left / whole)
    if behaviour != "always_invoice":
        local.advance(customer, MONTH_LATER + HOUR)
    applied = invoices(local, subscription)[-1]
    told = [(each.amount, each.description) for each in preview.lines.data]
    assert told == [(each.amount, each.description) for each in applied.lines.data]
    assert preview.amount_due == applied.amount_due
    amounts = [each.amount for each in applied.lines.data]
    assert (
        amounts
        == {
            "create_prorations": [credit, charge, 9900],
            "always_invoice": [credit, charge],
            "none": [9900],
        }[behaviour]
    )
    assert applied.status == "paid"


def test_a_change_of_interval_begins_a_new_period_at_once(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(4900))
    yearly = local.price(39900, "year")
    local.advance(customer, NOON + 15 * DAY)
    changed = local.stripe.v1.subscriptions.update(
        subscription.id, {"items": [{"id": item(subscription).id, "price": yearly}]}
    )
    assert changed.billing_cycle_anchor == NOON + 15 * DAY
    assert item(changed).current_period_end == money.after_intervals(NOON + 15 * DAY, "year", 1)
    invoice = invoices(local, subscription)[-1]
    assert [each.amount for each in invoice.lines.data] == [-2450, 39900]
    assert (invoice.status, invoice.amount_paid) == ("paid", 37450)


def test_a_downgrade_that_gives_money_back_leaves_it_on_the_customers_balance(
    local: Local,
) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(9900))
    lower = local.price(4900)
    local.advance(customer, NOON + 15 * DAY)
    local.stripe.v1.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": item(subscription).id, "price": lower}],
            "proration_behavior": "always_invoice",
        },
    )
    invoice = invoices(local, subscription)[-1]
    assert (invoice.total, invoice.amount_due, invoice.status) == (-2500, 0, "paid")
    assert local.stripe.v1.customers.retrieve(customer).balance == -2500
    local.advance(customer, MONTH_LATER + HOUR)
    renewal = invoices(local, subscription)[-1]
    assert (renewal.total, renewal.starting_balance, renewal.amount_paid) == (4900, -2500, 2400)
    assert local.stripe.v1.customers.retrieve(customer).balance == 0


def test_seats_are_prorated(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(1000))
    local.advance(customer, NOON + 15 * DAY)
    local.stripe.v1.subscriptions.update(
        subscription.id,
        {
            "items": [{"id": item(subscription).id, "quantity": 3}],
            "proration_behavior": "always_invoice",
        },
    )
    assert [each.amount for each in invoices(local, subscription)[-1].lines.data] == [-500, 1500]


def test_a_declined_upgrade_changes_nothing_when_it_must_be_paid(local: Local) -> None:
    customer = local.customer(clock=True)
    price = local.price(4900)
    subscription = local.subscribe(customer, price)
    local.standin.replace_card(customer, "4000000000000341")
    change = {
        "items": [{"id": item(subscription).id, "price": local.price(9900)}],
        "proration_behavior": "always_invoice",
        "payment_behavior": "error_if_incomplete",
    }
    local.advance(customer, NOON + DAY)
    with pytest.raises(stripe.CardError):
        local.stripe.v1.subscriptions.update(subscription.id, change)
    assert item(local.stripe.v1.subscriptions.retrieve(subscription.id)).price.id == price


@pytest.mark.parametrize(
    ("duration", "paid"),
    [("once", [3675, 4900, 4900]), ("repeating", [3675, 3675, 4900]), ("forever", [3675] * 3)],
)
def test_a_coupon_works_as_long_as_it_says(local: Local, duration: str, paid: list[int]) -> None:
    months = {"duration_in_months": 2} if duration == "repeating" else {}
    coupon = local.stripe.v1.coupons.create(
        {"percent_off": 25, "duration": duration, **months}  # type: ignore[typeddict-item]
    )
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price(), discounts=[{"coupon": coupon.id}])
    local.advance(customer, money.after_intervals(NOON, "month", 2) + HOUR)
    assert [each.amount_paid for each in invoices(local, subscription)] == paid
    assert local.stripe.v1.coupons.retrieve(coupon.id).times_redeemed == 1


def test_the_first_payment_fails_and_the_subscription_expires(local: Local) -> None:
    customer = local.customer("pm_card_chargeCustomerFail", clock=True)
    subscription = local.subscribe(customer, local.price())
    assert subscription.status == "incomplete"
    local.advance(customer, NOON + 23 * HOUR)
    assert status(local, subscription) == "incomplete_expired"


def test_a_pause_of_collection_voids_what_falls_due(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    local.stripe.v1.subscriptions.update(
        subscription.id, {"pause_collection": {"behavior": "void"}}
    )
    local.advance(customer, MONTH_LATER + HOUR)
    assert [each.status for each in invoices(local, subscription)] == ["paid", "void"]
    assert local.types("invoice.voided")


def test_cancelling_now_gives_the_unused_time_back_when_asked(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    local.advance(customer, NOON + 15 * DAY)
    local.stripe.v1.subscriptions.cancel(subscription.id, {"prorate": True, "invoice_now": True})
    assert status(local, subscription) == "canceled"
    assert invoices(local, subscription)[-1].total == -2450
    assert local.stripe.v1.customers.retrieve(customer).balance == -2450


def test_time_passes_by_the_wall_clock_too(local: Local) -> None:
    customer = local.customer()
    subscription = local.subscribe(customer, local.price(), trial_period_days=5)
    local.wall.now += 5 * DAY
    local.standin._looked = 0
    assert status(local, subscription) == "active"
    local.wall.now += HOUR
    local.standin._looked = 0
    assert invoices(local, subscription)[-1].status == "paid"


def test_every_customer_can_be_given_time_of_its_own(local: Local) -> None:
    customer = local.customer()
    subscription = local.subscribe(customer, local.price())
    local.standin.advance(customer, to=MONTH_LATER + HOUR)
    assert len(invoices(local, subscription)) == 2
    assert local.stripe.v1.customers.retrieve(customer).test_clock is not None


def test_a_renewal_that_needs_authentication_is_past_due(local: Local) -> None:
    customer = local.customer(clock=True)
    subscription = local.subscribe(customer, local.price())
    local.standin.replace_card(customer, "4000002760003184")
    local.advance(customer, MONTH_LATER + HOUR)
    assert status(local, subscription) == "past_due"
    error = local.standin.all("payment_intent")[-1]["last_payment_error"]
    assert error["code"] == "authentication_required"
