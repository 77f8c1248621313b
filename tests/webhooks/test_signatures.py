"""Whom the webhook believes: bytes signed in the last five minutes with a secret in force."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import bank, billing
from tests.support.billing import OTHER_SECRET, WEBHOOK_SECRET, post, signed, stripe_settings

NOW = 1_795_262_400

pytestmark = pytest.mark.usefixtures("webhook_settings")


def event(id: str = "evt_1", **changed: Any) -> dict[str, Any]:
    return {
        "id": id,
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": NOW,
        "data": {"object": {"id": "prod_1", "object": "product"}},
        "livemode": False,
        "type": "product.updated",
        **changed,
    }


BODY = json.dumps(event()).encode()


@pytest.fixture(autouse=True)
def stripe_clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock that signatures are held against stands."""
    from stripe import _webhook

    clock = SimpleNamespace(time=lambda: float(NOW))
    monkeypatch.setattr(_webhook, "time", clock)
    return clock


def recorded() -> int:
    return int(bank.value("SELECT count(*) FROM payments.stripe_events"))


def refused(answer: billing.Answer) -> bool:
    return (answer.status, answer.body) == (400, {"outcome": "refused"}) and recorded() == 0


@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
def test_a_signed_body_is_taken_however_the_gateway_hands_it_over(encoded: bool) -> None:
    assert post(BODY, signed(BODY, at=NOW), encoded=encoded).status == 200
    assert recorded() == 1


def test_a_signature_is_good_for_five_minutes() -> None:
    assert post(BODY, signed(BODY, at=NOW - 299)).status == 200


def test_after_five_minutes_it_is_not() -> None:
    assert refused(post(BODY, signed(BODY, at=NOW - 301)))


def test_another_secret_does_not_open() -> None:
    assert refused(post(BODY, signed(BODY, secret="whsec_of_somebody_else", at=NOW)))


def test_one_good_signature_among_several_is_enough() -> None:
    good = signed(BODY, at=NOW)
    header = good.replace("v1=", f"v1={'0' * 64},v1=", 1)

    assert post(BODY, header).status == 200


def test_a_signature_of_another_scheme_does_not_count() -> None:
    assert refused(post(BODY, signed(BODY, at=NOW).replace("v1=", "v0=")))


def test_the_signature_holds_for_the_bytes_and_no_other_spelling_of_them() -> None:
    spaced = json.dumps(event(), indent=1).encode()

    assert json.loads(spaced) == json.loads(BODY)
    assert refused(post(spaced, signed(BODY, at=NOW)))


@pytest.mark.parametrize(
    "header",
    [None, "", "nonsense", "t=,v1=", "t=abc,v1=00", f"t={NOW}", "v1=00", f"t={'9' * 400},v1=00"],
)
def test_what_is_no_signature_is_refused(header: str | None) -> None:
    assert refused(post(BODY, header))


def test_while_a_secret_is_replaced_both_are_good(stripe_server: Any) -> None:
    with stripe_settings("http://127.0.0.1:9", secrets=f"{OTHER_SECRET}, {WEBHOOK_SECRET}"):
        for number, secret in enumerate((WEBHOOK_SECRET, OTHER_SECRET)):
            body = json.dumps(event(f"evt_{number}")).encode()
            assert post(body, signed(body, secret=secret, at=NOW)).status == 200
    body = json.dumps(event("evt_after")).encode()
    assert post(body, signed(body, secret=OTHER_SECRET, at=NOW)).status == 400


def test_without_a_secret_nothing_is_believed_and_stripe_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from studypack.core.config import get_settings

    monkeypatch.delenv("STRIPE_WEBHOOK_SECRETS")
    get_settings.cache_clear()

    answer = post(BODY, signed(BODY, at=NOW))

    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    assert recorded() == 0


@pytest.mark.parametrize(
    "document",
    [
        [],
        "text",
        None,
        {},
        {"object": "event"},
        event(object="v2.core.event"),
        event(id=7),
        event(type=None),
        event(created="yesterday"),
        event(created=10**30),
        event(data={}),
        event(data={"object": "product"}),
        {"version": "0", "detail-type": "x", "source": "aws.partner/stripe", "detail": event()},
    ],
    ids=lambda document: json.dumps(document)[:40],
)
def test_what_is_signed_and_no_event_is_refused(document: Any) -> None:
    body = json.dumps(document).encode()

    assert refused(post(body, signed(body, at=NOW)))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    from stripe import WebhookSignature

    text = body.decode("utf-8", "replace")
    header = WebhookSignature.generate_signature_header(text, WEBHOOK_SECRET, timestamp=NOW)

    assert refused(post(body, header, encoded=True))


def test_more_than_a_megabyte_is_not_looked_at() -> None:
    body = json.dumps(event(padding="x" * 1024 * 1024)).encode()

    assert post(body, signed(body, at=NOW)).status == 413
    assert recorded() == 0


def test_a_body_that_is_no_base64_is_refused() -> None:
    from tests.support.exams import JobContext
    from webhooks.stripe.handler import handler

    request = billing.gateway_event(BODY, {"stripe-signature": signed(BODY, at=NOW)})

    for broken in ({"body": "%%%", "isBase64Encoded": True}, {"body": None}):
        assert handler({**request, **broken}, JobContext())["statusCode"] == 400


def test_the_answer_tells_a_stranger_nothing() -> None:
    answer = post(BODY, signed(BODY, secret="whsec_of_somebody_else", at=NOW))

    assert answer.body == {"outcome": "refused"}
    assert answer.headers["Cache-Control"] == "no-store"
