"""WELCOME and START_JOURNEY.

| template | comes up | withheld | taken back |
|---|---|---|---|
| WELCOME | at sign-up, by sign-up itself; here for accounts without one | | account closed |
| START_JOURNEY | 24 hours after sign-up | `started`: a first video was begun; `too_late`: the job \
did not run for three days | `started` |
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.facts import has_event
from studypack.lifecycle.moment import Moment
from studypack.lifecycle.trigger import Trigger, Values

WELCOME_WITHIN: Final = timedelta(days=1)
JOURNEY_AFTER: Final = timedelta(hours=24)
JOURNEY_WITHIN: Final = timedelta(days=3)
STARTED: Final = ("video_1_started", "video_1_completed")

# Ids of accounts carry the time of sign-up: the primary key finds the new ones.
_SIGNED_UP = """
    u.id >= public.smallest_uuid7(:since)
    AND u.id < public.smallest_uuid7(:until + interval '1 second')
    AND u.created_at <= :until AND u.deleted_at IS NULL
"""

_WELCOME = f"""
    SELECT u.id AS user_id, 'WELCOME' AS template, CAST(u.id AS text) AS occasion,
           u.created_at AS due_at, CAST(NULL AS text) AS reason, CAST('{{}}' AS jsonb) AS data,
           jsonb_build_object('signed_up_at', u.created_at) AS evidence
      FROM auth.users u
     WHERE {_SIGNED_UP}
       AND NOT EXISTS (SELECT FROM notifications.email_queue q
                        WHERE q.dedupe_key = 'WELCOME:' || u.id)
"""  # noqa: S608 (our own text)

_START_JOURNEY = f"""
    SELECT u.id AS user_id, 'START_JOURNEY' AS template, CAST(u.id AS text) AS occasion,
           u.created_at + :journey_after AS due_at,
           CASE WHEN started.id IS NOT NULL THEN 'started'
                WHEN u.created_at + :journey_after + :journey_within <= :now
                THEN 'too_late' END AS reason,
           CAST(:lesson AS jsonb) AS data,
           jsonb_build_object('signed_up_at', u.created_at, 'event_id', started.id,
                              'started_at', started.event_time) AS evidence
      FROM auth.users u
      LEFT JOIN LATERAL ({has_event("u.id", *STARTED)}) started ON true
     WHERE {_SIGNED_UP}
"""  # noqa: S608 (our own text)


def _since_welcome(moment: Moment) -> Values:
    return {"since": moment.now - WELCOME_WITHIN, "until": moment.now}


def _since_journey(moment: Moment) -> Values:
    lesson = moment.settings.journey_lesson
    lookback = timedelta(days=moment.settings.lifecycle_lookback_days)
    return {
        "since": moment.now - JOURNEY_AFTER - lookback,
        "until": moment.now - JOURNEY_AFTER,
        "journey_after": JOURNEY_AFTER,
        "journey_within": JOURNEY_WITHIN,
        "lesson": "{}" if lesson is None else lesson.model_dump_json(exclude_none=True),
    }


TRIGGERS: Final = (
    Trigger("welcome", _WELCOME, _since_welcome),
    Trigger("start_journey", _START_JOURNEY, _since_journey),
)

CANCELLATIONS: Final = (
    Cancellation(
        "start_journey",
        f"""
        SELECT q.id, 'started' AS reason,
               jsonb_build_object('event_id', started.id, 'started_at', started.event_time)
                   AS evidence
          FROM pending q
         CROSS JOIN LATERAL ({has_event("q.user_id", *STARTED)}) started
         WHERE q.template = 'START_JOURNEY'
        """,  # noqa: S608 (our own text)
    ),
)


def start_journey(
    signed_up_at: datetime, started_at: datetime | None, *, now: datetime
) -> str | None:
    """The table above as a function: `due`, why not, or None while the time has not come."""
    due = signed_up_at + JOURNEY_AFTER
    if now < due:
        return None
    if started_at is not None and started_at <= now:
        return "started"
    return "too_late" if now >= due + JOURNEY_WITHIN else "due"
