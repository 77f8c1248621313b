"""Payments, and what went back of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.billing.tables.mirror import Mirror
from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of


class TransactionStatus(StrEnum):
    """REFUNDED: all of it went back; a partial refund leaves it SUCCEEDED."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"


class Transaction(Mirror, Timestamps, Base):
    """One payment: the mirror of a payment intent (`version_at`) and its charge
    (`charge_version_at`).
    """

    __tablename__ = "transactions"
    __table_args__ = (
        UniqueConstraint("stripe_payment_intent_id"),
        UniqueConstraint("stripe_charge_id"),
        Index(None, "user_id", "id"),
        one_of("status", TransactionStatus),
        CheckConstraint("refunded_amount BETWEEN 0 AND amount", name="refunded_amount"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL", index=False)
    customer_id: Mapped[UUID] = foreign_key("payments.customers.id", ondelete="RESTRICT")
    purchase_id: Mapped[UUID | None] = foreign_key("payments.purchases.id", ondelete="RESTRICT")
    subscription_id: Mapped[UUID | None] = foreign_key(
        "payments.subscriptions.id", ondelete="RESTRICT"
    )
    invoice_id: Mapped[UUID | None] = foreign_key("payments.invoices.id", ondelete="RESTRICT")
    stripe_payment_intent_id: Mapped[str]
    stripe_charge_id: Mapped[str | None]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    refunded_amount: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """What Stripe says went back; our own refunds under way are rows in `refunds`."""
    status: Mapped[TransactionStatus] = mapped_column(
        EnumText(TransactionStatus), server_default=TransactionStatus.PENDING.value
    )
    payment_method: Mapped[str | None]
    """Stripe's word: card, paypal, sepa_debit, ..."""
    description: Mapped[str | None]
    failure_code: Mapped[str | None]
    paid_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    charge_version_at: Mapped[datetime | None]
    charge_event_id: Mapped[str | None]


class RefundStatus(StrEnum):
    """PENDING: promised; Stripe's answer is awaited, and asked for again by the sweep."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class RefundOrigin(StrEnum):
    """Who wanted it."""

    BUYER = "BUYER"
    SUPPORT = "SUPPORT"
    AUTOMATIC = "AUTOMATIC"
    STRIPE = "STRIPE"


class Refund(Mirror, Timestamps, Base):
    """Money that goes back: reserved here first, so that the sum never exceeds the payment and
    Stripe is asked once.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        UniqueConstraint("stripe_refund_id"),
        Index(
            "ix_refunds_owed",
            "id",
            postgresql_where=text("status = 'PENDING' AND stripe_refund_id IS NULL"),
        ),
        one_of("status", RefundStatus),
        one_of("origin", RefundOrigin),
        CheckConstraint("amount > 0", name="amount"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transaction_id: Mapped[UUID] = foreign_key("payments.transactions.id", ondelete="RESTRICT")
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    origin: Mapped[RefundOrigin] = mapped_column(EnumText(RefundOrigin))
    reason: Mapped[str | None]
    status: Mapped[RefundStatus] = mapped_column(
        EnumText(RefundStatus), server_default=RefundStatus.PENDING.value
    )
    requested_by: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL")
    stripe_refund_id: Mapped[str | None]
    error: Mapped[str | None]
    """Stripe's code for why it was refused."""
    settled_at: Mapped[datetime | None]


class DisputeStatus(StrEnum):
    """LOST takes the money, and with it the access."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class Dispute(Mirror, Timestamps, Base):
    """A payment that its payer contests at the bank."""

    __tablename__ = "disputes"
    __table_args__ = (
        UniqueConstraint("stripe_dispute_id"),
        one_of("status", DisputeStatus),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    transaction_id: Mapped[UUID] = foreign_key("payments.transactions.id", ondelete="RESTRICT")
    stripe_dispute_id: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    reason: Mapped[str | None]
    status: Mapped[DisputeStatus] = mapped_column(EnumText(DisputeStatus))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
