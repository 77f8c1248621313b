"""Our invoices: numbers, what Stripe's state does to them, what is frozen, credit notes."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from studypack.billing import invoicing
from studypack.billing.models import (
    CreditNote,
    Customer,
    Invoice,
    InvoiceStatus,
    ProductKind,
    Purchase,
    Refund,
    RefundOrigin,
    RefundStatus,
    Subscription,
    Transaction,
    TransactionStatus,
)
from studypack.core.business_settings import set_business_setting
from studypack.core.database import transaction
from tests.support import holdings
from tests.support.concurrency import at_once

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Told:
    """An event as the inbox hands it on."""

    occurred_at: datetime
    type: str = "invoice.finalized"
    id: str = "evt_1"


def stripe_invoice(**changes: Any) -> dict[str, Any]:
    """One of Stripe's invoices, finalized at noon, over 49.00 and not yet paid."""
    invoice: dict[str, Any] = {
        "id": "in_1",
        "status": "open",
        "subtotal": 4_900,
        "total": 4_900,
        "total_taxes": [],
        "total_discount_amounts": [],
        "amount_paid": 0,
        "currency": "usd",
        "lines": {"data": [line()], "has_more": False},
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "due_date": None,
        "status_transitions": {"finalized_at": int(NOON.timestamp()), "paid_at": None},
        "next_payment_attempt": None,
        "attempt_count": 0,
        "customer_name": None,
        "period_start": int(NOON.timestamp()),
        "period_end": int(NOON.timestamp()),
    }
    return {**invoice, **changes}


def line(amount: int = 4_900, *, proration: bool = False, **changes: Any) -> dict[str, Any]:
    start = int(NOON.timestamp())
    return {
        "description": "PRO monthly",
        "quantity": 1,
        "amount": amount,
        "period": {"start": start, "end": start + 30 * 86_400},
        "parent": {"subscription_item_details": {"proration": proration}},
        "taxes": [],
        **changes,
    }


@pytest.fixture
def subscription_id(learner: Any) -> UUID:
    return holdings.subscription(learner.id, holdings.product(kind=ProductKind.SUBSCRIPTION))


@pytest.fixture
def purchase_id(learner: Any) -> UUID:
    return holdings.purchase(learner.id, holdings.product())


def mirror(subscription_id: UUID, told: Told, **changes: Any) -> Invoice:
    is_truth = changes.pop("is_truth", False)
    with transaction() as session:
        subscription = session.get_one(Subscription, subscription_id)
        document = stripe_invoice(**changes)
        known = invoicing.find_invoice(session, document["id"])
        return invoicing.mirror_invoice(
            session, subscription, document, event=told, known=known, is_truth=is_truth
        )


def pay(session: Session, **links: Any) -> Transaction:
    customer = session.scalars(select(Customer)).one()
    paid = Transaction(
        user_id=customer.user_id,
        customer_id=customer.id,
        stripe_payment_intent_id=f"pi_{uuid4().hex[:8]}",
        amount=4_900,
        currency="usd",
        status=TransactionStatus.SUCCEEDED,
        **links,
    )
    session.add(paid)
    session.flush()
    return paid


def refund(session: Session, paid: Transaction, amount: int = 4_900, **changes: Any) -> Refund:
    values = {"status": RefundStatus.SUCCEEDED, "settled_at": NOON + SECOND, **changes}
    made = Refund(
        transaction_id=paid.id, amount=amount, currency="usd", origin=RefundOrigin.BUYER, **values
    )
    session.add(made)
    session.flush()
    return made


class RolledBack(Exception):
    """The transaction that drew a number does not come to its end."""


def roll_back_if(wanted: bool) -> None:
    if wanted:
        raise RolledBack


