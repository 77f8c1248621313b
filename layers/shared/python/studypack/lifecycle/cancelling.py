"""Taking mails back whose reason has gone while they wait.

A cancellation is a SELECT from `pending` (the queue's rows that wait and that nobody is sending)
with the columns `id`, `reason` (a stable code) and `evidence`. What a sender holds under a lease
is left alone: it may be on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from studypack.lifecycle.moment import Moment, common_values, run
from studypack.lifecycle.refusals import KINDS, REFUSAL

BATCH: Final = 500

_UNTOUCHED = """
    q.status = 'PENDING' AND q.sending_since IS NULL
    AND (q.leased_until IS NULL OR q.leased_until <= :now)
"""

_CANCEL = f"""
    WITH kinds AS MATERIALIZED ({KINDS}),
    gone AS MATERIALIZED (
        SELECT DISTINCT ON (g.id) g.id, g.reason, g.evidence
          FROM (WITH pending AS NOT MATERIALIZED (
                    SELECT q.* FROM notifications.email_queue q WHERE {_UNTOUCHED})
                {{gone}}) g
         ORDER BY g.id LIMIT :size),
    claimed AS MATERIALIZED (
        SELECT q.id FROM notifications.email_queue q
         WHERE q.id IN (SELECT id FROM gone) AND {_UNTOUCHED}
         ORDER BY q.id FOR UPDATE SKIP LOCKED),
    cancelled AS (
        UPDATE notifications.email_queue q
           SET status = 'CANCELLED', status_reason = gone.reason, processed_at = :now,
               data = q.data - 'link'
          FROM claimed JOIN gone USING (id)
         WHERE q.id = claimed.id
        RETURNING q.id, q.user_id, q.template, q.dedupe_key, gone.reason, gone.evidence),
    told AS (
        INSERT INTO notifications.email_decisions
               (id, user_id, template, occasion, verdict, rule, reason, evidence, decided_at)
        SELECT public.uuid7(:now), user_id, template,
               substr(dedupe_key, length(template) + 2), 'CANCEL', :rule, reason,
               jsonb_strip_nulls(evidence || jsonb_build_object('email_id', id)), :now
          FROM cancelled ORDER BY user_id, template, dedupe_key
            ON CONFLICT DO NOTHING)
    SELECT count(*) FROM cancelled
    """  # noqa: S608 (our own text)


@dataclass(frozen=True)
class Cancellation:
    """One reason, or several, why waiting mails are taken back."""

    rule: str
    gone: str
    """The SELECT; may use :now, :lookback_days, :grace_days."""

    @cached_property
    def statement(self) -> TextClause:
        """The whole of it."""
        return text(_CANCEL.format(gone=self.gone))

    def cancel(self, session: Session, moment: Moment, *, size: int = BATCH) -> int:
        """Take at most `size` mails back in the caller's transaction; how many it were."""
        values = {**common_values(moment), "rule": self.rule, "size": size}
        return int(run(session, self.statement, values).scalar_one())


REFUSED: Final = Cancellation(
    "policy",
    f"""
    SELECT q.id, refused.reason, CAST('{{}}' AS jsonb) AS evidence
      FROM pending q
      JOIN kinds k ON k.template = q.template
      JOIN auth.users u ON u.id = q.user_id
     CROSS JOIN LATERAL (SELECT {REFUSAL} AS reason) refused
     WHERE q.to_address IS NULL AND refused.reason IS NOT NULL
    """,  # noqa: S608 (our own text)
)
"""Opted out, unsubscribed, complained, bounced or closed since. Mails to another address than the
account's are judged when they are sent.
"""
