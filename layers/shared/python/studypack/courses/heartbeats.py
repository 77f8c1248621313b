"""Which seconds of a video were played: a union, credited no faster than time passes.

A player sends the ranges that it played. What was not played before is added as far as the time
that passed gives room: from the opening of the lesson on, each second of the clock for as much as
the fastest speed plays in it, once; and a little slack. Time in which nothing came counts for a
quarter of an hour at most. So neither one late message nor many quick ones make a video watched,
and messages that come late, twice or out of order reach the same as in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

FASTEST_SPEED: Final = 2.0
SLACK_SECONDS: Final = 30
"""For what clocks and networks do between player and server."""
LONGEST_SILENCE: Final = timedelta(minutes=15)
"""A video is streamed: who plays has a network."""
MAX_BEATS: Final = 100
"""In one message."""


@dataclass(frozen=True)
class Beat:
    """A range of the video that was played without a jump, in whole seconds, and when it ended by
    the player's clock.
    """

    start: int
    end: int
    at: datetime | None = None


def played(beats: Sequence[Beat]) -> str:
    """The ranges as PostgreSQL reads an int4multirange; it joins what touches or overlaps.

    >>> played([Beat(0, 15), Beat(10, 20), Beat(7, 7)])
    '{[0,15),[10,20)}'
    """
    return "{" + ",".join(f"[{b.start},{b.end})" for b in beats if b.start < b.end) + "}"


def needed_seconds(duration_seconds: int, percent: int) -> int:
    """How many seconds of a video must have been played for it to be watched, rounded up."""
    return -(-duration_seconds * percent // 100)


def position_time(beats: Sequence[Beat], now: datetime) -> datetime:
    """When the learner was at the position of this message: after its last beat; a clock that is
    ahead of ours does not outrun later messages.
    """
    return min(max((beat.at for beat in beats if beat.at is not None), default=now), now)


_RECORD: Final = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT id, watched, heartbeat_at,
               greatest(coalesce(heartbeat_at, last_viewed_at),
                        CAST(:now AS timestamptz) - CAST(:longest_silence AS interval)) AS since
          FROM learning.lesson_progress
         WHERE user_id = :user_id AND lesson_id = :lesson_id
           FOR NO KEY UPDATE),
    allowed AS (
        SELECT CAST(floor(greatest(0,
                   extract(epoch FROM CAST(:now AS timestamptz) - since)
                       * CAST(:speed AS float) + CAST(:slack AS float))) AS int)
               AS seconds
          FROM locked),
    added AS (
        SELECT lower(r) AS low, upper(r) AS high,
               sum(upper(r) - lower(r)) OVER (ORDER BY lower(r)) - (upper(r) - lower(r)) AS before
          FROM locked
         CROSS JOIN LATERAL unnest(
               CAST(:played AS int4multirange)
               * int4multirange(int4range(0, CAST(:duration AS int)))
               - locked.watched) AS r),
    credited AS (
        SELECT coalesce(range_agg(int4range(low, least(high, low + room))), '{}') AS ranges,
               coalesce(sum(least(high - low, room)), 0) AS seconds
          FROM added
         CROSS JOIN LATERAL (SELECT CAST(allowed.seconds - before AS int) AS room
                               FROM allowed) left_over
         WHERE room > 0)
    UPDATE learning.lesson_progress p
       SET watched = p.watched + credited.ranges,
           watched_seconds = p.watched_seconds + credited.seconds,
           position_seconds = CASE
               WHEN p.position_at IS NULL OR p.position_at <= :position_at
               THEN least(CAST(:position AS int), CAST(:duration AS int))
               ELSE p.position_seconds END,
           position_at = greatest(p.position_at, CAST(:position_at AS timestamptz)),
           heartbeat_at = locked.since
               + make_interval(secs => credited.seconds / CAST(:speed AS float)),
           updated_at = :now
      FROM locked CROSS JOIN credited
     WHERE p.id = locked.id
    RETURNING p.view_count, p.completed, p.completed_at, p.position_seconds, p.watched_seconds,
              locked.heartbeat_at IS NULL AS is_first
    """
)
"""`heartbeat_at` moves by the time that the credited seconds took at the fastest speed: with slack,
ahead of the clock.
"""


def record(
    session: Session,
    user_id: UUID,
    lesson_id: UUID,
    beats: Sequence[Beat],
    *,
    position: int,
    duration_seconds: int,
    now: datetime,
) -> Row[Any] | None:
    """Add what was played to a lesson that was opened before, and move the position unless a newer
    message did; None when it was never opened. One statement.
    """
    return session.execute(
        _RECORD,
        {
            "user_id": user_id,
            "lesson_id": lesson_id,
            "played": played(beats),
            "position": position,
            "position_at": position_time(beats, now),
            "duration": duration_seconds,
            "speed": FASTEST_SPEED,
            "slack": SLACK_SECONDS,
            "longest_silence": LONGEST_SILENCE,
            "now": now,
        },
    ).one_or_none()
