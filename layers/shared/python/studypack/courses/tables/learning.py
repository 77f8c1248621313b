"""What a learner does with a course: enrolment, progress, completions, certificates, notes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import INT4MULTIRANGE
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of
from studypack.courses.tables.content import ItemKind
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class EnrollmentStatus(StrEnum):
    """Where a learner is with a course."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    DROPPED = "DROPPED"


class ProgressStatus(StrEnum):
    """Where a learner is with a module."""

    NOT_STARTED = "NOT_STARTED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


class NoteKind(StrEnum):
    """A text of the learner's, or just a place to come back to."""

    NOTE = "NOTE"
    BOOKMARK = "BOOKMARK"


class Enrollment(Timestamps, Base):
    """A learner in a course: one row, whatever becomes of it."""

    __tablename__ = "enrollments"
    __table_args__ = (
        UniqueConstraint("user_id", "course_id"),
        Index(None, "course_id", "status"),
        one_of("status", EnrollmentStatus),
        CheckConstraint("status <> 'COMPLETED' OR completed_at IS NOT NULL", name="completed_at"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    course_id: Mapped[UUID] = foreign_key("learning.courses.id", index=False)
    status: Mapped[EnrollmentStatus] = mapped_column(
        EnumText(EnrollmentStatus), server_default=EnrollmentStatus.ACTIVE.value
    )
    enrolled_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """From here the days of drip release count; taken up again after dropping, it stays."""
    paused_at: Mapped[datetime | None]
    dropped_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


class ModuleProgress(Timestamps, Base):
    """How far a learner is with a module; COMPLETED stays, whatever is added to it later."""

    __tablename__ = "module_progress"
    __table_args__ = (
        UniqueConstraint("user_id", "module_id"),
        one_of("status", ProgressStatus),
        CheckConstraint("progress_percent BETWEEN 0 AND 100", name="progress_percent"),
        CheckConstraint("(status = 'COMPLETED') = (completed_at IS NOT NULL)", name="completed_at"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    module_id: Mapped[UUID] = foreign_key("learning.modules.id")
    status: Mapped[ProgressStatus] = mapped_column(
        EnumText(ProgressStatus), server_default=ProgressStatus.NOT_STARTED.value
    )
    progress_percent: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    last_accessed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ItemCompletion(Base):
    """A lesson, quiz or assignment that a learner has done: once."""

    __tablename__ = "item_completions"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "item_id"),
        Index(None, "user_id", "module_id"),
        Index(None, "module_id", "kind"),
        one_of("kind", ItemKind),
        {"schema": "learning"},
    )

    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    item_id: Mapped[UUID]
    """A lesson's id, or a module item's."""
    kind: Mapped[ItemKind] = mapped_column(EnumText(ItemKind))
    module_id: Mapped[UUID] = foreign_key("learning.modules.id", index=False)
    completed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class LessonProgress(Timestamps, Base):
    """What a learner has seen of a lesson."""

    __tablename__ = "lesson_progress"
    __table_args__ = (
        UniqueConstraint("user_id", "lesson_id"),
        Index(None, "user_id", "last_viewed_at"),
        CheckConstraint("completed = (completed_at IS NOT NULL)", name="completed_at"),
        CheckConstraint("view_count >= 0", name="view_count"),
        CheckConstraint("position_seconds >= 0", name="position_seconds"),
        CheckConstraint("watched_seconds >= 0", name="watched_seconds"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    lesson_id: Mapped[UUID] = foreign_key("learning.lessons.id")
    completed: Mapped[bool] = mapped_column(server_default=false())
    completed_at: Mapped[datetime | None]
    view_count: Mapped[int] = mapped_column(server_default="0")
    last_viewed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    position_seconds: Mapped[int] = mapped_column(server_default="0")
    """Where the video goes on."""
    position_at: Mapped[datetime | None]
    """When the learner was there, so that a late message does not move it back."""
    watched: Mapped[Any] = mapped_column(INT4MULTIRANGE, server_default=text("'{}'"))
    """The seconds of the video that were played, as ranges."""
    watched_seconds: Mapped[int] = mapped_column(server_default="0")
    """Their sum."""
    heartbeat_at: Mapped[datetime | None]
    """Until when the time since the lesson was opened is used up by what was played: more than the
    rest cannot have been played (courses/heartbeats.py). NULL: no player has told anything.
    """


class Certificate(Timestamps, Base):
    """Proof of a completed course; name and title are as they were then."""

    __tablename__ = "certificates"
    __table_args__ = (
        UniqueConstraint("code"),
        Index(
            "uq_certificates_user_id_course_id",
            "user_id",
            "course_id",
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        Index(None, "user_id", "id"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    course_id: Mapped[UUID] = foreign_key("learning.courses.id")
    code: Mapped[str]
    """Public: who has it may verify. Random, so that none can be guessed."""
    recipient_name: Mapped[str]
    course_title: Mapped[str]
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]
    """The admin; a plain id, so that it outlives the account."""
    revoke_reason: Mapped[str | None]


class Note(Timestamps, Base):
    """What a learner wrote at, or a mark they put on, a lesson."""

    __tablename__ = "notes"
    __table_args__ = (
        Index(None, "user_id", "lesson_id"),
        one_of("kind", NoteKind),
        CheckConstraint("position_seconds >= 0", name="position_seconds"),
        CheckConstraint("kind = 'BOOKMARK' OR body <> ''", name="body"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    lesson_id: Mapped[UUID] = foreign_key("learning.lessons.id")
    kind: Mapped[NoteKind] = mapped_column(EnumText(NoteKind))
    body: Mapped[str] = mapped_column(server_default="")
    position_seconds: Mapped[int | None]
    """In the lesson's video."""
