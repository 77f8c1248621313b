"""The API's manners: keys, errors, idempotency, lists, expansion, persistence."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import httpx2
import pytest
import stripe
from fastapi import FastAPI

from local import server
from local.stripe import Endpoint, StandIn, application
from local.stripe.api import Request
from tests.local.stripe.conftest import NOON, Local


def test_a_wrong_key_is_refused(local: Local) -> None:
    client = stripe.StripeClient("sk_test_other", base_addresses={"api": local.url})
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided: sk_test_"):
        client.v1.customers.list()
    client._requestor._client.close()
    nobody = httpx2.get(f"{local.url}/v1/customers")
    assert nobody.status_code == 401
    assert "did not provide an API key" in nobody.json()["error"]["message"]


def test_another_version_of_the_api_is_refused(local: Local) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
        local.stripe.v1.customers.list(options={"stripe_version": "2020-08-27"})


def test_what_is_not_there_is_a_404_and_what_a_parameter_names_a_400(local: Local) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        local.stripe.v1.subscriptions.retrieve("sub_nothing")
    assert (unknown.value.http_status, unknown.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as named:
        local.session(local.price(2900, None), customer="cus_nobody")
    assert (named.value.http_status, named.value.param) == (400, "customer")


def test_an_unknown_parameter_and_a_missing_one_are_named(local: Local) -> None:
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        local.stripe.v1.customers.create({"emial": "lea@example.com"})  # type: ignore[typeddict-unknown-key]
    assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "emial")
    with pytest.raises(stripe.InvalidRequestError) as below:
        local.session(
            local.price(), "subscription", subscription_data={"billing_cycle_anchor": NOON}
        )
    assert below.value.param == "subscription_data[billing_cycle_anchor]"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        local.stripe.v1.prices.create({"currency": "usd"})
    assert (missing.value.code, missing.value.param) == ("parameter_missing", "product")


def test_a_key_replays_its_answer_and_refuses_other_parameters(local: Local) -> None:
    create = local.stripe.v1.customers.create
    first = create({"email": "lea@example.com"}, {"idempotency_key": "once"})
    again = create({"email": "lea@example.com"}, {"idempotency_key": "once"})
    assert first.id == again.id
    assert again.last_response is not None
    assert again.last_response.headers["idempotent-replayed"] == "true"
    assert len(local.standin.all("customer")) == 1
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        create({"email": "grace@example.com"}, {"idempotency_key": "once"})
    assert local.standin.events[-1]["request"]["idempotency_key"] == "once"


def test_a_key_replays_a_declined_card_and_not_a_bad_parameter(local: Local) -> None:
    customer = local.customer()
    wrong = {"amount": 100, "currency": "usd", "customer": "cus_nobody"}
    with pytest.raises(stripe.InvalidRequestError):
        local.stripe.v1.payment_intents.create(wrong, {"idempotency_key": "pay"})  # type: ignore[arg-type]
    declined = {
        "amount": 100,
        "currency": "usd",
        "customer": customer,
        "payment_method": "pm_card_chargeDeclined",
        "confirm": True,
    }
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            local.stripe.v1.payment_intents.create(declined, {"idempotency_key": "pay"})  # type: ignore[arg-type]
        assert refused.value.error is not None
        assert refused.value.error.decline_code == "generic_decline"
    assert len(local.standin.all("charge")) == 1


def test_a_key_that_is_in_use_is_a_conflict(local: Local) -> None:
    asked = Request("POST", "/v1/customers", "email=a%40b.c", "sk_test_x", None, "busy")
    statuses: list[int] = []
    with local.standin.lock:
        thread = threading.Thread(
            target=lambda: statuses.append(local.standin._api.answer(asked).status)
        )
        thread.start()
        while "busy" not in local.standin._api._under_way:
            thread.join(0.001)
        second = local.standin._api.answer(asked)
    thread.join()
    assert second.status == 409
    assert second.document["error"]["code"] == "idempotency_key_in_use"
    assert statuses == [200]


def test_an_answer_that_was_lost_is_had_again_with_the_same_key(local: Local) -> None:
    local.standin.set_switches({"api_lost_answers": 1})
    client = stripe.StripeClient(
        "sk_test_x", base_addresses={"api": local.url}, max_network_retries=1
    )
    made = client.v1.customers.create({"email": "lea@example.com"})
    client._requestor._client.close()
    assert [each["id"] for each in local.standin.all("customer")] == [made.id]


def test_requests_fail_when_they_are_told_to(local: Local) -> None:
    local.standin.set_switches({"api_failures": 1})
    with pytest.raises(stripe.APIError):
        local.stripe.v1.customers.create({})
    assert not local.standin.all("customer")
    assert local.stripe.v1.customers.create({}).id


def test_lists_come_in_pages_newest_first(local: Local) -> None:
    made = [local.stripe.v1.customers.create({"email": f"{at}@example.com"}).id for at in range(5)]
    first = local.stripe.v1.customers.list({"limit": 2})
    assert [each.id for each in first.data] == made[:2:-1]
    assert first.has_more
    whole = [each.id for each in first.auto_paging_iter()]
    assert whole == made[::-1]
    before = local.stripe.v1.customers.list({"ending_before": made[0], "limit": 2})
    assert [each.id for each in before.data] == [made[2], made[1]]
    assert [
        each.id for each in local.stripe.v1.customers.list({"email": "3@example.com"}).data
    ] == [made[3]]


def test_events_are_listed_by_type_and_time(local: Local) -> None:
    customer = local.customer()
    local.wall.now += 100
    local.session(local.price(2900, None), customer=customer)
    events = local.stripe.v1.events
    assert {each.type for each in events.list({"type": "customer.*"}).data} == {
        "customer.created",
        "customer.updated",
    }
    late = events.list({"created": {"gte": NOON + 100}}).data
    assert [each.type for each in late] == ["price.created", "product.created"]
    types = events.list({"types": ["price.created", "payment_method.attached"]}).data
    assert len(types) == 2
    newest = events.list({"limit": 1}).data[0]
    oldest = events.list({}).data[-1]
    assert events.list({"ending_before": oldest.id}).data[0].id == newest.id
    assert events.retrieve(newest.id).type == newest.type
    assert newest.api_version == stripe.api_version


def test_expansion_goes_through_lists_and_names_what_it_cannot(local: Local) -> None:
    subscription = local.subscribe(local.customer(), local.price())
    found = local.stripe.v1.subscriptions.list(
        {"expand": ["data.customer", "data.latest_invoice.payments"]}
    ).data[0]
    assert isinstance(found.customer, stripe.Customer)
    assert isinstance(found.latest_invoice, stripe.Invoice)
    assert found.latest_invoice.payments is not None
    invoice = local.stripe.v1.invoices.retrieve(
        found.latest_invoice.id, {"expand": ["payments.data.payment.payment_intent"]}
    )
    assert invoice.payments is not None
    payment = invoice.payments.data[0].payment.payment_intent
    assert isinstance(payment, stripe.PaymentIntent)
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        local.stripe.v1.subscriptions.list({"expand": ["data.latest_invoice.a.b.c"]})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        local.stripe.v1.subscriptions.retrieve(subscription.id, {"expand": ["nothing"]})


def test_a_deleted_customer_is_still_known_as_deleted(local: Local) -> None:
    customer = local.customer()
    subscription = local.subscribe(customer, local.price())
    local.stripe.v1.customers.delete(customer)
    gone = local.stripe.v1.customers.retrieve(customer)
    assert gone.deleted
    assert local.stripe.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert local.types()[-1] == "customer.deleted"
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        local.stripe.v1.customers.update(customer, {"name": "Lea"})


def test_metadata_is_merged_and_unset(local: Local) -> None:
    customer = local.stripe.v1.customers.create({"metadata": {"a": "1", "b": "2"}}).id
    changed = local.stripe.v1.customers.update(customer, {"metadata": {"a": "", "c": "3"}})
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}


def test_lookup_keys_find_prices_and_move(local: Local) -> None:
    old = local.price(4900, lookup_key="pro")
    new = local.price(5900, lookup_key="pro", transfer_lookup_key=True)
    found = local.stripe.v1.prices.list({"lookup_keys": ["pro"]}).data
    assert [each.id for each in found] == [new]
    assert local.stripe.v1.prices.retrieve(old).lookup_key is None


def test_tax_ids_come_onto_invoices(local: Local) -> None:
    customer = local.customer()
    local.stripe.v1.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "DE123456789"})
    subscription = local.subscribe(customer, local.price(), expand=["latest_invoice"])
    assert isinstance(subscription.latest_invoice, stripe.Invoice)
    ids = subscription.latest_invoice.customer_tax_ids
    assert ids is not None
    assert [(each.type, each.value) for each in ids] == [("eu_vat", "DE123456789")]


def test_the_same_seed_gives_the_same_ids() -> None:
    names = []
    for _ in range(2):
        standin = StandIn("http://localhost", api_key="sk_test_x", now=lambda: NOON, seed="s")
        asked = Request("POST", "/v1/customers", "email=lea%40example.com", "sk_test_x", None)
        names.append(standin.answer(asked).document["id"])
    assert names[0] == names[1]


def test_endpoints_of_an_earlier_run_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "stripe.sqlite"
    for port in (8000, 8001):
        endpoint = Endpoint(f"http://127.0.0.1:{port}/webhooks/stripe", "whsec_x")
        standin = StandIn("http://localhost", path=path, endpoints=[endpoint])
        assert [each["url"] for each in standin.all("webhook_endpoint")] == [endpoint.url]
        standin.stop()


def test_it_can_be_mounted_below_another_application(browser: httpx2.Client) -> None:
    listener = socket.create_server((server.HOST, 0))
    base = f"http://{server.HOST}:{listener.getsockname()[1]}"
    standin = StandIn(f"{base}/_local/stripe", api_key="sk_test_x", seed="mounted")
    app = FastAPI()
    app.mount("/_local/stripe", application(standin))
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": f"{base}/_local/stripe"})
    with server.serving(app, listener):
        product = client.v1.products.create({"name": "Pack"})
        price = client.v1.prices.create(
            {"product": product.id, "unit_amount": 900, "currency": "eur"}
        )
        session = client.v1.checkout.sessions.create(
            {
                "mode": "payment",
                "line_items": [{"price": price.id, "quantity": 1}],
                "success_url": f"{base}/paid",
            }
        )
        assert session.url == f"{base}/_local/stripe/c/pay/{session.id}"
        assert "9.00 EUR" in browser.get(session.url).text
        assert browser.get(f"{base}/_local/stripe/assets/pages.css").is_success
        form = {"email": "lea@example.com", "method": "new", "number": "4000002500003155"}
        asked = browser.post(session.url, data={**form, "expiry": "12/34", "cvc": "123"})
        assert asked.headers["location"].startswith("/_local/stripe/3ds/pi_")
        assert browser.get(f"{base}/_local/stripe/").is_success
    client._requestor._client.close()


def test_state_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "stripe.sqlite"

    def begin() -> StandIn:
        return StandIn("http://localhost", api_key="sk_test_x", now=lambda: NOON, path=path)

    def ask(standin: StandIn, method: str, rest: str, form: str = "") -> dict[str, object]:
        answer = standin.answer(Request(method, f"/v1/{rest}", form, "sk_test_x", None, form))
        assert answer.status == 200, answer
        return answer.document

    first = begin()
    made = ask(first, "POST", "customers", "email=lea%40example.com")
    first.stop()
    second = begin()
    assert ask(second, "GET", f"customers/{made['id']}") == made
    assert [each["type"] for each in second.events] == ["customer.created"]
    assert ask(second, "POST", "customers", "email=lea%40example.com") == made
    other = ask(second, "POST", "customers", "email=grace%40example.com")
    assert other["id"] != made["id"]
    second.stop()
