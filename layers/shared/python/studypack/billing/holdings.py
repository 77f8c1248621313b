"""What somebody bought, subscribed to or was given a seat in, and whether it is in force now: one
definition for the authenticating statement and for its explanation.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.billing.entitlements import Grant, Holding, Source
from studypack.billing.features import Feature

HOLDINGS: Final = """
    SELECT 'purchase' AS source, p.id, p.product_id, p.access_start AS since,
           p.access_end AS until, false AS renews, p.event_id,
           CASE WHEN p.is_duplicate THEN 'paid_twice'
                WHEN p.status = 'PENDING' THEN 'unpaid'
                WHEN p.status <> 'COMPLETED' THEN coalesce(p.status_reason, lower(p.status))
                WHEN p.access_start > now() + interval '5 minutes' THEN 'not_begun'
                WHEN p.access_end <= now() THEN 'window_ended'
            END AS closed_because
      FROM payments.purchases p
     WHERE p.user_id = {user}
    UNION ALL
    SELECT h.source, h.holding_id, s.product_id, s.started_at,
           CASE WHEN s.status = 'PAST_DUE' THEN g.grace_until
                ELSE s.current_period_end END,
           s.status IN ('TRIALING', 'ACTIVE') AND NOT s.cancel_at_period_end,
           coalesce(s.access_end_event_id, s.event_id),
           CASE WHEN h.beyond THEN 'no_seat_left'
                WHEN s.is_duplicate THEN 'subscribed_twice'
                WHEN s.access_ended_at IS NOT NULL THEN 'refunded'
                WHEN s.status = 'PAST_DUE' AND g.grace_until <= now() THEN 'grace_ended'
                WHEN s.status NOT IN ('TRIALING', 'ACTIVE', 'PAST_DUE') THEN lower(s.status)
                WHEN s.status <> 'PAST_DUE'
                     AND s.current_period_end + make_interval(days => :grace_days) <= now()
                     THEN 'period_ended'
            END
      FROM (SELECT 'subscription' AS source, own.id AS holding_id, own.id AS subscription_id,
                   false AS beyond
              FROM payments.subscriptions own WHERE own.user_id = {user}
            UNION ALL
            SELECT 'seat', t.id, t.subscription_id,
                   (SELECT count(*) FROM payments.seats e
                     WHERE e.subscription_id = t.subscription_id AND e.removed_at IS NULL
                       AND e.id < t.id) >= b.quantity
              FROM payments.seats t JOIN payments.subscriptions b ON b.id = t.subscription_id
             WHERE t.user_id = {user} AND t.removed_at IS NULL) h
      JOIN payments.subscriptions s ON s.id = h.subscription_id
     CROSS JOIN LATERAL (
           SELECT coalesce(s.payment_failed_at, s.current_period_start)
                  + make_interval(days => :grace_days) AS grace_until) g
"""
"""`{user}`: an SQL expression of the user's id. `:grace_days`: the setting.

Stripe's clock and ours differ by seconds, so a purchase may begin a little ahead of now; a period
that ended without news of the next one lasts as long as grace does, so that nobody is locked out
because a message is late. Seats beyond those paid for are those taken last.
"""

_EXPLAIN = text(
    f"""
    SELECT h.source, h.id, h.product_id, h.since, h.until, h.renews, h.closed_because,
           h.event_id, e.type AS event_type, p.sku, p.name,
           (SELECT coalesce(jsonb_agg(jsonb_build_array(
                       g.feature, g.course_id, g.template_id, g.deck_id)), '[]')
              FROM payments.product_grants g WHERE g.product_id = h.product_id) AS grants
      FROM ({HOLDINGS.format(user=":user_id")}) h
      JOIN payments.products p ON p.id = h.product_id
      LEFT JOIN payments.stripe_events e ON e.id = h.event_id
     ORDER BY h.since DESC NULLS LAST, h.id
     LIMIT 200
    """  # noqa: S608 (our own text, with a parameter's name in it)
)


def list_holdings(session: Session, user_id: UUID, *, grace_days: int) -> list[Holding]:
    """Everything that this user holds or held, newest first, in one statement."""
    rows = session.execute(_EXPLAIN, {"user_id": user_id, "grace_days": grace_days})
    return [
        Holding(
            source=Source(row.source),
            id=row.id,
            product_id=row.product_id,
            sku=row.sku,
            product_name=row.name,
            grants=frozenset(to_grant(each) for each in row.grants),
            since=row.since,
            until=row.until,
            renews=row.renews and row.closed_because is None,
            closed_because=row.closed_because,
            event_id=row.event_id,
            event_type=row.event_type,
        )
        for row in rows
    ]


def to_grant(values: list[Any]) -> Grant:
    """From the JSON array [feature, course, template, deck] of a statement."""
    feature, *scope = values
    course_id, template_id, deck_id = (UUID(each) if each else None for each in scope)
    return Grant(Feature(feature), course_id, template_id, deck_id)
