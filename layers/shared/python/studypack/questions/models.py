"""The bank: a question as it is now, its options, and every version that a form may still point
at.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
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
from studypack.questions.answers import QuestionType


class QuestionStatus(StrEnum):
    """Only ACTIVE questions are drawn into forms."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class Question(Timestamps, SoftDelete, Base):
    """An item of the bank."""

    __tablename__ = "questions"
    __table_args__ = (
        UniqueConstraint("source_id"),
        Index(None, "topic_id", "status"),
        one_of("type", QuestionType),
        one_of("status", QuestionStatus),
        CheckConstraint("difficulty BETWEEN 1 AND 5", name="difficulty"),
        CheckConstraint("discrimination > 0", name="discrimination"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    source_id: Mapped[str | None]
    """The author's own name of the item; stable across imports."""
    type: Mapped[QuestionType] = mapped_column(EnumText(QuestionType))
    topic_id: Mapped[UUID] = foreign_key("learning.topics.id", ondelete="RESTRICT", index=False)
    stem: Mapped[str]
    media: Mapped[dict[str, Any] | None]
    rationale: Mapped[str]
    difficulty: Mapped[int | None] = mapped_column(SmallInteger)
    """The author's estimate, 1 easy to 5 hard."""
    status: Mapped[QuestionStatus] = mapped_column(
        EnumText(QuestionStatus), server_default=QuestionStatus.DRAFT.value
    )
    version: Mapped[int] = mapped_column(server_default="1")
    discrimination: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    """Calibrated a of the two-parameter model; NULL until responses suffice."""
    location: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    """Calibrated b, in logits."""
    calibrated_at: Mapped[datetime | None]
    question_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'")
    )
    """Key regions of a hot spot, sections of a simulation, how many to select."""


class QuestionOption(Base):
    """A choice, a step or a decision of a question."""

    __tablename__ = "question_options"
    __table_args__ = (UniqueConstraint("question_id", "sort_order"), {"schema": "learning"})

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    """Random, unlike other ids: learners see it, and ids in the order of making would give an
    ORDERING away.
    """
    question_id: Mapped[UUID] = foreign_key("learning.questions.id", index=False)
    label: Mapped[str]
    content: Mapped[str]
    is_correct: Mapped[bool | None]
    sort_order: Mapped[int] = mapped_column(SmallInteger)
    """The author's order; for ORDERING it is the right one."""
    points: Mapped[int | None] = mapped_column(SmallInteger)
    """Of a simulation's decision: what choosing it adds or takes."""
    feedback: Mapped[str | None]
    section: Mapped[int | None] = mapped_column(SmallInteger)
    option_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'"))


class QuestionVersion(Base):
    """A question as it was: immutable, so that a form under way is never changed by an edit."""

    __tablename__ = "question_versions"
    __table_args__ = (PrimaryKeyConstraint("question_id", "version"), {"schema": "learning"})

    question_id: Mapped[UUID] = mapped_column(
        ForeignKey("learning.questions.id", ondelete="CASCADE")
    )
    version: Mapped[int]
    content: Mapped[dict[str, Any]]
    """A QuestionContent (questions/answers.py) as JSON, key and rationale included."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
