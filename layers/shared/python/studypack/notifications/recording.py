"""What the sender writes: one statement a mail, which records how the one before ended and says
which comes next.

So a crash at any moment leaves at most one mail of which nobody knows whether it was sent: the one
whose `sending_since` is set.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from studypack.core.ids import uuid7
from studypack.notifications.claiming import LEASE, SEEN
from studypack.notifications.models import EmailStatus
from studypack.notifications.persistence import execute
from studypack.notifications.preparing import End, Ready, Settled


@dataclass(frozen=True)
class Outcome:
    """How one try ended."""

    mail: Ready
    status: EmailStatus
    """SENT, FAILED, or PENDING: another try follows."""
    error: str | None = None
    provider_message_id: str | None = None
    reason: str | None = None
    """Why it FAILED."""
    retry_at: datetime | None = None
    may_be_sent: bool = False
    """No answer came."""
    is_try: bool = True
    """False: the provider did not look at it (throttled, sending paused), so it does not count."""
    log_id: UUID = field(default_factory=uuid7)


# The result of a mail that was sent holds even if another worker has taken it over meanwhile: that
# one then finds it SENT and keeps off.
_RECORDED: Final = """
    recorded AS (
        UPDATE notifications.email_queue q
           SET status = :status, status_reason = CAST(:reason AS text),
               last_error = CAST(:error AS text), attempts = :attempts,
               scheduled_for = coalesce(CAST(:retry_at AS timestamptz), q.scheduled_for),
               lease_id = NULL, leased_until = NULL,
               sending_since = CASE WHEN :keeps_doubt THEN q.sending_since END,
               processed_at = CAST(:processed_at AS timestamptz),
               data = CASE WHEN :status = 'PENDING' THEN q.data ELSE q.data - 'link' END
         WHERE q.id = :id
           AND (q.lease_id = :lease OR (:status = 'SENT' AND q.status <> 'SENT'))),
    logged AS (
        INSERT INTO notifications.email_logs (id, queue_id, user_id, template, to_address, subject,
               status, error, attempt, may_be_duplicate, message_id, provider_message_id, sent_at)
        SELECT :log_id, q.id, q.user_id, q.template, :to_address, :subject, :status,
               CAST(:error AS text), :attempt, :may_be_duplicate, :message_id,
               CAST(:provider_message_id AS text), :now
          FROM notifications.email_queue q WHERE q.id = :id AND :is_logged
            ON CONFLICT DO NOTHING)
"""
_MARKED: Final = f"""
    marked AS (
        UPDATE notifications.email_queue q
           SET sending_since = :now, attempts = :next_attempt, leased_until = :until
          FROM auth.users u, (SELECT CAST(:next_hash AS bytea) AS hash) a
         WHERE q.id = :next_id AND q.lease_id = :lease AND q.status = 'PENDING'
           AND u.id = q.user_id AND {SEEN} = :next_seen
        RETURNING q.id)
"""  # noqa: S608 (no value of anybody's)
_IS_OURS: Final = " SELECT count(*) AS is_ours FROM marked"
_STATEMENTS: Final = {
    (True, False): text("WITH" + _RECORDED + " SELECT 0 AS is_ours"),
    (False, True): text("WITH" + _MARKED + _IS_OURS),
    (True, True): text("WITH" + _RECORDED + "," + _MARKED + _IS_OURS),
}
"""By whether one is recorded and whether one is marked."""


def step(
    lease_id: UUID, *, before: Outcome | None = None, mark: Ready | None = None, now: datetime
) -> bool:
    """Record how the mail before ended, and mark the next as being sent, in one statement; whether
    it may be sent.

    It may not when it is no longer ours, or not PENDING any more, or something that decides about
    it has changed since the claim.
    """
    given: dict[str, Any] = {"lease": lease_id, "now": now}
    if before is not None:
        given |= _of_outcome(before, now)
    if mark is not None:
        given |= _of_next(mark, now)
    [row] = execute(_STATEMENTS[before is not None, mark is not None], given)
    return bool(row["is_ours"])


def _of_outcome(before: Outcome, now: datetime) -> dict[str, Any]:
    claimed = before.mail.claimed
    is_over = before.status is not EmailStatus.PENDING
    return {
        "id": claimed.id,
        "status": before.status.value,
        "reason": before.reason,
        "error": before.error,
        "attempts": claimed.attempts + (1 if before.is_try else 0),
        "retry_at": before.retry_at,
        "keeps_doubt": before.status is not EmailStatus.SENT
        and (before.may_be_sent or claimed.may_be_sent),
        "processed_at": now if is_over else None,
        "log_id": before.log_id,
        "is_logged": before.is_try,
        "to_address": claimed.address,
        "subject": before.mail.subject,
        "attempt": claimed.attempts + 1,
        "may_be_duplicate": claimed.may_be_sent,
        "message_id": before.mail.message_id,
        "provider_message_id": before.provider_message_id,
    }


def _of_next(mark: Ready, now: datetime) -> dict[str, Any]:
    return {
        "next_id": mark.claimed.id,
        "next_attempt": mark.claimed.attempts + 1,
        "next_hash": mark.claimed.address_hash,
        "next_seen": mark.claimed.seen,
        "until": now + LEASE,
    }


_SETTLE: Final = text(
    """
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:settled AS jsonb)) AS g (
            id uuid, "end" text, reason text, until timestamptz, decision_id uuid)),
    settled AS (
        UPDATE notifications.email_queue q
           SET status = CASE g."end" WHEN 'DEFERRED' THEN 'PENDING' ELSE g."end" END,
               status_reason = g.reason,
               scheduled_for = coalesce(g.until, q.scheduled_for),
               lease_id = NULL, leased_until = NULL,
               processed_at = CASE WHEN g."end" <> 'DEFERRED'
                                   THEN CAST(:now AS timestamptz) END,
               data = CASE g."end" WHEN 'DEFERRED' THEN q.data ELSE q.data - 'link' END
          FROM given g
         WHERE q.id = g.id AND q.lease_id = :lease AND q.status = 'PENDING'
        RETURNING q.id, q.user_id, q.template, q.dedupe_key, q.attempts, q.sending_since,
                  g."end", g.reason, g.until, g.decision_id)
    INSERT INTO notifications.email_decisions (
           id, user_id, template, occasion, verdict, rule, reason, evidence, decided_at)
    SELECT decision_id, user_id, template, substr(dedupe_key, length(template) + 2),
           CASE "end" WHEN 'CANCELLED' THEN 'CANCEL' ELSE 'DEFER' END, 'policy', reason,
           jsonb_strip_nulls(jsonb_build_object('email_id', id, 'until', until,
               'tries', attempts, 'may_be_sent_since', sending_since)), CAST(:now AS timestamptz)
      FROM settled WHERE "end" <> 'FAILED'
        ON CONFLICT DO NOTHING
    """
)


def settle(lease_id: UUID, settled: Sequence[Settled], *, now: datetime) -> None:
    """Write down, in one statement, what was decided without a try: cancelled, put off, failed."""
    if not settled:
        return
    rows = [
        {
            "id": str(each.claimed.id),
            "end": each.end.value,
            "reason": each.reason,
            "until": each.until.isoformat() if each.until else None,
            "decision_id": str(uuid7(now)),
        }
        for each in settled
    ]
    execute(_SETTLE, {"lease": lease_id, "settled": json.dumps(rows), "now": now})


__all__ = ["End", "Outcome", "settle", "step"]
