"""Sessions, tokens, other providers' accounts, one-time codes, throttles."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, EnumText, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)
from studypack.integrations.oauth.providers import OAuthProvider


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
    LOGIN_CHALLENGE = "LOGIN_CHALLENGE"
    """Not mailed: what a right password is worth until the one-time code follows."""


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


class OAuthAccount(Base):
    """A provider's account that signs one of ours in. The provider's tokens are not kept."""

    __tablename__ = "oauth_accounts"
    __table_args__ = (
        UniqueConstraint("provider", "provider_account_id"),
        UniqueConstraint("user_id", "provider"),
        one_of("provider", OAuthProvider),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    provider: Mapped[OAuthProvider] = mapped_column(EnumText(OAuthProvider))
    provider_account_id: Mapped[str]
    """What the provider never gives to another (Google's `sub`, GitHub's `id`)."""
    email: Mapped[str]
    """The provider's address of the account at the last sign-in."""
    email_verified: Mapped[bool]
    """Whether the provider had verified it then."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OAuthAttempt(Base):
    """One trip to a provider and back, which ends once: the row goes when its answer comes.

    Nothing here helps a thief: state, nonce and PKCE verifier come from a secret that only the
    browser's cookie has.
    """

    __tablename__ = "oauth_attempts"
    __table_args__ = (
        UniqueConstraint("state_hash"),
        Index(None, "expires_at"),
        one_of("provider", OAuthProvider),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    provider: Mapped[OAuthProvider] = mapped_column(EnumText(OAuthProvider))
    state_hash: Mapped[bytes]
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id")
    """Who began it signed in, and so wants to link; NULL: wants to sign in."""
    return_to: Mapped[str]
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TotpCredential(Base):
    """The secret that a person's authenticator app shares with us (RFC 6238)."""

    __tablename__ = "totp_credentials"
    __table_args__ = (UniqueConstraint("user_id"), {"schema": "auth"})

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    secret: Mapped[bytes]
    """Sealed with the key of the settings (accounts/totp_secrets.py)."""
    confirmed_at: Mapped[datetime | None]
    """NULL until the first right code: an app that was never set up must lock nobody out."""
    last_step: Mapped[int | None]
    """The 30-second step of the last accepted code, so that none works twice."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RecoveryCode(Base):
    """A single-use code for when the authenticator is lost; only its hash is here."""

    __tablename__ = "recovery_codes"
    __table_args__ = (
        UniqueConstraint("user_id", "code_hash"),
        CheckConstraint("length(code_hash) = 32", name="code_hash"),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = foreign_key("auth.users.id", index=False)
    code_hash: Mapped[bytes]
    """SHA-256 of 112 random bits."""
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
