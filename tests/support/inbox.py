"""What was told in the product, and reports of SES, for tests."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from studypack.core.database import transaction
from studypack.notifications.inbox import Notice, notify
from studypack.notifications.models import NotificationType

AT = "2026-11-18T12:00:05.000Z"


def tell(user_id: UUID, *references: str, **columns: Any) -> None:
    """Tell somebody of scored exams."""
    notices = [
        Notice(
            user_id,
            NotificationType.EXAM_SCORED,
            reference,
            f"Exam {reference}",
            "Your score is there.",
            **columns,
        )
        for reference in references
    ]
    with transaction() as session:
        notify(session, notices)


def report(
    kind: str,
    provider_id: str,
    to: str,
    *,
    at: str = AT,
    email_id: UUID | None = None,
    bounce_type: str = "Permanent",
    **details: Any,
) -> dict[str, Any]:
    """SES's event of this kind in SNS's envelope, as the queue holds it."""
    mail: dict[str, Any] = {
        "timestamp": "2026-11-18T12:00:01.000Z",
        "source": "hello@studypack.example",
        "sendingAccountId": "000000000000",
        "messageId": provider_id,
        "destination": [to],
        "headersTruncated": False,
        "commonHeaders": {"subject": "Your password was changed", "to": [to]},
        "tags": {"ses:configuration-set": ["studypack"]},
    }
    if email_id is not None:
        mail["tags"]["email_id"] = [str(email_id)]
    parts: dict[str, tuple[str, dict[str, Any]]] = {
        "Bounce": (
            "bounce",
            {
                "bounceType": bounce_type,
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": to, "action": "failed", "status": "5.1.1"}],
                "timestamp": at,
            },
        ),
        "Complaint": (
            "complaint",
            {"complainedRecipients": [{"emailAddress": to}], "timestamp": at},
        ),
        "Delivery": ("delivery", {"timestamp": at, "recipients": [to]}),
        "DeliveryDelay": (
            "deliveryDelay",
            {
                "timestamp": at,
                "delayType": "MailboxFull",
                "delayedRecipients": [{"emailAddress": to}],
            },
        ),
        "Reject": ("reject", {"reason": "Bad content"}),
        "Send": ("send", {}),
        "Open": ("open", {"timestamp": at}),
    }
    name, body = parts[kind]
    return envelope(json.dumps({"eventType": kind, "mail": mail, name: {**body, **details}}))


def envelope(message: str) -> dict[str, Any]:
    """What SNS makes of a published text."""
    return {
        "Type": "Notification",
        "MessageId": str(uuid4()),
        "TopicArn": "arn:aws:sns:eu-central-1:000000000000:MailEvents",
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": AT,
    }
