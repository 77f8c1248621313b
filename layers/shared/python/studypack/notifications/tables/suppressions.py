"""Who must not be written to, and what people want to hear."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class Category(StrEnum):
    """What a mail or notification is about; what can be switched off by itself. ACCOUNT and BILLING
    mails cannot.
    """

    ACCOUNT = "ACCOUNT"
    BILLING = "BILLING"
    LEARNING = "LEARNING"
    REMINDERS = "REMINDERS"
    SOCIAL = "SOCIAL"
    MARKETING = "MARKETING"


class SuppressionReason(StrEnum):
    """Why an address gets nothing (HARD_BOUNCE), no marketing (COMPLAINT), or not a category."""

    HARD_BOUNCE = "HARD_BOUNCE"
    COMPLAINT = "COMPLAINT"
    UNSUBSCRIBE = "UNSUBSCRIBE"


class EmailSuppression(Base):
    """An address that asked, or proved, not to be written to."""

    __tablename__ = "email_suppressions"
    __table_args__ = (
        Index(
            "uq_email_suppressions_in_force",
            "address_hash",
            "reason",
            "category",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        one_of("reason", SuppressionReason),
        one_of("category", Category),
        CheckConstraint("length(address_hash) = 32", name="address_hash"),
        CheckConstraint(
            "(reason = 'UNSUBSCRIBE') = (category IS NOT NULL)", name="unsubscribe_has_category"
        ),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    address_hash: Mapped[bytes]
    """SHA-256 of the address in lower case: it outlives the account that it belonged to."""
    reason: Mapped[SuppressionReason] = mapped_column(EnumText(SuppressionReason))
    category: Mapped[Category | None] = mapped_column(EnumText(Category))
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL")
    provider_message_id: Mapped[str | None]
    """Of the mail that bounced or was complained of."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lifted_at: Mapped[datetime | None]


class NotificationPreference(Timestamps, Base):
    """By which channels somebody wants to hear of a category; without a row: by all."""

    __tablename__ = "notification_preferences"
    __table_args__ = (
        UniqueConstraint("user_id", "category"),
        one_of("category", Category),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    category: Mapped[Category] = mapped_column(EnumText(Category))
    email: Mapped[bool] = mapped_column(server_default=true())
    push: Mapped[bool] = mapped_column(server_default=true())
    sms: Mapped[bool] = mapped_column(server_default=text("false"))
