"""Unsubscribing by the link, or the header, of a mail: without signing in."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studypack.identity.models import User
from studypack.notifications.models import Category, SuppressionReason
from studypack.notifications.policy import ALWAYS_ON
from studypack.notifications.preferences import set_email
from studypack.notifications.suppressions import suppress
from studypack.notifications.unsubscribe_tokens import read_token

RULE: Final = "unsubscribe"


def read_link(token: str, key: bytes) -> tuple[UUID, Category] | None:
    """Whose link it is and for which category; None unless it is one of ours that can be used."""
    about = read_token(token, key)
    return None if about is None or about[1] in ALWAYS_ON else about


def unsubscribe(session: Session, user_id: UUID, category: Category) -> None:
    """Send no more mails of this category to the user nor, whatever becomes of the account, to its
    address; again changes nothing. An account that is gone is none of the caller's business.
    """
    found = session.execute(select(User.email, func.now()).where(User.id == user_id)).one_or_none()
    if found is None:
        return
    address: str = found[0]
    now: datetime = found[1]
    suppress(
        session,
        [address],
        SuppressionReason.UNSUBSCRIBE,
        category=category,
        user_id=user_id,
        now=now,
    )
    set_email(session, user_id, category, wanted=False, rule=RULE, now=now)
