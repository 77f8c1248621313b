"""What follows from a checkout, a payment, refunds and disputes, whichever was written last."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from studypack.billing import refunds
from studypack.billing.models import Purchase, RefundOrigin, RefundStatus, Subscription, Transaction
from studypack.billing.settling import settle_purchase, settle_subscription
from studypack.core.database import transaction
from tests.support import bank
from tests.support.buyer import Buyer


def promise(payment: Any, amount: int | None = None) -> UUID:
    with transaction() as session:
        row = session.get_one(Transaction, payment.id)
        return refunds.reserve(
            session, row, amount, origin=RefundOrigin.BUYER, requested_by=None, reason=None
        ).id


def settled_purchase(id: UUID) -> Any:
    with transaction() as session:
        settle_purchase(session, session.get_one(Purchase, id))
    return bank.row("SELECT * FROM payments.purchases WHERE id = :id", id=id)


def settled_subscription(id: UUID) -> Any:
    with transaction() as session:
        settle_subscription(session, session.get_one(Subscription, id))
    return bank.row("SELECT * FROM payments.subscriptions WHERE id = :id", id=id)


def end(refund_id: UUID, status: RefundStatus) -> None:
    bank.execute(
        "UPDATE payments.refunds SET status = :status, settled_at = now() WHERE id = :id",
        status=status.value,
        id=refund_id,
    )


def test_a_promised_refund_ends_access_at_once_and_a_refused_one_gives_it_back(
    buyer: Buyer,
) -> None:
    bought = buyer.buy()
    refund = promise(buyer.payment("purchase_id", bought.id))
    row = settled_purchase(bought.id)
    assert (row.status, row.status_reason, row.refunded_amount) == ("REFUNDED", "refunded", 0)

    end(refund, RefundStatus.FAILED)
    row = settled_purchase(bought.id)
    assert (row.status, row.status_reason) == ("COMPLETED", None)

    end(refund, RefundStatus.SUCCEEDED)
    row = settled_purchase(bought.id)
    assert (row.status, row.refunded_amount) == ("REFUNDED", 2900)


def test_a_part_that_is_promised_ends_nothing(buyer: Buyer) -> None:
    bought = buyer.buy()
    promise(buyer.payment("purchase_id", bought.id), 2899)

    assert settled_purchase(bought.id).status == "COMPLETED"


def test_settling_again_changes_nothing(buyer: Buyer) -> None:
    bought = buyer.buy()

    before = bank.row("SELECT * FROM payments.purchases")
    settled_purchase(bought.id)

    assert bank.row("SELECT * FROM payments.purchases") == before


def test_a_promised_refund_of_the_period_ends_the_subscriptions_access(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    refund = promise(buyer.payment("subscription_id", subscription.id))

    assert settled_subscription(subscription.id).access_ended_at is not None

    end(refund, RefundStatus.CANCELED)
    assert settled_subscription(subscription.id).access_ended_at is None


def test_the_end_of_access_that_was_told_first_stands(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    refund = promise(buyer.payment("subscription_id", subscription.id))
    promised = settled_subscription(subscription.id).access_ended_at

    end(refund, RefundStatus.SUCCEEDED)

    assert settled_subscription(subscription.id).access_ended_at == promised


@pytest.mark.parametrize(("status", "failing"), [("PAST_DUE", True), ("ACTIVE", False)])
def test_grace_counts_from_the_first_failure_of_the_oldest_open_invoice(
    buyer: Buyer, status: str, failing: bool
) -> None:
    subscription = buyer.subscribe()
    for days, state in ((5, "SENT"), (9, "OVERDUE"), (20, "PAID"), (30, "CANCELED")):
        bank.execute(
            "INSERT INTO payments.invoices (id, customer_id, subscription_id, number, status,"
            " stripe_invoice_id, amount, total, currency, first_failed_at)"
            " VALUES (:id, :customer, :subscription, :number, :status, :number, 1, 1, 'usd',"
            " date_trunc('day', now()) - make_interval(days => :days))",
            id=uuid4(),
            customer=buyer.row,
            subscription=subscription.id,
            number=f"in_{days}",
            status=state,
            days=days,
        )
    bank.execute("UPDATE payments.subscriptions SET status = :status", status=status)

    row = settled_subscription(subscription.id)

    expected = bank.value("SELECT date_trunc('day', now()) - interval '9 days'")
    assert row.payment_failed_at == (expected if failing else None)


def test_what_has_ended_is_owed_no_cancellation(buyer: Buyer) -> None:
    subscription = buyer.subscribe()
    bank.execute("UPDATE payments.subscriptions SET cancel_requested_at = now(), ended_at = now()")

    assert settled_subscription(subscription.id).cancel_requested_at is None
