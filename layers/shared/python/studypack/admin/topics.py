"""How admins delete a topic: nothing of the floors above courses may be of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict
from studypack.courses.authoring import topics
from studypack.exams.models import ExamItem, ExamTemplate
from studypack.questions.models import Question
from studypack.quizzes.models import Quiz, QuizAttempt


def remove(session: Session, topic_id: UUID, *, by: UUID) -> None:
    """Delete a topic that nothing is of; lessons of it have none then, and what learners command of
    it is forgotten with it.

    Raises NotFound (`topic_not_found`), Conflict: `topic_has_children`, or `topic_in_use` with how
    many questions, quizzes, exam templates and past exam items are of it.
    """
    topic = topics.lock_for_removal(session, topic_id)
    used = {what: number for what, number in _uses(session, topic_id).items() if number}
    if used:
        told = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in used.items())
        raise Conflict(f"The topic is in use: {told}.", code="topic_in_use", uses=used)
    topics.remove(session, topic, by=by)


def _uses(session: Session, topic_id: UUID) -> dict[str, int]:
    """Retired and deleted questions count too: forms of the past show them."""
    in_blueprint = {"topics": [{"topic_id": str(topic_id)}]}
    counted = {
        "questions": select(func.count()).where(Question.topic_id == topic_id),
        "quizzes": select(func.count()).where(
            Quiz.topic_id == topic_id,
            or_(Quiz.deleted_at.is_(None), exists().where(QuizAttempt.quiz_id == Quiz.id)),
        ),
        "exam_templates": select(func.count()).where(
            ExamTemplate.blueprint.contains(in_blueprint), ExamTemplate.deleted_at.is_(None)
        ),
        "exam_items": select(func.count()).where(ExamItem.topic_id == topic_id),
    }
    row = session.execute(
        select(*(query.scalar_subquery().label(what) for what, query in counted.items()))
    ).one()
    return dict(row._mapping)  # noqa: SLF001 (SQLAlchemy's documented name)
