"""A learner's attempts: reading one with its form, listing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from studypack.core.errors import NotFound
from studypack.core.paging import PageParams
from studypack.questions.answers import QuestionContent
from studypack.quizzes.catalogue import quiz_not_found
from studypack.quizzes.models import AttemptStatus, Quiz, QuizAttempt
from studypack.quizzes.scoring import Rules


@dataclass(frozen=True)
class GivenAnswer:
    """What is stored of an answer."""

    response: dict[str, Any] | None
    revision: int
    time_spent_seconds: int
    answered_at: datetime
    is_correct: bool | None
    points_awarded: Decimal | None


@dataclass(frozen=True)
class AttemptItem:
    """One place of the form."""

    question_id: UUID
    position: int
    """From 1."""
    points: int
    topic_id: UUID
    topic: str
    """Its name."""
    topic_slug: str
    content: QuestionContent
    """With its key."""
    answer: GivenAnswer | None


@dataclass(frozen=True)
class AttemptView:
    """An attempt with its quiz and form in order."""

    id: UUID
    quiz_id: UUID
    quiz_title: str
    course_slug: str
    disclaimer: str | None
    attempt_number: int
    status: AttemptStatus
    rules: Rules
    started_at: datetime
    deadline_at: datetime | None
    submitted_at: datetime | None
    score_points: Decimal | None
    max_points: int
    score_percentage: Decimal | None
    passed: bool | None
    xp_awarded: int
    items: tuple[AttemptItem, ...]

    @property
    def is_submitted(self) -> bool:
        """Whether keys may be shown."""
        return self.status is AttemptStatus.SUBMITTED

    def remaining_seconds(self, now: datetime) -> int | None:
        """Whole seconds left, rounded down; None without a time limit."""
        if self.deadline_at is None:
            return None
        if self.is_submitted:
            return 0
        return max(timedelta(), self.deadline_at - now) // timedelta(seconds=1)


_LOAD: Final = text(
    """
    SELECT a.id, a.quiz_id, q.title AS quiz_title, c.slug AS course_slug, c.disclaimer,
           a.attempt_number, a.status, a.rules, a.started_at, a.deadline_at, a.submitted_at,
           a.score_points, a.max_points, a.score_percentage, a.passed, a.xp_awarded,
           b.id AS question_id, f.position, CAST(f.entry ->> 'points' AS int) AS points,
           t.id AS topic_id, t.name AS topic, t.slug AS topic_slug, v.content,
           r.id AS answer_id, r.response, r.revision, r.time_spent_seconds, r.answered_at,
           r.is_correct, r.points_awarded
      FROM learning.quiz_attempts a
      JOIN learning.quizzes q ON q.id = a.quiz_id
      JOIN learning.courses c ON c.id = q.course_id
     CROSS JOIN LATERAL jsonb_array_elements(a.form) WITH ORDINALITY AS f (entry, position)
      JOIN learning.questions b ON b.id = CAST(f.entry ->> 'question_id' AS uuid)
      JOIN learning.question_versions v
        ON v.question_id = b.id AND v.version = CAST(f.entry ->> 'version' AS int)
      JOIN learning.topics t ON t.id = b.topic_id
      LEFT JOIN learning.quiz_answers r ON r.attempt_id = a.id AND r.question_id = b.id
     WHERE a.id = :attempt_id AND a.user_id = :user_id
     ORDER BY f.position
    """
)


def attempt_not_found() -> NotFound:
    """The answer for an attempt that is not there or not the caller's: nobody learns which."""
    return NotFound("There is no such quiz attempt.", code="quiz_attempt_not_found")


def load(session: Session, user_id: UUID, attempt_id: UUID) -> AttemptView:
    """An attempt of this user with its whole form; one statement.

    Raises NotFound (`quiz_attempt_not_found`).
    """
    rows = session.execute(_LOAD, {"attempt_id": attempt_id, "user_id": user_id}).all()
    if not rows:
        raise attempt_not_found()
    first = rows[0]
    return AttemptView(
        **{name: getattr(first, name) for name in _COPIED},
        status=AttemptStatus(first.status),
        rules=Rules.of(first.rules),
        items=tuple(_item(row) for row in rows),
    )


def history(
    session: Session, user_id: UUID, quiz_id: UUID, page: PageParams
) -> Sequence[QuizAttempt]:
    """A user's attempts at a quiz, newest first, one more than the page shows; one statement, and
    one more when there is none.

    Raises NotFound (`quiz_not_found`).
    """
    query = (
        select(QuizAttempt)
        .where(QuizAttempt.user_id == user_id, QuizAttempt.quiz_id == quiz_id)
        .order_by(QuizAttempt.id.desc())
        .limit(page.limit + 1)
    )
    if page.after is not None:
        query = query.where(QuizAttempt.id < page.after)
    found = session.scalars(query).all()
    if not found and page.after is None:
        shown = select(Quiz.id).where(Quiz.id == quiz_id, Quiz.published, Quiz.deleted_at.is_(None))
        if session.scalar(shown) is None:
            raise quiz_not_found()
    return found


def _item(row: Row[Any]) -> AttemptItem:
    answer = None
    if row.answer_id is not None:
        answer = GivenAnswer(**{name: getattr(row, name) for name in _ANSWERED})
    return AttemptItem(
        question_id=row.question_id,
        position=row.position,
        points=row.points,
        topic_id=row.topic_id,
        topic=row.topic,
        topic_slug=row.topic_slug,
        content=QuestionContent.model_validate(row.content),
        answer=answer,
    )


_COPIED: Final = frozenset(AttemptView.__dataclass_fields__) - {"status", "rules", "items"}
_ANSWERED: Final = frozenset(GivenAnswer.__dataclass_fields__)
