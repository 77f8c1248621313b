"""Limits on how often something may be tried, counted in PostgreSQL and so shared by all
environments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, text, update
from sqlalchemy.orm import Session

from studypack.accounts.models import Throttle
from studypack.core.business_settings import get_business_settings
from studypack.core.database import record_independently
from studypack.core.errors import TooManyRequests

QUARTER_HOUR = 15 * 60
HOUR = 60 * 60


@dataclass(frozen=True)
class Limit:
    """At most `hits` tries of `scope` by or on `subject` (an address, an account) in a window of
    `seconds`.
    """

    scope: str
    subject: str
    hits: int
    seconds: int

    @property
    def key(self) -> bytes:
        """A hash, so that the table holds no addresses."""
        return hashlib.sha256(f"{self.scope}:{self.subject.casefold()}".encode()).digest()


class Throttled(TooManyRequests):
    """A limit is reached; `reached_now`: those reached with this try, so that each is told once a
    window.
    """

    def __init__(self, *, retry_after_seconds: int, reached_now: Sequence[Limit]) -> None:
        super().__init__(
            "Too many tries; wait before the next one.", retry_after_seconds=retry_after_seconds
        )
        self.reached_now = reached_now


def mail_limits(session: Session, scope: str, email: str, caller: str) -> tuple[Limit, Limit]:
    """The limits of routes that mail whoever is named: per named address and per caller (a network
    address, an account).
    """
    hits = get_business_settings(session).mails_per_address
    return (
        Limit(f"{scope}-mail", email, hits, HOUR),
        Limit(f"{scope}-from", caller, hits * 10, HOUR),
    )


_COUNT = text(
    """
    INSERT INTO auth.throttles AS counted (key, hits, resets_at)
    SELECT key, 1, now() + make_interval(secs => seconds)
      FROM unnest(CAST(:keys AS bytea[]), CAST(:seconds AS int[])) AS wanted (key, seconds)
     ORDER BY key
    ON CONFLICT (key) DO UPDATE
       SET hits = CASE WHEN counted.resets_at <= now() THEN 1 ELSE counted.hits + 1 END,
           resets_at = CASE WHEN counted.resets_at <= now() THEN excluded.resets_at
                            ELSE counted.resets_at END
    RETURNING key, hits, ceil(extract(epoch FROM resets_at - now()))::int AS seconds_left, now()
    """
)
"""Sorted by key, so that two requests that count the same pair cannot deadlock."""


def take(session: Session, *limits: Limit) -> datetime:
    """Count one try against each limit, in a transaction of its own, and return the database's
    time.

    Counting comes before the work and stays when the work is refused, so neither a rolled-back
    request nor a volley of parallel ones gets a free try. Raises Throttled with the longest wait.
    """
    rows = record_independently(
        session,
        lambda independent: independent.execute(
            _COUNT,
            {
                "keys": [limit.key for limit in limits],
                "seconds": [limit.seconds for limit in limits],
            },
        ).all(),
    )
    counted = {bytes(row.key): row for row in rows}
    reached = [limit for limit in limits if counted[limit.key].hits > limit.hits]
    if reached:
        raise Throttled(
            retry_after_seconds=max(counted[limit.key].seconds_left for limit in reached),
            reached_now=[limit for limit in reached if counted[limit.key].hits == limit.hits + 1],
        )
    now: datetime = rows[0].now
    return now


def forgive(session: Session, limits: Sequence[Limit], *, this_try: Sequence[Limit] = ()) -> None:
    """Forget the count of these limits, and of others `this_try` alone, in the request's
    transaction: the right password was given.

    One's own mistakes are over with it; those of others behind the same network address are not.
    """
    forgotten = [limit.key for limit in limits]
    keys = sorted([*forgotten, *(limit.key for limit in this_try)])
    in_order = select(Throttle.key).where(Throttle.key.in_(keys)).order_by(Throttle.key)
    session.execute(
        update(Throttle)
        .where(Throttle.key.in_(in_order.with_for_update()))
        .values(
            hits=case((Throttle.key.in_(forgotten), 0), else_=func.greatest(Throttle.hits - 1, 0))
        )
        .execution_options(synchronize_session=False)
    )
