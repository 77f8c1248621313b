"""Checkout sessions: made by the SDK, paid on the hosted page."""

from __future__ import annotations

import re

import httpx2
import pytest
import stripe

from local.stripe import ApiError
from tests.local.stripe.conftest import NOON, Local

CARD = {"method": "new", "expiry": "12 / 34", "cvc": "123", "name": "Lea Brandt"}
GOOD, DECLINED, NO_FUNDS = "4242 4242 4242 4242", "4000000000000002", "4000000000009995"
AUTHENTICATE = "4000002500003155"


def pay(
    browser: httpx2.Client, url: str | None, number: str = GOOD, **form: str
) -> httpx2.Response:
    """Fill the page's form in and press the button."""
    assert url is not None
    data = {"email": "lea@example.com", **CARD, "number": number, "action": "pay", **form}
    return browser.post(url, data=data)


def test_a_person_pays_and_is_sent_to_the_success_address(
    local: Local, browser: httpx2.Client
) -> None:
    session = local.session(local.price(2900, None), metadata={"product": "exam-pack"})
    assert session.url is not None
    page = browser.get(session.url).text
    assert "29.00 USD" in page
    assert "4242 4242 4242 4242" in page
    answer = pay(browser, session.url)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"https://app.example.com/paid?session={session.id}"
    paid = local.stripe.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge", "line_items"]}
    )
    assert (paid.status, paid.payment_status, paid.amount_total) == ("complete", "paid", 2900)
    assert isinstance(paid.payment_intent, stripe.PaymentIntent)
    assert isinstance(paid.payment_intent.latest_charge, stripe.Charge)
    assert paid.payment_intent.latest_charge.paid
    assert paid.line_items is not None
    assert paid.line_items.data[0].amount_total == 2900
    assert paid.metadata is not None
    assert paid.metadata["product"] == "exam-pack"
    assert paid.url is None


def test_a_paid_subscription_tells_its_events_in_stripes_order(
    local: Local, browser: httpx2.Client
) -> None:
    session = local.session(
        local.price(), "subscription", subscription_data={"metadata": {"plan": "PRO"}}
    )
    before = len(local.standin.events)
    assert pay(browser, session.url).status_code == 303
    assert local.types()[before:] == [
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "customer.subscription.updated",
        "checkout.session.completed",
    ]
    done = local.stripe.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["subscription.latest_invoice.payments", "customer"]}
    )
    subscription = done.subscription
    assert isinstance(subscription, stripe.Subscription)
    assert (subscription.status, subscription.metadata["plan"]) == ("active", "PRO")
    assert subscription["items"]["data"][0]["current_period_start"] == NOON
    invoice = subscription.latest_invoice
    assert isinstance(invoice, stripe.Invoice)
    assert invoice.payments is not None
    assert invoice.payments.data[0].payment.payment_intent
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id
    updated = local.standin.events[-2]
    assert updated["data"]["previous_attributes"] == {"status": "incomplete"}


@pytest.mark.parametrize(
    ("number", "says", "decline_code"),
    [
        (DECLINED, "Your card was declined.", "generic_decline"),
        (NO_FUNDS, "Your card has insufficient funds.", "insufficient_funds"),
    ],
)
def test_a_declined_card_is_said_on_the_page_and_another_one_may_be_tried(
    local: Local, browser: httpx2.Client, number: str, says: str, decline_code: str
) -> None:
    session = local.session(local.price(2900, None))
    answer = pay(browser, session.url, number)
    assert answer.status_code == 402
    assert says in answer.text
    failed = local.standin.events[-1]
    assert failed["type"] == "payment_intent.payment_failed"
    assert failed["data"]["object"]["last_payment_error"]["decline_code"] == decline_code
    assert local.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert pay(browser, session.url).status_code == 303
    assert len(local.standin.all("payment_intent")) == 1


@pytest.mark.parametrize("mode", ["payment", "subscription"])
def test_the_bank_asks_and_is_answered(local: Local, browser: httpx2.Client, mode: str) -> None:
    interval = "month" if mode == "subscription" else None
    session = local.session(local.price(2900, interval), mode)
    asked = pay(browser, session.url, AUTHENTICATE)
    assert asked.status_code == 303
    bank = f"{local.url}{asked.headers['location']}"
    assert "Complete" in browser.get(bank).text
    refused = browser.post(bank, data={"answer": "fail"})
    assert "unable to authenticate" in refused.text
    assert f'action="/c/pay/{session.id}"' in refused.text
    assert local.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"
    bank = f"{local.url}{pay(browser, session.url, AUTHENTICATE).headers['location']}"
    done = browser.post(bank, data={"answer": "complete"})
    assert done.headers["location"].startswith("https://app.example.com/paid")
    paid = local.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (paid.status, paid.payment_status) == ("complete", "paid")