def test_twenty_at_once_of_which_some_roll_back_leave_no_gap(
    database_url: str, wide_pool: Any
) -> None:
    def draw(number: int) -> str | None:
        with suppress(RolledBack), transaction() as session:
            drawn = invoicing.draw_number(session, "INV", at=NOON)
            roll_back_if(number % 3 == 0)
            return drawn
        return None

    drawn = at_once(*(lambda number=number: draw(number) for number in range(20)))

    kept = sorted(number for number in drawn if number)
    assert kept == [f"INV-2026-{number:06d}" for number in range(1, 14)]


def test_two_that_draw_from_both_series_in_opposite_order_do_not_deadlock(
    database_url: str, wide_pool: Any
) -> None:
    ready = Barrier(2)

    def draw(*prefixes: str) -> list[str]:
        with transaction() as session:
            session.execute(text("SELECT 1"))
            ready.wait(10)
            return [invoicing.draw_number(session, prefix, at=NOON) for prefix in prefixes]

    first, second = at_once(lambda: draw("INV", "CN"), lambda: draw("CN", "INV"))

    assert sorted([*first, *second]) == [
        "CN-2026-000001",
        "CN-2026-000002",
        "INV-2026-000001",
        "INV-2026-000002",
    ]


def test_each_year_of_greenwich_begins_at_one(session: Session) -> None:
    eve = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)

    drawn = [invoicing.draw_number(session, "INV", at=at) for at in (eve, eve, eve + SECOND)]

    assert drawn == ["INV-2026-000001", "INV-2026-000002", "INV-2027-000001"]


def test_a_draft_gets_its_number_when_it_is_finalized_and_keeps_it(subscription_id: UUID) -> None:
    draft = mirror(
        subscription_id,
        Told(NOON - SECOND, "invoice.created"),
        status="draft",
        status_transitions={"finalized_at": None, "paid_at": None},
    )
    open_ = mirror(subscription_id, Told(NOON))
    paid_at = int((NOON + SECOND).timestamp())
    paid = mirror(
        subscription_id,
        Told(NOON + SECOND, "invoice.paid"),
        status="paid",
        amount_paid=4_900,
        status_transitions={"finalized_at": int(NOON.timestamp()), "paid_at": paid_at},
    )

    assert (draft.number, draft.issued_at, draft.status) == (None, None, InvoiceStatus.DRAFT)
    assert (open_.number, open_.issued_at) == ("INV-2026-000001", NOON)
    assert open_.status is InvoiceStatus.SENT
    assert (paid.number, paid.status) == ("INV-2026-000001", InvoiceStatus.PAID)
    assert (paid.paid_at, paid.amount_paid) == (NOON + SECOND, 4_900)


def test_paid_before_finalized_was_told_has_its_number_at_once(subscription_id: UUID) -> None:
    paid = mirror(subscription_id, Told(NOON + SECOND, "invoice.paid", "evt_2"), status="paid")
    late = mirror(subscription_id, Told(NOON))

    assert paid.number == late.number == "INV-2026-000001"
    assert late.status is InvoiceStatus.PAID
    assert late.event_id == "evt_2"


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        ("open", InvoiceStatus.SENT),
        ("paid", InvoiceStatus.PAID),
        ("uncollectible", InvoiceStatus.OVERDUE),
        ("void", InvoiceStatus.CANCELED),
    ],
)
def test_each_status_of_stripe_has_one_of_ours(
    subscription_id: UUID, told: str, ours: InvoiceStatus
) -> None:
    assert mirror(subscription_id, Told(NOON), status=told).status is ours


def test_a_failed_payment_makes_it_overdue_since_the_first_failure_told(
    subscription_id: UUID,
) -> None:
    second = Told(NOON + 5 * SECOND, invoicing.PAYMENT_FAILED, "evt_5")
    first = Told(NOON + 2 * SECOND, invoicing.PAYMENT_FAILED, "evt_2")
    mirror(subscription_id, second, attempt_count=2)

    after = mirror(subscription_id, first, attempt_count=1)

    assert after.status is InvoiceStatus.OVERDUE
    assert after.first_failed_at == first.occurred_at
    assert (after.attempts, after.event_id) == (2, "evt_5")


