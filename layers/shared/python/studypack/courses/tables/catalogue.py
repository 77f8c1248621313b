"""Courses, what they ask for, and their taxonomy of topics, with what learners command of it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
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
from studypack.identity.models import Level

NOT_DELETED = text("deleted_at IS NULL")


class Course(Timestamps, SoftDelete, Base):
    """A subject or a programming language that one can enrol in."""

    __tablename__ = "courses"
    __table_args__ = (
        Index("uq_courses_slug", "slug", unique=True, postgresql_where=NOT_DELETED),
        Index("uq_courses_title", "title", unique=True, postgresql_where=NOT_DELETED),
        one_of("difficulty", Level),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    icon: Mapped[str | None]
    """URL or emoji."""
    difficulty: Mapped[Level] = mapped_column(EnumText(Level), server_default=Level.BEGINNER.value)
    disclaimer: Mapped[str | None]
    """Shown beside everything of the course, e.g. that sample content was not clinically
    reviewed.
    """
    syllabus: Mapped[str | None]
    """Markdown: what the course covers, beyond the list of its modules."""
    position: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """Its place in the catalogue; equal ones by title."""
    published: Mapped[bool] = mapped_column(server_default=false())
    """In the catalogue, and open for enrolment."""
    is_active: Mapped[bool] = mapped_column(server_default=true())
    """False: withdrawn, for learners it is not there."""


class CoursePrerequisite(Base):
    """A course that has to be completed before one can enrol in another; without cycles
    (courses/prerequisites.py).
    """

    __tablename__ = "course_prerequisites"
    __table_args__ = (
        PrimaryKeyConstraint("course_id", "required_course_id"),
        CheckConstraint("course_id <> required_course_id", name="not_itself"),
        {"schema": "learning"},
    )

    course_id: Mapped[UUID] = foreign_key("learning.courses.id", index=False)
    required_course_id: Mapped[UUID] = foreign_key("learning.courses.id")


class Topic(Timestamps, Base):
    """A node of a course's taxonomy: an exam domain or a part of one."""

    __tablename__ = "topics"
    __table_args__ = (
        UniqueConstraint("course_id", "slug"),
        CheckConstraint("difficulty_level BETWEEN 1 AND 5", name="difficulty_level"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    course_id: Mapped[UUID] = foreign_key("learning.courses.id", index=False)
    parent_id: Mapped[UUID | None] = foreign_key("learning.topics.id")
    slug: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    difficulty_level: Mapped[int | None] = mapped_column(SmallInteger)
    position: Mapped[int] = mapped_column(SmallInteger, server_default="0")


class TopicMastery(Base):
    """How well a learner commands a topic, from 0 to 1, as their answers show
    (courses/mastery.py).
    """

    __tablename__ = "topic_mastery"
    __table_args__ = (
        UniqueConstraint("user_id", "topic_id"),
        CheckConstraint("mastery_score BETWEEN 0 AND 1", name="mastery_score"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    topic_id: Mapped[UUID] = foreign_key("learning.topics.id")
    mastery_score: Mapped[Decimal] = mapped_column(Numeric(6, 5))
    evidence: Mapped[Decimal] = mapped_column(Numeric(9, 2))
    """How many answers stand behind the score."""
    last_updated: Mapped[datetime] = mapped_column(server_default=func.now())
