"""Invoices as their buyers read them: the list, and each as a document to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing.documents import Document, Line, Party, Reference, Settlement
from studypack.billing.models import CreditNote, Invoice, InvoiceStatus
from studypack.core.errors import NotFound
from studypack.core.paging import PageParams

_SETTLEMENTS = {
    InvoiceStatus.PAID: Settlement.PAID,
    InvoiceStatus.CANCELED: Settlement.VOID,
}
_REASONS = {
    "requested_by_customer": "requested by the customer",
    "duplicate": "paid twice",
    "paid_twice": "paid twice",
    "subscribed_twice": "subscribed twice",
}
"""Printed on credit notes. What support wrote of a refund is for support."""


@dataclass(frozen=True)
class InvoiceView:
    """An invoice with what was credited of it, oldest first."""

    invoice: Invoice
    credit_notes: tuple[CreditNote, ...]


def list_invoices(session: Session, user_id: UUID, paging: PageParams) -> list[InvoiceView]:
    """A user's numbered invoices, newest first; one row more than the page holds."""
    query = select(Invoice).where(Invoice.user_id == user_id, Invoice.number.is_not(None))
    if paging.after is not None:
        query = query.where(Invoice.id < paging.after)
    rows = session.scalars(query.order_by(Invoice.id.desc()).limit(paging.limit + 1)).all()
    notes = _credit_notes(session, [row.id for row in rows])
    return [InvoiceView(row, tuple(notes.get(row.id, ()))) for row in rows]


def invoice_document(session: Session, user_id: UUID, invoice_id: UUID) -> Document:
    """A user's invoice, to draw. Raises NotFound for another's, and for one without a number."""
    invoice = session.scalars(
        select(Invoice).where(
            Invoice.id == invoice_id, Invoice.user_id == user_id, Invoice.number.is_not(None)
        )
    ).one_or_none()
    if invoice is None:
        raise NotFound("There is no such invoice.")
    notes = _credit_notes(session, [invoice.id]).get(invoice.id, ())
    return replace(
        _document(invoice),
        credit_notes=tuple(
            Reference(note.number, _day(note.issued_at), note.amount) for note in notes
        ),
    )


def credit_note_document(session: Session, user_id: UUID, credit_note_id: UUID) -> Document:
    """A user's credit note, to draw; of the tax it takes back as large a part as of the total.

    Raises NotFound for another's.
    """
    found = session.execute(
        select(CreditNote, Invoice)
        .join(Invoice, Invoice.id == CreditNote.invoice_id)
        .where(CreditNote.id == credit_note_id, Invoice.user_id == user_id)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such credit note.")
    note, invoice = found
    tax = _share(invoice.tax, note.amount, invoice.total)
    of_invoice = _document(invoice)
    described = ", ".join(dict.fromkeys(line.description for line in of_invoice.lines))
    refunded = f"Refund: {described}" if described else "Refund"
    return replace(
        of_invoice,
        number=note.number,
        issued_on=_day(note.issued_at),
        lines=(Line(refunded, 1, note.amount - tax, (None, None)),),
        subtotal=note.amount - tax,
        discount=0,
        tax=tax,
        total=note.amount,
        settlement=Settlement.OPEN,
        paid_on=None,
        due_on=None,
        amount_paid=0,
        credits=Reference(of_invoice.number, of_invoice.issued_on, invoice.total),
        reason=_REASONS.get(note.reason or ""),
    )


def _credit_notes(
    session: Session, invoice_ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[CreditNote]]:
    notes: dict[UUID, list[CreditNote]] = {}
    for note in session.scalars(
        select(CreditNote)
        .where(CreditNote.invoice_id.in_(invoice_ids))
        .order_by(CreditNote.issued_at, CreditNote.number)
    ):
        notes.setdefault(note.invoice_id, []).append(note)
    return notes


def _document(invoice: Invoice) -> Document:
    """An invoice as it was frozen, with what has been paid since."""
    if invoice.number is None or invoice.issued_at is None:
        raise RuntimeError("only a numbered invoice is a document")
    bill_to = invoice.bill_to
    seller = bill_to["seller"]
    return Document(
        number=invoice.number,
        issued_on=_day(invoice.issued_at),
        seller=Party((seller["name"], *seller["address"]), seller["vat_id"]),
        seller_email=seller["email"],
        buyer=Party(_address(bill_to), bill_to["vat_id"]),
        customer_number=bill_to["customer_number"],
        currency=invoice.currency,
        lines=tuple(_line(line) for line in invoice.lines),
        subtotal=invoice.amount,
        discount=invoice.discount,
        tax=invoice.tax,
        total=invoice.total,
        is_reverse_charge=bill_to["reverse_charge"],
        settlement=_SETTLEMENTS.get(invoice.status, Settlement.OPEN),
        paid_on=_day(invoice.paid_at) if invoice.paid_at else None,
        amount_paid=invoice.amount_paid,
        due_on=_day(invoice.due_at) if invoice.due_at else None,
    )


def _address(bill_to: Mapping[str, Any]) -> tuple[str, ...]:
    """Name, street, postal code and town, country, as far as they are known."""
    town = " ".join(bill_to[part] for part in ("postal_code", "city") if bill_to[part])
    lines = (
        bill_to["name"],
        bill_to["address_line1"],
        bill_to["address_line2"],
        ", ".join(part for part in (town, bill_to["state"]) if part),
        bill_to["country"],
    )
    return tuple(line for line in lines if line)


def _line(line: Mapping[str, Any]) -> Line:
    period = tuple(
        _day(datetime.fromisoformat(line[end])) if line[end] else None
        for end in ("period_start", "period_end")
    )
    return Line(line["description"] or "", line["quantity"], line["amount"], (period[0], period[1]))


def _share(tax: int, part: int, whole: int) -> int:
    """The tax within a part of a total, rounded half up."""
    return (2 * tax * part + whole) // (2 * whole) if whole else 0


def _day(time: datetime) -> date:
    return time.astimezone(UTC).date()
