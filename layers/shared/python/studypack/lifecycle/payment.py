"""PAYMENT_FAILED and PAYMENT_FAILED_FINAL.

| template | comes up | withheld | taken back |
|---|---|---|---|
| PAYMENT_FAILED | at the event of an invoice's first failure: billing queues it | | `paid`: the \
invoice no longer waits for a payment |
| PAYMENT_FAILED_FINAL | `payment_failed_final_days` after the first failure, while the invoice is \
open and its subscription past due | | `paid` |
"""

from __future__ import annotations

from typing import Final

from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.facts import money
from studypack.lifecycle.moment import Moment
from studypack.lifecycle.trigger import Trigger, Values

_OCCASIONS = f"""
    SELECT i.user_id, 'PAYMENT_FAILED_FINAL' AS template, 'invoice:' || i.id AS occasion,
           i.first_failed_at + make_interval(days => :final_days) AS due_at,
           CAST(NULL AS text) AS reason,
           jsonb_strip_nulls(jsonb_build_object(
               'invoice_id', i.id, 'product_name', p.name, 'number', i.number,
               'amount', {money("(i.total - i.amount_paid)", "i.currency")},
               'access_until', coalesce(s.payment_failed_at, s.current_period_start)
                               + make_interval(days => :grace_days))) AS data,
           jsonb_build_object('invoice_id', i.id, 'subscription_id', s.id,
                              'first_failed_at', i.first_failed_at) AS evidence
      FROM payments.invoices i
      JOIN payments.subscriptions s ON s.id = i.subscription_id AND s.status = 'PAST_DUE'
      JOIN payments.products p ON p.id = s.product_id
     WHERE i.first_failed_at IS NOT NULL AND i.status IN ('SENT', 'OVERDUE')
       AND i.first_failed_at <= :now - make_interval(days => :final_days)
       AND i.first_failed_at > :now - make_interval(days => :final_days + :lookback_days)
       AND i.user_id IS NOT NULL
"""  # noqa: S608 (our own text)


def _values(moment: Moment) -> Values:
    return {"final_days": moment.settings.payment_failed_final_days}


TRIGGERS: Final = (Trigger("payment_failed_final", _OCCASIONS, _values),)

CANCELLATIONS: Final = (
    Cancellation(
        "payment_failed",
        """
        SELECT q.id, 'paid' AS reason,
               jsonb_build_object('invoice_id', i.id, 'status', i.status, 'paid_at', i.paid_at)
                   AS evidence
          FROM pending q JOIN payments.invoices i ON CAST(i.id AS text) = q.data ->> 'invoice_id'
         WHERE q.template IN ('PAYMENT_FAILED', 'PAYMENT_FAILED_FINAL')
           AND i.status IN ('PAID', 'CANCELED')
        """,
    ),
)
