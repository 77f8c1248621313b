"""Payments and what went back of them, as a list and as CSV."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.billing import transactions
from studypack.billing.answers import MoneyOut
from studypack.billing.models import TransactionStatus
from studypack.billing.transactions import TransactionView
from studypack.core.http import DbSession, Out, Page, Paging, UtcTime, page_of

router = APIRouter(prefix="/api/billing")


class TransactionOut(Out):
    """A payment, also one that failed."""

    id: UUID
    status: TransactionStatus
    sku: str | None
    product: str | None
    purchase_id: UUID | None
    subscription_id: UUID | None
    invoice_number: str | None
    total: MoneyOut
    refunded: MoneyOut = Field(description="What went back already")
    pending_refund: MoneyOut = Field(description="What is promised to go back")
    payment_method: str | None = Field(examples=["card", "sepa_debit"])
    failure_code: str | None = Field(examples=["card_declined", "insufficient_funds"])
    paid_at: UtcTime | None
    created_at: UtcTime

    @classmethod
    def of(cls, view: TransactionView) -> TransactionOut:
        row, product = view.transaction, view.product
        return cls(
            id=row.id,
            status=row.status,
            sku=None if product is None else product.sku,
            product=None if product is None else product.name,
            purchase_id=row.purchase_id,
            subscription_id=row.subscription_id,
            invoice_number=view.invoice_number,
            total=MoneyOut(amount=row.amount, currency=row.currency),
            refunded=MoneyOut(amount=row.refunded_amount, currency=row.currency),
            pending_refund=MoneyOut(amount=view.pending_refund, currency=row.currency),
            payment_method=row.payment_method,
            failure_code=row.failure_code,
            paid_at=row.paid_at,
            created_at=row.created_at,
        )


CSV_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}


@router.get("/transactions")
def list_transactions(
    caller: CurrentUser, session: DbSession, paging: Paging
) -> Page[TransactionOut]:
    """My payments, newest first."""
    found = transactions.list_transactions(session, caller.id, paging)
    return page_of(found, paging, key=lambda view: view.transaction.id, out=TransactionOut.of)


@router.get("/transactions.csv", response_class=Response, responses=CSV_RESPONSE)
def download_transactions(
    caller: CurrentUser,
    session: DbSession,
    year: Annotated[
        int | None, Query(ge=2000, le=9998, description="Of payments, in UTC; else the last 10,000")
    ] = None,
) -> Response:
    """My payments as a CSV file (RFC 4180, UTF-8), newest first; amounts with a decimal point."""
    return Response(
        transactions.csv_of(session, caller.id, year=year),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="transactions.csv"'},
    )
