"""Mailed links: a token row, and the mail that carries it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from studypack.accounts.models import TokenPurpose, VerificationToken
from studypack.accounts.tokens import hash_token, new_token
from studypack.core.config import get_settings
from studypack.core.errors import Unprocessable
from studypack.core.ids import uuid7
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import EmailTemplate
from studypack.notifications.nudge import nudge_after_commit
from studypack.notifications.service import enqueue_email

_PAGES = {
    TokenPurpose.EMAIL_VERIFICATION: "verify-email",
    TokenPurpose.EMAIL_CHANGE: "verify-email",
    TokenPurpose.PASSWORD_RESET: "reset-password",
}


def send_link(
    session: Session,
    user_id: UUID,
    purpose: TokenPurpose,
    template: EmailTemplate,
    *,
    email: str,
    lifetime: timedelta,
    now: datetime,
    change_id: UUID | None = None,
    **data: str,
) -> None:
    """Make a token for `email` and queue the mail that carries it there, in the caller's
    transaction.
    """
    token = new_token()
    row = VerificationToken(
        id=uuid7(now),
        user_id=user_id,
        purpose=purpose,
        token_hash=hash_token(token),
        email=email,
        change_id=change_id,
        data=data,
        expires_at=now + lifetime,
    )
    session.add(row)
    session.flush()
    enqueue_email(
        session,
        user_id,
        template,
        occasion=str(row.id),
        to_address=email,
        link=_link(purpose, token),
        **data,
    )


_SEND_IF_KNOWN = text(
    """
    WITH account AS (
        SELECT id, email FROM auth.users
         WHERE lower(email) = lower(:email) AND deleted_at IS NULL AND is_active
           AND (email_verified_at IS NULL OR NOT :only_unverified)),
    token AS (
        INSERT INTO auth.verification_tokens (id, user_id, purpose, token_hash, email, expires_at)
        SELECT :token_id, id, :purpose, :token_hash, email, :expires_at FROM account
        RETURNING id, user_id, email)
    INSERT INTO notifications.email_queue
           (id, user_id, template, to_address, data, dedupe_key, is_urgent)
    SELECT :mail_id, user_id, :template, email, CAST(:data AS jsonb), :template || ':' || id,
           :is_urgent
      FROM token
    """
)


def send_link_if_known(
    session: Session,
    email: str,
    purpose: TokenPurpose,
    template: EmailTemplate,
    *,
    lifetime: timedelta,
    now: datetime,
    only_unverified: bool = False,
) -> None:
    """Mail a link to the account of this address, if there is one.

    One statement either way, so that the time an answer takes does not tell whether there is: this
    is why the token and the mail are written here together and not by their own functions, and why
    the worker is told of a mail that there may not be.
    """
    token, mail_id = new_token(), uuid7(now)
    is_urgent = CATALOGUE[template].is_urgent
    session.execute(
        _SEND_IF_KNOWN,
        {
            "email": email,
            "only_unverified": only_unverified,
            "token_id": uuid7(now),
            "mail_id": mail_id,
            "purpose": purpose.value,
            "template": template.value,
            "token_hash": hash_token(token),
            "expires_at": now + lifetime,
            "data": json.dumps({"link": _link(purpose, token)}),
            "is_urgent": is_urgent,
        },
    )
    if is_urgent:
        nudge_after_commit(session, mail_id)


def _link(purpose: TokenPurpose, token: str) -> str:
    page = f"{get_settings().web_base_url.rstrip('/')}/{_PAGES[purpose]}"
    return f"{page}?{urlencode({'token': token})}"


def redeem(session: Session, token: str, *purposes: TokenPurpose) -> VerificationToken:
    """Use a token up and return it; two at once: one gets it.

    Raises Unprocessable naming the field `token`: unknown, expired, used or for something else, it
    does not tell which.
    """
    row = session.execute(
        update(VerificationToken)
        .where(
            VerificationToken.token_hash == hash_token(token),
            VerificationToken.purpose.in_(purposes),
            VerificationToken.used_at.is_(None),
            VerificationToken.expires_at > func.now(),
        )
        .values(used_at=func.now())
        .returning(VerificationToken)
    ).scalar_one_or_none()
    if row is None:
        raise Unprocessable.field(
            "token", "This link has expired or was used.", code="token_invalid"
        )
    return row


def revoke_links(session: Session, user_id: UUID, *purposes: TokenPurpose) -> None:
    """Make every open token of these purposes useless."""
    session.execute(
        update(VerificationToken)
        .where(
            VerificationToken.user_id == user_id,
            VerificationToken.purpose.in_(purposes),
            VerificationToken.used_at.is_(None),
        )
        .values(used_at=func.now())
        .execution_options(synchronize_session=False)
    )


def both_redeemed(session: Session, change_id: UUID) -> bool:
    """Whether every address that an e-mail change asked has confirmed."""
    open_tokens = session.scalars(
        select(VerificationToken.id).where(
            VerificationToken.change_id == change_id, VerificationToken.used_at.is_(None)
        )
    ).all()
    return not open_tokens
