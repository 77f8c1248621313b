"""ABANDONMENT_1, _2 and _3: somebody finished a first video and did not subscribe.

The three count from the first `video_1_completed` of a user, and come up once each.

| template | comes up | withheld | taken back |
|---|---|---|---|
| ABANDONMENT_1 | after 1 hour | `subscribed`, `free_plan` (all have courses), `withdrawn` (the \
lesson is not there for learners any more), `too_late` once the next has come up | `subscribed`, \
`superseded` when the next comes up while it waits |
| ABANDONMENT_2 | after 24 hours | likewise | likewise |
| ABANDONMENT_3 | after 3 days | likewise; `too_late` after 3 more days | `subscribed` |

Subscribed: a paid entitlement to courses by any way (a purchase, a seat, an override), as requests
are let in by (billing/holdings.py).

The event says which lesson; all that is printed of it and its course is read from their tables.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from studypack.courses.access import VISIBLE_COURSE, VISIBLE_LESSON, VISIBLE_MODULE
from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.facts import FROM_PARTITION, PRICE_FROM, as_id, pays_for_courses
from studypack.lifecycle.trigger import Trigger
from studypack.notifications.models import EmailTemplate

STEPS: Final = {
    EmailTemplate.ABANDONMENT_1: (timedelta(hours=1), timedelta(hours=24)),
    EmailTemplate.ABANDONMENT_2: (timedelta(hours=24), timedelta(days=3)),
    EmailTemplate.ABANDONMENT_3: (timedelta(days=3), timedelta(days=6)),
}
"""After how long each comes up, and after how long it is too late."""

_STEPS = ", ".join(
    f"('{template.value}', interval '{after.total_seconds():.0f} seconds',"
    f" interval '{until.total_seconds():.0f} seconds')"
    for template, (after, until) in STEPS.items()
)

_LESSONS_OF_COURSE: Final = """
    FROM learning.modules om JOIN learning.lessons ol ON ol.module_id = om.id
   WHERE om.course_id = c.id AND om.published AND om.deleted_at IS NULL
     AND ol.published AND ol.deleted_at IS NULL
"""

_OCCASIONS = f"""
    SELECT e.user_id, step.template, CAST(e.user_id AS text) AS occasion,
           e.event_time + step.after AS due_at,
           CASE WHEN {pays_for_courses("u")} THEN 'subscribed'
                WHEN :courses_are_free THEN 'free_plan'
                WHEN NOT ({VISIBLE_COURSE} AND {VISIBLE_MODULE} AND {VISIBLE_LESSON})
                THEN 'withdrawn'
                WHEN e.event_time + step.until <= :now THEN 'too_late' END AS reason,
           jsonb_strip_nulls(jsonb_build_object(
               'course_title', c.title, 'course_slug', c.slug, 'lesson_title', l.title,
               'next_lesson_title',
               (SELECT ol.title {_LESSONS_OF_COURSE}
                   AND (om.position, ol.position) > (m.position, l.position)
                 ORDER BY om.position, ol.position LIMIT 1),
               'lesson_count', nullif((SELECT count(*) {_LESSONS_OF_COURSE}), 0),
               'price', price.lowest)) AS data,
           jsonb_build_object('event_id', e.id, 'completed_at', e.event_time) AS evidence
      FROM activity.analytics_events e
      JOIN auth.users u ON u.id = e.user_id AND u.deleted_at IS NULL
      JOIN (VALUES {_STEPS}) step (template, after, until) ON e.event_time + step.after <= :now
     CROSS JOIN (SELECT {PRICE_FROM} AS lowest) price
      LEFT JOIN learning.lessons l ON l.id = {as_id("e.payload ->> 'lesson_id'")}
      LEFT JOIN learning.modules m ON m.id = l.module_id
      LEFT JOIN learning.courses c ON c.id = m.course_id
     WHERE e.event_name = 'video_1_completed' AND e.id >= {FROM_PARTITION}
       AND e.event_time > :now - make_interval(days => :lookback_days) AND e.event_time <= :now
       AND NOT EXISTS (SELECT FROM activity.analytics_events f
                        WHERE f.user_id = e.user_id AND f.event_name = e.event_name
                          AND f.event_time <= e.event_time
                          AND (f.event_time, f.id) < (e.event_time, e.id))
"""  # noqa: S608 (our own text)

TRIGGERS: Final = (Trigger("abandonment", _OCCASIONS),)

CANCELLATIONS: Final = (
    Cancellation(
        "abandonment",
        f"""
        SELECT q.id, 'subscribed' AS reason, CAST('{{}}' AS jsonb) AS evidence
          FROM pending q JOIN auth.users u ON u.id = q.user_id
         WHERE q.template LIKE 'ABANDONMENT\\_%' AND {pays_for_courses("u")}
        """,  # noqa: S608 (our own text)
    ),
    Cancellation(
        "abandonment",
        """
        SELECT q.id, 'superseded' AS reason, jsonb_build_object('by', later.id) AS evidence
          FROM pending q
          JOIN notifications.email_queue later ON later.dedupe_key IN (
               'ABANDONMENT_2:' || q.user_id, 'ABANDONMENT_3:' || q.user_id)
           AND later.template > q.template
         WHERE q.template IN ('ABANDONMENT_1', 'ABANDONMENT_2')
        """,
    ),
)


def abandonment(
    template: EmailTemplate, completed_at: datetime, *, subscribed: bool, now: datetime
) -> str | None:
    """The table above as a function: `due`, why not, or None while the time has not come."""
    after, until = STEPS[template]
    if now < completed_at + after:
        return None
    if subscribed:
        return "subscribed"
    return "too_late" if now >= completed_at + until else "due"
