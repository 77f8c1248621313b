"""MODULE_COMPLETE.

| comes up | withheld | taken back |
|---|---|---|
| at the first `module_completed` of a user and module | `withdrawn`: the module or its course is \
not there for learners any more; `too_late` after two days | `module_reset`: the module was begun \
anew before the mail went |

The event says which module, and how far its reader came; all that is printed of the module and its
course is read from their tables.
"""

from __future__ import annotations

from typing import Final

from studypack.courses.access import VISIBLE_COURSE, VISIBLE_MODULE
from studypack.courses.tally import ITEMS_OF_MODULE
from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.facts import FROM_PARTITION, as_id
from studypack.lifecycle.trigger import Trigger

_NEXT: Final = f"""
    SELECT m.title FROM learning.modules m
     WHERE m.course_id = done.course_id AND m.position > done.position AND {VISIBLE_MODULE}
       AND EXISTS ({ITEMS_OF_MODULE})
       AND NOT EXISTS (SELECT FROM learning.module_progress p
                        WHERE p.user_id = e.user_id AND p.module_id = m.id
                          AND p.status = 'COMPLETED')
     ORDER BY m.position LIMIT 1
"""  # noqa: S608 (our own text)
"""The module after the one that is `done` which has something left to do."""

_OCCASIONS = f"""
    SELECT e.user_id, 'MODULE_COMPLETE' AS template, e.user_id || ':' || done.id AS occasion,
           e.event_time AS due_at,
           CASE WHEN NOT ({VISIBLE_COURSE} AND done.published AND done.deleted_at IS NULL)
                THEN 'withdrawn'
                WHEN e.event_time + interval '2 days' <= :now THEN 'too_late' END AS reason,
           jsonb_strip_nulls(jsonb_build_object(
               'module_title', done.title, 'course_title', c.title, 'course_slug', c.slug,
               'course_percent',
               CASE WHEN jsonb_typeof(e.payload -> 'course_percent') = 'number'
                    THEN least(greatest(trunc(CAST(e.payload ->> 'course_percent' AS numeric)),
                                        0), 100) END,
               'next_module_title', ({_NEXT}))) AS data,
           jsonb_build_object('event_id', e.id, 'completed_at', e.event_time,
                              'module_id', done.id) AS evidence
      FROM activity.analytics_events e
      JOIN auth.users u ON u.id = e.user_id AND u.deleted_at IS NULL
      JOIN learning.modules done ON done.id = {as_id("e.payload ->> 'module_id'")}
      JOIN learning.courses c ON c.id = done.course_id
     WHERE e.event_name = 'module_completed' AND e.id >= {FROM_PARTITION}
       AND e.event_time > :now - make_interval(days => :lookback_days) AND e.event_time <= :now
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