def test_a_delayed_payment_completes_unpaid_and_arrives_later(
    local: Local, browser: httpx2.Client
) -> None:
    session = local.session(local.price(2900, None))
    assert pay(browser, session.url, "", method="sepa").status_code == 303
    waiting = local.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    assert isinstance(waiting.payment_intent, str)
    local.standin.settle(waiting.payment_intent)
    assert local.types()[-3:] == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
    ]
    assert local.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_delayed_payment_that_comes_back_is_told(local: Local) -> None:
    session = local.session(local.price(2900, None))
    local.standin.pay(session.id, kind="sepa_debit")
    intent = local.standin.all("payment_intent")[0]["id"]
    local.standin.settle(intent, succeeded=False)
    assert local.types()[-1] == "checkout.session.async_payment_failed"
    assert local.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "unpaid"


def test_a_delayed_first_payment_that_comes_back_leaves_the_subscription_past_due(
    local: Local,
) -> None:
    session = local.session(local.price(), "subscription")
    local.standin.pay(session.id, kind="sepa_debit")
    done = local.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert isinstance(done.subscription, stripe.Subscription)
    assert (done.payment_status, done.subscription.status) == ("unpaid", "active")
    local.standin.settle(local.standin.all("payment_intent")[0]["id"], succeeded=False)
    assert local.stripe.v1.subscriptions.retrieve(done.subscription.id).status == "past_due"
    assert "invoice.payment_failed" in local.types()


def test_what_the_customer_has_to_its_credit_is_used_first(local: Local) -> None:
    customer = local.customer(clock=True)
    first = local.subscribe(customer, local.price(9900))
    local.stripe.v1.subscriptions.cancel(first.id, {"prorate": True, "invoice_now": True})
    session = local.session(local.price(12000), "subscription", customer=customer)
    local.standin.pay(session.id)
    assert local.standin.all("charge")[-1]["amount"] == 12000 - 9900
    assert local.stripe.v1.customers.retrieve(customer).balance == 0


def test_a_page_can_be_opened_for_a_customer_whose_time_is_ahead(local: Local) -> None:
    customer = local.customer(clock=True)
    local.advance(customer, NOON + 90 * 86400)
    session = local.session(
        local.price(), customer=customer, mode="subscription", expires_at=NOON + 3600
    )
    assert (session.created, session.expires_at) == (NOON, NOON + 3600)
    local.standin.pay(session.id)
    assert local.standin.all("subscription")[0]["created"] == NOON + 90 * 86400
    assert local.standin.events[-1]["created"] == NOON + 90 * 86400


def test_a_code_for_one_use_is_used_once(local: Local) -> None:
    coupon = local.stripe.v1.coupons.create({"percent_off": 50, "max_redemptions": 1})
    price = local.price(2900, None)
    sessions = [local.session(price, discounts=[{"coupon": coupon.id}]) for _ in range(2)]
    local.standin.pay(sessions[0].id)
    with pytest.raises(ApiError, match="no longer valid"):
        local.standin.pay(sessions[1].id)


def test_a_promotion_code_is_typed_on_the_page(local: Local, browser: httpx2.Client) -> None:
    coupon = local.stripe.v1.coupons.create({"percent_off": 25, "duration": "once"})
    code = local.stripe.v1.promotion_codes.create(
        {
            "promotion": {"type": "coupon", "coupon": coupon.id},
            "code": "Spring25",
            "max_redemptions": 1,
        }
    )
    session = local.session(local.price(2999, None), allow_promotion_codes=True)
    assert session.url is not None
    wrong = browser.post(session.url, data={"action": "code", "code": "NOPE"})
    assert "This code is invalid." in wrong.text
    assert browser.post(session.url, data={"action": "code", "code": "spring25"}).status_code == 303
    assert "22.49 USD" in browser.get(session.url).text
    pay(browser, session.url)
    paid = local.stripe.v1.checkout.sessions.retrieve(session.id)
    assert paid.amount_total == 2249  # 749.75 off is 750
    assert paid.total_details is not None
    assert paid.total_details.amount_discount == 750
    assert local.stripe.v1.promotion_codes.retrieve(code.id).active is False
    late = local.session(local.price(2999, None), allow_promotion_codes=True)
    assert late.url is not None
    again = browser.post(late.url, data={"action": "code", "code": "SPRING25"})
    assert "This code is invalid." in again.text


