"""What is told in the product beside the mails of triggers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from studypack.billing.models import SubscriptionStatus
from studypack.lifecycle import payment
from tests.support import mail_lives as life
from tests.support.mail_lives import NOW
from tests.support.mail_queue import suppress

pytestmark = pytest.mark.usefixtures("database_url")

DAY = timedelta(days=1)


def failing(**person: Any) -> UUID:
    """Somebody whose renewal has failed for four days."""
    user = life.person(signed_up=NOW - 60 * DAY, **person)
    subscription = life.subscribe(
        user,
        ends=NOW + 26 * DAY,
        status=SubscriptionStatus.PAST_DUE,
        payment_failed_at=NOW - 4 * DAY,
    )
    life.execute(
        "INSERT INTO payments.invoices (id, user_id, customer_id, subscription_id, status,"
        " number, amount, total, currency, first_failed_at)"
        " SELECT public.uuid7(), s.user_id, s.customer_id, s.id, 'SENT', 'INV-2031-000001',"
        "        4900, 4900, 'usd', :at"
        "   FROM payments.subscriptions s WHERE s.id = :id",
        id=subscription,
        at=NOW - 4 * DAY,
    )
    return user


def decide() -> None:
    for trigger in payment.TRIGGERS:
        life.decide_by(trigger)


def told(user: UUID) -> list[Any]:
    return life.rows("SELECT * FROM notifications.notifications WHERE user_id = :id", id=user)


def test_a_payment_that_still_fails_rings_the_bell_once() -> None:
    user = failing()

    decide()
    decide()

    assert [row.status for row in life.queue(user)] == ["PENDING"]
    [line] = told(user)
    assert (line.type, line.title) == ("PAYMENT_FAILED", "Your payment still fails")
    assert line.message.startswith("49.00 USD for ")
    assert line.priority == "HIGH"
    assert "access_until" in line.data


def test_it_rings_where_no_mail_reaches_them() -> None:
    user = failing()
    suppress(f"{user.hex}@example.com")

    decide()

    assert life.decisions(user) == [("PAYMENT_FAILED_FINAL", "WITHHOLD", "bounced")]
    assert life.queue(user) == []
    assert len(told(user)) == 1


def test_a_closed_account_is_told_nothing() -> None:
    user = failing(active=False)

    decide()

    assert life.decisions(user) == [("PAYMENT_FAILED_FINAL", "WITHHOLD", "account_closed")]
    assert told(user) == []


def test_other_mails_do_not_ring() -> None:
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW - 8 * DAY)

    life.decide()

    assert [row.template for row in life.queue(user)] == ["INACTIVE_NUDGE"]
    assert told(user) == []
