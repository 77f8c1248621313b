"""Addresses that must not be written to, and the waiting mails that this takes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.notifications.models import Category, EmailTemplate, SuppressionReason


def address_hash(address: str) -> bytes:
    """By what an address is known here: SHA-256 of it in lower case."""
    return hashlib.sha256(address.strip().lower().encode()).digest()


_SUPPRESS: Final = text(
    """
    INSERT INTO notifications.email_suppressions
           (id, address_hash, reason, category, user_id, provider_message_id, created_at)
    SELECT public.uuid7(:now), given.hash, :reason, CAST(:category AS text),
           CAST(:user_id AS uuid), CAST(:provider_message_id AS text), :now
      FROM unnest(CAST(:hashes AS bytea[])) AS given (hash)
        ON CONFLICT DO NOTHING
    """
)


def suppress(
    session: Session,
    addresses: Iterable[str],
    reason: SuppressionReason,
    *,
    category: Category | None = None,
    user_id: UUID | None = None,
    provider_message_id: str | None = None,
    now: datetime,
) -> None:
    """Write no more to these addresses; one that is suppressed for this reason already stays as it
    is. `category`: of an UNSUBSCRIBE.
    """
    hashes = sorted({address_hash(each) for each in addresses})
    given = {
        "hashes": hashes,
        "reason": reason.value,
        "category": category.value if category else None,
        "user_id": user_id,
        "provider_message_id": provider_message_id,
        "now": now,
    }
    if hashes:
        session.execute(_SUPPRESS, given)


_LIFT: Final = text(
    """
    UPDATE notifications.email_suppressions s SET lifted_at = :now
      FROM auth.users u
     WHERE u.id = :user_id AND s.lifted_at IS NULL AND s.reason = 'UNSUBSCRIBE'
       AND s.category = ANY(CAST(:categories AS text[]))
       AND (s.user_id = u.id
            OR s.address_hash = sha256(convert_to(lower(u.email), 'UTF8')))
    """
)


def lift_unsubscribes(
    session: Session, user_id: UUID, categories: Iterable[Category], *, now: datetime
) -> None:
    """Somebody wants these categories again: what they unsubscribed from by a link counts no
    more.
    """
    names = sorted(each.value for each in categories)
    if names:
        session.execute(_LIFT, {"user_id": user_id, "categories": names, "now": now})


# A mail that somebody is sending is left alone: it may be on its way, and its sender asks again
# whether it may go. One whose row is locked is passed over for the same reason.
_CANCEL: Final = text(
    """
    WITH gone AS MATERIALIZED (
        SELECT q.id FROM notifications.email_queue q JOIN auth.users u ON u.id = q.user_id
         WHERE q.user_id = ANY(CAST(:user_ids AS uuid[])) AND q.status = 'PENDING'
           AND q.sending_since IS NULL
           AND q.template = ANY(CAST(:templates AS text[]))
           AND (CAST(:address AS text) IS NULL
                OR lower(coalesce(q.to_address, u.email)) = lower(:address))
         ORDER BY q.id FOR UPDATE OF q SKIP LOCKED),
    cancelled AS (
        UPDATE notifications.email_queue q
           SET status = 'CANCELLED', status_reason = :reason, processed_at = :now,
               lease_id = NULL, leased_until = NULL, data = q.data - 'link'
          FROM gone WHERE q.id = gone.id
        RETURNING q.id, q.user_id, q.template, q.dedupe_key),
    told AS (
        INSERT INTO notifications.email_decisions
               (id, user_id, template, occasion, verdict, rule, reason, evidence, decided_at)
        SELECT public.uuid7(:now), user_id, template,
               substr(dedupe_key, length(template) + 2), 'CANCEL', :rule, :reason,
               CAST(:evidence AS jsonb) || jsonb_build_object('email_id', id), :now
          FROM cancelled ORDER BY user_id, template, dedupe_key
            ON CONFLICT DO NOTHING)
    SELECT count(*) FROM cancelled
    """
)


def cancel_pending(
    session: Session,
    user_ids: Collection[UUID],
    templates: Collection[EmailTemplate],
    *,
    rule: str,
    reason: str,
    evidence: Mapping[str, Any] | None = None,
    address: str | None = None,
    now: datetime,
) -> int:
    """Take back these users' waiting mails of these templates (to one address only, if given), say
    why in a decision each, and return how many those were.
    """
    if not user_ids or not templates:
        return 0
    given = {
        "user_ids": [str(each) for each in user_ids],
        "templates": [each.value for each in templates],
        "address": address,
        "rule": rule,
        "reason": reason,
        "evidence": json.dumps(dict(evidence or {})),
        "now": now,
    }
    return int(session.execute(_CANCEL, given).scalar_one())
