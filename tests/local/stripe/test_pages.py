"""The portal and the dashboard, as a person without scripts uses them."""

from __future__ import annotations

import httpx2

from tests.local.stripe.conftest import Local


def portal(local: Local, customer: str) -> str:
    return local.stripe.v1.billing_portal.sessions.create(
        {"customer": customer, "return_url": "https://app.example.com/account"}
    ).url


def test_a_customer_cancels_and_thinks_better_of_it(local: Local, browser: httpx2.Client) -> None:
    customer = local.customer()
    subscription = local.subscribe(customer, local.price())
    url = portal(local, customer)
    page = browser.get(url).text
    assert "PRO month" in page
    assert 'href="https://app.example.com/account"' in page
    form = {"subscription": subscription.id}
    assert browser.post(url, data={**form, "action": "cancel"}).status_code == 303
    assert local.stripe.v1.subscriptions.retrieve(subscription.id).cancel_at_period_end
    assert "ends on" in browser.get(url).text
    browser.post(url, data={**form, "action": "resume"})
    assert not local.stripe.v1.subscriptions.retrieve(subscription.id).cancel_at_period_end


def test_a_customer_puts_another_card_in(local: Local, browser: httpx2.Client) -> None:
    customer = local.customer()
    url = portal(local, customer)
    refused = browser.post(url, data={"action": "card", "number": "4000000000000002"})
    assert "Your card was declined." in refused.text
    assert "incorrect" in browser.post(url, data={"action": "card", "number": "1"}).text
    browser.post(url, data={"action": "card", "number": "5555 5555 5555 4444"})
    methods = local.stripe.v1.customers.payment_methods.list(customer).data
    assert [each.card.brand for each in methods if each.card] == ["mastercard", "visa"]
    settings = local.stripe.v1.customers.retrieve(customer).invoice_settings
    assert settings is not None
    assert settings.default_payment_method == methods[0].id


def test_nobody_cancels_what_is_anothers(local: Local, browser: httpx2.Client) -> None:
    other = local.subscribe(local.customer(), local.price())
    url = portal(local, local.customer())
    answer = browser.post(url, data={"action": "cancel", "subscription": other.id})
    assert answer.status_code == 400
    assert not local.stripe.v1.subscriptions.retrieve(other.id).cancel_at_period_end


def test_a_link_to_the_portal_expires(local: Local, browser: httpx2.Client) -> None:
    url = portal(local, local.customer())
    local.wall.now += 3601
    assert browser.get(url).status_code == 404


def test_the_dashboard_shows_and_does(local: Local, browser: httpx2.Client) -> None:
    customer = local.customer()
    subscription = local.subscribe(customer, local.price())
    session = local.session(local.price(2900, None))
    local.standin.pay(session.id, kind="sepa_debit")
    page = browser.get(f"{local.url}/").text
    for shown in (customer, subscription.id, "customer.subscription.created", "Payments under way"):
        assert shown in page
    html = {"Accept": "text/html"}
    done = browser.post(
        f"{local.url}/_control/customers/{customer}/advance", data={"days": "32"}, headers=html
    )
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert len(local.standin.all("invoice")) == 2
    form = {"copies": "2", "retry_days": "1 2", "hold": "true", "delay_seconds": "0.5"}
    browser.post(f"{local.url}/_control/switches", data=form, headers=html)
    switches = local.standin.switches
    assert (switches.copies, switches.retry_days, switches.hold) == (2, [1, 2], True)
    invoice = local.standin.all("invoice")[0]
    assert "49.00 USD" in browser.get(invoice["hosted_invoice_url"]).text
