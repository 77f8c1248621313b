"""Sign-in and the sessions it opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.orm import Session

from studypack.accounts import links, refusals, throttles
from studypack.accounts.addresses import has_address
from studypack.accounts.models import (
    LoginSession,
    TokenPurpose,
    TotpCredential,
    VerificationToken,
)
from studypack.accounts.passwords import hash_password, needs_rehash, verify_password
from studypack.accounts.tokens import hash_token, new_token
from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import Unauthenticated
from studypack.core.ids import uuid7
from studypack.core.telemetry import note
from studypack.identity.models import User

USER_AGENT_LENGTH = 300
CHALLENGE_LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True)
class SignedIn:
    """A session just opened; its token is shown this once."""

    user_id: UUID
    token: str
    expires_at: datetime


@dataclass(frozen=True)
class TotpChallenge:
    """What somebody holds who has proved to be the user and still owes a one-time code."""

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
    expires_at = now + timedelta(days=get_business_settings(session).session_days)
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
    note(user_id=str(user_id))
    return SignedIn(user_id, token, expires_at)


def totp_enrolled() -> ColumnElement[bool]:
    """Of a user in a query: whether a one-time code is due at sign-in."""
    return exists().where(
        TotpCredential.user_id == User.id, TotpCredential.confirmed_at.is_not(None)
    )


def admit(
    session: Session,
    user: User,
    *,
    enrolled: bool,
    address: str,
    user_agent: str | None,
    now: datetime,
) -> SignedIn | TotpChallenge:
    """Open a session for somebody who has given a right password, or whom a provider vouches for;
    who has enrolled for one-time codes gets a challenge instead.
    """
    if enrolled:
        token = new_token()
        expires_at = now + CHALLENGE_LIFETIME
        session.add(
            VerificationToken(
                id=uuid7(now),
                user_id=user.id,
                purpose=TokenPurpose.LOGIN_CHALLENGE,
                token_hash=hash_token(token),
                email=user.email,
                expires_at=expires_at,
            )
        )
        session.flush()
        return TotpChallenge(token, expires_at)
    user.last_login_at = now
    return open_login_session(session, user.id, address=address, user_agent=user_agent, now=now)


def sign_in(
    session: Session, email: str, password: str, *, address: str, user_agent: str | None
) -> SignedIn | TotpChallenge:
    """Check the password and open a session, or ask for a one-time code.

    Raises InvalidCredentials, the same and as slowly for an unknown address, and TooManyRequests. A
    try is counted before the password is checked and forgiven when it was right. Refusals go into
    the audit log.
    """
    settings = get_business_settings(session)
    by_account = throttles.Limit(
        "login-account", email, settings.login_attempts, throttles.QUARTER_HOUR
    )
    by_address = throttles.Limit(
        "login-address", address, settings.login_attempts_per_address, throttles.QUARTER_HOUR
    )
    now = refusals.count_try(session, by_account, by_address, address=address, email=email)
    row = session.execute(
        select(User, totp_enrolled()).where(
            has_address(email),
            User.deleted_at.is_(None),
            User.is_active,
        )
    ).one_or_none()
    user, enrolled = row or (None, False)
    if not verify_password(user.password_hash if user else None, password) or user is None:
        refusals.record(session, refusals.PASSWORD_REFUSED, address=address, email=email)
        raise InvalidCredentials("The e-mail address or the password is wrong.")
    if user.password_hash is not None and needs_rehash(user.password_hash):
        user.password_hash = hash_password(password)
    throttles.forgive(session, [by_account], this_try=[by_address])
    return admit(session, user, enrolled=enrolled, address=address, user_agent=user_agent, now=now)


def rotate_session(session: Session, session_id: UUID) -> SignedIn:
    """Give a session a new token, because what it may do has changed: a token that somebody copied
    before opens nothing any more. When it ends stays as it was.

    Raises Unauthenticated when the session has been closed meanwhile.
    """
    token = new_token()
    row = session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id)
        .values(token_hash=hash_token(token))
        .returning(LoginSession.user_id, LoginSession.expires_at)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if row is None:
        raise Unauthenticated
    return SignedIn(row.user_id, token, row.expires_at)


def sign_out(session: Session, session_id: UUID) -> None:
    """Close one session."""
    session.execute(delete(LoginSession).where(LoginSession.id == session_id))


def list_sessions(session: Session, user_id: UUID, *, now: datetime) -> Sequence[LoginSession]:
    """A user's open sessions, the latest used first."""
    idle_since = now - timedelta(days=get_business_settings(session).session_idle_days)
    return session.scalars(
        select(LoginSession)
        .where(
            LoginSession.user_id == user_id,
            LoginSession.expires_at > now,
            LoginSession.last_seen_at > idle_since,
        )
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


def end_sessions(session: Session, user_id: UUID, *, keep: UUID | None = None) -> None:
    """Close all of a user's sessions but the one to keep, and end sign-ins under way: who waits for
    a one-time code has to begin again.
    """
    revoke_sessions(session, user_id, keep=keep)
    links.revoke_links(session, user_id, TokenPurpose.LOGIN_CHALLENGE)


def sign_out_everywhere(session: Session, user_id: UUID, *, keep: UUID | None) -> None:
    """Close all of a user's sessions at the user's own wish, but the one to keep."""
    end_sessions(session, user_id, keep=keep)
    audit.record(session, "account.sessions_closed", actor_id=user_id, subject_id=user_id)
    session.flush()
