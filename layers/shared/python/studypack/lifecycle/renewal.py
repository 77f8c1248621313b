"""RENEWAL_REMINDER: what will be charged, three days before.

| comes up | withheld | taken back |
|---|---|---|
| 3 days before the end of an ACTIVE subscription's period, once a period | `canceling`: it ends \
then; goes after all when the cancellation is taken back in time | `renewed`: the next period has \
begun; `canceled`: it will not renew |
"""

from __future__ import annotations

from typing import Final

from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.facts import money
from studypack.lifecycle.trigger import Trigger

_PERIOD = "to_char(s.current_period_end AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISS')"

_OCCASIONS = f"""
    SELECT s.user_id, 'RENEWAL_REMINDER' AS template,
           'subscription:' || s.id || ':' || {_PERIOD} AS occasion,
           s.current_period_end - interval '3 days' AS due_at,
           CASE WHEN s.cancel_at_period_end THEN 'canceling' END AS reason,
           jsonb_build_object('product_name', p.name, 'renews_at', s.current_period_end,
                              'amount', {money("s.amount * s.quantity", "s.currency")},
                              'subscription_id', s.id) AS data,
           jsonb_build_object('subscription_id', s.id,
                              'current_period_end', s.current_period_end) AS evidence
      FROM payments.subscriptions s JOIN payments.products p ON p.id = s.product_id
     WHERE s.status = 'ACTIVE' AND s.current_period_end > :now
       AND s.current_period_end <= :now + interval '3 days'
       AND s.user_id IS NOT NULL AND NOT s.is_duplicate
       AND s.cancel_requested_at IS NULL AND s.access_ended_at IS NULL
"""  # noqa: S608 (our own text)

TRIGGERS: Final = (Trigger("renewal", _OCCASIONS, is_final=False),)

CANCELLATIONS: Final = (
    Cancellation(
        "renewal",
        f"""
        SELECT q.id,
               CASE WHEN s.status <> 'ACTIVE' OR s.cancel_at_period_end
                         OR s.cancel_requested_at IS NOT NULL OR s.access_ended_at IS NOT NULL
                    THEN 'canceled' ELSE 'renewed' END AS reason,
               jsonb_build_object('subscription_id', s.id, 'status', s.status,
                                  'current_period_end', s.current_period_end) AS evidence
          FROM pending q
          JOIN payments.subscriptions s ON CAST(s.id AS text) = q.data ->> 'subscription_id'
         WHERE q.template = 'RENEWAL_REMINDER'
           AND (s.status <> 'ACTIVE' OR s.cancel_at_period_end
                OR s.cancel_requested_at IS NOT NULL OR s.access_ended_at IS NOT NULL
                OR q.dedupe_key <> 'RENEWAL_REMINDER:subscription:' || s.id || ':' || {_PERIOD})
        """,  # noqa: S608 (our own text)
    ),
)
