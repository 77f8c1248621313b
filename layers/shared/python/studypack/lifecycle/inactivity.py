"""INACTIVE_NUDGE: once for each time that somebody stays away.

| comes up | withheld | taken back |
|---|---|---|
| 7 days after the latest of login, last seen and study; until the look-back's end | | \
`logged_in`: came back before the mail went |
"""

from __future__ import annotations

from typing import Final

from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.moment import Moment
from studypack.lifecycle.trigger import Trigger, Values

AFTER_DAYS: Final = 7

LATEST: Final = """
    SELECT greatest(u.last_login_at, u.created_at,
                    (SELECT max(s.last_seen_at) FROM auth.sessions s WHERE s.user_id = u.id),
                    (SELECT a.created_at FROM activity.user_activities a
                      WHERE a.user_id = u.id ORDER BY a.id DESC LIMIT 1),
                    (SELECT p.last_viewed_at FROM learning.lesson_progress p
                      WHERE p.user_id = u.id ORDER BY p.last_viewed_at DESC LIMIT 1)) AS at
"""
"""When user `u` was last here. What they did outlives the session in which they did it, which goes
when they sign out: their feed, and the lesson that they opened last.
"""

# Sessions are removed when they end, so that the latest time may go back: a nudge since then
# stands for the same absence.
#
# Nobody is here without a session, which lasts `:session_days` after a login: whoever logged in
# longer ago left before the look-back (the day more is for an exam that is scored after its session
# ended; where the setting was lowered, who still uses a longer session is passed over). The rest
# are the people of two months, however many accounts there are. OFFSET 0 has the latest time found
# once for each of them, and past nudges looked up instead of read as a whole.
_OCCASIONS = f"""
    SELECT u.id AS user_id, 'INACTIVE_NUDGE' AS template,
           u.id || ':' || to_char(latest.at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS') AS occasion,
           latest.at + interval '{AFTER_DAYS} days' AS due_at, CAST(NULL AS text) AS reason,
           CAST('{{}}' AS jsonb) AS data,
           jsonb_build_object('last_active_at', latest.at) AS evidence
      FROM auth.users u CROSS JOIN LATERAL ({LATEST} OFFSET 0) latest
     WHERE u.is_active AND u.deleted_at IS NULL
       AND u.last_login_at <= :now - interval '{AFTER_DAYS} days'
       AND u.last_login_at > :now - make_interval(
               days => {AFTER_DAYS} + :lookback_days + :session_days + 1)
       AND latest.at <= :now - interval '{AFTER_DAYS} days'
       AND latest.at > :now - make_interval(days => {AFTER_DAYS} + :lookback_days)
       AND NOT EXISTS (SELECT FROM notifications.email_decisions d
                        WHERE d.user_id = u.id AND d.template = 'INACTIVE_NUDGE'
                          AND d.decided_at > latest.at OFFSET 0)
"""  # noqa: S608 (our own text)


def _values(moment: Moment) -> Values:
    return {"session_days": moment.settings.session_days}


TRIGGERS: Final = (Trigger("inactivity", _OCCASIONS, _values),)

CANCELLATIONS: Final = (
    Cancellation(
        "inactivity",
        f"""
        SELECT q.id, 'logged_in' AS reason,
               jsonb_build_object('last_active_at', latest.at) AS evidence
          FROM pending q JOIN auth.users u ON u.id = q.user_id CROSS JOIN LATERAL ({LATEST}) latest
         WHERE q.template = 'INACTIVE_NUDGE' AND latest.at > q.created_at
        """,  # noqa: S608 (our own text)
    ),
)
