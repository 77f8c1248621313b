"""Being in a course: enrol, pause, resume, drop."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session


def ensure_enrolled(session: Session, user_id: UUID, course_id: UUID, *, now: datetime) -> None:
    """Let a learner's work in a course be recorded: who is not in it is enrolled by beginning.

    Raises Conflict: `not_enrolled` (dropped), `enrollment_paused`, `prerequisites_missing`.
    """
    raise NotImplementedError
