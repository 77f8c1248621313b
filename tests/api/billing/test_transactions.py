from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from studypack.billing.transactions import COLUMNS, harmless
from tests.support import bank, shop
from tests.support.billing import LocalStripe, make_customer
from tests.support.people import Person


def read(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def paid(person: Person, number: int = 1, **columns: Any) -> None:
    """Payments that nobody knows the reason of."""
    customer = bank.rows("SELECT id FROM payments.customers WHERE user_id = :id", id=person.id)
    customer_id = customer[0].id if customer else make_customer(person.id, f"cus_{uuid4().hex}")
    given = {"description": "x", "currency": "usd", "at": datetime.now(UTC), **columns}
    for _ in range(number):
        bank.execute(
            "INSERT INTO payments.transactions (id, user_id, customer_id,"
            " stripe_payment_intent_id, amount, currency, status, description, paid_at, created_at)"
            " VALUES (gen_random_uuid(), :user, :customer, 'pi_' || gen_random_uuid(), 123456,"
            " :currency, 'SUCCEEDED', :description, :at, :at)",
            user=person.id,
            customer=customer_id,
            **given,
        )


def test_a_payment_tells_what_it_was_for_and_by_which_invoice(
    learner: Person, standin: LocalStripe
) -> None:
    purchase = shop.buy(learner, standin)

    [payment] = learner.get("/api/billing/transactions").json()["items"]

    assert (payment["sku"], payment["purchase_id"]) == (shop.EXAM_PACK, purchase["id"])
    assert payment["invoice_number"].startswith("INV-")
    assert (payment["status"], payment["payment_method"]) == ("SUCCEEDED", "card")
    assert payment["total"] == {"amount": 7900, "currency": "usd"}


def test_a_subscriptions_payment_names_its_plan(learner: Person, standin: LocalStripe) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-annual"))

    [payment] = learner.get("/api/billing/transactions").json()["items"]

    assert (payment["sku"], payment["purchase_id"]) == ("pro-annual", None)
    assert None not in (payment["subscription_id"], payment["invoice_number"])


def test_a_declined_card_is_a_payment_that_failed(learner: Person, standin: LocalStripe) -> None:
    from local.stripe.errors import ApiError

    page = shop.open_page(learner)
    with pytest.raises(ApiError):
        standin.standin.pay(shop.session_of(page), "4000 0000 0000 9995")
    standin.deliver_new()

    [payment] = learner.get("/api/billing/transactions").json()["items"]

    assert (payment["status"], payment["failure_code"]) == ("FAILED", "insufficient_funds")
    assert payment["paid_at"] is None


def test_what_is_promised_to_go_back_is_told_apart_from_what_went_back(
    learner: Person, standin: LocalStripe
) -> None:
    purchase = shop.buy(learner, standin)
    standin.standin.set_switches({"api_failures": 1_000})
    learner.post(f"/api/purchases/{purchase['id']}/refund")
    standin.standin.set_switches({"api_failures": 0})

    [payment] = learner.get("/api/billing/transactions").json()["items"]

    assert payment["refunded"]["amount"] == 0
    assert payment["pending_refund"]["amount"] == 7900


def test_payments_come_page_by_page_and_nobody_elses(
    learner: Person, other_learner: Person
) -> None:
    paid(learner, 3)
    paid(other_learner)

    first = learner.get("/api/billing/transactions?limit=2").json()
    rest = learner.get(f"/api/billing/transactions?cursor={first['next_cursor']}").json()

    assert [len(first["items"]), len(rest["items"])] == [2, 1]


@pytest.mark.parametrize("number", [1, 60])
@pytest.mark.parametrize("path", ["transactions?limit=200", "transactions.csv"])
def test_payments_are_two_statements_however_many_there_are(
    path: str, number: int, learner: Person, statements: Callable[[], list[str]]
) -> None:
    paid(learner, number)
    statements()

    learner.get(f"/api/billing/{path}")

    assert len(statements()) == 2  # authentication, the payments


def test_the_file_has_a_row_a_payment_with_plain_numbers(
    learner: Person, standin: LocalStripe
) -> None:
    shop.buy(learner, standin)

    answer = learner.get("/api/billing/transactions.csv")

    [row] = read(answer)
    assert tuple(row) == COLUMNS
    assert (row["product"], row["amount"], row["refunded"]) == ("OT exam pack", "79.00", "0.00")
    assert (row["status"], row["currency"]) == ("SUCCEEDED", "USD")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "transactions.csv" in answer.headers["Content-Disposition"]
    assert answer.text.endswith("\r\n")


def test_one_year_can_be_asked_for(learner: Person) -> None:
    paid(learner, 2, at=datetime(2024, 12, 31, 23, 59, tzinfo=UTC))
    paid(learner, 1, at=datetime(2025, 1, 1, tzinfo=UTC))

    rows = [
        read(learner.get(f"/api/billing/transactions.csv?year={y}")) for y in (2024, 2025, 2026)
    ]

    assert [len(each) for each in rows] == [2, 1, 0]


def test_a_payment_of_which_we_heard_after_new_year_is_of_the_year_in_which_it_was_paid(
    learner: Person,
) -> None:
    paid(learner, 1, at=datetime(2024, 12, 31, 23, 59, tzinfo=UTC))
    bank.execute("UPDATE payments.transactions SET created_at = '2025-01-01 01:00+00'")

    rows = [read(learner.get(f"/api/billing/transactions.csv?year={y}")) for y in (2024, 2025)]

    assert [len(each) for each in rows] == [1, 0]


@pytest.mark.parametrize("year", ["1999", "9999", "-1", "x"])
def test_a_year_that_is_none_is_refused(year: str, learner: Person) -> None:
    assert learner.get(f"/api/billing/transactions.csv?year={year}").status_code == 422


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_run_as_a_formula(cell: str, learner: Person) -> None:
    paid(learner, description=cell)

    [row] = read(learner.get("/api/billing/transactions.csv"))

    assert row["product"] == f"'{cell}" == harmless(cell)


def test_a_cell_with_commas_quotes_and_lines_stays_one_cell(learner: Person) -> None:
    paid(learner, description='a, "b"\nc; ü 漢')

    [row] = read(learner.get("/api/billing/transactions.csv"))

    assert row["product"] == 'a, "b"\nc; ü 漢'