def test_a_session_expires_by_request_and_by_time(local: Local, browser: httpx2.Client) -> None:
    price = local.price(2900, None)
    first, second = local.session(price), local.session(price)
    local.stripe.v1.checkout.sessions.expire(first.id)
    assert first.url is not None
    assert "closed" in browser.get(first.url).text
    local.wall.now += 24 * 3600
    local.standin._looked = 0
    assert local.stripe.v1.checkout.sessions.retrieve(second.id).status == "expired"
    assert local.types("checkout") == ["checkout.session.expired"] * 2
    with pytest.raises(stripe.InvalidRequestError, match="can be expired"):
        local.stripe.v1.checkout.sessions.expire(second.id)


@pytest.mark.parametrize("price_kind", ["recurring", "one_time"])
def test_a_price_that_does_not_fit_the_mode_is_refused(local: Local, price_kind: str) -> None:
    recurring = price_kind == "recurring"
    price = local.price(2900, "month" if recurring else None)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        local.session(price, "payment" if recurring else "subscription")
    assert refused.value.param == "line_items"


def test_an_inactive_price_is_refused(local: Local) -> None:
    price = local.price(2900, None)
    local.stripe.v1.prices.update(price, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        local.session(price)


def test_a_one_time_purchase_can_have_an_invoice(local: Local) -> None:
    session = local.session(
        local.price(2900, None), customer=local.customer(), invoice_creation={"enabled": True}
    )
    local.standin.pay(session.id)
    paid = local.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["invoice.payments"]})
    assert isinstance(paid.invoice, stripe.Invoice)
    assert (paid.invoice.status, paid.invoice.amount_paid) == ("paid", 2900)
    assert paid.invoice.payments is not None
    assert paid.invoice.payments.data[0].payment.payment_intent == paid.payment_intent


def test_a_trial_begins_without_a_payment(local: Local, browser: httpx2.Client) -> None:
    session = local.session(
        local.price(), "subscription", subscription_data={"trial_period_days": 7}
    )
    assert session.url is not None
    assert "7 days free" in browser.get(session.url).text
    assert pay(browser, session.url, DECLINED).status_code == 402
    assert pay(browser, session.url).status_code == 303
    done = local.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert done.payment_status == "no_payment_required"
    assert isinstance(done.subscription, stripe.Subscription)
    assert done.subscription.status == "trialing"
    assert done.subscription.trial_end == NOON + 7 * 86400
    assert not local.standin.all("charge")


def test_a_free_purchase_asks_for_no_card(local: Local, browser: httpx2.Client) -> None:
    coupon = local.stripe.v1.coupons.create({"percent_off": 100, "duration": "once"})
    session = local.session(local.price(2900, None), discounts=[{"coupon": coupon.id}])
    assert session.url is not None
    assert "Card number" not in browser.get(session.url).text
    done = browser.post(session.url, data={"email": "lea@example.com", "action": "pay"})
    assert done.status_code == 303
    paid = local.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (paid.payment_status, paid.payment_intent) == ("no_payment_required", None)


def test_whole_currencies_are_shown_and_charged_without_decimals(
    local: Local, browser: httpx2.Client
) -> None:
    session = local.session(local.price(1500, None, currency="jpy"))
    assert session.url is not None
    assert "1,500 JPY" in browser.get(session.url).text
    pay(browser, session.url)
    assert local.standin.all("charge")[0]["amount"] == 1500


def test_the_page_runs_no_script_and_loads_nothing_from_elsewhere(
    local: Local, browser: httpx2.Client
) -> None:
    session = local.session(local.price(2900, None), allow_promotion_codes=True)
    assert session.url is not None
    answer = browser.get(session.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' https://app.example.com;" in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    loaded = re.findall(r'(?:src|href)="([^"]*)"', answer.text)
    assert loaded == ["data:,", "/assets/pages.css", "https://app.example.com/plans"]
    fields = re.findall(r'<input id="(\w+)"', answer.text)
    assert fields
    assert all(f'<label for="{field}">' in answer.text for field in fields)


def test_a_page_of_another_site_can_pay_nothing(local: Local, browser: httpx2.Client) -> None:
    session = local.session(local.price(2900, None))
    assert session.url is not None
    form = {"email": "lea@example.com", **CARD, "number": GOOD}
    answer = browser.post(session.url, data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert local.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"
