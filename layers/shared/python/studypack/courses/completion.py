"""What follows when something of a course is done: exactly once, however many say so at once.

Locks are taken in one order, so that no two transactions wait for each other: the row that was
worked on (lesson progress, quiz attempt), the enrolment, then what hangs from it (item completions,
module progress, certificate, facts).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from studypack.courses.models import ItemKind


@dataclass(frozen=True)
class Completed:
    """What became of it."""

    first_time: bool
    module_completed: bool
    """By this."""
    course_completed: bool
    """By this."""


def complete_item(
    session: Session,
    user_id: UUID,
    item_id: UUID,
    kind: ItemKind,
    module_id: UUID,
    *,
    now: datetime,
) -> Completed:
    """Record that a learner has done a lesson, quiz or assignment, in the caller's transaction."""
    raise NotImplementedError
