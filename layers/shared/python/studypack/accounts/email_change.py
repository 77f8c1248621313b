"""Changing the account's address: both the old and the new one must confirm, or the new one alone
where nobody ever proved that the old one exists.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from studypack.accounts import links, throttles
from studypack.accounts.addresses import has_address
from studypack.accounts.models import TokenPurpose, VerificationToken
from studypack.accounts.recovery import check_current_password
from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import Conflict, FieldError, Unprocessable
from studypack.core.ids import uuid7
from studypack.identity.models import User
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email


def request_email_change(
    session: Session, user_id: UUID, password: str, new_email: str, *, now: datetime
) -> None:
    """Mail a confirmation to both addresses; the change happens when both have confirmed. An
    address never verified is not asked: it may be a misspelt one that nobody reads.

    An older request that waits is withdrawn. Every call counts, also a refused one: it tells
    whether an address is taken. Raises TooManyRequests, Conflict (`email_taken`),
    Unprocessable naming `password`, or `email` when it is the same.
    """
    throttles.take(
        session, *throttles.mail_limits(session, "email-change", new_email, str(user_id))
    )
    check_current_password(session, user_id, password, field="password")
    user, unchanged = session.execute(
        select(User, has_address(new_email)).where(User.id == user_id)
    ).one()
    if unchanged:
        raise Unprocessable.field("email", "This is your address already.", code="unchanged")
    _refuse_taken(session, new_email)
    links.revoke_links(session, user.id, TokenPurpose.EMAIL_CHANGE)
    change_id = uuid7(now)
    lifetime = timedelta(hours=get_business_settings(session).verification_hours)
    asked = (new_email,) if user.email_verified_at is None else (user.email, new_email)
    for email in asked:
        links.send_link(
            session,
            user.id,
            TokenPurpose.EMAIL_CHANGE,
            EmailTemplate.CONFIRM_EMAIL_CHANGE,
            email=email,
            lifetime=lifetime,
            now=now,
            change_id=change_id,
            new_email=new_email,
        )


def _refuse_taken(session: Session, email: str) -> None:
    taken = session.scalar(select(User.id).where(has_address(email), User.deleted_at.is_(None)))
    if taken is not None:
        raise _taken()


def _taken() -> Conflict:
    message = "An account with this address exists."
    return Conflict(
        message, code="email_taken", errors=[FieldError("email", "email_taken", message)]
    )


def confirm_change(session: Session, redeemed: VerificationToken) -> User:
    """Note that one address confirmed; with the second, change the address and tell the old one.

    Raises Conflict when somebody took the new address in between.
    """
    user = session.scalars(select(User).where(User.id == redeemed.user_id).with_for_update()).one()
    if redeemed.change_id is None or not links.both_redeemed(session, redeemed.change_id):
        return user
    new_email = str(redeemed.data["new_email"])
    old_email = user.email
    try:
        with session.begin_nested():
            user.email, user.email_verified_at = new_email, redeemed.used_at
    except IntegrityError:
        raise _taken() from None
    links.revoke_links(session, user.id, *TokenPurpose)
    audit.record(session, "account.email_changed", actor_id=user.id, subject_id=user.id)
    enqueue_email(
        session,
        user.id,
        EmailTemplate.EMAIL_CHANGED,
        occasion=str(redeemed.change_id),
        to_address=old_email,
    )
    return user
