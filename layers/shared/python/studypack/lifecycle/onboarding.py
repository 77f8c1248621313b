"""WELCOME and START_JOURNEY.

| template | comes up | withheld | taken back |
|---|---|---|---|
| WELCOME | at sign-up, by sign-up itself; here for accounts without one | | account closed |
| START_JOURNEY | 24 hours after sign-up | `started`: a first video was begun; `too_late`: the job \
did not run for three days; `no_lesson`: there is none to lead to | `started` |

START_JOURNEY leads to a course's first free video: the one whose watching makes `video_1_started`.
Of the course that the reader is in, the first if they are in several; else of the first course of
the catalogue that they could begin. The setting `journey_lesson` goes before both.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from studypack.courses.access import (
    IS_FIRST_FREE_VIDEO,
    VISIBLE_COURSE,
    VISIBLE_LESSON,
    VISIBLE_MODULE,
)
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

# Few rows, found once for all newcomers. Whom a course asks for another first cannot begin it.
_FIRST_VIDEOS = f"""
    first_videos AS MATERIALIZED (
        SELECT c.id AS course_id, c.position, c.title,
               EXISTS (SELECT FROM learning.course_prerequisites p
                        WHERE p.course_id = c.id) AS asks_for_another,
               jsonb_strip_nulls(jsonb_build_object(
                   'course_title', c.title, 'lesson_title', l.title, 'lesson_id', l.id,
                   'lesson_minutes', coalesce(
                       l.estimated_minutes, ceil(l.duration_seconds / 60.0)))) AS lesson
          FROM learning.courses c
          JOIN learning.modules m ON m.course_id = c.id AND {VISIBLE_MODULE}
          JOIN learning.lessons l ON l.module_id = m.id AND {VISIBLE_LESSON}
         WHERE {VISIBLE_COURSE} AND l.video_status = 'READY' AND {IS_FIRST_FREE_VIDEO}),
"""  # noqa: S608 (our own text)

_START_JOURNEY = f"""
    SELECT u.id AS user_id, 'START_JOURNEY' AS template, CAST(u.id AS text) AS occasion,
           u.created_at + :journey_after AS due_at,
           CASE WHEN started.id IS NOT NULL THEN 'started'
                WHEN u.created_at + :journey_after + :journey_within <= :now
                THEN 'too_late'
                WHEN journey.lesson IS NULL THEN 'no_lesson' END AS reason,
           coalesce(journey.lesson, '{{}}') AS data,
           jsonb_build_object('signed_up_at', u.created_at, 'event_id', started.id,
                              'started_at', started.event_time,
                              'lesson_id', journey.lesson -> 'lesson_id') AS evidence
      FROM auth.users u
      LEFT JOIN LATERAL ({has_event("u.id", *STARTED)}) started ON true
     CROSS JOIN LATERAL (
           SELECT coalesce(CAST(:lesson AS jsonb), (
                      SELECT f.lesson FROM first_videos f
                        LEFT JOIN learning.enrollments n
                               ON n.user_id = u.id AND n.course_id = f.course_id
                       WHERE n.status = 'ACTIVE' OR (n.id IS NULL AND NOT f.asks_for_another)
                       ORDER BY n.id IS NULL, n.enrolled_at, f.position, f.title LIMIT 1)
                  ) AS lesson OFFSET 0) journey
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
        "lesson": None if lesson is None else lesson.model_dump_json(exclude_none=True),
    }


TRIGGERS: Final = (
    Trigger("welcome", _WELCOME, _since_welcome),
    Trigger("start_journey", _START_JOURNEY, _since_journey, common=_FIRST_VIDEOS),
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
    signed_up_at: datetime, started_at: datetime | None, *, has_lesson: bool = True, now: datetime
) -> str | None:
    """The table above as a function: `due`, why not, or None while the time has not come."""
    due = signed_up_at + JOURNEY_AFTER
    if now < due:
        return None
    if started_at is not None and started_at <= now:
        return "started"
    if now >= due + JOURNEY_WITHIN:
        return "too_late"
    return "due" if has_lesson else "no_lesson"
