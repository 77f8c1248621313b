"""Whether a mail may go to somebody now: pure. Asked when a mail is decided on, and again right
before it is sent, since people unsubscribe in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from studypack.notifications.models import Category, SuppressionReason, Verdict

ALWAYS_ON: Final = frozenset({Category.ACCOUNT, Category.BILLING})
"""Categories that nobody can switch off: what is owed to a customer and to an account's owner."""
WEEK: Final = timedelta(days=7)
BROADCAST_STOPPED: Final = "broadcast_stopped"
"""Why mails of a broadcast are cancelled that an admin stopped; going on with it revives them."""


@dataclass(frozen=True)
class Limits:
    """The business settings that bound marketing."""

    quiet_from: int
    """Hour of the recipient's day, 0 to 23, from which nothing is sent; equal to the next: never
    quiet.
    """
    quiet_until: int
    per_week: int


@dataclass(frozen=True)
class Mail:
    """What kind of mail it is."""

    category: Category
    is_marketing: bool
    """Sent because we want to, not because something happened that its reader must know."""


@dataclass(frozen=True)
class Recipient:
    """Whom it would go to, as they are now."""

    is_open: bool
    """The account is active and not deleted."""
    is_verified: bool
    timezone: str
    """IANA name."""
    marketing_opt_out: bool
    switched_off: frozenset[Category]
    """Categories whose e-mail they switched off, or unsubscribed from by a link."""
    suppressed: frozenset[SuppressionReason]
    """What the address did: bounced for good, complained."""
    marketing_sent: Sequence[datetime]
    """When marketing went to them in the last seven days."""


@dataclass(frozen=True)
class Ruling:
    """SEND now, DEFER until a time, or CANCEL; and why, as a stable code."""

    verdict: Verdict
    reason: str
    until: datetime | None = None


_SEND: Final = Ruling(Verdict.SEND, "due")


def rule(mail: Mail, recipient: Recipient, limits: Limits, *, now: datetime) -> Ruling:
    """What is to become of a mail that is due.

    A refusal for good comes before a deferral, so that nothing is put off that will never go.
    """
    reason = _refusal(mail, recipient)
    if reason is not None:
        return Ruling(Verdict.CANCEL, reason)
    if not mail.is_marketing:
        return _SEND
    recent = sorted(sent for sent in recipient.marketing_sent if sent > now - WEEK)
    if len(recent) >= limits.per_week:
        free_again = recent[-limits.per_week] + WEEK if limits.per_week else now + WEEK
        return Ruling(Verdict.DEFER, "weekly_limit", free_again)
    morning = quiet_until(recipient.timezone, limits, now=now)
    if morning is not None:
        return Ruling(Verdict.DEFER, "quiet_hours", morning)
    return _SEND


def _refusal(mail: Mail, recipient: Recipient) -> str | None:
    if not recipient.is_open:
        return "account_closed"
    if SuppressionReason.HARD_BOUNCE in recipient.suppressed:
        return "bounced"
    if mail.category not in ALWAYS_ON and mail.category in recipient.switched_off:
        return "category_off"
    if not mail.is_marketing:
        return None
    if recipient.marketing_opt_out:
        return "opted_out"
    if SuppressionReason.COMPLAINT in recipient.suppressed:
        return "complained"
    if not recipient.is_verified:
        return "unverified"
    return None


def quiet_until(timezone: str, limits: Limits, *, now: datetime) -> datetime | None:
    """The end of the recipient's quiet hours if `now` (aware) lies in them, else None.

    An hour that a change of clocks leaves out ends them at the next one that exists; an unknown
    zone counts as UTC.
    """
    start, end = limits.quiet_from, limits.quiet_until
    if start == end:
        return None
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    local = now.astimezone(zone)
    is_quiet = start <= local.hour < end if start < end else not end <= local.hour < start
    if not is_quiet:
        return None
    day = local.date() if local.hour < end else local.date() + timedelta(days=1)
    ends = datetime.combine(day, time(end), tzinfo=zone)
    return max(ends.astimezone(now.tzinfo), now)
