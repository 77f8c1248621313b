"""Delivery: signatures that the SDK takes, tries, and everything that can go wrong on purpose."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest
import stripe

from local.stripe import Endpoint
from tests.local.stripe.conftest import Local

SECRET = "whsec_of_these_tests"


@dataclass
class Ear:
    """An endpoint that writes down what it hears, and answers as told."""

    url: str = ""
    heard: list[stripe.Event] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """The next answers; 200 when there are none left."""

    def types(self) -> list[str]:
        return [each.type for each in self.heard]


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            event = stripe.Webhook.construct_event(
                body, self.headers["Stripe-Signature"], SECRET, api_key="sk_test_x"
            )
            ear.heard.append(event)
            self.send_response(ear.answers.pop(0) if ear.answers else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ear.url = f"http://127.0.0.1:{listening.server_port}/webhooks/stripe"
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    yield ear
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def listening(local: Local, ear: Ear) -> Local:
    local.standin.add_endpoint(Endpoint(ear.url, SECRET))
    local.standin.start()
    return local


def test_events_arrive_signed_and_whole(listening: Local, ear: Ear) -> None:
    listening.customer()
    assert listening.standin.flush()
    assert sorted(ear.types()) == sorted(listening.types())
    event = listening.stripe.v1.events.list({"type": "customer.created"}).data[0]
    heard = next(each for each in ear.heard if each.id == event.id)
    assert heard.data.object["email"] == "lea@example.com"
    assert event.pending_webhooks == 0


@pytest.mark.parametrize("answer", [500, 302, 404])
def test_only_a_2xx_counts(listening: Local, ear: Ear, answer: int) -> None:
    ear.answers = [answer, answer]
    listening.stripe.v1.customers.create({})
    assert listening.standin.flush()
    assert ear.types() == ["customer.created"] * 3
    tries = listening.standin.delivery.of(listening.standin.events[0]["id"])[0]["tries"]
    assert [each["said"] for each in tries] == [answer, answer, 200]


def test_a_deaf_endpoint_is_given_up(local: Local) -> None:
    local.standin.add_endpoint(Endpoint("http://127.0.0.1:9/nobody", SECRET))
    local.standin.start()
    local.stripe.v1.customers.create({})
    assert local.standin.flush()
    [delivery] = local.standin.delivery.of(local.standin.events[0]["id"])
    assert delivery["state"] == "given up"
    assert len(delivery["tries"]) == 9


def test_events_are_duplicated_dropped_and_sent_again(listening: Local, ear: Ear) -> None:
    listening.standin.set_switches({"copies": 3})
    listening.stripe.v1.customers.create({})
    assert listening.standin.flush()
    assert len(ear.heard) == 3
    assert len({each.id for each in ear.heard}) == 1
    listening.standin.set_switches({"copies": 1, "drop_types": ["product.*"]})
    listening.stripe.v1.products.create({"name": "PRO"})
    assert listening.standin.flush()
    assert len(ear.heard) == 3
    dropped = listening.stripe.v1.events.list({"type": "product.created"}).data[0]
    listening.standin.set_switches({"drop_types": []})
    assert listening.standin.resend(dropped.id) == 1
    assert listening.standin.flush()
    assert ear.types()[-1] == "product.created"


def test_events_are_held_and_shuffled(listening: Local, ear: Ear) -> None:
    listening.standin.set_switches({"hold": True, "shuffle_seconds": 0.05})
    for _ in range(12):
        listening.stripe.v1.customers.create({})
    assert not ear.heard
    listening.standin.set_switches({"hold": False})
    assert listening.standin.delivery.flush(20, hurry=False)
    told = [each["id"] for each in listening.standin.events]
    heard = [each.id for each in ear.heard]
    assert sorted(told) == sorted(heard)
    assert told != heard


def test_an_endpoint_hears_what_it_asked_for(local: Local, ear: Ear) -> None:
    made = local.stripe.v1.webhook_endpoints.create(
        {"url": ear.url, "enabled_events": ["product.created"]}
    )
    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert "secret" not in local.stripe.v1.webhook_endpoints.list().data[0]
    local.standin.add_endpoint(Endpoint(ear.url, SECRET, ("product.created",)))
    local.standin.start()
    local.stripe.v1.customers.create({})
    local.stripe.v1.products.create({"name": "PRO"})
    assert local.standin.flush()
    assert ear.types() == ["product.created"]


def test_a_test_signs_an_event_itself(local: Local) -> None:
    local.stripe.v1.customers.create({})
    body, headers = local.standin.signed(local.standin.events[0], SECRET)
    signature = headers["Stripe-Signature"]
    event = stripe.Webhook.construct_event(body, signature, SECRET, api_key="sk_test_x")
    assert event.type == "customer.created"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, signature, "whsec_other", api_key="sk_test_x")
    both, headers = local.standin.signed(local.standin.events[0], "whsec_other", SECRET)
    assert headers["Stripe-Signature"].count("v1=") == 2
    for secret in (SECRET, "whsec_other"):
        stripe.Webhook.construct_event(
            both, headers["Stripe-Signature"], secret, api_key="sk_test_x"
        )
    old, headers = local.standin.signed(local.standin.events[0], SECRET, at=1_000)
    with pytest.raises(stripe.SignatureVerificationError, match="tolerance"):
        stripe.Webhook.construct_event(
            old, headers["Stripe-Signature"], SECRET, api_key="sk_test_x"
        )


def test_everything_can_be_done_by_the_control_api(listening: Local, ear: Ear) -> None:
    def control(path: str, **body: object) -> httpx2.Response:
        return httpx2.post(f"{listening.url}/_control{path}", json=body, timeout=20)

    customer = listening.customer()
    subscription = listening.subscribe(customer, listening.price())
    assert control("/switches", hold="yes").status_code == 400
    assert control("/switches", after_last_retry="unpaid").json()["after_last_retry"] == "unpaid"
    assert control("/customers/" + customer + "/card", number="4000000000000341").is_success
    assert control("/customers/" + customer + "/advance", days=60).json()["done"] > 2
    assert listening.stripe.v1.subscriptions.retrieve(subscription.id).status == "unpaid"
    session = listening.session(listening.price(2900, None))
    declined = control(f"/sessions/{session.id}/pay", number="4000000000000002")
    assert (declined.status_code, declined.json()["error"]["code"]) == (402, "card_declined")
    assert control(f"/sessions/{session.id}/pay", kind="sepa_debit").is_success
    intent = listening.stripe.v1.checkout.sessions.retrieve(session.id).payment_intent
    assert control(f"/payment_intents/{intent}/settle", succeeded=True).is_success
    charge = listening.standin.all("charge")[-1]["id"]
    dispute = control(f"/charges/{charge}/dispute").json()["dispute"]
    assert control(f"/disputes/{dispute}/close", won=True).is_success
    assert control("/flush").json() == {"flushed": True}
    assert "charge.dispute.closed" in ear.types()
    event = listening.standin.events[-1]["id"]
    assert control(f"/events/{event}/resend").json() == {"endpoints": 1}
    foreign = httpx2.post(
        f"{listening.url}/_control/flush", headers={"Origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
