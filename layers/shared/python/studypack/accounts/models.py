"""Sessions, tokens, throttles."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class LoginSession(Base):
    """One signed-in browser or device. Revoking it deletes the row."""

    __tablename__ = "sessions"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "expires_at"),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id")
    token_hash: Mapped[bytes]
    """SHA-256 of a random 256-bit token, which only the client has."""
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Written at most every 10 minutes."""
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TokenPurpose(StrEnum):
    """What a mailed link is for."""

    EMAIL_VERIFICATION = "EMAIL_VERIFICATION"
    EMAIL_CHANGE = "EMAIL_CHANGE"
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 (a purpose's name)


class VerificationToken(Base):
    """A single-use token that a mailed link carries; only its hash is here."""

    __tablename__ = "verification_tokens"
    __table_args__ = (
        UniqueConstraint("token_hash"),
        Index(None, "expires_at"),
        Index(None, "change_id"),
        one_of("purpose", TokenPurpose),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id")
    purpose: Mapped[TokenPurpose] = mapped_column(EnumText(TokenPurpose))
    token_hash: Mapped[bytes]
    email: Mapped[str]
    """The address this token was mailed to: it proves that one and no other."""
    change_id: Mapped[UUID | None]
    """An e-mail change has two tokens, one to each address, that share this id."""
    data: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Throttle(Base):
    """How often something was tried in the window under way, by a hash of whom or what is
    counted.
    """

    __tablename__ = "throttles"
    __table_args__ = (Index(None, "resets_at"), {"schema": "auth"})

    key: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of scope and subject, so that no address is kept."""
    hits: Mapped[int]
    resets_at: Mapped[datetime]
