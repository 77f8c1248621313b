"""The last mail about a payment that goes on failing: three days after the first, once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import bank, billing
from tests.support.buyer import FAILS_LATER, Buyer
from tests.support.concurrency import at_once


def run() -> dict[str, Any]:
    report = billing.run_job("remind_failed_payments")
    assert report["complete"] is True
    return report


@pytest.fixture
def failing(buyer: Buyer) -> Buyer:
    """Somebody whose renewal failed."""
    buyer.subscribe()
    buyer.local.standin.replace_card(buyer.customer_id, FAILS_LATER)
    buyer.pass_days(32)
    buyer.local.deliver_new()
    return buyer


def first_failed(age: str) -> None:
    bank.execute(
        "UPDATE payments.invoices SET first_failed_at = now() - CAST(:age AS interval)"
        " WHERE first_failed_at IS NOT NULL",
        age=age,
    )


def mails() -> int:
    return int(
        bank.value(
            "SELECT count(*) FROM notifications.email_queue WHERE template = 'PAYMENT_FAILED_FINAL'"
        )
    )


def test_it_comes_after_three_days_and_once(failing: Buyer) -> None:
    first_failed("2 days 23 hours")
    assert run()["reminders"] == 0

    first_failed("3 days 1 second")
    assert run()["reminders"] == 1
    assert run()["reminders"] == 0
    assert mails() == 1


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE payments.invoices SET status = 'PAID' WHERE first_failed_at IS NOT NULL",
        "UPDATE payments.subscriptions SET status = 'EXPIRED'",
        "UPDATE payments.invoices SET user_id = NULL",
    ],
    ids=["paid meanwhile", "given up", "gone"],
)
def test_it_does_not_come_without_a_reason(failing: Buyer, end: str) -> None:
    first_failed("4 days")
    bank.execute(end)

    assert run()["reminders"] == 0
    assert mails() == 0


@pytest.mark.usefixtures("wide_pool")
def test_two_runs_at_once_mail_once(failing: Buyer) -> None:
    first_failed("4 days")

    at_once(run, run)

    assert mails() == 1
