"""Subscriptions as Stripe has them, and the seats of those bought for several people."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from studypack.billing.tables.catalogue import Interval, Plan
from studypack.billing.tables.mirror import Mirror
from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of


class SubscriptionStatus(StrEnum):
    """Stripe's statuses; its `unpaid` and `incomplete_expired` are EXPIRED, and so is one whose
    grace is over.
    """

    TRIALING = "TRIALING"
    ACTIVE = "ACTIVE"
    PAST_DUE = "PAST_DUE"
    PAUSED = "PAUSED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    INCOMPLETE = "INCOMPLETE"


LIVE_STATUSES = (
    SubscriptionStatus.TRIALING,
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE,
    SubscriptionStatus.PAUSED,
)
"""Of which a user has at most one. An INCOMPLETE one is a first payment under way."""

_LIVE = "status IN ('TRIALING', 'ACTIVE', 'PAST_DUE', 'PAUSED')"


class Subscription(Mirror, Timestamps, Base):
    """A user's subscription: the mirror of Stripe's object, and what follows from its invoices."""

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("stripe_subscription_id"),
        Index(
            "uq_subscriptions_live",
            "user_id",
            unique=True,
            postgresql_where=text(f"{_LIVE} AND NOT is_duplicate"),
        ),
        Index(None, "user_id", "id"),
        Index("ix_subscriptions_status_current_period_end", "status", "current_period_end"),
        Index(
            "ix_subscriptions_cancel_requested_at",
            "cancel_requested_at",
            postgresql_where=text("cancel_requested_at IS NOT NULL AND ended_at IS NULL"),
        ),
        one_of("status", SubscriptionStatus),
        one_of("plan", Plan),
        one_of("interval", Interval),
        CheckConstraint("quantity >= 0", name="quantity"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL", index=False)
    customer_id: Mapped[UUID] = foreign_key("payments.customers.id", ondelete="RESTRICT")
    """Holds seed 001's and 002's stripeCustomerId."""
    product_id: Mapped[UUID] = foreign_key("payments.products.id", ondelete="RESTRICT")
    stripe_subscription_id: Mapped[str]
    stripe_item_id: Mapped[str | None]
    stripe_price_id: Mapped[str]
    plan: Mapped[Plan] = mapped_column(EnumText(Plan))
    interval: Mapped[Interval] = mapped_column(EnumText(Interval))
    amount: Mapped[int] = mapped_column(BigInteger)
    """Per interval and seat, in minor units."""
    currency: Mapped[str]
    quantity: Mapped[int] = mapped_column(Integer, server_default="1")
    status: Mapped[SubscriptionStatus] = mapped_column(EnumText(SubscriptionStatus))
    started_at: Mapped[datetime]
    trial_end: Mapped[datetime | None]
    current_period_start: Mapped[datetime]
    current_period_end: Mapped[datetime]
    """Seed 001's validUntil."""
    cancel_at_period_end: Mapped[bool] = mapped_column(server_default=false())
    canceled_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    payment_failed_at: Mapped[datetime | None]
    """First failure of the oldest invoice that is still open: grace and dunning count from it.
    Follows from the invoices (billing/settling.py).
    """
    access_ended_at: Mapped[datetime | None]
    """When the payment of its newest period was refunded in full or lost to a dispute."""
    access_end_event_id: Mapped[str | None]
    is_duplicate: Mapped[bool] = mapped_column(server_default=false())
    """Begun while another was live: cancelled and refunded automatically, opens nothing."""
    cancel_requested_at: Mapped[datetime | None]
    """We owe Stripe its cancellation; the sweep sees to it."""
    subscription_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'")
    )


class Seat(Base):
    """A member's place in somebody's subscription."""

    __tablename__ = "seats"
    __table_args__ = (
        Index(
            "uq_seats_taken",
            "subscription_id",
            "user_id",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(None, "user_id"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subscription_id: Mapped[UUID] = foreign_key("payments.subscriptions.id")
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())
    removed_at: Mapped[datetime | None]


class SeatInvitation(Base):
    """An address that was offered a seat and holds it until it is taken, withdrawn or lapses."""

    __tablename__ = "seat_invitations"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(
            "uq_seat_invitations_open",
            "subscription_id",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
        ),
        Index(None, "expires_at"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    subscription_id: Mapped[UUID] = foreign_key("payments.subscriptions.id")
    email: Mapped[str]
    token_hash: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    seat_id: Mapped[UUID | None] = foreign_key("payments.seats.id", ondelete="SET NULL")
