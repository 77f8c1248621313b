"""What ends by itself: grace, payment pages, invitations."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, billing
from tests.support.buyer import FAILS_LATER, Buyer
from tests.support.concurrency import at_once, bystander


def run() -> dict[str, Any]:
    report = billing.run_job("expire_access")
    assert report["complete"] is True
    return report


def let_fail(subscription: Any, since: str) -> None:
    bank.execute(
        "UPDATE payments.subscriptions SET status = 'PAST_DUE',"
        " payment_failed_at = now() - CAST(:since AS interval) WHERE id = :id",
        id=subscription.id,
        since=since,
    )


@pytest.mark.parametrize(
    ("since", "status"), [("13 days 23 hours", "PAST_DUE"), ("14 days 1 second", "EXPIRED")]
)
def test_grace_lasts_as_long_as_the_setting_says(buyer: Buyer, since: str, status: str) -> None:
    let_fail(buyer.subscribe(), since)

    run()

    row = buyer.subscription()
    assert row.status == status
    assert (row.cancel_requested_at is not None) == (status == "EXPIRED")
    assert run()["subscriptions"] == 0


def test_a_failure_whose_invoice_was_never_told_has_grace_from_the_period_on(buyer: Buyer) -> None:
    buyer.subscribe()
    bank.execute(
        "UPDATE payments.subscriptions SET status = 'PAST_DUE',"
        " current_period_start = now() - interval '15 days'"
    )

    assert run()["subscriptions"] == 1


def test_stripes_next_word_of_it_does_not_open_it_again(buyer: Buyer) -> None:
    buyer.subscribe()
    buyer.local.standin.replace_card(buyer.customer_id, FAILS_LATER)
    buyer.pass_days(32)
    buyer.local.deliver_new()
    let_fail(buyer.subscription(), "15 days")
    run()
    buyer.pass_days(4)  # another try fails; Stripe cannot be asked to end it just now
    for event in buyer.local.new_events():
        buyer.local.standin.set_switches({"api_failures": 9})
        billing.deliver(event)
    buyer.local.standin.set_switches({"api_failures": 0})

    row = buyer.subscription()
    assert (row.status, row.ended_at) == ("EXPIRED", None)


def test_a_page_past_its_time_is_closed_and_its_purchase_cancelled(buyer: Buyer) -> None:
    stale = buyer.visit("pack", status="OPEN")
    bank.execute("UPDATE payments.checkouts SET expires_at = now() - interval '11 minutes'")

    report = run()

    assert (report["checkouts"], report["purchases"]) == (1, 1)
    assert buyer.checkout(stale).status == "EXPIRED"
    assert buyer.purchase(stale).status_reason == "checkout_expired"
    assert run()["checkouts"] == 0


def test_a_page_that_is_open_stays_so(buyer: Buyer) -> None:
    visit = buyer.visit("pack", status="OPEN")

    run()

    assert (buyer.checkout(visit).status, buyer.purchase(visit).status) == ("OPEN", "PENDING")


def test_an_invitation_that_nobody_took_lapses(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    for address, until in (("a@example.com", "-1 second"), ("b@example.com", "1 hour")):
        bank.execute(
            "INSERT INTO payments.seat_invitations"
            " (id, subscription_id, email, token_hash, expires_at)"
            " VALUES (:id, :subscription, :email, sha256(CAST(:email AS text)::bytea),"
            " now() + CAST(:until AS interval))",
            id=uuid4(),
            subscription=subscription.id,
            email=address,
            until=until,
        )

    assert run()["invitations"] == 1
    rows = bank.rows("SELECT email, revoked_at FROM payments.seat_invitations ORDER BY email")
    assert [row.revoked_at is None for row in rows] == [False, True]


@pytest.mark.usefixtures("wide_pool")
def test_a_customer_whose_money_moves_is_left_to_the_next_run(
    buyer: Buyer, database_url: str
) -> None:
    let_fail(buyer.subscribe(), "15 days")
    with bystander(database_url) as engine, engine.begin() as holder:
        holder.exec_driver_sql("SELECT 1 FROM payments.customers FOR UPDATE")
        assert run()["subscriptions"] == 0

    assert run()["subscriptions"] == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_runs_at_once_do_it_once(buyer: Buyer) -> None:
    let_fail(buyer.subscribe(), "15 days")

    reports = at_once(run, run)

    assert sum(report["subscriptions"] for report in reports) == 1
