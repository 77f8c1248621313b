"""What SES reports of a mail after it took it, as its event publishing writes it: pure.

Source: "Contents of event data that Amazon SES publishes to Amazon SNS" (SES developer guide).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

TOPIC_VALIDATED: Final = "Successfully validated SNS topic"
"""What SES publishes, as bare text, when a topic becomes an event destination."""


class Happened(StrEnum):
    """What became of a mail."""

    SENT = "SENT"
    """SES took it."""
    DELIVERED = "DELIVERED"
    DELAYED = "DELAYED"
    HARD_BOUNCE = "HARD_BOUNCE"
    """The address does not exist, or SES itself has it on its list of those that bounced."""
    SOFT_BOUNCE = "SOFT_BOUNCE"
    """It was refused for now (mailbox full, too large, an automatic answer) and SES gave up."""
    REJECTED = "REJECTED"
    """SES took it and then found a virus in it."""
    COMPLAINT = "COMPLAINT"
    """Its reader reported it as spam."""


@dataclass(frozen=True)
class MailEvent:
    """One report about one mail."""

    happened: Happened
    at: datetime
    provider_message_id: str
    recipients: tuple[str, ...]
    """Whom it is about."""
    tags: Mapping[str, str]
    subject: str | None
    """As it was sent; None when SES left the headers out."""


class MalformedEvent(ValueError):
    """No report of SES; the text quotes nothing of it."""


_DETAILS: Final = {
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
    "Reject": ("reject", ""),
    "Send": ("send", ""),
}
_KINDS: Final = {
    "Complaint": Happened.COMPLAINT,
    "Delivery": Happened.DELIVERED,
    "DeliveryDelay": Happened.DELAYED,
    "Reject": Happened.REJECTED,
    "Send": Happened.SENT,
}
_OTHERS: Final = frozenset({"Open", "Click", "Rendering Failure", "Subscription"})


def read_event(envelope: Mapping[str, Any]) -> MailEvent | None:
    """The report in an SNS notification; None when it is one that says nothing about delivery.

    Raises MalformedEvent.
    """
    message = envelope.get("Message") if isinstance(envelope, Mapping) else None
    if not isinstance(message, str):
        raise MalformedEvent("this is no SNS notification")
    if message.startswith(TOPIC_VALIDATED):
        return None
    try:
        document = json.loads(message)
        kind = document["eventType"]
        if kind in _OTHERS:
            return None
        return _event(document, kind)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedEvent(f"this is no event of SES ({type(error).__name__})") from None


def _event(document: Mapping[str, Any], kind: str) -> MailEvent | None:
    name, whom = _DETAILS[kind]
    mail, details = document["mail"], document.get(name) or {}
    happened = _KINDS.get(kind)
    if kind == "Bounce":
        is_hard = details["bounceType"] == "Permanent"
        happened = Happened.HARD_BOUNCE if is_hard else Happened.SOFT_BOUNCE
    if kind == "Complaint" and details.get("complaintFeedbackType") == "not-spam":
        return None  # its reader took it out of the spam folder
    told = details.get(whom) or mail.get("destination") or []
    return MailEvent(
        happened=happened or Happened.SENT,
        at=_time(details.get("timestamp") or mail["timestamp"]),
        provider_message_id=_text(mail["messageId"]),
        recipients=tuple(
            _text(each["emailAddress"] if isinstance(each, Mapping) else each) for each in told
        ),
        tags={tag: _text(values[0]) for tag, values in (mail.get("tags") or {}).items() if values},
        subject=(mail.get("commonHeaders") or {}).get("subject"),
    )


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("this is no text")
    return value
