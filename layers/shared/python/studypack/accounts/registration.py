"""Sign-up, and proving that an e-mail address is one's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.accounts import links, throttles
from studypack.accounts.addresses import has_address
from studypack.accounts.email_change import confirm_change
from studypack.accounts.models import TokenPurpose
from studypack.accounts.passwords import check_new_password, hash_password
from studypack.accounts.signin import SignedIn, open_login_session
from studypack.activity.service import record_event
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import Conflict, FieldError, Unprocessable
from studypack.core.ids import uuid7
from studypack.identity.models import TimezoneHistory, User, UserProfile
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email


@dataclass(frozen=True)
class NewAccount:
    """What a person gives to sign up."""

    email: str
    password: str | None
    """None: signs in with a provider only."""
    first_name: str | None = None
    last_name: str | None = None
    timezone: str = "UTC"
    marketing_opt_out: bool = False


def check_timezone(name: str) -> None:
    """Raise Unprocessable naming `timezone` unless this is an IANA zone."""
    if name not in _zones():
        raise Unprocessable.field(
            "timezone", "This is no IANA time zone, such as Europe/Berlin.", code="unknown_timezone"
        )


@cache
def _zones() -> frozenset[str]:
    """IANA's own list: a machine's zone files have more names (localtime, right/UTC), which
    PostgreSQL does not know.
    """
    return frozenset((resources.files("tzdata") / "zones").read_text("utf-8").split())


def sign_up(
    session: Session, account: NewAccount, *, address: str, user_agent: str | None
) -> SignedIn:
    """Create an account with its profile, sign it in, and mail a link that verifies the address.

    Raises Conflict (`email_taken`), Unprocessable for the password or time zone, TooManyRequests.
    """
    settings = get_business_settings(session)
    now = throttles.take(
        session,
        throttles.Limit("signup", address, settings.signups_per_address, throttles.HOUR),
    )
    check_timezone(account.timezone)
    if account.password is not None:
        check_new_password(account.password, email=account.email)
    user_id = create_account(session, account, verified=False, now=now)
    send_verification(session, user_id, account.email, now=now)
    return open_login_session(session, user_id, address=address, user_agent=user_agent, now=now)


def create_account(session: Session, account: NewAccount, *, verified: bool, now: datetime) -> UUID:
    """Make an account with its profile; `verified` when somebody trustworthy vouches for the
    address.

    Raises Conflict (`email_taken`).
    """
    user_id = _insert_user(session, account, verified=verified, now=now)
    session.add(UserProfile(user_id=user_id))
    session.add(TimezoneHistory(user_id=user_id, timezone=account.timezone, valid_from=now))
    session.flush()
    record_event(session, "signup_completed", user_id=user_id, now=now)
    enqueue_email(session, user_id, EmailTemplate.WELCOME, occasion=str(user_id))
    return user_id


def _insert_user(session: Session, account: NewAccount, *, verified: bool, now: datetime) -> UUID:
    statement = insert(User).values(
        id=uuid7(now),
        email=account.email,
        email_verified_at=now if verified else None,
        password_hash=None if account.password is None else hash_password(account.password),
        first_name=account.first_name,
        last_name=account.last_name,
        timezone=account.timezone,
        marketing_opt_out=account.marketing_opt_out,
        last_login_at=now,
    )
    user_id = session.execute(
        statement.on_conflict_do_nothing(
            index_elements=[func.lower(User.email)], index_where=text("deleted_at IS NULL")
        ).returning(User.id)
    ).scalar_one_or_none()
    if user_id is None:
        raise Conflict(
            "An account with this address exists; sign in instead.",
            code="email_taken",
            errors=[FieldError("email", "email_taken", "An account with this address exists.")],
        )
    return user_id


def send_verification(session: Session, user_id: UUID, email: str, *, now: datetime) -> None:
    """Mail a link that proves the address."""
    links.send_link(
        session,
        user_id,
        TokenPurpose.EMAIL_VERIFICATION,
        EmailTemplate.VERIFY_EMAIL,
        email=email,
        lifetime=timedelta(hours=get_business_settings(session).verification_hours),
        now=now,
    )


def resend_verification(session: Session, email: str, *, address: str) -> None:
    """Mail another link if an account with this address waits for one; nobody is told whether it
    does.
    """
    now = throttles.take(session, *throttles.mail_limits(session, "verification", email, address))
    links.send_link_if_known(
        session,
        email,
        TokenPurpose.EMAIL_VERIFICATION,
        EmailTemplate.VERIFY_EMAIL,
        lifetime=timedelta(hours=get_business_settings(session).verification_hours),
        now=now,
        only_unverified=True,
    )


def verify_email(session: Session, token: str, *, address: str) -> User:
    """Redeem a mailed token: of the account's address, or of one side of an e-mail change.

    Raises Unprocessable naming `token` (unknown, expired, used), Conflict when the new address was
    taken since.
    """
    hits = get_business_settings(session).links_per_address
    throttles.take(session, throttles.Limit("verify", address, hits, throttles.HOUR))
    redeemed = links.redeem(
        session, token, TokenPurpose.EMAIL_VERIFICATION, TokenPurpose.EMAIL_CHANGE
    )
    if redeemed.purpose is TokenPurpose.EMAIL_CHANGE:
        return confirm_change(session, redeemed)
    user = session.execute(
        update(User)
        .where(
            User.id == redeemed.user_id,
            User.deleted_at.is_(None),
            has_address(redeemed.email),
        )
        .values(email_verified_at=func.coalesce(User.email_verified_at, func.now()))
        .returning(User)
    ).scalar_one_or_none()
    if user is None:
        raise Unprocessable.field(
            "token", "This link is for another address.", code="token_invalid"
        )
    return user
