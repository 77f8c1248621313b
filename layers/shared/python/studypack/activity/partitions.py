"""Monthly partitions of `activity.analytics_events`."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

MONTHS_AHEAD = 3


def ensure_partitions(session: Session, *, months_ahead: int) -> int:
    """Create the missing partitions of this month and the next ones; returns how many were made."""
    made = session.scalar(
        text(
            """
            SELECT count(*) FILTER (WHERE activity.create_event_partition(month::date))
              FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
                                   date_trunc('month', now() AT TIME ZONE 'UTC')
                                   + make_interval(months => :ahead), interval '1 month') AS month
            """
        ),
        {"ahead": months_ahead},
    )
    return int(made or 0)
