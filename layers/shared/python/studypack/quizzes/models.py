"""Quizzes, their questions, attempts, answers, analyses."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
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
from studypack.courses.models import NOT_DELETED
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)
from studypack.questions import models as _questions  # noqa: F401 (target of foreign keys)


class AttemptPolicy(StrEnum):
    """Which attempt counts as the learner's result."""

    BEST = "BEST"
    LAST = "LAST"


class AttemptStatus(StrEnum):
    """Whether an attempt can still be answered."""

    IN_PROGRESS = "IN_PROGRESS"
    SUBMITTED = "SUBMITTED"


class AnalysisType(StrEnum):
    """Who made an analysis: the machine, a person, or the machine and then a person."""

    AI = "AI"
    MANUAL = "MANUAL"
    HYBRID = "HYBRID"


class Quiz(Timestamps, SoftDelete, Base):
    """A short set of bank questions. In a module it counts towards progress (courses' module_items
    has its row); on a topic alone it is practice.
    """

    __tablename__ = "quizzes"
    __table_args__ = (
        Index(
            "uq_quizzes_course_id_slug",
            "course_id",
            "slug",
            unique=True,
            postgresql_where=NOT_DELETED,
        ),
        one_of("attempt_policy", AttemptPolicy),
        CheckConstraint("num_nonnulls(module_id, topic_id) >= 1", name="somewhere"),
        CheckConstraint("passing_score BETWEEN 0 AND 100", name="passing_score"),
        CheckConstraint("time_limit_minutes BETWEEN 1 AND 1440", name="time_limit_minutes"),
        CheckConstraint("max_attempts > 0", name="max_attempts"),
        CheckConstraint("negative_marking BETWEEN 0 AND 1", name="negative_marking"),
        CheckConstraint("question_count > 0", name="question_count"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    course_id: Mapped[UUID] = foreign_key("learning.courses.id")
    module_id: Mapped[UUID | None] = foreign_key("learning.modules.id")
    topic_id: Mapped[UUID | None] = foreign_key("learning.topics.id")
    slug: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    passing_score: Mapped[int] = mapped_column(SmallInteger, server_default="70")
    """Percent of the points."""
    time_limit_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    max_attempts: Mapped[int | None] = mapped_column(SmallInteger)
    attempt_policy: Mapped[AttemptPolicy] = mapped_column(
        EnumText(AttemptPolicy), server_default=AttemptPolicy.BEST.value
    )
    question_count: Mapped[int | None] = mapped_column(SmallInteger)
    """So many are drawn for an attempt; NULL: all."""
    shuffle_questions: Mapped[bool] = mapped_column(server_default=true())
    shuffle_options: Mapped[bool] = mapped_column(server_default=true())
    negative_marking: Mapped[Decimal] = mapped_column(Numeric(3, 2), server_default="0")
    """Share of a question's points that a wrong answer costs; an attempt never goes below 0."""
    published: Mapped[bool] = mapped_column(server_default=false())
    generated_by_ai: Mapped[bool] = mapped_column(server_default=false())


class QuizQuestion(Base):
    """A question of the bank in a quiz."""

    __tablename__ = "quiz_questions"
    __table_args__ = (
        PrimaryKeyConstraint("quiz_id", "question_id"),
        UniqueConstraint("quiz_id", "position", deferrable=True, initially="DEFERRED"),
        CheckConstraint("points > 0", name="points"),
        {"schema": "learning"},
    )

    quiz_id: Mapped[UUID] = foreign_key("learning.quizzes.id", index=False)
    question_id: Mapped[UUID] = foreign_key("learning.questions.id", ondelete="RESTRICT")
    position: Mapped[int] = mapped_column(SmallInteger)
    points: Mapped[int] = mapped_column(SmallInteger, server_default="1")


class QuizAttempt(Timestamps, Base):
    """One go at a quiz, on a form that is frozen at its start."""

    __tablename__ = "quiz_attempts"
    __table_args__ = (
        UniqueConstraint("user_id", "quiz_id", "attempt_number"),
        Index(
            "uq_quiz_attempts_running",
            "user_id",
            "quiz_id",
            unique=True,
            postgresql_where=text("status = 'IN_PROGRESS'"),
        ),
        Index(None, "quiz_id", "submitted_at"),
        Index(None, "deadline_at", postgresql_where=text("status = 'IN_PROGRESS'")),
        one_of("status", AttemptStatus),
        CheckConstraint("attempt_number > 0", name="attempt_number"),
        CheckConstraint("(status = 'SUBMITTED') = (submitted_at IS NOT NULL)", name="submitted_at"),
        CheckConstraint(
            "(status = 'SUBMITTED') = (score_percentage IS NOT NULL AND passed IS NOT NULL)",
            name="scored",
        ),
        CheckConstraint("score_percentage BETWEEN 0 AND 100", name="score_percentage"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    quiz_id: Mapped[UUID] = foreign_key("learning.quizzes.id", ondelete="RESTRICT", index=False)
    attempt_number: Mapped[int] = mapped_column(SmallInteger)
    status: Mapped[AttemptStatus] = mapped_column(
        EnumText(AttemptStatus), server_default=AttemptStatus.IN_PROGRESS.value
    )
    form: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """[{"question_id", "version", "points"}] in the learner's order; options are shuffled by the
    attempt's id. The rules of the quiz that score it are frozen in `rules`.
    """
    rules: Mapped[dict[str, Any]]
    """{"passing_score", "negative_marking", "shuffle_options"} as they were at the start."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deadline_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    score_points: Mapped[Decimal | None] = mapped_column(Numeric(9, 4))
    max_points: Mapped[int]
    score_percentage: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    passed: Mapped[bool | None]
    xp_awarded: Mapped[int] = mapped_column(server_default="0")


class QuizAnswer(Timestamps, Base):
    """What a learner answered to one question of an attempt; the newest revision counts."""

    __tablename__ = "quiz_answers"
    __table_args__ = (
        UniqueConstraint("attempt_id", "question_id"),
        CheckConstraint("revision > 0", name="revision"),
        CheckConstraint("time_spent_seconds >= 0", name="time_spent_seconds"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    attempt_id: Mapped[UUID] = foreign_key("learning.quiz_attempts.id", index=False)
    question_id: Mapped[UUID] = foreign_key("learning.questions.id", ondelete="RESTRICT")
    response: Mapped[dict[str, Any] | None]
    """An Answer (questions/answers.py) as JSON; NULL: taken back."""
    revision: Mapped[int]
    """The client's count of this answer's changes."""
    time_spent_seconds: Mapped[int] = mapped_column(server_default="0")
    answered_at: Mapped[datetime] = mapped_column(server_default=func.now())
    is_correct: Mapped[bool | None]
    """At submission; like the points."""
    points_awarded: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))


class QuizAnalysis(Timestamps, Base):
    """What an attempt tells of its learner."""

    __tablename__ = "quiz_analyses"
    __table_args__ = (
        UniqueConstraint("attempt_id"),
        one_of("analysis_type", AnalysisType),
        CheckConstraint(
            "analysis_type = 'AI' OR (analyzed_by IS NOT NULL AND analyzed_at IS NOT NULL)",
            name="analyzed_by",
        ),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    attempt_id: Mapped[UUID] = foreign_key("learning.quiz_attempts.id", index=False)
    analysis_type: Mapped[AnalysisType] = mapped_column(
        EnumText(AnalysisType), server_default=AnalysisType.AI.value
    )
    """AI: the machine's, by rules while `ai_model` is NULL."""
    performance_breakdown: Mapped[dict[str, Any]]
    """{topic's name: percent}"""
    strong_topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    weak_topics: Mapped[list[str]] = mapped_column(ARRAY(Text))
    recommendations: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """[{"text", "kind": lesson|deck|quiz|topic, "reference_id"}]"""
    insights: Mapped[str | None]
    avg_time_per_question: Mapped[int | None]
    """Seconds."""
    time_management: Mapped[str | None]
    """The verdict, a sentence."""
    time_management_rule: Mapped[str | None]
    """Stable code of the rule that gave it (quizzes/analysis.py)."""
    ai_model: Mapped[str | None]
    analyzed_by: Mapped[UUID | None]
    """The admin; a plain id, so that it outlives the account."""
    analyzed_at: Mapped[datetime | None]
