"""Sign-in and the sessions it opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from studypack.accounts import throttles
from studypack.accounts.models import LoginSession
from studypack.accounts.passwords import hash_password, needs_rehash, verify_password
from studypack.accounts.tokens import hash_token, new_token
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import Unauthenticated
from studypack.core.ids import uuid7
from studypack.identity.models import User

USER_AGENT_LENGTH = 300


@dataclass(frozen=True)
class SignedIn:
    """A session just opened; its token is shown this once."""

    user_id: UUID
    token: str
    expires_at: datetime


class InvalidCredentials(Unauthenticated):
    """Wrong password, unknown address, deactivated account: one answer."""

    code = "invalid_credentials"


def open_login_session(
    session: Session, user_id: UUID, *, address: str, user_agent: str | None, now: datetime
) -> SignedIn:
    """Open a session for a user who has proved to be one."""
    token = new_token()
    expires_at = now + timedelta(days=get_business_settings().session_days)
    session.add(
        LoginSession(
            id=uuid7(now),
            user_id=user_id,
            token_hash=hash_token(token),
            expires_at=expires_at,
            last_seen_at=now,
            ip=address,
            user_agent=user_agent[:USER_AGENT_LENGTH] if user_agent else None,
        )
    )
    session.flush()
    return SignedIn(user_id, token, expires_at)


def sign_in(
    session: Session, email: str, password: str, *, address: str, user_agent: str | None
) -> SignedIn:
    """Check the password and open a session.

    Raises InvalidCredentials, the same and as slowly for an unknown address, and TooManyRequests. A
    try is counted before the password is checked and forgiven when it was right.
    """
    settings = get_business_settings()
    by_account = throttles.Limit(
        "login-account", email, settings.login_attempts, throttles.QUARTER_HOUR
    )
    by_address = throttles.Limit(
        "login-address", address, settings.login_attempts_per_address, throttles.QUARTER_HOUR
    )
    now = throttles.take(session, by_account, by_address)
    user = session.scalars(
        select(User).where(
            func.lower(User.email) == email.lower(),
            User.deleted_at.is_(None),
            User.is_active,
        )
    ).one_or_none()
    if not verify_password(user.password_hash if user else None, password) or user is None:
        raise InvalidCredentials("The e-mail address or the password is wrong.")
    if user.password_hash is not None and needs_rehash(user.password_hash):
        user.password_hash = hash_password(password)
    user.last_login_at = now
    throttles.forgive(session, [by_account])
    return open_login_session(session, user.id, address=address, user_agent=user_agent, now=now)


def sign_out(session: Session, session_id: UUID) -> None:
    """Close one session."""
    session.execute(delete(LoginSession).where(LoginSession.id == session_id))


def list_sessions(session: Session, user_id: UUID, *, now: datetime) -> Sequence[LoginSession]:
    """A user's open sessions, the latest used first."""
    return session.scalars(
        select(LoginSession)
        .where(LoginSession.user_id == user_id, LoginSession.expires_at > now)
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id.desc())
    ).all()


def revoke_session(session: Session, user_id: UUID, session_id: UUID) -> bool:
    """Close one of the user's own sessions; False when there is none of this id."""
    revoked = session.scalar(
        delete(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.user_id == user_id)
        .returning(LoginSession.id)
    )
    return revoked is not None


def revoke_sessions(session: Session, user_id: UUID, *, keep: UUID | None = None) -> None:
    """Close all of a user's sessions but the one to keep."""
    statement = delete(LoginSession).where(LoginSession.user_id == user_id)
    if keep is not None:
        statement = statement.where(LoginSession.id != keep)
    session.execute(statement)
