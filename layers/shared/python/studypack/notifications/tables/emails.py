"""The queue of e-mails: a row is written with the fact that causes it, and sent after commit; and
the log of what was sent.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, SmallInteger, UniqueConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class EmailTemplate(StrEnum):
    """Every mail that we send: seed 002's ten, then the account's own."""

    WELCOME = "WELCOME"
    START_JOURNEY = "START_JOURNEY"
    ABANDONMENT_1 = "ABANDONMENT_1"
    ABANDONMENT_2 = "ABANDONMENT_2"
    ABANDONMENT_3 = "ABANDONMENT_3"
    MODULE_COMPLETE = "MODULE_COMPLETE"
    INACTIVE_NUDGE = "INACTIVE_NUDGE"
    RENEWAL_REMINDER = "RENEWAL_REMINDER"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    PAYMENT_FAILED_FINAL = "PAYMENT_FAILED_FINAL"
    VERIFY_EMAIL = "VERIFY_EMAIL"
    CONFIRM_EMAIL_CHANGE = "CONFIRM_EMAIL_CHANGE"
    EMAIL_CHANGED = "EMAIL_CHANGED"
    RESET_PASSWORD = "RESET_PASSWORD"  # noqa: S105 (a template's name)
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 (a template's name)
    PROVIDER_LINKED = "PROVIDER_LINKED"
    PROVIDER_UNLINKED = "PROVIDER_UNLINKED"
    TOTP_ENABLED = "TOTP_ENABLED"
    TOTP_DISABLED = "TOTP_DISABLED"
    RECEIPT = "RECEIPT"
    REFUND = "REFUND"
    TRIAL_ENDING = "TRIAL_ENDING"
    SEAT_INVITATION = "SEAT_INVITATION"
    CERTIFICATE = "CERTIFICATE"
    FRIEND_REQUEST = "FRIEND_REQUEST"
    ACHIEVEMENT_DIGEST = "ACHIEVEMENT_DIGEST"
    WEEKLY_DIGEST = "WEEKLY_DIGEST"
    BROADCAST = "BROADCAST"


class EmailStatus(StrEnum):
    """A mail being sent has no status of its own: it is PENDING under a lease."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class QueuedEmail(Base):
    """One mail to one person for one occasion."""

    __tablename__ = "email_queue"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        Index(None, "status", "scheduled_for"),
        Index(
            "ix_email_queue_due",
            text("is_urgent DESC"),
            "scheduled_for",
            postgresql_where=text("status = 'PENDING'"),
        ),
        Index(None, "broadcast_id", "status"),
        one_of("template", EmailTemplate),
        one_of("status", EmailStatus),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id")
    template: Mapped[EmailTemplate] = mapped_column(EnumText(EmailTemplate))
    to_address: Mapped[str | None]
    """Where to, when it is not the account's address of the moment of sending (an e-mail
    change).
    """
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What the template needs. Links with tokens are blanked once the row leaves PENDING."""
    dedupe_key: Mapped[str]
    """The occasion: the same one makes no second row."""
    broadcast_id: Mapped[UUID | None] = foreign_key(
        "notifications.broadcasts.id", ondelete="CASCADE", index=False
    )
    is_urgent: Mapped[bool] = mapped_column(server_default=false())
    """Somebody waits for it (a link to sign in with, a receipt): sent before all others."""
    scheduled_for: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[EmailStatus] = mapped_column(
        EnumText(EmailStatus), server_default=EmailStatus.PENDING.value
    )
    status_reason: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    leased_until: Mapped[datetime | None]
    lease_id: Mapped[UUID | None]
    sending_since: Mapped[datetime | None]
    """Set and committed before the provider is called, cleared with its answer: found set under
    an expired lease, or on a mail that was given up, the mail may have been sent.
    """
    last_error: Mapped[str | None]
    """Stable code of the last try's failure, no text of the provider's."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    processed_at: Mapped[datetime | None]


class Delivery(StrEnum):
    """What the receiving server, or its user, made of a mail."""

    DELIVERED = "DELIVERED"
    DELAYED = "DELAYED"
    BOUNCED = "BOUNCED"
    COMPLAINED = "COMPLAINED"


class EmailLog(Base):
    """One try to send: what went to whom, and what became of it."""

    __tablename__ = "email_logs"
    __table_args__ = (
        Index(None, "user_id", "sent_at"),
        Index(None, "sent_at"),
        Index(
            "ix_email_logs_addressed", "sent_at", postgresql_where=text("to_address IS NOT NULL")
        ),
        Index(None, "queue_id"),
        UniqueConstraint("provider_message_id"),
        one_of("template", EmailTemplate),
        one_of("status", EmailStatus),
        one_of("delivery", Delivery),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    queue_id: Mapped[UUID | None] = foreign_key(
        "notifications.email_queue.id", ondelete="SET NULL", index=False
    )
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL", index=False)
    template: Mapped[EmailTemplate] = mapped_column(EnumText(EmailTemplate))
    to_address: Mapped[str | None]
    """Seed 002's `to`; NULL after the account was erased, or `email_log_days` have passed."""
    subject: Mapped[str]
    """Empty when `to_address` is blanked."""
    status: Mapped[EmailStatus] = mapped_column(EnumText(EmailStatus))
    """SENT: the provider took it. FAILED: it refused it for good. PENDING: this try failed or its
    outcome is unknown, and another follows.
    """
    error: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    may_be_duplicate: Mapped[bool] = mapped_column(server_default=false())
    """A try before this one broke off between sending and recording."""
    message_id: Mapped[str | None]
    """Our own Message-ID header."""
    provider_message_id: Mapped[str | None]
    """SES's id, by which its events name the mail."""
    delivery: Mapped[Delivery | None] = mapped_column(EnumText(Delivery))
    delivery_at: Mapped[datetime | None]
    sent_at: Mapped[datetime] = mapped_column(server_default=func.now())
