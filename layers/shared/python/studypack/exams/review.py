"""The review of a submitted exam."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from studypack.core.errors import Conflict
from studypack.exams.models import ExamStatus
from studypack.exams.sessions import SessionView, load


def load_review(session: Session, user_id: UUID, session_id: UUID) -> SessionView:
    """A submitted session of this user with everything opened; SUBMITTED ones still wait for
    their scaled score.

    Raises NotFound, and Conflict (`exam_not_submitted`) while answers may still be given.
    """
    view = load(session, user_id, session_id)
    if view.session.status in {ExamStatus.DRAFT, ExamStatus.IN_PROGRESS}:
        raise Conflict("The review opens when the exam is submitted.", code="exam_not_submitted")
    return view
