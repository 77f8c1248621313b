"""Forgotten and changed passwords."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.accounts import links, throttles
from studypack.accounts.models import TokenPurpose
from studypack.accounts.passwords import check_new_password, hash_password, verify_password
from studypack.accounts.signin import SignedIn, revoke_sessions, rotate_session
from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import Conflict, Unprocessable
from studypack.core.ids import uuid7
from studypack.identity.models import User
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email


def forgot_password(session: Session, email: str, *, address: str) -> None:
    """Mail a link to set a new password, if there is such an account; nobody is told whether
    there is.
    """
    now = throttles.take(session, *throttles.mail_limits(session, "reset", email, address))
    links.send_link_if_known(
        session,
        email,
        TokenPurpose.PASSWORD_RESET,
        EmailTemplate.RESET_PASSWORD,
        lifetime=timedelta(minutes=get_business_settings(session).password_reset_minutes),
        now=now,
    )


def reset_password(session: Session, token: str, password: str, *, address: str) -> None:
    """Set a new password with a mailed token; closes every session, and proves the address too.

    Raises Unprocessable naming `token` or `password`; a refused password leaves the token usable.
    """
    hits = get_business_settings(session).links_per_address
    throttles.take(session, throttles.Limit("reset-token", address, hits, throttles.HOUR))
    redeemed = links.redeem(session, token, TokenPurpose.PASSWORD_RESET)
    user = _lock_user(session, redeemed.user_id)
    if user is None or user.email.lower() != redeemed.email.lower():
        raise Unprocessable.field(
            "token", "This link has expired or was used.", code="token_invalid"
        )
    check_new_password(password, email=user.email)
    _set_password(session, user, password)
    user.email_verified_at = user.email_verified_at or redeemed.used_at
    links.revoke_links(session, user.id, TokenPurpose.PASSWORD_RESET, TokenPurpose.LOGIN_CHALLENGE)
    revoke_sessions(session, user.id)


def change_password(
    session: Session, user_id: UUID, session_id: UUID, *, current: str, new: str
) -> SignedIn:
    """Set a new password knowing the current one; closes the other sessions and gives this one a
    new token.

    Raises Unprocessable naming `current_password` or `new_password`, TooManyRequests.
    """
    check_current_password(session, user_id, current, field="current_password")
    user = _lock_user(session, user_id)
    if user is None:
        raise Unprocessable.field("current_password", "The account is gone.")
    check_new_password(new, email=user.email, field="new_password")
    _set_password(session, user, new)
    links.revoke_links(session, user_id, TokenPurpose.PASSWORD_RESET, TokenPurpose.LOGIN_CHALLENGE)
    revoke_sessions(session, user_id, keep=session_id)
    return rotate_session(session, session_id)


def check_current_password(session: Session, user_id: UUID, password: str, *, field: str) -> None:
    """Make sure that it is the owner who asks for something serious; comes before the request's
    first statement.

    Raises Unprocessable naming the field, TooManyRequests, Conflict (`set_password_first`) for an
    account that signs in only with a provider: whoever took its session must not pass, and the
    owner gets a password by a mail ("forgotten password").
    """
    limit = throttles.Limit(
        "password-check",
        str(user_id),
        get_business_settings(session).login_attempts,
        throttles.QUARTER_HOUR,
    )
    throttles.take(session, limit)
    stored = session.scalar(select(User.password_hash).where(User.id == user_id))
    if stored is None:
        raise Conflict(
            "This account has no password yet; set one first (forgotten password).",
            code="set_password_first",
        )
    if not verify_password(stored, password):
        raise Unprocessable.field(field, "The password is wrong.", code="wrong_password")
    throttles.forgive(session, [limit])


def _lock_user(session: Session, user_id: UUID) -> User | None:
    return session.scalars(
        select(User).where(User.id == user_id, User.deleted_at.is_(None)).with_for_update()
    ).one_or_none()


def _set_password(session: Session, user: User, password: str) -> None:
    user.password_hash = hash_password(password)
    audit.record(session, "account.password_changed", actor_id=user.id, subject_id=user.id)
    session.flush()
    enqueue_email(session, user.id, EmailTemplate.PASSWORD_CHANGED, occasion=str(uuid7()))
