"""Beginning an attempt: draw its questions, freeze them and its rules, set its clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.core.errors import Conflict
from studypack.core.ids import uuid7
from studypack.courses.enrollments import require_working
from studypack.questions.timing import duration
from studypack.quizzes import catalogue, forms
from studypack.quizzes.catalogue import QuizView
from studypack.quizzes.forms import Candidate
from studypack.quizzes.models import QuizAttempt
from studypack.quizzes.scoring import Rules
from studypack.quizzes.submission import submit_if_expired

_TRIES: Final = 5
"""Beginnings that meet others of the same learner; each that fails finds what the other made."""


@dataclass(frozen=True)
class Begun:
    """An attempt to go on with."""

    id: UUID
    is_new: bool
    """False: it was under way."""


_CANDIDATES: Final = text(
    """
    SELECT w.question_id, b.version, w.points, w.position, coalesce(seen.times, 0) AS times_seen
      FROM learning.quiz_questions w
      JOIN learning.questions b
        ON b.id = w.question_id AND b.status = 'ACTIVE' AND b.deleted_at IS NULL
      LEFT JOIN (
           SELECT CAST(f.entry ->> 'question_id' AS uuid) AS question_id, count(*) AS times
             FROM learning.quiz_attempts a
            CROSS JOIN LATERAL jsonb_array_elements(a.form) AS f (entry)
            WHERE a.user_id = :user_id AND a.quiz_id = :quiz_id GROUP BY 1) seen
        ON seen.question_id = w.question_id
     WHERE w.quiz_id = :quiz_id ORDER BY w.position
    """
)
"""What was retired or deleted since the quiz was published is left out."""


def begin(session: Session, caller: Caller, quiz_id: UUID) -> Begun:
    """Begin an attempt, its form and deadline fixed from here on; or the one that is under way,
    also when the quiz is no longer open. Who begins a module's quiz is enrolled in its course by
    that.

    However many beginnings come at once: attempts are numbered, each number is there once, and only
    one may run. Raises NotFound (`quiz_not_found`), PaymentRequired, Forbidden as
    `catalogue.check_open`, Conflict (`attempts_used_up`, `quiz_without_questions`, those of
    `enrollments.require_working`).
    """
    for _ in range(_TRIES):
        view = catalogue.find(session, caller, quiz_id)
        running = view.running_attempt_id
        # One whose time ran out a moment ago must not stand in the way until the job comes.
        if running is not None and not submit_if_expired(session, running):
            return Begun(running, is_new=False)
        catalogue.check_open(session, view)
        if view.attempts_left == 0:
            raise Conflict(
                f"All {view.max_attempts} attempts are used up.",
                code="attempts_used_up",
                max_attempts=view.max_attempts,
            )
        if view.module_id is not None:
            require_working(session, caller.id, view.course_id, view.enrollment, now=caller.now)
        made = _insert(session, caller, view)
        if made is not None:
            return Begun(made, is_new=True)
    raise Conflict("Somebody else is beginning this quiz for you.", code="attempt_not_begun")


def _insert(session: Session, caller: Caller, view: QuizView) -> UUID | None:
    """The new attempt, or None when another beginning was faster."""
    attempt_id = uuid7(caller.now)
    drawn = forms.draw(
        _candidates(session, caller.id, view.id),
        attempt_id,
        count=view.question_count,
        shuffle=view.shuffle_questions,
    )
    if not drawn:
        raise Conflict("None of its questions can be asked now.", code="quiz_without_questions")
    limit = view.time_limit_minutes
    rules = Rules(view.passing_score, view.negative_marking, view.shuffle_options)
    statement = insert(QuizAttempt).values(
        id=attempt_id,
        user_id=caller.id,
        quiz_id=view.id,
        attempt_number=view.attempts + 1,
        form=forms.document(drawn),
        rules=rules.document(),
        started_at=caller.now,
        deadline_at=None if limit is None else caller.now + duration(limit, caller.time_factor),
        max_points=sum(each.points for each in drawn),
    )
    return session.scalar(statement.on_conflict_do_nothing().returning(QuizAttempt.id))


def _candidates(session: Session, user_id: UUID, quiz_id: UUID) -> list[Candidate]:
    rows = session.execute(_CANDIDATES, {"user_id": user_id, "quiz_id": quiz_id})
    return [Candidate(**row._asdict()) for row in rows]
