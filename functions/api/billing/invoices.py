"""Invoices and their PDFs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.billing import invoices
from studypack.billing.documents import Document
from studypack.billing.invoice_pdf import render
from studypack.billing.invoices import InvoiceView
from studypack.billing.models import InvoiceStatus
from studypack.core.http import DbSession, Out, Page, Paging, UtcTime, page_of

router = APIRouter(prefix="/api/billing")


class CreditNoteOut(Out):
    """What took back a part of an invoice, or all of it."""

    id: UUID
    number: str = Field(examples=["CN-2026-000001"])
    amount: int = Field(description="In minor units of the invoice's currency")
    issued_at: UtcTime


class InvoiceOut(Out):
    """An invoice of ours; amounts are in the currency's minor units."""

    id: UUID
    number: str = Field(examples=["INV-2026-000001"])
    status: InvoiceStatus
    subscription_id: UUID | None
    purchase_id: UUID | None
    currency: str
    subtotal: int = Field(description="Before discount and tax")
    discount: int
    tax: int
    total: int
    amount_paid: int
    period_start: UtcTime | None
    period_end: UtcTime | None
    issued_at: UtcTime
    due_at: UtcTime | None
    paid_at: UtcTime | None
    hosted_url: str | None = Field(description="Stripe's page, where an open one can be paid")
    credit_notes: list[CreditNoteOut]

    @classmethod
    def of(cls, view: InvoiceView) -> InvoiceOut:
        invoice = view.invoice
        return cls.model_validate(
            {
                **{name: getattr(invoice, name, None) for name in cls.model_fields},
                "subtotal": invoice.amount,
                "hosted_url": invoice.invoice_url,
                "credit_notes": view.credit_notes,
            }
        )


PDF_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/invoices")
def list_invoices(caller: CurrentUser, session: DbSession, paging: Paging) -> Page[InvoiceOut]:
    """My invoices, newest first, with the credit notes to each."""
    found = invoices.list_invoices(session, caller.id, paging)
    return page_of(found, paging, key=lambda view: view.invoice.id, out=InvoiceOut.of)


@router.get("/invoices/{invoice_id}/pdf", response_class=Response, responses=PDF_RESPONSE)
def download_invoice(invoice_id: UUID, caller: CurrentUser, session: DbSession) -> Response:
    """An invoice as PDF."""
    return _pdf(invoices.invoice_document(session, caller.id, invoice_id))


@router.get("/credit-notes/{credit_note_id}/pdf", response_class=Response, responses=PDF_RESPONSE)
def download_credit_note(credit_note_id: UUID, caller: CurrentUser, session: DbSession) -> Response:
    """A credit note as PDF."""
    return _pdf(invoices.credit_note_document(session, caller.id, credit_note_id))


def _pdf(document: Document) -> Response:
    return Response(
        render(document),
        media_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{document.number}.pdf"'},
    )