def test_a_failure_told_after_the_payment_leaves_it_paid(subscription_id: UUID) -> None:
    mirror(subscription_id, Told(NOON + 5 * SECOND, "invoice.paid", "evt_5"), status="paid")

    after = mirror(subscription_id, Told(NOON + SECOND, invoicing.PAYMENT_FAILED))

    assert after.status is InvoiceStatus.PAID
    assert after.first_failed_at == NOON + SECOND


def test_a_state_fetched_to_decide_a_tie_is_taken_whichever_id_sorts_last(
    subscription_id: UUID,
) -> None:
    mirror(subscription_id, Told(NOON, id="evt_9"), attempt_count=0)

    ignored = mirror(subscription_id, Told(NOON, id="evt_3"), attempt_count=7).attempts
    taken = mirror(subscription_id, Told(NOON, id="evt_3"), attempt_count=7, is_truth=True)

    assert ignored == 0
    assert (taken.attempts, taken.event_id) == (7, "evt_9")


@pytest.mark.parametrize("behavior", ["exclusive", "inclusive"])
def test_lines_less_discount_plus_tax_are_the_total(subscription_id: UUID, behavior: str) -> None:
    inclusive = behavior == "inclusive"
    tax = {"amount": 704, "tax_behavior": behavior}
    invoice = mirror(
        subscription_id,
        Told(NOON),
        total=4_410 if inclusive else 5_114,
        total_taxes=[tax],
        total_discount_amounts=[{"amount": 490, "discount": "di_1"}],
        lines={"data": [line(taxes=[tax])], "has_more": False},
    )

    assert (invoice.tax, invoice.discount) == (704, 490)
    assert sum(each["amount"] for each in invoice.lines) == invoice.amount
    assert invoice.amount - invoice.discount + invoice.tax == invoice.total


def test_lines_that_stripe_leaves_out_are_summed_up(subscription_id: UUID) -> None:
    invoice = mirror(
        subscription_id,
        Told(NOON),
        total=10_000,
        lines={"data": [line(6_000), line(1_500)], "has_more": True},
    )

    assert [each["amount"] for each in invoice.lines] == [6_000, 1_500, 2_500]


def test_the_period_is_that_of_what_renews_and_not_of_prorations(subscription_id: UUID) -> None:
    start = int((NOON - timedelta(days=9)).timestamp())
    proration = line(100, proration=True, period={"start": start, "end": start + 86_400})

    invoice = mirror(subscription_id, Told(NOON), total=5_000, lines={"data": [proration, line()]})

    assert (invoice.period_start, invoice.period_end) == (NOON, NOON + timedelta(days=30))


def test_who_buys_and_sells_is_frozen_with_the_number(learner: Any, subscription_id: UUID) -> None:
    with transaction() as session:
        set_business_setting(session, "seller_name", "StudyPack GmbH")
        set_business_setting(session, "seller_vat_id", "DE136695976")
        customer = session.scalars(select(Customer)).one()
        customer.name, customer.vat_id, customer.country = "Anna Kolář", "ATU13585627", "AT"
    issued = mirror(subscription_id, Told(NOON))
    with transaction() as session:
        set_business_setting(session, "seller_name", "Another Ltd")
        session.scalars(select(Customer)).one().name = "Somebody Else"

    later = mirror(subscription_id, Told(NOON + SECOND, "invoice.paid", "evt_2"), status="paid")

    assert later.bill_to == issued.bill_to
    assert later.bill_to["name"] == "Anna Kolář"
    assert later.bill_to["seller"]["name"] == "StudyPack GmbH"
    assert later.bill_to["reverse_charge"] is True
    assert learner.email not in str(later.bill_to)


