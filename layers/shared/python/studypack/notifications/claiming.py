"""Taking mails out of the queue: a batch under a lease, with everything about their readers that
decides whether they may be sent, as it is now.

A lease is a promise to be done by a time. Who finds it broken takes the mail over, whatever became
of the former holder; who comes back late finds another's `lease_id` in the row and keeps off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import Category, EmailTemplate, SuppressionReason
from studypack.notifications.persistence import execute
from studypack.notifications.policy import WEEK, Recipient

LEASE: Final = timedelta(minutes=2)
"""From the claim, and anew from each mail's sending on: longer than any call to the provider. A
mail that still waits in its batch when it is over can be taken by others, and then is theirs.
"""

_MARKETING: Final = [template.value for template, entry in CATALOGUE.items() if entry.is_marketing]


@dataclass(frozen=True)
class Claimed:
    """One mail under our lease, and its reader."""

    id: UUID
    user_id: UUID
    template: EmailTemplate
    data: Mapping[str, Any]
    created_at: datetime
    attempts: int
    """Tries before this one."""
    may_be_sent: bool
    """A try before this one ended without an answer: in a crash, or in silence."""
    address: str
    address_hash: bytes
    first_name: str | None
    is_stopped: bool
    """It is of a broadcast that was stopped: the job that takes those back may be minutes away."""
    recipient: Recipient
    seen: str
    """What decided, as it was at the claim; the same text means that nothing changed since."""


# The same text before a mail is claimed and right before it is sent: the one place that says which
# changes in between matter. `q` is the mail, `u` the user, `a.hash` that of the address. Names, not
# counts: where one thing goes and another comes, their number stays.
SEEN: Final = """
    concat_ws(' ', u.is_active, u.deleted_at IS NULL, u.marketing_opt_out,
        u.email_verified_at IS NOT NULL, u.email,
        (SELECT string_agg(coalesce(s.category, s.reason), ' ' ORDER BY s.reason, s.category)
           FROM notifications.email_suppressions s
          WHERE s.address_hash = a.hash AND s.lifted_at IS NULL),
        (SELECT string_agg(p.category, ' ' ORDER BY p.category)
           FROM notifications.notification_preferences p
          WHERE p.user_id = u.id AND NOT p.email),
        (SELECT b.status FROM notifications.broadcasts b WHERE b.id = q.broadcast_id))
"""

# A claim whose answer got lost finds its own mails again.
_FREE: Final = "(q.leased_until IS NULL OR q.leased_until <= :now OR q.lease_id = :lease)"

# Two short walks along ix_email_queue_due: those that wait for a time to come are in the index too,
# and one walk over both kinds would pass by every one of them.
_DUE: Final = f"""
    urgent AS MATERIALIZED (
        SELECT q.id FROM notifications.email_queue q
         WHERE q.status = 'PENDING' AND q.is_urgent AND q.scheduled_for <= :now
           AND {_FREE}
         ORDER BY q.scheduled_for LIMIT :size FOR UPDATE SKIP LOCKED),
    other AS MATERIALIZED (
        SELECT q.id FROM notifications.email_queue q
         WHERE q.status = 'PENDING' AND NOT q.is_urgent AND q.scheduled_for <= :now
           AND {_FREE}
         ORDER BY q.scheduled_for LIMIT least(:size - (SELECT count(*) FROM urgent), :others)
           FOR UPDATE SKIP LOCKED),
    due AS (SELECT id FROM urgent UNION ALL SELECT id FROM other)
"""  # noqa: S608 (no value of anybody's)

_NAMED: Final = f"""
    due AS MATERIALIZED (
        SELECT q.id FROM notifications.email_queue q
         WHERE q.id = ANY(CAST(:ids AS uuid[])) AND q.status = 'PENDING'
           AND q.scheduled_for <= :now AND {_FREE}
         ORDER BY q.scheduled_for LIMIT :size FOR UPDATE SKIP LOCKED)
