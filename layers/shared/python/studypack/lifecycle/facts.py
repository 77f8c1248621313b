"""Facts that several triggers ask for, as SQL."""

from __future__ import annotations

from typing import Final

from studypack.billing.features import Feature
from studypack.billing.holdings import HOLDINGS
from studypack.billing.money import THREE_DECIMAL, ZERO_DECIMAL


def pays_for_courses(user: str) -> str:
    """Whether this user has a paid entitlement to courses (or all features without paying), by the
    definition that requests are let in by; `user` is an alias of auth.users.
    """
    holdings = HOLDINGS.format(user=f"{user}.id").replace("now()", "CAST(:now AS timestamptz)")
    return f"""
        ({user}.access_override OR EXISTS (
            SELECT FROM ({holdings}) h
              JOIN payments.product_grants g ON g.product_id = h.product_id
             WHERE h.closed_because IS NULL AND g.feature = '{Feature.COURSES.value}'))
    """


def money(amount: str, currency: str) -> str:
    """An amount in minor units as billing/money.py's `format_money` writes it."""
    return f"""
        (CASE WHEN {currency} IN ({_quoted(ZERO_DECIMAL)})
              THEN to_char({amount}, 'FM999,999,999,999,990')
              WHEN {currency} IN ({_quoted(THREE_DECIMAL)})
              THEN to_char({amount} / 1000.0, 'FM999,999,999,990.000')
              ELSE to_char({amount} / 100.0, 'FM999,999,999,990.00') END
         || ' ' || upper({currency}))
    """


def _quoted(codes: frozenset[str]) -> str:
    return ", ".join(f"'{code}'" for code in sorted(codes))


PRICE_FROM: Final = f"""
    (SELECT {money("p.price_amount", "p.currency")}
            || CASE p.interval WHEN 'ANNUAL' THEN ' a year' ELSE ' a month' END
       FROM payments.products p
      WHERE p.is_active AND p.kind = 'SUBSCRIPTION' AND NOT p.has_seats
        AND EXISTS (SELECT FROM payments.product_grants g
                     WHERE g.product_id = p.id AND g.feature = '{Feature.COURSES.value}')
      ORDER BY p.price_amount, p.id LIMIT 1)
"""  # noqa: S608 (our own text)
"""What courses cost at least, e.g. `49.00 USD a month`; NULL when no subscription opens them."""

FROM_PARTITION: Final = "public.smallest_uuid7(:now - make_interval(days => :lookback_days + 1))"
"""Events have version 7 ids of the time when they came in, by which they are partitioned: months
before this are not looked into. A day more, since a browser's clock and ours differ.
"""


def has_event(user: str, *names: str) -> str:
    """The earliest event of these names by a user, as a row `(id, event_time)`, or nothing."""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"""
        SELECT f.id, f.event_time FROM activity.analytics_events f
         WHERE f.user_id = {user} AND f.event_name IN ({listed}) AND f.event_time <= :now
         ORDER BY f.event_time, f.id LIMIT 1
    """  # noqa: S608 (our own text)


def as_id(text: str) -> str:
    """A text as an id; NULL when it is none, since a payload may hold anything."""
    return f"CASE WHEN pg_input_is_valid({text}, 'uuid') THEN CAST({text} AS uuid) END"


def live_plan(user: str) -> str:
    """The plan of a user's live subscription as its status has it, FREE without one."""
    return f"""
        coalesce((SELECT s.plan FROM payments.subscriptions s
                   WHERE s.user_id = {user}.id AND NOT s.is_duplicate
                     AND s.status IN ('TRIALING', 'ACTIVE', 'PAST_DUE') LIMIT 1), 'FREE')
    """  # noqa: S608 (our own text)
