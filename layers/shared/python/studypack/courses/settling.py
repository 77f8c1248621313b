"""The job that completes what has nothing left to do: learners in whose courses the last open item
was taken away by its author. Whatever a learner does themselves completes at once (completion.py).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from studypack.core.telemetry import get_logger
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_MODULE
from studypack.courses.completion import settle_enrollment
from studypack.courses.tally import COUNT_OF_MODULE

BATCH: Final = 50
LOOKS_BACK: Final = timedelta(days=3)
"""Only courses that were changed since are looked at: the work follows authors, not learners. A
job that stands still for longer is made up for by running it with more.
"""

_DUE: Final = text(
    f"""
    WITH changed AS (
        SELECT c.id FROM learning.courses c
         WHERE {VISIBLE_COURSE} AND (
               c.updated_at >= now() - CAST(:looks_back AS interval)
            OR EXISTS (SELECT FROM learning.modules m
                        WHERE m.course_id = c.id AND (
                              m.updated_at >= now() - CAST(:looks_back AS interval)
                           OR EXISTS (SELECT FROM learning.lessons l
                                       WHERE l.module_id = m.id
                                         AND l.updated_at >= now() - CAST(:looks_back AS interval))
                           OR EXISTS (SELECT FROM learning.module_items i
                                       WHERE i.module_id = m.id
                                         AND i.updated_at
                                             >= now() - CAST(:looks_back AS interval)))))
    )
    SELECT e.user_id, e.course_id, e.id, now() AS now
      FROM learning.enrollments e
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE counted.items > 0) AS modules,
                  count(*) FILTER (WHERE counted.items > 0 AND counted.items = counted.done
                                     AND p.status IS DISTINCT FROM 'COMPLETED') AS to_complete,
                  count(*) FILTER (WHERE counted.items > 0 AND counted.items > counted.done
                                     AND p.status IS DISTINCT FROM 'COMPLETED') AS open
             FROM learning.modules m
             LEFT JOIN learning.module_progress p
                    ON p.module_id = m.id AND p.user_id = e.user_id
            CROSS JOIN LATERAL ({COUNT_OF_MODULE.replace(":user_id", "e.user_id")}) counted
            WHERE m.course_id = e.course_id AND {VISIBLE_MODULE}) state
     WHERE e.status = 'ACTIVE' AND e.course_id IN (SELECT id FROM changed)
       AND e.id <> ALL (CAST(:passed_over AS uuid[]))
       AND (state.to_complete > 0 OR (state.modules > 0 AND state.open = 0))
     ORDER BY e.id LIMIT :batch
       FOR NO KEY UPDATE OF e SKIP LOCKED
    """  # noqa: S608 (our own text)
)
"""What completion.py's `_settle` would complete, for all learners at once."""


def settle_next(
    session: Session,
    *,
    passed_over: set[UUID],
    batch: int = BATCH,
    looks_back: timedelta = LOOKS_BACK,
) -> int:
    """Complete modules and courses of the next learners who have nothing left to do in them, and
    say of how many; 0 when there are none.

    An enrolment that cannot be settled is logged, left as it is and added to `passed_over`, whose
    enrolments are not claimed.
    """
    due = session.execute(
        _DUE,
        {"passed_over": list(passed_over), "batch": batch, "looks_back": looks_back},
    ).all()
    settled = 0
    for row in due:
        try:
            with session.begin_nested():
                completed = settle_enrollment(session, row.user_id, row.course_id, now=row.now)
        except (ValueError, LookupError, IntegrityError, DataError):
            completed = False
            get_logger().exception(
                "enrolment cannot be settled", extra={"enrollment_id": str(row.id)}
            )
        if completed:
            settled += 1
        else:
            passed_over.add(row.id)
    return settled
