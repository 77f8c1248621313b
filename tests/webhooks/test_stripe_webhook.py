"""Each event is recorded once and takes effect once; only then it is acknowledged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import bank, billing
from tests.support.billing import LocalStripe, deliver, inbox_row
from tests.support.buyer import Buyer
from tests.support.concurrency import at_once, fail_at_commit, meeting_at


def paid_pack(buyer: Buyer) -> tuple[Any, dict[str, Any]]:
    """A purchase that was paid, and the event that is to tell so."""
    visit = buyer.pay(buyer.visit("pack"))
    [event] = buyer.local.new_events("checkout.session.completed")
    return visit, event


def test_an_event_that_took_effect_is_acknowledged(buyer: Buyer) -> None:
    _, event = paid_pack(buyer)

    answer = deliver(event)

    assert (answer.status, answer.outcome) == (200, "applied")
    row = inbox_row(event["id"])
    assert row.processed_at is not None
    assert (row.type, row.object_id, row.attempts) == (
        event["type"],
        event["data"]["object"]["id"],
        1,
    )
    assert row.payload == event


def test_the_same_event_again_changes_nothing(buyer: Buyer) -> None:
    visit, event = paid_pack(buyer)
    deliver(event)
    bank.execute("UPDATE payments.purchases SET status_reason = 'untouched'")

    answer = deliver(event)

    assert (answer.status, answer.outcome) == (200, "done_before")
    assert buyer.purchase(visit).status_reason == "untouched"


def test_a_type_that_nobody_handles_is_recorded_and_done(standin: LocalStripe) -> None:
    standin.client.v1.products.create({"name": "x"})
    [event] = standin.new_events("product.created")

    answer = deliver(event)

    assert (answer.status, answer.outcome) == (200, "not_handled")
    assert inbox_row(event["id"]).processed_at is not None
    assert deliver(event).outcome == "not_handled"


def test_an_event_of_an_unknown_customer_is_kept_explained_and_comes_again(
    standin: LocalStripe, learner: Any
) -> None:
    customer = standin.client.v1.customers.create({"email": "who@example.com"})
    standin.client.v1.customers.update(customer.id, {"name": "Who"})
    [event] = standin.new_events("customer.updated")

    answer = deliver(event)

    assert (answer.status, answer.outcome) == (500, "failed")
    assert answer.headers["Retry-After"] == "60"
    row = inbox_row(event["id"])
    assert row.processed_at is None
    assert row.error == "It is about a customer who is none of ours."
    assert row.next_attempt_at > row.received_at

    billing.make_customer(learner.id, customer.id)
    assert deliver(event).outcome == "applied"
    row = inbox_row(event["id"])
    assert (row.attempts, row.error) == (2, None)


def test_an_object_that_names_our_user_finds_its_customer(buyer: Buyer) -> None:
    visit, event = paid_pack(buyer)
    bank.execute("UPDATE payments.customers SET stripe_customer_id = NULL")

    assert deliver(event).status == 200
    assert buyer.purchase(visit).status == "COMPLETED"


def test_a_fault_of_ours_is_kept_without_what_it_quotes(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch, log: Callable[[], str]
) -> None:
    from studypack.billing.events import handlers

    quoted = "somebody" + "@example.com"

    def broken(*_: Any) -> None:
        raise KeyError(quoted)

    _, event = paid_pack(buyer)
    monkeypatch.setitem(handlers.HANDLERS, event["type"], broken)  # type: ignore[arg-type]

    assert deliver(event).status == 500
    assert inbox_row(event["id"]).error == "KeyError"
    assert event["id"] in log()
    assert quoted not in log()


def test_a_commit_that_fails_is_not_acknowledged(buyer: Buyer, session: Any) -> None:
    visit, event = paid_pack(buyer)
    fail_at_commit(session, "payments.invoices")
    session.commit()

    answer = deliver(event)

    assert answer.status == 500
    assert inbox_row(event["id"]).processed_at is None
    assert buyer.purchase(visit).status == "PENDING"


def test_stripe_that_cannot_be_asked_is_not_the_end(buyer: Buyer) -> None:
    buyer.pay(buyer.visit("monthly"))
    [event] = buyer.local.new_events("invoice.paid")
    # Both the call and the SDK's own repetition of it.
    buyer.local.standin.set_switches({"api_failures": 2})

    assert deliver(event).status == 500
    assert billing.error_of(event["id"]) == "Payments are not available at the moment; try again."
    assert deliver(event).status == 200
    assert buyer.subscription().status == "ACTIVE"


def test_stripe_is_never_asked_while_rows_are_locked(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.billing import truth
    from studypack.core.database.engine import get_engine

    held = []
    fetch = truth.fetch
    monkeypatch.setattr(
        truth,
        "fetch",
        lambda needed: held.append(get_engine().pool.checkedout()) or fetch(needed),  # type: ignore[attr-defined,func-returns-value]
    )
    buyer.pay(buyer.visit("monthly"))
    for event in reversed(buyer.local.new_events()):
        assert deliver(event).status == 200

    assert held
    assert set(held) == {0}


@pytest.mark.usefixtures("wide_pool")
def test_the_same_event_twice_at_once_takes_effect_once(buyer: Buyer) -> None:
    visit, event = paid_pack(buyer)

    answers = at_once(*[lambda: deliver(event)] * 8)

    assert sorted(answer.outcome for answer in answers) == ["applied"] + ["done_before"] * 7
    assert {answer.status for answer in answers} == {200}
    assert buyer.purchase(visit).status == "COMPLETED"
    assert bank.value("SELECT count(*) FROM payments.invoices") == 1


@pytest.mark.usefixtures("wide_pool")
def test_events_of_one_customer_take_effect_one_after_the_other(buyer: Buyer) -> None:
    visits = [buyer.pay(buyer.visit("pack")) for _ in range(3)]
    events = buyer.local.new_events("checkout.session.completed", "payment_intent.succeeded")

    answers = meeting_at(
        "SELECT 1 FROM payments.customers WHERE id = :id FOR UPDATE",
        [lambda event=event: deliver(event) for event in events],
        id=buyer.row,
    )

    assert {answer.status for answer in answers} == {200}
    rows = [buyer.purchase(visit) for visit in visits]
    assert [row.is_duplicate for row in rows].count(False) == 1
    numbers = [row.number for row in bank.rows("SELECT number FROM payments.invoices")]
    assert sorted(numbers) == [f"INV-{rows[0].access_start.year}-{n:06d}" for n in (1, 2, 3)]


def test_the_log_and_the_answer_tell_nothing_of_anybody(
    buyer: Buyer, log: Callable[[], str]
) -> None:
    from studypack.core.telemetry import get_logger

    get_logger().setLevel("INFO")
    try:
        buyer.buy()
    finally:
        get_logger().setLevel("WARNING")

    written = [json.loads(line) for line in log().splitlines()]
    answered = [line for line in written if line["message"] == "webhook answered"]
    assert {line["outcome"] for line in answered} <= {"applied", "not_handled"}
    assert buyer.person.email not in log()
    assert buyer.customer_id not in log()


def test_what_an_event_costs_in_statements(
    buyer: Buyer, statements: Callable[[], list[str]]
) -> None:
    visit, event = paid_pack(buyer)
    statements()
    deliver(event)
    first = len(statements())
    buyer.subscribe()
    statements()
    buyer.local.client.v1.subscriptions.update(
        buyer.subscription().stripe_subscription_id, {"cancel_at_period_end": True}
    )
    statements()
    buyer.pass_days(0.001)
    [update] = buyer.local.deliver_new("customer.subscription.updated")
    assert update.outcome == "applied"
    [again] = [deliver(event)]
    assert again.outcome == "done_before"

    # Recorded; event, customer, checkout; what it is for with its product; twice?; the invoice with
    # its number; figure, mail; done.
    assert first <= 24
    assert buyer.purchase(visit).status == "COMPLETED"
    # Recorded; event, customer, subscription, written, what follows, done; and the repetition.
    assert len(statements()) <= 16


def test_an_event_whose_content_is_no_longer_kept_is_done_before(buyer: Buyer) -> None:
    _, event = paid_pack(buyer)
    deliver(event)
    bank.execute("UPDATE payments.stripe_events SET payload = NULL")

    assert deliver(event).outcome == "done_before"
