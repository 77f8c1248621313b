"""The sweep over events that have not taken effect: each in its turn, none in another's way."""

from __future__ import annotations

from typing import Any

import pytest

from studypack.billing import inbox
from tests.support import bank, billing
from tests.support.billing import LocalStripe, inbox_row
from tests.support.buyer import Buyer
from tests.support.concurrency import at_once, bystander


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return billing.run_job("retry_stripe_events", milliseconds)


def recorded(buyer: Buyer, *types: str) -> list[str]:
    """Events that were recorded before their process died."""
    return [inbox.record(event) for event in buyer.local.new_events(*types)]


def strangers_event(standin: LocalStripe) -> str:
    customer = standin.client.v1.customers.create({"email": "who@example.com"})
    standin.client.v1.customers.update(customer.id, {"name": "Who"})
    return inbox.record(standin.new_events("customer.updated")[-1])


def test_what_a_crash_left_is_done(buyer: Buyer) -> None:
    visit = buyer.pay(buyer.visit("pack"))
    events = recorded(buyer)

    report = run()

    assert (report["processed"], report["complete"], report["waiting_for_somebody"]) == (3, True, 0)
    assert all(inbox_row(event).processed_at for event in events)
    assert buyer.purchase(visit).status == "COMPLETED"
    assert run()["processed"] == 0


def test_a_poisoned_event_stops_no_other_and_waits_longer_each_time(buyer: Buyer) -> None:
    poisoned = strangers_event(buyer.local)
    visit = buyer.pay(buyer.visit("pack"))
    recorded(buyer, "checkout.session.completed")

    report = run()

    assert (report["applied"], report["failed"], report["complete"]) == (1, 1, True)
    assert buyer.purchase(visit).status == "COMPLETED"
    pauses = []
    for _ in range(12):
        row = bank.row(
            "SELECT attempts, next_attempt_at - clock_timestamp() AS pause"
            " FROM payments.stripe_events WHERE id = :id",
            id=poisoned,
        )
        pauses.append(row.pause.total_seconds())
        bank.execute("UPDATE payments.stripe_events SET next_attempt_at = now()")
        run()
    assert [round(pause / 60) for pause in pauses[:5]] == [1, 2, 4, 8, 16]
    assert max(pauses) < 6 * 3600 + 1
    assert run()["waiting_for_somebody"] == 1


def test_what_is_not_due_is_left_alone(buyer: Buyer) -> None:
    poisoned = strangers_event(buyer.local)
    run()

    assert run()["batches"] == 0
    assert inbox_row(poisoned).attempts == 1


def test_without_time_nothing_begins(buyer: Buyer) -> None:
    buyer.pay(buyer.visit("pack"))
    recorded(buyer)

    report = run(milliseconds=5_000)

    assert (report["processed"], report["complete"]) == (0, False)


@pytest.mark.usefixtures("wide_pool")
def test_an_event_that_another_process_is_at_is_left_to_it(buyer: Buyer, database_url: str) -> None:
    buyer.pay(buyer.visit("pack"))
    [event] = recorded(buyer, "checkout.session.completed")
    with bystander(database_url) as engine, engine.begin() as holder:
        holder.exec_driver_sql(
            f"SELECT 1 FROM payments.stripe_events WHERE id = '{event}' FOR UPDATE"
        )
        report = run()

    assert (report["busy"], report["complete"]) == (1, True)
    assert run()["applied"] == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_sweeps_at_once_do_each_event_once(buyer: Buyer) -> None:
    for _ in range(3):
        buyer.pay(buyer.visit("pack"))
    number = len(recorded(buyer, *inbox.HANDLERS))

    reports = at_once(run, run)

    assert sum(report["processed"] for report in reports) == number
    assert bank.value("SELECT count(*) FROM payments.invoices") == 3
    assert bank.value("SELECT max(attempts) FROM payments.stripe_events") == 1


def test_old_contents_are_blanked_and_young_or_unprocessed_ones_kept(buyer: Buyer) -> None:
    buyer.buy()
    waiting = strangers_event(buyer.local)
    bank.execute("UPDATE payments.stripe_events SET occurred_at = now() - interval '91 days'")
    buyer.local.delivered.add(waiting)
    young = buyer.pay(buyer.visit("annual"))
    buyer.local.deliver_new()

    blanked = billing.run_job("purge_expired")["blanked_events"]

    assert blanked >= 3
    kept = bank.value("SELECT count(*) FROM payments.stripe_events WHERE payload IS NULL")
    assert kept == blanked
    assert inbox_row(waiting).payload is not None
    assert buyer.checkout(young).status == "COMPLETED"