"""  # noqa: S608 (no value of anybody's)

_CLAIM: Final = """
    WITH {due}, claimed AS (
        UPDATE notifications.email_queue q SET lease_id = :lease, leased_until = :until
          FROM due WHERE q.id = due.id
        RETURNING q.id, q.user_id, q.template, q.data, q.created_at, q.attempts, q.to_address,
                  q.sending_since, q.is_urgent, q.scheduled_for, q.broadcast_id)
    SELECT q.id, q.user_id, q.template, q.data, q.created_at, q.attempts,
           q.sending_since IS NOT NULL AS may_be_sent,
           a.address, a.hash AS address_hash, u.first_name, u.timezone, u.marketing_opt_out,
           EXISTS (SELECT FROM notifications.broadcasts b
                    WHERE b.id = q.broadcast_id AND b.status = 'STOPPED') AS is_stopped,
           u.is_active AND u.deleted_at IS NULL AS is_open,
           u.email_verified_at IS NOT NULL AND lower(a.address) = lower(u.email) AS is_verified,
           ARRAY(SELECT p.category FROM notifications.notification_preferences p
                  WHERE p.user_id = q.user_id AND NOT p.email) AS switched_off,
           ARRAY(SELECT coalesce(s.category, s.reason) FROM notifications.email_suppressions s
                  WHERE s.address_hash = a.hash AND s.lifted_at IS NULL) AS suppressed,
           ARRAY(SELECT l.sent_at FROM notifications.email_logs l
                  WHERE l.user_id = q.user_id AND l.sent_at > :week_ago AND l.status = 'SENT'
                    AND l.template = ANY(CAST(:marketing AS text[]))) AS marketing_sent,
           {seen} AS seen
      FROM claimed q
      JOIN auth.users u ON u.id = q.user_id
     CROSS JOIN LATERAL (
           SELECT coalesce(q.to_address, u.email) AS address,
                  sha256(convert_to(lower(coalesce(q.to_address, u.email)), 'UTF8')) AS hash) a
     ORDER BY q.is_urgent DESC, q.scheduled_for, q.id
"""
_CLAIM_DUE: Final = text(_CLAIM.format(due=_DUE, seen=SEEN))
_CLAIM_NAMED: Final = text(_CLAIM.format(due=_NAMED, seen=SEEN))


def claim(
    lease_id: UUID,
    *,
    size: int,
    now: datetime,
    ids: Sequence[UUID] | None = None,
    others: int | None = None,
) -> list[Claimed]:
    """Lease up to `size` mails that are due and free, urgent ones first; of `ids` only if given.

    `others`: so many at most that are not urgent, where no `ids` are given.
    """
    given: dict[str, Any] = {
        "lease": lease_id,
        "until": now + LEASE,
        "now": now,
        "week_ago": now - WEEK,
        "size": size,
        "marketing": _MARKETING,
    }
    if ids is None:
        given["others"] = size if others is None else others
    else:
        given["ids"] = [str(each) for each in ids]
    rows = execute(_CLAIM_DUE if ids is None else _CLAIM_NAMED, given)
    return [_claimed(row) for row in rows]


def _claimed(row: Mapping[str, Any]) -> Claimed:
    reasons = {each.value for each in SuppressionReason}
    template = EmailTemplate(row["template"])
    is_to_another = CATALOGUE[template].is_to_another
    switched_off = {*row["switched_off"], *(set(row["suppressed"]) - reasons)}
    return Claimed(
        id=row["id"],
        user_id=row["user_id"],
        template=template,
        data=row["data"],
        created_at=row["created_at"],
        attempts=row["attempts"],
        may_be_sent=row["may_be_sent"],
        address=row["address"],
        address_hash=row["address_hash"],
        first_name=None if is_to_another else row["first_name"],
        is_stopped=row["is_stopped"],
        recipient=Recipient(
            is_open=row["is_open"],
            is_verified=row["is_verified"],
            timezone="UTC" if is_to_another else row["timezone"],
            marketing_opt_out=row["marketing_opt_out"],
            switched_off=frozenset(Category(each) for each in switched_off),
            suppressed=frozenset(
                SuppressionReason(each) for each in row["suppressed"] if each in reasons
            ),
            marketing_sent=tuple(row["marketing_sent"]),
        ),
        seen=row["seen"],
    )


_RELEASE: Final = text(
    """
    UPDATE notifications.email_queue SET lease_id = NULL, leased_until = NULL
     WHERE id = ANY(CAST(:ids AS uuid[])) AND lease_id = :lease AND status = 'PENDING'
    """
)


def release(lease_id: UUID, ids: Sequence[UUID]) -> None:
    """Give back what was claimed and not tried, so that nobody has to wait for the lease's end."""
    if ids:
        execute(_RELEASE, {"lease": lease_id, "ids": [str(each) for each in ids]})


_OLDEST: Final = text(
    """
    SELECT min(oldest) AS oldest FROM (
        (SELECT scheduled_for AS oldest FROM notifications.email_queue
          WHERE status = 'PENDING' AND is_urgent AND scheduled_for <= :now
          ORDER BY scheduled_for LIMIT 1)
        UNION ALL
        (SELECT scheduled_for FROM notifications.email_queue
          WHERE status = 'PENDING' AND NOT is_urgent AND scheduled_for <= :now
          ORDER BY scheduled_for LIMIT 1)) AS due
    """
)


def oldest_due(now: datetime) -> timedelta:
    """How long the mail that waits longest has been due; zero if none is."""
    [row] = execute(_OLDEST, {"now": now})
    return now - row["oldest"] if row["oldest"] else timedelta()
