"""Why somebody got a mail, or didn't: everything that was decided, queued and tried, in order, each
with a sentence for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from studypack.core.errors import NotFound
from studypack.identity.models import User
from studypack.notifications.models import EmailTemplate


class Kind(StrEnum):
    """DECISION: what a rule said. QUEUED: a mail was put into the queue. TRY: it was offered to the
    provider. ENDED: it left the queue without a try.
    """

    DECISION = "DECISION"
    QUEUED = "QUEUED"
    TRY = "TRY"
    ENDED = "ENDED"


@dataclass(frozen=True)
class Step:
    """One thing that happened about one mail."""

    at: datetime
    kind: Kind
    template: EmailTemplate
    occasion: str
    email_id: UUID | None
    outcome: str
    """Verdict of a decision; status of a mail or a try."""
    rule: str | None
    reason: str | None
    evidence: dict[str, Any]

    @property
    def sentence(self) -> str:
        """It, for people."""
        return _sentence(self)


_STEPS = text(
    """
    SELECT * FROM (
        (SELECT d.decided_at AS at, 1 AS place, 'DECISION' AS kind, d.template, d.occasion,
                CAST(NULL AS uuid) AS email_id, d.verdict AS outcome, d.rule, d.reason, d.evidence
           FROM notifications.email_decisions d
          WHERE d.user_id = :user_id
            AND (CAST(:template AS text) IS NULL OR d.template = :template)
          ORDER BY d.id DESC LIMIT :size)
        UNION ALL
        (SELECT q.created_at, 2, 'QUEUED', q.template,
                substr(q.dedupe_key, length(q.template) + 2), q.id, 'PENDING', NULL, NULL,
                jsonb_build_object('scheduled_for', q.scheduled_for)
           FROM notifications.email_queue q
          WHERE q.user_id = :user_id
            AND (CAST(:template AS text) IS NULL OR q.template = :template)
          ORDER BY q.id DESC LIMIT :size)
        UNION ALL
        (SELECT l.sent_at, 3, 'TRY', l.template,
                coalesce(substr(q.dedupe_key, length(q.template) + 2), ''), l.queue_id, l.status,
                NULL, l.error,
                jsonb_strip_nulls(jsonb_build_object('attempt', l.attempt, 'delivery', l.delivery,
                    'may_be_duplicate', nullif(l.may_be_duplicate, false)))
           FROM notifications.email_logs l
           LEFT JOIN notifications.email_queue q ON q.id = l.queue_id
          WHERE l.user_id = :user_id
            AND (CAST(:template AS text) IS NULL OR l.template = :template)
          ORDER BY l.sent_at DESC LIMIT :size)
        UNION ALL
        (SELECT coalesce(q.processed_at, q.created_at), 4, 'ENDED', q.template,
                substr(q.dedupe_key, length(q.template) + 2), q.id, q.status, NULL,
                q.status_reason, '{}'
           FROM notifications.email_queue q
          WHERE q.user_id = :user_id AND q.status IN ('CANCELLED', 'FAILED')
            AND (CAST(:template AS text) IS NULL OR q.template = :template)
          ORDER BY q.id DESC LIMIT :size)) AS steps
     ORDER BY at, place, template, occasion
    """
)
MOST: Final = 500


def explain(session: Session, user_id: UUID, template: EmailTemplate | None) -> list[Step]:
    """What happened about this user's mails (of one template, if given), oldest first; of each kind
    the newest 500.

    Raises NotFound (`user_not_found`).
    """
    values = {
        "user_id": user_id,
        "template": None if template is None else template.value,
        "size": MOST,
    }
    steps = [
        Step(
            at=row.at,
            kind=Kind(row.kind),
            template=EmailTemplate(row.template),
            occasion=row.occasion,
            email_id=row.email_id,
            outcome=row.outcome,
            rule=row.rule,
            reason=row.reason,
            evidence=row.evidence,
        )
        for row in session.execute(_STEPS, values)
    ]
    if not steps and not session.scalar(select(exists().where(User.id == user_id))):
        raise NotFound("There is no such user.", code="user_not_found")
    return steps


REASONS: Final = {
    "due": "its time has come",
    "account_closed": "the account is closed",
    "bounced": "the address bounced for good",
    "category_off": "mails of this kind are switched off",
    "opted_out": "they opted out of marketing",
    "complained": "they reported a mail of ours as spam",
    "unverified": "the address is not verified",
    "quiet_hours": "it is night where they live",
    "weekly_limit": "they got as much marketing this week as is allowed",
    "subscribed": "they pay for courses, or have them by a seat or an override",
    "free_plan": "everybody has courses without paying",
    "started": "they began a first video",
    "too_late": "it would come too late to make sense",
    "no_lesson": "there is no free video that it could lead to",
    "withdrawn": "what it is about is no longer on offer",
    "superseded": "the next mail of its series came up first",
    "logged_in": "they came back",
    "module_reset": "the module was begun anew",
    "canceling": "the subscription ends with its period",
    "canceled": "the subscription will not renew",
    "renewed": "the subscription has renewed",
    "paid": "the invoice no longer waits for a payment",
    "facts_missing": "what the mail must say was not known",
    "broadcast_stopped": "its broadcast was stopped",
    "link_expired": "its link had expired before it could be sent",
    "gave_up": "too many tries failed",
    "render_failed": "it could not be rendered",
    "address_invalid": "the address cannot be written to",
}
"""Stable codes in words; a code without words is shown as it is."""

_VERDICTS: Final = {
    "SEND": "{mail} was queued by the rule {rule}: {reason}.",
    "WITHHOLD": "{mail} was not queued by the rule {rule}: {reason}.",
    "DEFER": "{mail} was put off{until}: {reason}.",
    "CANCEL": "{mail} was taken back before it was sent: {reason}.",
}
_TRIES: Final = {
    "SENT": "{mail} was handed over to the provider{again}{delivery}.",
    "FAILED": "{mail} was refused for good: {reason}.",
    "PENDING": "A try to send {mail} failed, and another follows: {reason}.",
}
_DELIVERIES: Final = {
    "DELIVERED": "; the receiving server took it",
    "DELAYED": "; the receiving server puts it off",
    "BOUNCED": "; it bounced",
    "COMPLAINED": "; its reader reported it as spam",
}


def _sentence(step: Step) -> str:
    evidence = step.evidence
    words = {
        "mail": step.template.value,
        "rule": step.rule,
        "reason": REASONS.get(step.reason or "", step.reason or "no reason was noted"),
        "until": f" until {evidence['until']}" if "until" in evidence else "",
        "again": " (maybe for a second time)" if evidence.get("may_be_duplicate") else "",
        "delivery": _DELIVERIES.get(evidence.get("delivery", ""), ""),
    }
    match step.kind:
        case Kind.DECISION:
            form = _VERDICTS[step.outcome]
        case Kind.TRY:
            form = _TRIES.get(step.outcome, "{mail} was tried.")
        case Kind.QUEUED:
            form = f"{{mail}} was put into the queue for {evidence['scheduled_for']}."
        case Kind.ENDED:
            form = "{mail} left the queue unsent: {reason}."
    return form.format(**words)
