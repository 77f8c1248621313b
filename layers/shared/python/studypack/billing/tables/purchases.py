"""Checkouts and what was bought by them once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.billing.tables.mirror import Mirror
from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of


class CheckoutMode(StrEnum):
    """What Stripe's page is opened for."""

    PAYMENT = "PAYMENT"
    SUBSCRIPTION = "SUBSCRIPTION"


class CheckoutStatus(StrEnum):
    """COMPLETED: the customer went through the page; a slow method may still be unpaid."""

    OPEN = "OPEN"
    COMPLETED = "COMPLETED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"


class Checkout(Mirror, Timestamps, Base):
    """A visit to Stripe's payment page: reserved here first, so that it is made there once."""

    __tablename__ = "checkouts"
    __table_args__ = (
        UniqueConstraint("stripe_session_id"),
        Index(
            "uq_checkouts_open_product",
            "user_id",
            "product_id",
            unique=True,
            postgresql_where=text("status = 'OPEN'"),
        ),
        Index(
            "uq_checkouts_open_subscription",
            "user_id",
            unique=True,
            postgresql_where=text("status = 'OPEN' AND mode = 'SUBSCRIPTION'"),
        ),
        Index(None, "stripe_payment_intent_id"),
        Index(
            "ix_checkouts_open_expires_at",
            "expires_at",
            postgresql_where=text("status = 'OPEN'"),
        ),
        one_of("mode", CheckoutMode),
        one_of("status", CheckoutStatus),
        CheckConstraint("quantity > 0", name="quantity"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL")
    customer_id: Mapped[UUID] = foreign_key("payments.customers.id", ondelete="RESTRICT")
    product_id: Mapped[UUID] = foreign_key("payments.products.id", ondelete="RESTRICT")
    mode: Mapped[CheckoutMode] = mapped_column(EnumText(CheckoutMode))
    status: Mapped[CheckoutStatus] = mapped_column(
        EnumText(CheckoutStatus), server_default=CheckoutStatus.OPEN.value
    )
    quantity: Mapped[int] = mapped_column(Integer, server_default="1")
    price_amount: Mapped[int] = mapped_column(BigInteger)
    """What was on the price list when the page was opened."""
    currency: Mapped[str]
    stripe_price_id: Mapped[str]
    promotion_code: Mapped[str | None]
    trial_days: Mapped[int] = mapped_column(server_default="0")
    success_url: Mapped[str]
    cancel_url: Mapped[str]
    stripe_session_id: Mapped[str | None]
    """NULL between the reservation and Stripe's answer."""
    url: Mapped[str | None]
    expires_at: Mapped[datetime]
    is_paid: Mapped[bool] = mapped_column(server_default=false())
    paid_at: Mapped[datetime | None]
    """The event's time at which it was first known to be paid."""
    amount_total: Mapped[int | None] = mapped_column(BigInteger)
    """What Stripe charged, after discounts and with tax."""
    stripe_payment_intent_id: Mapped[str | None]
    stripe_subscription_id: Mapped[str | None]


class PurchaseStatus(StrEnum):
    """COMPLETED and within its window, it opens what its product grants."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REFUNDED = "REFUNDED"
    CANCELED = "CANCELED"


class Purchase(Timestamps, Base):
    """A product bought once. Its status follows from its checkout, payment, refunds and disputes
    (billing/settling.py), in whatever order they were told.
    """

    __tablename__ = "purchases"
    __table_args__ = (
        UniqueConstraint("checkout_id"),
        UniqueConstraint("stripe_payment_intent_id"),
        Index(None, "user_id", "id"),
        Index("ix_purchases_ending", "access_end", postgresql_where=text("status = 'COMPLETED'")),
        Index(
            "ix_purchases_user_id_completed",
            "user_id",
            "access_end",
            postgresql_where=text("status = 'COMPLETED'"),
        ),
        one_of("status", PurchaseStatus),
        CheckConstraint("refunded_amount BETWEEN 0 AND total_amount", name="refunded_amount"),
        CheckConstraint(
            "status NOT IN ('COMPLETED') OR access_start IS NOT NULL", name="completed_has_start"
        ),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL", index=False)
    product_id: Mapped[UUID] = foreign_key("payments.products.id", ondelete="RESTRICT")
    checkout_id: Mapped[UUID] = foreign_key(
        "payments.checkouts.id", ondelete="RESTRICT", index=False
    )
    stripe_payment_intent_id: Mapped[str | None]
    """Seed 000's stripePaymentId; its stripeSessionId is the checkout's."""
    status: Mapped[PurchaseStatus] = mapped_column(
        EnumText(PurchaseStatus), server_default=PurchaseStatus.PENDING.value
    )
    status_reason: Mapped[str | None]
    """Why it is no longer COMPLETED, e.g. `refunded`, `dispute_lost`, `paid_twice`."""
    total_amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    refunded_amount: Mapped[int] = mapped_column(BigInteger, server_default="0")
    access_start: Mapped[datetime | None]
    access_end: Mapped[datetime | None]
    """NULL: for good."""
    is_duplicate: Mapped[bool] = mapped_column(server_default=false())
    """Paid though the buyer had it already: refunded automatically, opens nothing."""
    event_id: Mapped[str | None]
    """Which event of Stripe's brought the present status."""
