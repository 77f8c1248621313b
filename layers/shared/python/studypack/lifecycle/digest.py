"""WEEKLY_DIGEST: what somebody did in the week before, on Monday morning where they live.

| comes up | withheld | taken back |
|---|---|---|
| Monday, from the end of the quiet hours for four hours, in the user's time zone, when XP was \
earned or a question answered in the week before | | `too_late`: it still waits two days \
later, e.g. because other marketing filled the week |
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.moment import Moment
from studypack.lifecycle.trigger import Trigger, Values

OPEN_FOR: Final = timedelta(hours=4)
NEWS_FOR: Final = timedelta(days=2)
"""After its coming up; the week that it tells of is then long past."""
_SUNDAY, _MONDAY = 6, 0

# Days are given as moments: PostgreSQL need not know every zone that Python knows. Nobody studies
# without a session, so of those who logged in longer ago than one lasts no week is looked into.
#
# Time spent is what was told with answers, what was played of the videos whose lessons were
# completed, and of other completed lessons what their author says they take.
_OCCASIONS = """
    SELECT u.id AS user_id, 'WEEKLY_DIGEST' AS template,
           u.id || ':' || (w.facts ->> 'week_start') AS occasion, w.due_at,
           CAST(NULL AS text) AS reason,
           w.facts || jsonb_strip_nulls(jsonb_build_object(
               'study_days', (SELECT jsonb_agg(EXISTS (
                                   SELECT FROM activity.xp_logs x WHERE x.user_id = u.id
                                      AND x.created_at >= CAST(w.days ->> n AS timestamptz)
                                      AND x.created_at < CAST(w.days ->> (n + 1) AS timestamptz))
                                   ORDER BY n) FROM generate_series(0, 6) n),
               'study_minutes', (answered.seconds + (
                   SELECT coalesce(sum(CASE l.kind WHEN 'VIDEO' THEN p.watched_seconds
                                            ELSE l.estimated_minutes * 60 END), 0)
                     FROM learning.item_completions d
                     JOIN learning.lessons l ON l.id = d.item_id
                     LEFT JOIN learning.lesson_progress p
                            ON p.user_id = d.user_id AND p.lesson_id = l.id
                    WHERE d.user_id = u.id AND d.kind = 'LESSON'
                      AND d.completed_at >= w.starts_at AND d.completed_at < w.ends_at)) / 60,
               'questions_answered', answered.questions,
               'lessons_completed', (SELECT count(*) FROM learning.item_completions d
                                      WHERE d.user_id = u.id AND d.kind = 'LESSON'
                                        AND d.completed_at >= w.starts_at
                                        AND d.completed_at < w.ends_at),
               'goal_minutes', (SELECT p.weekly_study_minutes FROM auth.user_profiles p
                                 WHERE p.user_id = u.id AND p.weekly_study_minutes > 0),
               'xp', nullif(earned.xp, 0))) AS data,
           jsonb_build_object('xp', earned.xp, 'questions', answered.questions,
                              'from', w.starts_at, 'to', w.ends_at) AS evidence
      FROM jsonb_to_recordset(CAST(:weeks AS jsonb))
           AS w (timezone text, starts_at timestamptz, ends_at timestamptz, due_at timestamptz,
                 days jsonb, facts jsonb)
      JOIN auth.users u ON u.timezone = w.timezone AND u.is_active AND u.deleted_at IS NULL
       AND u.last_login_at > w.starts_at - make_interval(days => :session_days + 1)
     CROSS JOIN LATERAL (
           SELECT coalesce(sum(x.xp_amount), 0) AS xp FROM activity.xp_logs x
            WHERE x.user_id = u.id AND x.created_at >= w.starts_at AND x.created_at < w.ends_at
           ) earned
     CROSS JOIN LATERAL (
           SELECT count(*) AS questions, coalesce(sum(r.time_spent_seconds), 0) AS seconds
             FROM (SELECT r.answered_at, r.time_spent_seconds
                     FROM learning.exam_sessions s
                     JOIN learning.exam_responses r ON r.session_id = s.id
                    WHERE s.user_id = u.id
                    UNION ALL
                   SELECT r.answered_at, r.time_spent_seconds
                     FROM learning.quiz_attempts t
                     JOIN learning.quiz_answers r ON r.attempt_id = t.id
                    WHERE t.user_id = u.id AND r.response IS NOT NULL) r
            WHERE r.answered_at >= w.starts_at AND r.answered_at < w.ends_at
           ) answered
     WHERE earned.xp > 0 OR answered.questions > 0
"""


def weeks_to_tell(now: datetime, *, morning: int) -> list[dict[str, Any]]:
    """For each time zone in which it is Monday morning now: the week before, as moments.

    `morning`: the hour from which people are written to.
    """
    if now.astimezone(UTC).weekday() not in {_SUNDAY, _MONDAY}:
        return []  # it is Monday nowhere, or past noon
    found = []
    for name in _zones():
        zone = ZoneInfo(name)
        local = now.astimezone(zone)
        opens = datetime.combine(local.date(), time(morning), tzinfo=zone)
        if local.weekday() != _MONDAY or not opens <= local < opens + OPEN_FOR:
            continue
        days = [
            datetime.combine(local.date() - timedelta(days=7 - day), time(), tzinfo=zone)
            for day in range(8)
        ]
        found.append(
            {
                "timezone": name,
                "starts_at": days[0].isoformat(),
                "ends_at": days[-1].isoformat(),
                "due_at": opens.isoformat(),
                "days": [each.isoformat() for each in days],
                "facts": {
                    "week_start": days[0].date().isoformat(),
                    "week_end": days[6].date().isoformat(),
                },
            }
        )
    return found


@cache
def _zones() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def _values(moment: Moment) -> Values | None:
    weeks = weeks_to_tell(moment.now, morning=moment.settings.mail_quiet_until)
    if not weeks:
        return None
    return {"weeks": json.dumps(weeks), "session_days": moment.settings.session_days}


TRIGGERS: Final = (Trigger("weekly_digest", _OCCASIONS, _values),)

CANCELLATIONS: Final = (
    Cancellation(
        "weekly_digest",
        f"""
        SELECT q.id, 'too_late' AS reason, CAST('{{}}' AS jsonb) AS evidence
          FROM pending q
         WHERE q.template = 'WEEKLY_DIGEST'
           AND q.created_at <= CAST(:now AS timestamptz)
                               - interval '{NEWS_FOR.total_seconds():.0f} seconds'
        """,  # noqa: S608 (our own text)
    ),
)
