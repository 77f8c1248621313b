"""A user's own data: reading it, changing it, onboarding, leaving."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from studypack.accounts import links, oauth, totp
from studypack.accounts.models import TokenPurpose
from studypack.accounts.recovery import check_current_password
from studypack.accounts.registration import check_timezone
from studypack.accounts.signin import revoke_sessions
from studypack.activity.service import record_event
from studypack.core import audit
from studypack.core.errors import Unprocessable
from studypack.identity.models import TimezoneHistory, User, UserProfile
from studypack.notifications.models import Category, EmailStatus, QueuedEmail
from studypack.notifications.preferences import set_email

MERGED_CHARACTERS = 20_000
"""What preferences or socials may grow to, as JSON, over any number of changes."""


def get_me(
    session: Session, user_id: UUID, *, for_update: bool = False
) -> tuple[User, UserProfile]:
    """The signed-in user with the profile, in one statement; `for_update` locks the profile."""
    query = (
        select(User, UserProfile)
        .join(UserProfile, UserProfile.user_id == User.id)
        .where(User.id == user_id)
    )
    if for_update:
        query = query.with_for_update(of=UserProfile)
    row = session.execute(query).one()
    return row[0], row[1]


def update_me(
    session: Session, user_id: UUID, changes: Mapping[str, Any], *, now: datetime
) -> tuple[User, UserProfile]:
    """Change names, time zone, marketing opt-out, preferences (merged key by key; null removes a
    key).

    Raises Unprocessable naming `timezone`.
    """
    user, profile = get_me(session, user_id, for_update=True)
    if "timezone" in changes and changes["timezone"] != user.timezone:
        check_timezone(changes["timezone"])
        user.timezone = changes["timezone"]
        session.add(TimezoneHistory(user_id=user_id, timezone=user.timezone, valid_from=now))
    for name in ("first_name", "last_name", "marketing_opt_out"):
        if name in changes:
            setattr(user, name, changes[name])
    if "marketing_opt_out" in changes:
        session.flush()
        wanted = not changes["marketing_opt_out"]
        set_email(session, user_id, Category.MARKETING, wanted=wanted, now=now)
    if "preferences" in changes:
        profile.preferences = _merged(
            profile.preferences, changes["preferences"], field="preferences"
        )
    session.flush()
    return user, profile


def update_profile(session: Session, user_id: UUID, changes: Mapping[str, Any]) -> UserProfile:
    """Change the fields given; socials are merged key by key, null removes a key."""
    _, profile = get_me(session, user_id, for_update=True)
    for name, value in changes.items():
        if name == "socials":
            value = _merged(profile.socials, value, field="socials")
        setattr(profile, name, value)
    session.flush()
    return profile


def complete_onboarding(
    session: Session, user_id: UUID, answers: Mapping[str, Any], *, now: datetime
) -> UserProfile:
    """Store the onboarding's answers; the first time counts as `onboarding_completed` in the
    funnel.
    """
    profile = session.scalars(
        select(UserProfile).where(UserProfile.user_id == user_id).with_for_update()
    ).one()
    for name, value in answers.items():
        setattr(profile, name, value)
    if not profile.onboarding_completed:
        profile.onboarding_completed = True
        record_event(session, "onboarding_completed", user_id=user_id, now=now)
    session.flush()
    return profile


def delete_account(session: Session, user_id: UUID, password: str, *, now: datetime) -> None:
    """Close the account at once: signed out everywhere, invisible, its pending mails cancelled and
    the links in those sent made useless; erasure follows later.

    Raises Unprocessable naming `password`, Conflict (`set_password_first`) when there is none.
    """
    check_current_password(session, user_id, password, field="password")
    session.execute(
        update(User)
        .where(User.id == user_id, User.deleted_at.is_(None))
        .values(deleted_at=now, is_active=False)
    )
    session.execute(
        update(QueuedEmail)
        .where(
            QueuedEmail.user_id == user_id,
            QueuedEmail.status == EmailStatus.PENDING,
            QueuedEmail.sending_since.is_(None),  # it may be on its way; no further try follows
        )
        .values(
            status=EmailStatus.CANCELLED, status_reason="account_closed", processed_at=now, data={}
        )
    )
    links.revoke_links(session, user_id, *TokenPurpose)
    oauth.forget_accounts(session, user_id)
    totp.forget_codes(session, user_id)
    revoke_sessions(session, user_id)
    audit.record(session, "account.deleted", actor_id=user_id, subject_id=user_id)
    session.flush()


def _merged(stored: Mapping[str, Any], changes: Mapping[str, Any], *, field: str) -> dict[str, Any]:
    merged = {name: value for name, value in {**stored, **changes}.items() if value is not None}
    if len(json.dumps(merged)) > MERGED_CHARACTERS:
        raise Unprocessable.field(
            field, f"At most {MERGED_CHARACTERS} characters in all are kept.", code="too_large"
        )
    return merged
