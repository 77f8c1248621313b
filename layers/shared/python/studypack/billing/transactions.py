"""Payments as their payer sees them: a list, and a CSV file for accounts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from studypack.billing.models import (
    Invoice,
    Product,
    Purchase,
    Refund,
    RefundStatus,
    Subscription,
    Transaction,
)
from studypack.billing.money import decimal_amount
from studypack.core.paging import PageParams

MAX_ROWS: Final = 10_000
"""Of a CSV file; a year at a time is always enough."""
COLUMNS: Final = (
    "date",
    "transaction",
    "invoice",
    "product",
    "status",
    "payment_method",
    "amount",
    "refunded",
    "currency",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class TransactionView:
    """A payment with what it was for and what goes back of it."""

    transaction: Transaction
    product: Product | None
    invoice_number: str | None
    pending_refund: int
    """Promised and not yet with the payer, in minor units."""


def list_transactions(session: Session, user_id: UUID, page: PageParams) -> list[TransactionView]:
    """A user's payments, newest first, one more than the page shows; one statement."""
    query = _of(user_id).limit(page.limit + 1)
    if page.after is not None:
        query = query.where(Transaction.id < page.after)
    return _views(session, query)


def csv_of(session: Session, user_id: UUID, *, year: int | None) -> str:
    """A user's payments as CSV (RFC 4180), newest first, of one year (UTC) or the last ones."""
    query = _of(user_id).limit(MAX_ROWS)
    if year is not None:
        # As the file's first column has it: news of a payment may come after New Year's Eve.
        paid_at = func.coalesce(Transaction.paid_at, Transaction.created_at)
        query = query.where(
            paid_at >= datetime(year, 1, 1, tzinfo=UTC),
            paid_at < datetime(year + 1, 1, 1, tzinfo=UTC),
        )
    return to_csv(_views(session, query))


def to_csv(views: Iterable[TransactionView]) -> str:
    """Rows as CSV with CRLF. A cell that a spreadsheet would run as a formula begins with an
    apostrophe.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for view in views:
        row = view.transaction
        at = row.paid_at or row.created_at
        cells = (
            at.astimezone(UTC).isoformat(timespec="seconds"),
            str(row.id),
            view.invoice_number or "",
            view.product.name if view.product is not None else row.description or "",
            row.status.value,
            row.payment_method or "",
            decimal_amount(row.amount, row.currency),
            decimal_amount(row.refunded_amount, row.currency),
            row.currency.upper(),
        )
        writer.writerow([harmless(cell) for cell in cells])
    return written.getvalue()


def harmless(cell: str) -> str:
    """The cell as text, whatever a spreadsheet makes of its first character."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _of(
    user_id: UUID,
) -> Select[Transaction, Product, str | None, int | None]:
    promised = (
        select(func.sum(Refund.amount))
        .where(Refund.transaction_id == Transaction.id, Refund.status == RefundStatus.PENDING)
        .scalar_subquery()
    )
    return (
        select(Transaction, Product, Invoice.number, promised)
        .outerjoin(Purchase, Purchase.id == Transaction.purchase_id)
        .outerjoin(Subscription, Subscription.id == Transaction.subscription_id)
        .outerjoin(
            Product, Product.id == func.coalesce(Purchase.product_id, Subscription.product_id)
        )
        .outerjoin(
            Invoice,
            or_(
                Invoice.id == Transaction.invoice_id,
                Invoice.purchase_id == Transaction.purchase_id,
            ),
        )
        .where(Transaction.user_id == user_id)
        .order_by(Transaction.id.desc())
        .execution_options(populate_existing=True)
    )


def _views(
    session: Session, query: Select[Transaction, Product, str | None, int | None]
) -> list[TransactionView]:
    rows = session.execute(query).all()
    return [TransactionView(row[0], row[1], row[2], int(row[3] or 0)) for row in rows]
