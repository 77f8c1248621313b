"""The inbox of Stripe's events: each is recorded once and takes effect once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base


class StripeEvent(Base):
    """An event that Stripe sent, or that we found in its list."""

    __tablename__ = "stripe_events"
    __table_args__ = (
        Index("ix_stripe_events_type_id", "type", "id"),
        Index("ix_stripe_events_occurred_at", "occurred_at"),
        Index(
            "ix_stripe_events_unprocessed",
            "next_attempt_at",
            postgresql_where=text("processed_at IS NULL"),
        ),
        {"schema": "payments"},
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """Stripe's: evt_..."""
    type: Mapped[str]
    api_version: Mapped[str | None]
    object_id: Mapped[str | None]
    """Stripe's id of what it is about."""
    occurred_at: Mapped[datetime]
    """When Stripe made it, to the second."""
    payload: Mapped[dict[str, Any] | None]
    """The whole event; NULL once it is old and done (setting `stripe_event_days`)."""
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    processed_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When the sweep tries it again."""
    error: Mapped[str | None]
    """Why the last try failed: an error's kind and our own words, nobody's data."""
