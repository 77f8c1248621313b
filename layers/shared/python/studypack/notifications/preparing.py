"""What becomes of a claimed mail: made ready to be handed over, or settled without a try. No
database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from studypack.core.business_settings import BusinessSettings, get_business_settings
from studypack.core.config import get_settings
from studypack.core.telemetry import get_logger
from studypack.emails.render import Rendered, context, render
from studypack.notifications import mime, unsubscribe_tokens
from studypack.notifications.catalogue import CATALOGUE, missing_facts
from studypack.notifications.claiming import Claimed
from studypack.notifications.models import EmailTemplate, Verdict
from studypack.notifications.policy import BROADCAST_STOPPED, Limits, rule

GAVE_UP: Final = "gave_up"
LINK_EXPIRED: Final = "link_expired"


class End(StrEnum):
    """How a mail is settled without a try."""

    CANCELLED = "CANCELLED"
    DEFERRED = "DEFERRED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Settled:
    """A mail that is not handed over now, and why, as a stable code."""

    claimed: Claimed
    end: End
    reason: str
    until: datetime | None = None


@dataclass(frozen=True)
class Ready:
    """A mail as it is handed over."""

    claimed: Claimed
    to: str
    subject: str
    message_id: str
    raw: bytes


@dataclass(frozen=True)
class Desk:
    """What all mails of a run have in common."""

    sender: mime.Sender
    business: BusinessSettings
    unsubscribe_key: bytes

    @property
    def limits(self) -> Limits:
        """The bounds of marketing."""
        return Limits(
            quiet_from=self.business.mail_quiet_from,
            quiet_until=self.business.mail_quiet_until,
            per_week=self.business.marketing_mails_per_week,
        )

    def link_lives(self, template: EmailTemplate) -> timedelta | None:
        """How long the link of such a mail can be followed; None: it has none that ends."""
        match template:
            case EmailTemplate.RESET_PASSWORD:
                return timedelta(minutes=self.business.password_reset_minutes)
            case EmailTemplate.VERIFY_EMAIL | EmailTemplate.CONFIRM_EMAIL_CHANGE:
                return timedelta(hours=self.business.verification_hours)
            case _:
                return None


def open_desk() -> Desk:
    """Read the settings.

    Raises ConfigurationError naming the one that is missing.
    """
    settings = get_settings()
    return Desk(
        sender=mime.Sender(settings.mail_from, settings.mail_reply_to),
        business=get_business_settings(None),
        unsubscribe_key=unsubscribe_tokens.signing_key(),
    )


def prepare(batch: Iterable[Claimed], desk: Desk, *, now: datetime) -> list[Ready | Settled]:
    """Rule on each mail and make those that may go; what is ruled to go counts for the next ones
    to the same person.
    """
    prepared: list[Ready | Settled] = []
    going: dict[UUID, int] = {}
    for claimed in batch:
        one = _prepare(_with(claimed, going.get(claimed.user_id, 0), now), desk, now)
        if isinstance(one, Ready) and CATALOGUE[claimed.template].is_marketing:
            going[claimed.user_id] = going.get(claimed.user_id, 0) + 1
        prepared.append(one)
    return prepared


def _with(claimed: Claimed, going: int, now: datetime) -> Claimed:
    if not going:
        return claimed
    sent = (*claimed.recipient.marketing_sent, *([now] * going))
    return replace(claimed, recipient=replace(claimed.recipient, marketing_sent=sent))


def _prepare(claimed: Claimed, desk: Desk, now: datetime) -> Ready | Settled:
    if claimed.is_stopped:
        return Settled(claimed, End.CANCELLED, BROADCAST_STOPPED)
    lives = desk.link_lives(claimed.template)
    if lives is not None and claimed.created_at + lives <= now:
        # After an outage: whoever still wants a link has asked for another one.
        return Settled(claimed, End.CANCELLED, LINK_EXPIRED)
    ruling = rule(CATALOGUE[claimed.template], claimed.recipient, desk.limits, now=now)
    if ruling.verdict is Verdict.CANCEL:
        return Settled(claimed, End.CANCELLED, ruling.reason)
    if ruling.verdict is Verdict.DEFER:
        return Settled(claimed, End.DEFERRED, ruling.reason, ruling.until)
    if claimed.attempts >= desk.business.mail_attempts:  # each of them ended in a crash
        return Settled(claimed, End.FAILED, GAVE_UP)
    missing = missing_facts(claimed.template, claimed.data)
    if missing:
        _log(claimed, "a mail lacks facts", missing=sorted(missing))
        return Settled(claimed, End.FAILED, "facts_missing")
    try:
        return _made(claimed, desk, now)
    except mime.BadAddress:
        return Settled(claimed, End.FAILED, "address_invalid")
    except (
        Exception
    ) as error:  # whatever a template or a fact of it does wrong is this mail's alone
        _log(claimed, "a mail cannot be rendered", kind=type(error).__name__, traced=True)
        return Settled(claimed, End.FAILED, "render_failed")


def _made(claimed: Claimed, desk: Desk, now: datetime) -> Ready:
    to = mime.ascii_address(claimed.address)
    entry = CATALOGUE[claimed.template]
    unsubscribe_url = None
    if entry.can_be_unsubscribed and not entry.is_to_another:
        unsubscribe_url = unsubscribe_tokens.unsubscribe_url(
            claimed.user_id, entry.category, desk.unsubscribe_key
        )
    rendered = _rendered(claimed, desk, unsubscribe_url)
    raw = mime.build(
        claimed.id,
        sender=desk.sender,
        to=to,
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        now=now,
        unsubscribe_url=unsubscribe_url,
    )
    return Ready(claimed, to, rendered.subject, mime.message_id(claimed.id, desk.sender), raw)


def _rendered(claimed: Claimed, desk: Desk, unsubscribe_url: str | None) -> Rendered:
    common = context(
        email=claimed.address,
        first_name=claimed.first_name,
        timezone=claimed.recipient.timezone,
        occurred_at=claimed.created_at,
        business=desk.business,
        unsubscribe_url=unsubscribe_url,
    )
    return render(claimed.template, {**claimed.data, **common})


def _log(claimed: Claimed, what: str, *, traced: bool = False, **facts: object) -> None:
    extra = {"email_id": str(claimed.id), "template": claimed.template.value, **facts}
    get_logger().error(what, extra=extra, exc_info=traced)
