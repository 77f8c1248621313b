"""Facts: XP, the learner's feed, analytics events."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class XpSource(StrEnum):
    """What XP is granted for (domain.md); the amounts are in activity/xp.py."""

    QUIZ = "QUIZ"
    LESSON = "LESSON"
    EXAM = "EXAM"
    ASSIGNMENT = "ASSIGNMENT"
    FLASHCARD = "FLASHCARD"
    TUTOR = "TUTOR"
    STUDY = "STUDY"


class XpLog(Base):
    """One grant of XP; at most one per user, source and reference."""

    __tablename__ = "xp_logs"
    __table_args__ = (
        UniqueConstraint("user_id", "source_type", "reference_id"),
        Index(None, "user_id", "created_at"),
        one_of("source_type", XpSource),
        CheckConstraint("xp_amount > 0", name="xp_amount"),
        {"schema": "activity"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    source_type: Mapped[XpSource] = mapped_column(EnumText(XpSource))
    reference_id: Mapped[UUID]
    """The session, lesson, card review ... that earned it; a plain id, because it points up the
    floors.
    """
    xp_amount: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UserActivity(Base):
    """One line of the learner's feed."""

    __tablename__ = "user_activities"
    __table_args__ = (Index(None, "user_id", "id"), {"schema": "activity"})

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    type: Mapped[str]
    """Dotted past tense: exam.submitted, exam.scored, lesson.completed."""
    description: Mapped[str]
    activity_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'")
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AnalyticsEvent(Base):
    """One event of the product's telemetry, by our code or a browser.

    Partitioned by month on its id (version 7 ids carry the time), so that old months are dropped,
    not deleted.
    """

    __tablename__ = "analytics_events"
    __table_args__ = (
        Index(None, "event_name", "event_time"),
        Index(None, "user_id", "event_time"),
        Index(None, "event_time"),
        Index(None, "exam_session_id"),
        {"schema": "activity", "postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = mapped_column()
    """A plain id: events outlive the erased account as anonymous ones."""
    exam_session_id: Mapped[UUID | None]
    client_session_id: Mapped[str | None]
    """The browser's own session (seed 002's Event.sessionId)."""
    event_name: Mapped[str]
    event_time: Mapped[datetime] = mapped_column(server_default=func.now())
    payload: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    context: Mapped[dict[str, Any] | None]
