"""Who somebody is."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, false, func, literal_column, text, true
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


class Role(StrEnum):
    """What an account may do beyond its own data."""

    USER = "USER"
    SUPPORT = "SUPPORT"
    ADMIN = "ADMIN"


class UserType(StrEnum):
    """Whom the learner says to be at onboarding (seed 002)."""

    SOLO_BUILDER = "SOLO_BUILDER"
    EXPERIENCED_DEV = "EXPERIENCED_DEV"
    TECH_TEAM = "TECH_TEAM"


class Level(StrEnum):
    """Experience of a learner; difficulty of a course or assignment."""

    BEGINNER = "BEGINNER"
    INTERMEDIATE = "INTERMEDIATE"
    ADVANCED = "ADVANCED"


_SEARCHED = ("email", "first_name", "last_name")
"""What support finds an account by, in part (admin/users.py)."""


class User(Timestamps, SoftDelete, Base):
    """An account."""

    __tablename__ = "users"
    __table_args__ = (
        Index(
            "uq_users_email_lower",
            func.lower(literal_column("email")),
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_users_search",
            *_SEARCHED,
            postgresql_using="gin",
            postgresql_ops=dict.fromkeys(_SEARCHED, "gin_trgm_ops"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        one_of("role", Role),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    """As typed; unique without regard to case among accounts not deleted."""
    email_verified_at: Mapped[datetime | None]
    password_hash: Mapped[str | None]
    """Argon2id in PHC form; NULL for those who only sign in with a provider."""
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    role: Mapped[Role] = mapped_column(EnumText(Role), server_default=Role.USER.value)
    is_active: Mapped[bool] = mapped_column(server_default=true())
    timezone: Mapped[str] = mapped_column(server_default="UTC")
    """IANA name; study days are counted in it."""
    access_override: Mapped[bool] = mapped_column(server_default=false())
    """Every feature without paying (staff, testers, goodwill)."""
    marketing_opt_out: Mapped[bool] = mapped_column(server_default=false())
    last_login_at: Mapped[datetime | None]


class UserProfile(Timestamps, Base):
    """What a learner tells about themselves; made at sign-up."""

    __tablename__ = "user_profiles"
    __table_args__ = (
        one_of("user_type", UserType),
        one_of("experience_level", Level),
        CheckConstraint("weekly_study_minutes BETWEEN 0 AND 10080", name="weekly_study_minutes"),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False, unique=True)
    bio: Mapped[str | None]
    avatar_url: Mapped[str | None]
    location: Mapped[str | None]
    website: Mapped[str | None]
    occupation: Mapped[str | None]
    company: Mapped[str | None]
    phone: Mapped[str | None]
    address: Mapped[str | None]
    socials: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Links by network: github, linkedin, twitter, ..."""
    preferences: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """The client's own choices, e.g. theme and language."""

    onboarding_completed: Mapped[bool] = mapped_column(server_default=false())
    user_type: Mapped[UserType | None] = mapped_column(EnumText(UserType))
    build_goal: Mapped[str | None]
    experience_level: Mapped[Level | None] = mapped_column(EnumText(Level))
    grade_level: Mapped[str | None]
    primary_goal: Mapped[str | None]
    study_preference: Mapped[str | None]
    exam_date: Mapped[date | None]
    weekly_study_minutes: Mapped[int | None] = mapped_column(SmallInteger)


class Accommodation(Base):
    """Extra exam time granted to a learner (seed 000's clients test with accommodations); one in
    force at a time.
    """

    __tablename__ = "accommodations"
    __table_args__ = (
        Index(
            "uq_accommodations_in_force",
            "user_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        CheckConstraint("time_factor BETWEEN 1 AND 4", name="time_factor"),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id")
    time_factor: Mapped[Decimal]
    """1.5 = half as much time again."""
    reason: Mapped[str]
    granted_by: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL")
    granted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class TimezoneHistory(Base):
    """Which zone a learner lived in since when, so that past study days keep their dates."""

    __tablename__ = "timezone_history"
    __table_args__ = (Index(None, "user_id", "valid_from"), {"schema": "auth"})

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    timezone: Mapped[str]
    valid_from: Mapped[datetime] = mapped_column(server_default=func.now())
