"""Why a mail was, or was not, sent; and what an owner writes to many at once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)
from studypack.notifications.tables.emails import EmailTemplate


class Verdict(StrEnum):
    """SEND: queued. DEFER: queued for later (quiet hours, weekly limit). WITHHOLD: not queued.
    CANCEL: taken back before it was sent.
    """

    SEND = "SEND"
    DEFER = "DEFER"
    WITHHOLD = "WITHHOLD"
    CANCEL = "CANCEL"


class EmailDecision(Base):
    """One decision about one occasion; the same decision again is not written twice."""

    __tablename__ = "email_decisions"
    __table_args__ = (
        UniqueConstraint("user_id", "template", "occasion", "verdict", "reason"),
        Index(None, "user_id", "id"),
        Index(None, "decided_at"),
        one_of("template", EmailTemplate),
        one_of("verdict", Verdict),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    template: Mapped[EmailTemplate] = mapped_column(EnumText(EmailTemplate))
    occasion: Mapped[str]
    """What the mail would be for: the part of the queue's dedupe key behind the template."""
    verdict: Mapped[Verdict] = mapped_column(EnumText(Verdict))
    rule: Mapped[str]
    """The rule by its name in the code, e.g. `abandonment`."""
    reason: Mapped[str]
    """Stable code, e.g. `due`, `subscribed`, `opted_out`, `quiet_hours`, `weekly_limit`."""
    evidence: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Ids and times that the decision rests on."""
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())


class BroadcastStatus(StrEnum):
    """STOPPED can be resumed; what is queued and unsent is cancelled then."""

    DRAFT = "DRAFT"
    SENDING = "SENDING"
    STOPPED = "STOPPED"
    SENT = "SENT"


class Broadcast(Timestamps, Base):
    """A mail by an admin to a segment of users."""

    __tablename__ = "broadcasts"
    __table_args__ = (
        one_of("status", BroadcastStatus),
        CheckConstraint("per_minute BETWEEN 1 AND 100000", name="per_minute"),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    """Markdown."""
    segment: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Which users (lifecycle/segments.py)."""
    status: Mapped[BroadcastStatus] = mapped_column(
        EnumText(BroadcastStatus), server_default=BroadcastStatus.DRAFT.value
    )
    per_minute: Mapped[int] = mapped_column(Integer, server_default="600")
    created_by: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL")
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_user_id: Mapped[UUID | None]
    """How far its recipients were queued: users are taken in the order of their ids."""
    queued: Mapped[int] = mapped_column(server_default="0")
