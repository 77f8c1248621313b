"""Exam templates and a learner's sessions with their frozen form and responses."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import (
    Base,
    EnumText,
    SoftDelete,
    Timestamps,
    foreign_key,
    new_id,
    one_of,
)
from studypack.courses import models as _courses  # noqa: F401 (target of foreign keys)
from studypack.exams.receipt import LogEvent
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)
from studypack.questions import models as _questions  # noqa: F401 (target of foreign keys)


class ScoringMode(StrEnum):
    """RAW: share of credit. SCALED: ability on the template's scale, by the scoring job."""

    RAW = "raw"
    SCALED = "scaled"


class ExamStatus(StrEnum):
    """SUBMITTED at finalize or expiry; REVIEW when fully scored."""

    DRAFT = "DRAFT"
    IN_PROGRESS = "IN_PROGRESS"
    SUBMITTED = "SUBMITTED"
    REVIEW = "REVIEW"
    ARCHIVED = "ARCHIVED"


class SubmittedBy(StrEnum):
    """Who ended a session: the learner, or the clock."""

    LEARNER = "LEARNER"
    CLOCK = "CLOCK"


class ExamTemplate(Timestamps, SoftDelete, Base):
    """What an exam consists of and how it is timed and scored."""

    __tablename__ = "exam_templates"
    __table_args__ = (
        Index(
            "uq_exam_templates_slug",
            "slug",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        one_of("scoring_mode", ScoringMode),
        CheckConstraint("duration_minutes BETWEEN 1 AND 1440", name="duration_minutes"),
        CheckConstraint("pause_minutes >= 0", name="pause_minutes"),
        CheckConstraint("max_attempts > 0", name="max_attempts"),
        CheckConstraint(
            # Without num_nulls a missing column would make the CHECK NULL, which passes.
            "scoring_mode = 'raw' OR (num_nulls(scale_minimum, pass_score, scale_maximum) = 0"
            " AND scale_minimum < pass_score AND pass_score < scale_maximum)",
            name="scale",
        ),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    course_id: Mapped[UUID] = foreign_key("learning.courses.id", ondelete="RESTRICT")
    slug: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    duration_minutes: Mapped[int] = mapped_column(SmallInteger)
    scoring_mode: Mapped[ScoringMode] = mapped_column(EnumText(ScoringMode))
    blueprint: Mapped[dict[str, Any]]
    """A Blueprint (exams/blueprint.py): number of items, weights of topics, sequencing rules."""
    pass_percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    """RAW: the share of credit that passes."""
    scale_minimum: Mapped[int | None] = mapped_column(SmallInteger)
    scale_maximum: Mapped[int | None] = mapped_column(SmallInteger)
    pass_score: Mapped[int | None] = mapped_column(SmallInteger)
    pass_theta: Mapped[Decimal | None] = mapped_column(Numeric(6, 4))
    """SCALED: the ability that lands on pass_score."""
    is_practice: Mapped[bool] = mapped_column(server_default=false())
    """Shows each item's key and rationale after its answer, which is then final."""
    pause_minutes: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """How long a session may be paused in all; 0 forbids it."""
    retake_after_hours: Mapped[int] = mapped_column(server_default="0")
    max_attempts: Mapped[int | None] = mapped_column(SmallInteger)
    is_active: Mapped[bool] = mapped_column(server_default=true())


class ExamSession(Timestamps, Base):
    """A learner's run of an exam. What the template says is frozen here when it starts."""

    __tablename__ = "exam_sessions"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index(
            "uq_exam_sessions_running",
            "user_id",
            "template_id",
            unique=True,
            postgresql_where=text("status IN ('DRAFT', 'IN_PROGRESS')"),
        ),
        Index(
            "ix_exam_sessions_deadline_at",
            "deadline_at",
            postgresql_where=text("status = 'IN_PROGRESS'"),
        ),
        Index(
            "ix_exam_sessions_unscored",
            "submitted_at",
            postgresql_where=text("status = 'SUBMITTED'"),
        ),
        one_of("status", ExamStatus),
        one_of("scoring_mode", ScoringMode),
        one_of("submitted_by", SubmittedBy),
        CheckConstraint("(status = 'DRAFT') = (started_at IS NULL)", name="started"),
        CheckConstraint(
            "(status IN ('DRAFT', 'IN_PROGRESS')) = (submitted_at IS NULL)", name="submitted"
        ),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    template_id: Mapped[UUID] = foreign_key("learning.exam_templates.id", ondelete="RESTRICT")
    status: Mapped[ExamStatus] = mapped_column(
        EnumText(ExamStatus), server_default=ExamStatus.DRAFT.value
    )
    scoring_mode: Mapped[ScoringMode] = mapped_column(EnumText(ScoringMode))
    is_practice: Mapped[bool] = mapped_column(server_default=false())
    blueprint: Mapped[dict[str, Any]]
    scoring: Mapped[dict[str, Any]]
    """The template's pass mark and scale (exams/scoring.py) as they were at the start."""
    duration_minutes: Mapped[int] = mapped_column(SmallInteger)
    """The template's, before the accommodation."""
    time_factor: Mapped[Decimal] = mapped_column(Numeric(4, 2), server_default="1")
    started_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    pause_used_seconds: Mapped[int] = mapped_column(server_default="0")
    pause_budget_seconds: Mapped[int] = mapped_column(server_default="0")
    submitted_at: Mapped[datetime | None]
    submitted_by: Mapped[SubmittedBy | None] = mapped_column(EnumText(SubmittedBy))
    completed_at: Mapped[datetime | None]
    """Fully scored."""
    score_raw: Mapped[Decimal | None] = mapped_column(Numeric(8, 4))
    """Sum of credit over the items, each from 0 to 1."""
    score_percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    score_scaled: Mapped[int | None] = mapped_column(SmallInteger)
    theta: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    """Estimated ability in logits, and its standard error."""
    theta_error: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    passed: Mapped[bool | None]
    session_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'")
    )
    """The client's own notes on the session (PATCH), e.g. which device."""
    log_sequence: Mapped[int] = mapped_column(server_default="0")
    """How many entries the session's log has, and the hash of the last: the next one's link."""
    log_hash: Mapped[bytes | None]


class ExamItem(Base):
    """One place of a session's frozen form."""

    __tablename__ = "exam_items"
    __table_args__ = (
        PrimaryKeyConstraint("session_id", "position"),
        UniqueConstraint("session_id", "question_id"),
        ForeignKeyConstraint(
            ["question_id", "question_version"],
            ["learning.question_versions.question_id", "learning.question_versions.version"],
            name="fk_exam_items_question_version",
        ),
        Index(None, "question_id", "question_version"),
        {"schema": "learning"},
    )

    session_id: Mapped[UUID] = foreign_key("learning.exam_sessions.id", index=False)
    position: Mapped[int] = mapped_column(SmallInteger)
    """From 1."""
    question_id: Mapped[UUID]
    question_version: Mapped[int]
    topic_id: Mapped[UUID] = foreign_key("learning.topics.id", ondelete="RESTRICT")
    """The blueprint's topic for which it was drawn; the question itself may sit deeper."""
    discrimination: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    """a and b as they were when the form was frozen, so that a score can be computed again."""
    location: Mapped[Decimal] = mapped_column(Numeric(7, 4))


class ExamResponse(Timestamps, Base):
    """What a learner answered to an item, and after submission what it was worth."""

    __tablename__ = "exam_responses"
    __table_args__ = (
        UniqueConstraint("session_id", "question_id"),
        ForeignKeyConstraint(
            ["session_id", "question_id"],
            ["learning.exam_items.session_id", "learning.exam_items.question_id"],
            name="fk_exam_responses_item",
            ondelete="CASCADE",
        ),
        CheckConstraint("credit BETWEEN 0 AND 1", name="credit"),
        CheckConstraint("time_spent_seconds >= 0", name="time_spent_seconds"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[UUID]
    question_id: Mapped[UUID]
    answer: Mapped[dict[str, Any] | None]
    """By type (questions/answers.py): seed 000's selectedOption, selectedOptions and
    responseValue in one.
    """
    revision: Mapped[int]
    """Counted by the client: a lower one than stored comes late."""
    flagged: Mapped[bool] = mapped_column(server_default=false())
    time_spent_seconds: Mapped[int] = mapped_column(server_default="0")
    answered_at: Mapped[datetime | None]
    is_correct: Mapped[bool | None]
    credit: Mapped[Decimal | None] = mapped_column(Numeric(5, 4))
    reviewed_at: Mapped[datetime | None]
    """When its key and rationale were opened to the learner."""


class ExamResponseLog(Base):
    """What happened to a session, entry by entry; each is linked to the one before by its hash.

    Append-only: triggers refuse every change. Entries go with their session, never alone.
    """

    __tablename__ = "exam_response_log"
    __table_args__ = (
        PrimaryKeyConstraint("session_id", "sequence"),
        one_of("event", LogEvent),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint("length(previous_hash) = 32", name="previous_hash"),
        CheckConstraint("hash = sha256(previous_hash || convert_to(entry, 'UTF8'))", name="hash"),
        CheckConstraint(
            "CAST(entry AS jsonb) @> jsonb_build_object("
            "'session', session_id, 'sequence', sequence, 'event', event)",
            name="entry",
        ),
        {"schema": "learning"},
    )

    session_id: Mapped[UUID] = foreign_key("learning.exam_sessions.id", index=False)
    sequence: Mapped[int]
    """From 1, without gaps."""
    event: Mapped[LogEvent] = mapped_column(EnumText(LogEvent))
    occurred_at: Mapped[datetime]
    entry: Mapped[str]
    """Canonical JSON (exams/receipt.py): the very text that is hashed."""
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


class ExamReceipt(Base):
    """The end of a submitted session's log and the signature over it, which may come later."""

    __tablename__ = "exam_receipts"
    __table_args__ = (
        Index(
            "ix_exam_receipts_unsigned",
            "session_id",
            postgresql_where=text("signature IS NULL"),
        ),
        CheckConstraint("length(head) = 32", name="head"),
        CheckConstraint(
            "num_nulls(key_id, signed_at, signature) IN (0, 3)",
            name="signed",
        ),
        {"schema": "learning"},
    )

    session_id: Mapped[UUID] = foreign_key(
        "learning.exam_sessions.id", index=False, primary_key=True
    )
    entries: Mapped[int]
    """How many entries the log had at submission, and the hash of the last."""
    head: Mapped[bytes]
    key_id: Mapped[str | None]
    signed_at: Mapped[datetime | None]
    signature: Mapped[bytes | None]
    """Ed25519 over the statement that these columns make (receipt.statement)."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
