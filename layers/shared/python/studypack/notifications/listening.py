"""What the provider reports of mails, written down: delivery, suppressions, mails taken back.

Reports come twice, late and in any order: whatever their order, the same ones end in the same rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.core.telemetry import get_logger
from studypack.integrations.email.events import Happened, MailEvent
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import Delivery, EmailTemplate, SuppressionReason
from studypack.notifications.suppressions import cancel_pending, suppress

RULE: Final = "ses_events"

_DELIVERY: Final = {
    Happened.DELIVERED: (Delivery.DELIVERED, None),
    Happened.DELAYED: (Delivery.DELAYED, None),
    Happened.HARD_BOUNCE: (Delivery.BOUNCED, "hard_bounce"),
    Happened.SOFT_BOUNCE: (Delivery.BOUNCED, "soft_bounce"),
    Happened.REJECTED: (Delivery.BOUNCED, "rejected"),
    Happened.COMPLAINT: (Delivery.COMPLAINED, "complaint"),
}
"""What the log says; an answering machine's soft bounce comes after the delivery, and says less."""


_RANKS: Final = {
    Happened.COMPLAINT: 5,
    Happened.HARD_BOUNCE: 4,
    Happened.REJECTED: 4,
    Happened.DELIVERED: 3,
    Happened.SOFT_BOUNCE: 2,
    Happened.DELAYED: 1,
}
_UPDATE: Final = text(
    """
    UPDATE notifications.email_logs l
       SET delivery = :delivery, delivery_at = :at, error = CAST(:error AS text)
      FROM (SELECT id, CASE delivery
                   WHEN 'COMPLAINED' THEN 5
                   WHEN 'BOUNCED' THEN CASE error WHEN 'soft_bounce' THEN 2 ELSE 4 END
                   WHEN 'DELIVERED' THEN 3 WHEN 'DELAYED' THEN 1 ELSE 0 END AS rank
              FROM notifications.email_logs WHERE provider_message_id = :id FOR UPDATE) known
     WHERE l.id = known.id
       AND (known.rank < :rank OR (known.rank = :rank AND l.delivery_at > :at))
    """
)

# A try that broke off between sending and recording left no log; this report is the proof that the
# mail went out, so it is recorded in its sender's stead; a sender that is alive loses its lease and
# leaves it at that. Also of a mail that was given up: it was not lost. Tries that ended have a log
# each: one that is missing had no answer.
_RECONCILE: Final = text(
    """
    WITH sent AS (
        UPDATE notifications.email_queue q
           SET status = 'SENT', status_reason = NULL, processed_at = :at,
               data = q.data - 'link', last_error = NULL,
               lease_id = NULL, leased_until = NULL, sending_since = NULL
         WHERE q.id = CAST(:email_id AS uuid) AND q.status IN ('PENDING', 'FAILED')
           AND q.sending_since IS NOT NULL
           AND NOT EXISTS (SELECT FROM notifications.email_logs l
                            WHERE l.provider_message_id = :id)
        RETURNING q.id, q.user_id, q.template, q.attempts)
    INSERT INTO notifications.email_logs (id, queue_id, user_id, template, to_address, subject,
           status, attempt, may_be_duplicate, provider_message_id, sent_at)
    SELECT public.uuid7(:at), s.id, s.user_id, s.template, CAST(:to_address AS text),
           coalesce(CAST(:subject AS text), ''), 'SENT', greatest(s.attempts, 1),
           s.attempts - 1 > (SELECT count(*) FROM notifications.email_logs l
                              WHERE l.queue_id = s.id), :id, :at
      FROM sent s
        ON CONFLICT DO NOTHING RETURNING id
    """
)

# Whose mail it was, and whose address it is.
_WHOSE: Final = text(
    """
    SELECT l.user_id, l.to_address, false AS is_owner FROM notifications.email_logs l
     WHERE l.provider_message_id = :id
     UNION ALL
    SELECT u.id, u.email, true FROM auth.users u
     WHERE lower(u.email) = ANY(CAST(:addresses AS text[])) AND u.deleted_at IS NULL
    """
)

_NOW: Final = text("SELECT now()")


def take(session: Session, event: MailEvent) -> None:
    """Let one report take effect; again it changes nothing. Mails that we know nothing of are no
    fault: the log of an old one may be gone, and a system beside us may send too.
    """
    _reconcile(session, event)
    if event.happened in _DELIVERY:
        delivery, error = _DELIVERY[event.happened]
        session.execute(
            _UPDATE,
            {
                "id": event.provider_message_id,
                "delivery": delivery.value,
                "error": error,
                "rank": _RANKS[event.happened],
                "at": event.at,
            },
        )
    if event.happened is Happened.REJECTED:
        named = {"email_id": event.tags.get("email_id"), "template": event.tags.get("template")}
        get_logger().error("SES found a virus in a mail", extra=named)
    if event.happened is Happened.HARD_BOUNCE:
        _suppress(session, event, SuppressionReason.HARD_BOUNCE, list(EmailTemplate), "bounced")
    if event.happened is Happened.COMPLAINT:
        marketing = [each for each, entry in CATALOGUE.items() if entry.is_marketing]
        _suppress(session, event, SuppressionReason.COMPLAINT, marketing, "complained")


def _reconcile(session: Session, event: MailEvent) -> None:
    try:
        email_id = UUID(event.tags.get("email_id", ""))
    except ValueError:
        return
    given: dict[str, Any] = {
        "id": event.provider_message_id,
        "email_id": email_id,
        "at": event.at,
        "to_address": event.recipients[0] if event.recipients else None,
        "subject": event.subject,
    }
    session.execute(_RECONCILE, given)


def _suppress(
    session: Session,
    event: MailEvent,
    reason: SuppressionReason,
    templates: list[EmailTemplate],
    code: str,
) -> None:
    given = {
        "id": event.provider_message_id,
        "addresses": [each.lower() for each in event.recipients],
    }
    whose: list[Row[Any]] = list(session.execute(_WHOSE, given).all())
    users = {row.user_id for row in whose if row.user_id is not None}
    # SES writes an address as it sent to it, with its domain in ASCII; we know it as it was given.
    addresses = {*event.recipients, *(row.to_address for row in whose if row.to_address)}
    now: datetime = session.execute(_NOW).scalar_one()
    suppress(
        session,
        addresses,
        reason,
        user_id=next((row.user_id for row in whose if row.is_owner), None),
        provider_message_id=event.provider_message_id,
        now=now,
    )
    for address in sorted(addresses):
        cancel_pending(
            session,
            users,
            templates,
            rule=RULE,
            reason=code,
            evidence={"provider_message_id": event.provider_message_id},
            address=address,
            now=now,
        )
