"""What the product tells a learner inside of itself."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class NotificationType(StrEnum):
    """The fact that is told."""

    EXAM_SCORED = "EXAM_SCORED"
    MODULE_COMPLETED = "MODULE_COMPLETED"
    CERTIFICATE_ISSUED = "CERTIFICATE_ISSUED"
    ACHIEVEMENT = "ACHIEVEMENT"
    FRIEND_REQUEST = "FRIEND_REQUEST"
    FRIEND_ACCEPTED = "FRIEND_ACCEPTED"
    TASK_DUE = "TASK_DUE"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    ACCESS_ENDING = "ACCESS_ENDING"
    REFUND_COMPLETED = "REFUND_COMPLETED"
    SEAT_INVITATION = "SEAT_INVITATION"
    ANNOUNCEMENT = "ANNOUNCEMENT"


class Priority(StrEnum):
    """How loudly."""

    LOW = "LOW"
    NORMAL = "NORMAL"
    HIGH = "HIGH"


class Notification(Base):
    """One line under the bell; at most one per user, type and reference."""

    __tablename__ = "notifications"
    __table_args__ = (
        UniqueConstraint("user_id", "type", "reference"),
        Index(None, "user_id", "id"),
        Index("ix_notifications_unread", "user_id", postgresql_where=text("read_at IS NULL")),
        one_of("type", NotificationType),
        one_of("priority", Priority),
        {"schema": "notifications"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    type: Mapped[NotificationType] = mapped_column(EnumText(NotificationType))
    title: Mapped[str]
    message: Mapped[str]
    priority: Mapped[Priority] = mapped_column(
        EnumText(Priority), server_default=Priority.NORMAL.value
    )
    link: Mapped[str | None]
    """A path of the web client."""
    reference: Mapped[str]
    """What it is about, e.g. an exam session's id: the same fact makes no second line."""
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    read_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
