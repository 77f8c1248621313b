"""GET /api/billing/invoices and the documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from studypack.core.database import transaction
from tests.support import holdings
from tests.support.exams import JobContext
from tests.support.invoices import invoiced
from tests.support.pdf import text_of

ROOT = Path(__file__).parents[3]


def test_my_invoices_newest_first_with_their_credit_notes(learner: Any) -> None:
    first, second = invoiced(learner), invoiced(learner, refunded=1_000)

    answer = learner.get("/api/billing/invoices").json()

    assert [row["id"] for row in answer["items"]] == [str(second), str(first)]
    newest = answer["items"][0]
    assert (newest["number"], newest["status"]) == ("INV-2026-000002", "PAID")
    assert (newest["subtotal"], newest["tax"], newest["total"]) == (4_118, 782, 4_900)
    assert newest["currency"] == "usd"
    [note] = newest["credit_notes"]
    assert (note["number"], note["amount"]) == ("CN-2026-000001", 1_000)
    assert answer["items"][1]["credit_notes"] == []


def test_pages_follow_each_other_in_as_many_statements(
    learner: Any, statements: Callable[[], list[str]]
) -> None:
    made = [str(invoiced(learner)) for _ in range(3)]
    statements()

    first = learner.get("/api/billing/invoices?limit=2").json()
    budget = len(statements())
    rest = learner.get(f"/api/billing/invoices?limit=2&cursor={first['next_cursor']}").json()

    assert budget == 3, "authentication, invoices, credit notes"
    assert [row["id"] for row in [*first["items"], *rest["items"]]] == made[::-1]
    assert rest["next_cursor"] is None


def test_an_invoice_as_pdf(learner: Any, statements: Callable[[], list[str]]) -> None:
    invoice_id = invoiced(learner, refunded=1_000)
    statements()

    answer = learner.get(f"/api/billing/invoices/{invoice_id}/pdf")

    assert answer.status_code == 200
    assert len(statements()) == 3
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == 'attachment; filename="INV-2026-000001.pdf"'
    said = text_of(answer.content)
    assert "A product" in said
    assert "Refunded: 10.00 USD by credit note CN-2026-000001 of 23 November 2026." in said


def test_on_lambda_the_document_travels_as_bytes(learner: Any) -> None:
    from api.billing.handler import handler

    path = f"/api/billing/invoices/{invoiced(learner)}/pdf"
    event = json.loads((ROOT / "events/api/billing.json").read_text(encoding="utf-8"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["headers"]["authorization"] = f"Bearer {learner.token}"

    answer = handler(event, JobContext())

    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert "INV-2026-000001" in text_of(base64.b64decode(answer["body"]))
    assert len(answer["body"]) < 100_000


def test_a_credit_note_as_pdf_takes_back_its_part_of_the_tax(learner: Any) -> None:
    invoiced(learner, refunded=1_000)
    [row] = learner.get("/api/billing/invoices").json()["items"]

    answer = learner.get(f"/api/billing/credit-notes/{row['credit_notes'][0]['id']}/pdf")

    assert answer.headers["content-disposition"] == 'attachment; filename="CN-2026-000001.pdf"'
    said = text_of(answer.content).split("\n")
    assert said[said.index("VAT") + 1] == "1.60 USD"
    assert said[said.index("Total credited") + 1] == "10.00 USD"
    assert "angry" not in " ".join(said)


def test_it_prints_what_was_frozen(learner: Any) -> None:
    invoice_id = invoiced(learner)
    before = learner.get(f"/api/billing/invoices/{invoice_id}/pdf").content
    with transaction() as session:
        session.execute(text("UPDATE payments.customers SET name = 'Somebody Else'"))

    assert learner.get(f"/api/billing/invoices/{invoice_id}/pdf").content == before


@pytest.mark.parametrize("kind", ["invoices", "credit-notes"])
def test_anothers_does_not_exist(learner: Any, other_learner: Any, kind: str) -> None:
    invoiced(other_learner, refunded=1_000)
    [row] = other_learner.get("/api/billing/invoices").json()["items"]
    found = {"invoices": row["id"], "credit-notes": row["credit_notes"][0]["id"]}[kind]

    theirs = learner.get(f"/api/billing/{kind}/{found}/pdf")
    nobodys = learner.get(f"/api/billing/{kind}/{uuid4()}/pdf")

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.json()["detail"] == nobodys.json()["detail"]
    assert learner.get("/api/billing/invoices").json()["items"] == []


def test_a_draft_is_not_shown(learner: Any) -> None:
    subscription = holdings.subscription(
        learner.id, holdings.product(kind=holdings.ProductKind.SUBSCRIPTION)
    )
    draft = uuid4()
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO payments.invoices"
                " (id, user_id, customer_id, subscription_id, amount, total, currency)"
                " SELECT :id, user_id, customer_id, id, 1, 1, 'usd'"
                "   FROM payments.subscriptions WHERE id = :subscription"
            ),
            {"id": draft, "subscription": subscription},
        )

    assert learner.get("/api/billing/invoices").json()["items"] == []
    assert learner.get(f"/api/billing/invoices/{draft}/pdf").status_code == 404
