"""The job that completes what has nothing left to do: learners in whose courses the last open item
was taken away by its author. Whatever a learner does themselves completes at once (completion.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from studypack.core.telemetry import get_logger
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_MODULE
from studypack.courses.completion import settle_enrollment
from studypack.courses.tally import COUNT_OF_MODULE

BATCH: Final = 50
WINDOW: Final = 1_000
"""So many enrolments a statement looks at: to count what each has done takes a quarter of a
millisecond.
"""
LOOKS_BACK: Final = timedelta(days=3)
"""Only courses that were changed since are looked at: the work follows authors, not learners. A
job that stands still for longer is made up for by running it with more.
"""

_CHANGED: Final = text(
    f"""
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
                                     AND i.updated_at >= now() - CAST(:looks_back AS interval)))))
    """  # noqa: S608 (our own text)
)

_LOOKED_AT: Final = """
      FROM learning.enrollments e
     WHERE e.status = 'ACTIVE' AND e.course_id = ANY (CAST(:courses AS uuid[]))
       AND (CAST(:after AS uuid) IS NULL OR e.id > :after)
"""

_END: Final = text(f"SELECT e.id {_LOOKED_AT} ORDER BY e.id OFFSET :window - 1 LIMIT 1")

_DUE: Final = text(
    f"""
    SELECT e.user_id, e.course_id, e.id, now() AS now
      FROM (SELECT e.id {_LOOKED_AT} AND (CAST(:until AS uuid) IS NULL OR e.id <= :until)) looked_at
      JOIN learning.enrollments e ON e.id = looked_at.id
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
     WHERE e.status = 'ACTIVE' AND e.id <> ALL (CAST(:passed_over AS uuid[]))
       AND (state.to_complete > 0 OR (state.modules > 0 AND state.open = 0))
     ORDER BY e.id LIMIT :batch
       FOR NO KEY UPDATE OF e SKIP LOCKED
    """  # noqa: S608 (our own text)
)
"""What completion.py's `_settle` would complete, for all learners of a window at once."""


@dataclass
class Walk:
    """How far a run has come: by the enrolments' ids, so that it looks at each once."""

    courses: list[UUID] | None = None
    """Those that were changed; None: not looked up yet."""
    after: UUID | None = None
    ended: bool = False


def settle_next(
    session: Session,
    walk: Walk,
    *,
    passed_over: set[UUID],
    batch: int = BATCH,
    window: int = WINDOW,
    looks_back: timedelta = LOOKS_BACK,
) -> int:
    """Complete modules and courses of the next learners who have nothing left to do in them, and
    say of how many; 0 when the walk has come to its end.

    An enrolment that cannot be settled is logged, left as it is and added to `passed_over`, whose
    enrolments are not claimed.
    """
    if walk.courses is None:
        walk.courses = list(session.scalars(_CHANGED, {"looks_back": looks_back}))
        walk.ended = not walk.courses
    settled = 0
    while not walk.ended and not settled:
        settled = _settle_window(session, walk, passed_over, batch=batch, window=window)
    return settled


def _settle_window(
    session: Session, walk: Walk, passed_over: set[UUID], *, batch: int, window: int
) -> int:
    """Settle who is due in the next window, or the first of them, and let the walk go on behind."""
    place = {"courses": walk.courses, "after": walk.after}
    end = session.scalar(_END, {**place, "window": window})
    due = session.execute(
        _DUE, {**place, "until": end, "passed_over": list(passed_over), "batch": batch}
    ).all()
    settled = sum(_settle(session, row, passed_over) for row in due)
    if len(due) == batch:
        walk.after = due[-1].id
    else:
        walk.after, walk.ended = end, end is None
    return settled


def _settle(session: Session, due: Row[Any], passed_over: set[UUID]) -> bool:
    completed = False
    try:
        with session.begin_nested():
            completed = settle_enrollment(session, due.user_id, due.course_id, now=due.now)
    except (ValueError, LookupError, IntegrityError, DataError):
        get_logger().exception("enrolment cannot be settled", extra={"enrollment_id": str(due.id)})
    if not completed:
        passed_over.add(due.id)
    return completed
