"""Administrators see which of Stripe's events wait and why, and try one again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studypack.billing import inbox
from tests.support import bank, billing
from tests.support.billing import LocalStripe
from tests.support.buyer import Buyer

PATH = "/api/admin/stripe-events"


def strangers_event(standin: LocalStripe) -> tuple[str, str]:
    """An event of an unknown customer that failed, and the customer."""
    customer = standin.client.v1.customers.create({"email": "who@example.com"})
    standin.client.v1.customers.update(customer.id, {"name": "Who"})
    [event] = standin.new_events("customer.updated")
    assert billing.deliver(event).status == 500
    return event["id"], customer.id


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


def test_the_list_tells_what_waits_and_why_without_what_is_in_it(
    admin: Any, standin: LocalStripe
) -> None:
    event_id, _ = strangers_event(standin)

    [item] = admin.get(f"{PATH}?state=failed").json()["items"]

    assert (item["id"], item["type"], item["state"]) == (event_id, "customer.updated", "failed")
    assert item["error"] == "It is about a customer who is none of ours."
    assert (item["attempts"], item["processed_at"]) == (1, None)
    assert "who@example.com" not in admin.get(PATH).text


def test_events_are_found_by_their_state_and_type(admin: Any, buyer: Buyer) -> None:
    failed, _ = strangers_event(buyer.local)
    buyer.local.delivered.add(failed)
    buyer.buy()
    [waiting] = [
        inbox.record(event)
        for event in (buyer.pay(buyer.visit("monthly")), buyer.local.new_events("invoice.paid"))[1]
    ]

    assert ids(admin.get(f"{PATH}?state=failed")) == [failed]
    assert ids(admin.get(f"{PATH}?state=waiting")) == [waiting]
    processed = ids(admin.get(f"{PATH}?state=processed&limit=200"))
    assert failed not in processed
    assert len(processed) >= 4
    assert ids(admin.get(f"{PATH}?type=invoice.paid")) == [waiting]


def test_pages_follow_each_other_without_gap_or_repetition(admin: Any, buyer: Buyer) -> None:
    buyer.subscribe()
    whole = ids(admin.get(f"{PATH}?limit=200"))
    found: list[str] = []
    cursor = ""
    while True:
        answer = admin.get(f"{PATH}?limit=4{cursor}").json()
        found += [item["id"] for item in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = f"&cursor={answer['next_cursor']}"

    assert found == whole
    assert len(set(found)) == len(found) > 8


@pytest.mark.parametrize("cursor", ["x", "%00", "a" * 300, "ZXZ0", "evt_1"])
def test_a_cursor_that_is_none_of_ours_is_refused(admin: Any, cursor: str) -> None:
    answer = admin.get(f"{PATH}?cursor={cursor}")

    assert answer.status_code in {400, 422}


def test_a_replay_lets_an_event_take_effect_whose_reason_to_fail_is_gone(
    admin: Any, learner: Any, standin: LocalStripe
) -> None:
    event_id, customer = strangers_event(standin)
    again = admin.post(f"{PATH}/{event_id}/replay")
    assert (again.status_code, again.json()["state"], again.json()["attempts"]) == (
        200,
        "failed",
        2,
    )

    billing.make_customer(learner.id, customer)
    done = admin.post(f"{PATH}/{event_id}/replay").json()

    assert (done["state"], done["error"]) == ("processed", None)
    acts = bank.rows(
        "SELECT details FROM auth.audit_log WHERE action = 'stripe_event.replayed'"
        " AND actor_id = :id",
        id=admin.id,
    )
    assert [row.details["event_id"] for row in acts] == [event_id] * 2


def test_a_replay_of_what_took_effect_changes_nothing(admin: Any, buyer: Buyer) -> None:
    bought = buyer.buy()
    before = bank.row("SELECT * FROM payments.purchases")

    answer = admin.post(f"{PATH}/{bought.event_id}/replay")

    assert answer.json()["state"] == "processed"
    assert bank.row("SELECT * FROM payments.purchases") == before


def test_an_event_of_nobodys_is_not_found(admin: Any) -> None:
    answer = admin.post(f"{PATH}/evt_nobodys/replay")

    assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")


def test_it_is_for_admins_alone(support: Any, learner: Any) -> None:
    for person in (support, learner):
        assert person.get(PATH).status_code == 403
        assert person.post(f"{PATH}/evt_1/replay").status_code == 403


@pytest.mark.parametrize("number", [1, 200])
def test_a_page_is_one_statement_beside_the_authenticating_one(
    admin: Any, statements: Callable[[], list[str]], number: int
) -> None:
    bank.execute(
        "INSERT INTO payments.stripe_events (id, type, occurred_at)"
        " SELECT 'evt_' || n, 'x.y', now() FROM generate_series(1, :number) n",
        number=number,
    )
    statements()

    assert len(ids(admin.get(f"{PATH}?limit=200"))) == number
    assert len(statements()) == 2  # who asks; the page
