"""The local server's webhooks: what comes over HTTP reaches the handler as on AWS."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from local import template as sam
from local import webhooks
from tests.support import billing
from tests.support.billing import LocalStripe, signed
from tests.support.buyer import Buyer


@pytest.fixture
def client(standin: LocalStripe) -> TestClient:
    """The webhooks of the template."""
    return TestClient(Starlette(routes=webhooks.routes(sam.read())))


def test_what_the_stand_in_signs_is_taken_at_the_route_of_the_template(
    client: TestClient, buyer: Buyer
) -> None:
    visit = buyer.pay(buyer.visit("pack"))
    [event] = buyer.local.new_events("checkout.session.completed")
    body, headers = buyer.local.standin.signed(event, billing.WEBHOOK_SECRET)

    answer = client.post(billing.PATH, content=body, headers=headers)

    assert (answer.status_code, answer.json()) == (200, {"outcome": "applied"})
    assert buyer.purchase(visit).status == "COMPLETED"


def test_a_refusal_comes_back_as_it_is(client: TestClient) -> None:
    answer = client.post(billing.PATH, content=b"{}", headers={"Stripe-Signature": "no"})

    assert (answer.status_code, answer.json()) == (400, {"outcome": "refused"})
    assert client.get(billing.PATH).status_code == 405


def test_bytes_that_are_no_text_come_in_base64(client: TestClient) -> None:
    body = b"\xff\xfe"

    answer = client.post(
        billing.PATH, content=body, headers={"Stripe-Signature": signed(b"{}", at=1)}
    )

    assert answer.status_code == 400


def test_the_event_has_the_gateways_format(client: TestClient, monkeypatch: Any) -> None:
    seen: list[dict[str, Any]] = []

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        seen.append(event)
        assert context.get_remaining_time_in_millis() > 0
        return {
            "statusCode": 202,
            "headers": {"X-Own": "1"},
            "body": base64.b64encode(b"\x00").decode(),
            "isBase64Encoded": True,
        }

    monkeypatch.setattr(webhooks, "load_handler", lambda _function: handler)

    answer = client.post(f"{billing.PATH}?a=1", content=b"\xff", headers={"X-Some": "Thing"})

    assert (answer.status_code, answer.content, answer.headers["x-own"]) == (202, b"\x00", "1")
    [event] = seen
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == (
        "2.0",
        billing.PATH,
        "a=1",
    )
    assert event["headers"]["x-some"] == "Thing"
    assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"\xff", True)
    assert event["requestContext"]["http"]["method"] == "POST"
