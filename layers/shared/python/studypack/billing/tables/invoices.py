"""Invoices and credit notes with our own numbers, which have no gaps."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from studypack.billing.tables.mirror import Mirror
from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of


class InvoiceStatus(StrEnum):
    """SENT: open at Stripe. OVERDUE: open after a failed payment, or given up by Stripe
    (uncollectible). CANCELED: void.
    """

    DRAFT = "DRAFT"
    SENT = "SENT"
    PAID = "PAID"
    OVERDUE = "OVERDUE"
    CANCELED = "CANCELED"


class Invoice(Mirror, Timestamps, Base):
    """What somebody is to pay or has paid, for a subscription's period or for a purchase."""

    __tablename__ = "invoices"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("stripe_invoice_id"),
        UniqueConstraint("purchase_id"),
        Index(None, "user_id", "id"),
        Index(
            "ix_invoices_failing",
            "first_failed_at",
            postgresql_where=text("first_failed_at IS NOT NULL AND status IN ('SENT', 'OVERDUE')"),
        ),
        one_of("status", InvoiceStatus),
        CheckConstraint("num_nonnulls(subscription_id, purchase_id) = 1", name="of_one_thing"),
        CheckConstraint("status = 'DRAFT' OR number IS NOT NULL", name="finalized_has_number"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL", index=False)
    customer_id: Mapped[UUID] = foreign_key("payments.customers.id", ondelete="RESTRICT")
    subscription_id: Mapped[UUID | None] = foreign_key(
        "payments.subscriptions.id", ondelete="RESTRICT"
    )
    purchase_id: Mapped[UUID | None] = foreign_key(
        "payments.purchases.id", ondelete="RESTRICT", index=False
    )
    number: Mapped[str | None]
    """INV-2026-000001, given at finalization."""
    stripe_invoice_id: Mapped[str | None]
    status: Mapped[InvoiceStatus] = mapped_column(
        EnumText(InvoiceStatus), server_default=InvoiceStatus.DRAFT.value
    )
    amount: Mapped[int] = mapped_column(BigInteger)
    """Subtotal before discount and tax."""
    discount: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tax: Mapped[int] = mapped_column(BigInteger, server_default="0")
    total: Mapped[int] = mapped_column(BigInteger)
    amount_paid: Mapped[int] = mapped_column(BigInteger, server_default="0")
    currency: Mapped[str]
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """description, quantity, amount (minor units), period_start, period_end."""
    bill_to: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Name, address, VAT id as they were at finalization."""
    invoice_url: Mapped[str | None]
    """Stripe's own page of it."""
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    issued_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    first_failed_at: Mapped[datetime | None]
    """The earliest failed try to collect it that was told."""
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")


class CreditNote(Base):
    """What takes back an invoice, or a part of it, after a refund."""

    __tablename__ = "credit_notes"
    __table_args__ = (
        UniqueConstraint("number"),
        UniqueConstraint("refund_id"),
        CheckConstraint("amount > 0", name="amount"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    invoice_id: Mapped[UUID] = foreign_key("payments.invoices.id", ondelete="RESTRICT")
    refund_id: Mapped[UUID] = foreign_key("payments.refunds.id", ondelete="RESTRICT", index=False)
    number: Mapped[str]
    """CN-2026-000001."""
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    reason: Mapped[str | None]
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())


class NumberSeries(Base):
    """The last number of a series, e.g. INV-2026. Raised in the transaction that uses the number:
    what rolls back leaves no gap.
    """

    __tablename__ = "number_series"
    __table_args__ = ({"schema": "payments"},)

    series: Mapped[str] = mapped_column(primary_key=True)
    last_number: Mapped[int]
