"""What people want to hear of, and by which channels.

Whether somebody gets MARKETING mail is kept in one place, `users.marketing_opt_out`, whoever
changes it: the column `email` of that category's row is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.errors import Unprocessable
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import Category, EmailTemplate, SuppressionReason
from studypack.notifications.policy import ALWAYS_ON
from studypack.notifications.suppressions import cancel_pending, lift_unsubscribes

RULE: Final = "preferences"
CHANNELS: Final = ("email", "push", "sms")


@dataclass(frozen=True)
class Choice:
    """By which channels somebody hears of a category."""

    category: Category
    email: bool
    push: bool
    sms: bool

    @property
    def email_always_on(self) -> bool:
        """Whether its mails cannot be switched off."""
        return self.category in ALWAYS_ON


@dataclass(frozen=True)
class Preferences:
    """All of somebody's choices."""

    categories: list[Choice]
    undeliverable: SuppressionReason | None
    """HARD_BOUNCE: no mail reaches the account's address; COMPLAINT: it was reported as spam, so it
    gets no marketing.
    """


_READ: Final = text(
    """
    SELECT c.category, coalesce(p.push, true) AS push, coalesce(p.sms, false) AS sms,
           CASE WHEN c.category = 'MARKETING' THEN NOT u.marketing_opt_out
                ELSE coalesce(p.email, true) END
               AND NOT EXISTS (
                   SELECT FROM notifications.email_suppressions s
                    WHERE s.address_hash = a.hash AND s.lifted_at IS NULL
                      AND s.category = c.category) AS email,
           (SELECT max(s.reason) FROM notifications.email_suppressions s
             WHERE s.address_hash = a.hash AND s.lifted_at IS NULL
               AND s.category IS NULL) AS undeliverable
      FROM auth.users u
     CROSS JOIN unnest(CAST(:categories AS text[])) WITH ORDINALITY AS c (category, position)
     CROSS JOIN LATERAL (
           SELECT sha256(convert_to(lower(u.email), 'UTF8')) AS hash) a
      LEFT JOIN notifications.notification_preferences p
             ON p.user_id = u.id AND p.category = c.category
     WHERE u.id = :user_id ORDER BY c.position
    """
)


def get_preferences(session: Session, user_id: UUID) -> Preferences:
    """The user's choices, those never made at their defaults, in one statement."""
    given = {"user_id": user_id, "categories": [each.value for each in Category]}
    rows = session.execute(_READ, given).all()
    bad = rows[0].undeliverable  # by the alphabet the worse one is the greater
    return Preferences(
        categories=[
            Choice(
                category=Category(row.category),
                email=row.email or Category(row.category) in ALWAYS_ON,
                push=row.push,
                sms=row.sms,
            )
            for row in rows
        ],
        undeliverable=SuppressionReason(bad) if bad else None,
    )


_WRITE: Final = text(
    """
    INSERT INTO notifications.notification_preferences AS p
           (id, user_id, category, email, push, sms, created_at, updated_at)
    SELECT public.uuid7(:now), u.id, :category, coalesce(CAST(:email AS boolean), true),
           coalesce(CAST(:push AS boolean), true), coalesce(CAST(:sms AS boolean), false),
           :now, :now
      FROM auth.users u WHERE u.id = :user_id
        ON CONFLICT (user_id, category) DO UPDATE
       SET email = coalesce(CAST(:email AS boolean), p.email),
           push = coalesce(CAST(:push AS boolean), p.push),
           sms = coalesce(CAST(:sms AS boolean), p.sms), updated_at = :now
    """
)


def change_preferences(
    session: Session,
    user_id: UUID,
    changes: Mapping[Category, Mapping[str, bool]],
    *,
    now: datetime,
) -> Preferences:
    """Set the channels that are given (`email`, `push`, `sms`); the others stay.

    Raises Unprocessable naming the category whose mails cannot be switched off.
    """
    for category, channels in changes.items():
        if category in ALWAYS_ON and channels.get("email") is False:
            raise Unprocessable.field(
                f"categories.{category.value}.email",
                "These mails belong to having an account and cannot be switched off.",
                code="always_on",
            )
    for category in sorted(changes):  # everybody locks the rows in one order
        channels = dict(changes[category])
        if "email" in channels:
            wanted = channels["email"]
            if category is Category.MARKETING:
                del channels["email"]
            set_email(session, user_id, category, wanted=wanted, now=now)
        if channels:
            _write(session, user_id, category, channels, now=now)
    return get_preferences(session, user_id)


_OPT: Final = text(
    "UPDATE auth.users SET marketing_opt_out = :opt_out, updated_at = :now"
    " WHERE id = :user_id AND marketing_opt_out <> :opt_out"
)


def set_email(
    session: Session,
    user_id: UUID,
    category: Category,
    *,
    wanted: bool,
    rule: str = RULE,
    now: datetime,
) -> None:
    """Switch a category's mails on or off; off takes back those that wait."""
    is_marketing = category is Category.MARKETING
    if is_marketing:
        session.execute(_OPT, {"user_id": user_id, "opt_out": not wanted, "now": now})
    else:
        _write(session, user_id, category, {"email": wanted}, now=now)
    if wanted:
        lift_unsubscribes(session, user_id, [category], now=now)
        return
    reason = "opted_out" if is_marketing else "category_off"
    cancel_pending(session, [user_id], refused_by(category), rule=rule, reason=reason, now=now)


def refused_by(category: Category) -> list[EmailTemplate]:
    """What is not sent to somebody who switched off a category: its mails; with MARKETING all that
    are marketing.
    """
    is_marketing = category is Category.MARKETING
    return [
        template
        for template, entry in CATALOGUE.items()
        if entry.category is category or (is_marketing and entry.is_marketing)
    ]


def _write(
    session: Session,
    user_id: UUID,
    category: Category,
    channels: Mapping[str, bool],
    *,
    now: datetime,
) -> None:
    given = {name: channels.get(name) for name in CHANNELS}
    session.execute(_WRITE, {"user_id": user_id, "category": category.value, "now": now, **given})