def test_without_a_name_for_invoices_it_is_stripes_and_then_the_accounts(
    learner: Any, subscription_id: UUID
) -> None:
    with transaction() as session:
        session.execute(
            text("UPDATE auth.users SET first_name = 'Ana', last_name = 'Silva' WHERE id = :id"),
            {"id": learner.id},
        )

    of_account = mirror(subscription_id, Told(NOON))
    of_stripe = mirror(subscription_id, Told(NOON), id="in_2", customer_name="A. Silva & Co")

    assert of_account.bill_to["name"] == "Ana Silva"
    assert of_stripe.bill_to["name"] == "A. Silva & Co"


def test_a_purchase_has_one_invoice_however_often_it_is_asked_for(purchase_id: UUID) -> None:
    with transaction() as session:
        purchase = session.get_one(Purchase, purchase_id)
        first = invoicing.issue_for_purchase(session, purchase, at=NOON)
        again = invoicing.issue_for_purchase(session, purchase, at=NOON + SECOND)

    assert again is first
    assert (first.number, first.status, first.paid_at) == (
        "INV-2026-000001",
        InvoiceStatus.PAID,
        NOON,
    )
    assert (first.amount, first.discount, first.tax, first.total) == (4_900, 0, 0, 4_900)
    assert [each["description"] for each in first.lines] == ["A product"]


def test_what_a_code_took_off_a_purchase_is_its_discount(learner: Any) -> None:
    bought = holdings.purchase(learner.id, holdings.product())
    with transaction() as session:
        purchase = session.get_one(Purchase, bought)
        purchase.total_amount = 4_000
        invoice = invoicing.issue_for_purchase(session, purchase, at=NOON)

    assert (invoice.amount, invoice.discount, invoice.total) == (4_900, 900, 4_000)


def test_a_refund_has_one_credit_note(purchase_id: UUID) -> None:
    with transaction() as session:
        invoicing.issue_for_purchase(session, session.get_one(Purchase, purchase_id), at=NOON)
        given = refund(session, pay(session, purchase_id=purchase_id), 1_000)
        first = invoicing.issue_credit_note(session, given, at=NOON)
        again = invoicing.issue_credit_note(session, given, at=NOON)

    assert first is not None
    assert again is first
    assert (first.number, first.amount) == ("CN-2026-000001", 1_000)


@pytest.mark.parametrize(
    "status", [RefundStatus.PENDING, RefundStatus.FAILED, RefundStatus.CANCELED]
)
def test_what_did_not_go_back_has_no_credit_note(purchase_id: UUID, status: RefundStatus) -> None:
    with transaction() as session:
        invoicing.issue_for_purchase(session, session.get_one(Purchase, purchase_id), at=NOON)
        given = refund(session, pay(session, purchase_id=purchase_id), status=status)

        assert invoicing.issue_credit_note(session, given, at=NOON) is None


def test_a_refund_told_before_its_invoice_has_its_credit_note_with_it(purchase_id: UUID) -> None:
    with transaction() as session:
        given = refund(session, pay(session, purchase_id=purchase_id))
        assert invoicing.issue_credit_note(session, given, at=NOON) is None

        invoicing.issue_for_purchase(session, session.get_one(Purchase, purchase_id), at=NOON)

        assert session.scalars(select(CreditNote.refund_id)).all() == [given.id]


def test_a_payment_linked_to_its_invoice_late_brings_its_credit_note(subscription_id: UUID) -> None:
    invoice_id = mirror(subscription_id, Told(NOON), status="paid").id
    with transaction() as session:
        invoice = session.get_one(Invoice, invoice_id)
        paid = pay(session, subscription_id=subscription_id)
        given = refund(session, paid)
        assert invoicing.issue_credit_note(session, given, at=NOON) is None
        paid.invoice_id = invoice.id

        issued = invoicing.issue_missing_credit_notes(session, invoice)

        assert [(note.refund_id, note.issued_at) for note in issued] == [(given.id, NOON + SECOND)]
        assert invoicing.issue_missing_credit_notes(session, invoice) == []
        assert session.scalar(select(func.count()).select_from(CreditNote)) == 1
