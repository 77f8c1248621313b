"""MODULE_COMPLETE.

| comes up | withheld | taken back |
|---|---|---|
| at the first `module_completed` of a user and module | `too_late` after two days | \
`module_reset`: the module was begun anew before the mail went |
"""

from __future__ import annotations

from typing import Final

from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.facts import FROM_PARTITION
from studypack.lifecycle.trigger import Trigger

# A module's id comes from a payload, which a browser may have written.
_OCCASIONS = f"""
    SELECT e.user_id, 'MODULE_COMPLETE' AS template,
           e.user_id || ':' || (e.payload ->> 'module_id') AS occasion, e.event_time AS due_at,
           CASE WHEN e.event_time + interval '2 days' <= :now THEN 'too_late' END AS reason,
           jsonb_strip_nulls(jsonb_build_object(
               'module_title', e.payload -> 'module_title',
               'course_title', coalesce(e.payload -> 'course_title', to_jsonb(c.title)),
               'course_slug', coalesce(e.payload -> 'course_slug', to_jsonb(c.slug)),
               'course_percent', e.payload -> 'course_percent',
               'next_module_title', e.payload -> 'next_module_title')) AS data,
           jsonb_build_object('event_id', e.id, 'completed_at', e.event_time,
                              'module_id', e.payload -> 'module_id') AS evidence
      FROM activity.analytics_events e
      JOIN auth.users u ON u.id = e.user_id AND u.deleted_at IS NULL
      LEFT JOIN learning.courses c
             ON CAST(c.id AS text) = e.payload ->> 'course_id' AND c.deleted_at IS NULL
     WHERE e.event_name = 'module_completed' AND e.id >= {FROM_PARTITION}
       AND e.event_time > :now - make_interval(days => :lookback_days) AND e.event_time <= :now
       AND length(e.payload ->> 'module_id') BETWEEN 1 AND 64
"""  # noqa: S608 (our own text)

TRIGGERS: Final = (Trigger("module_complete", _OCCASIONS),)

CANCELLATIONS: Final = (
    Cancellation(
        "module_complete",
        """
        SELECT q.id, 'module_reset' AS reason,
               jsonb_build_object('event_id', reset.id, 'reset_at', reset.event_time) AS evidence
          FROM pending q
         CROSS JOIN LATERAL (
               SELECT f.id, f.event_time FROM activity.analytics_events f
                WHERE f.user_id = q.user_id AND f.event_name = 'module_reset'
                  AND f.event_time >= q.created_at AND f.event_time <= :now
                  AND q.dedupe_key = 'MODULE_COMPLETE:' || f.user_id || ':'
                                     || (f.payload ->> 'module_id')
                ORDER BY f.event_time LIMIT 1) reset
         WHERE q.template = 'MODULE_COMPLETE'
        """,
    ),
)
