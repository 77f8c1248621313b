"""The quizzes on offer, with where the learner stands with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.core.errors import NotFound, Unprocessable
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_MODULE, is_entitled, refusal
from studypack.courses.locks import Lock, lock_of
from studypack.courses.models import EnrollmentStatus
from studypack.quizzes.models import AttemptPolicy


@dataclass(frozen=True)
class Standing:
    """The attempt that counts as the learner's result, by the quiz's policy."""

    attempt_id: UUID
    attempt_number: int
    submitted_at: datetime
    score_points: Decimal
    max_points: int
    score_percentage: Decimal
    passed: bool


@dataclass(frozen=True)
class QuizView:
    """A quiz as one learner sees it."""

    id: UUID
    course_id: UUID
    course_slug: str
    disclaimer: str | None
    module_id: UUID | None
    topic_id: UUID | None
    slug: str
    title: str
    description: str | None
    passing_score: int
    time_limit_minutes: int | None
    max_attempts: int | None
    attempt_policy: AttemptPolicy
    questions: int
    """So many an attempt has."""
    question_count: int | None
    shuffle_questions: bool
    shuffle_options: bool
    negative_marking: Decimal
    visible: bool
    """Published, in what is published."""
    lock: Lock | None
    enrollment: EnrollmentStatus | None
    """In its course; None: not enrolled."""
    attempts: int
    """Begun so far; the number of the newest."""
    running_attempt_id: UUID | None
    """Also one whose time is up, until it is submitted."""
    running_until: datetime | None
    result: Standing | None
    has_passed: bool
    """By any attempt."""

    @property
    def attempts_left(self) -> int | None:
        """None: any number."""
        if self.max_attempts is None:
            return None
        return max(0, self.max_attempts - self.attempts)


_VISIBLE: Final = (
    f"q.published AND q.deleted_at IS NULL AND {VISIBLE_COURSE}"
    f" AND (q.module_id IS NULL OR ({VISIBLE_MODULE}))"
)


def _statement(where: str, order: str = "q.id") -> TextClause:
    return text(
        f"""
        SELECT q.id, q.course_id, c.slug AS course_slug, c.disclaimer, q.module_id, q.topic_id,
               q.slug, q.title, q.description, q.passing_score, q.time_limit_minutes,
               q.max_attempts, q.attempt_policy, q.question_count, q.shuffle_questions,
               q.shuffle_options, q.negative_marking, coalesce({_VISIBLE}, false) AS visible,
               m.release_after_days, e.enrolled_at, e.status AS enrollment_status,
               (SELECT count(*) FROM learning.quiz_questions w
                  JOIN learning.questions b ON b.id = w.question_id
                 WHERE w.quiz_id = q.id AND b.status = 'ACTIVE' AND b.deleted_at IS NULL)
                   AS askable,
               own.attempts, own.has_passed, own.running_attempt_id, own.running_until,
               best.id AS attempt_id, best.attempt_number, best.submitted_at, best.score_points,
               best.max_points, best.score_percentage, best.passed
          FROM learning.quizzes q
          JOIN learning.courses c ON c.id = q.course_id
          LEFT JOIN learning.modules m ON m.id = q.module_id
          LEFT JOIN learning.module_items i ON i.item_id = q.id
          LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
          CROSS JOIN LATERAL (
              SELECT coalesce(max(a.attempt_number), 0) AS attempts,
                     coalesce(bool_or(a.passed), false) AS has_passed,
                     (array_agg(a.id) FILTER (WHERE a.status = 'IN_PROGRESS'))[1]
                         AS running_attempt_id,
                     max(a.deadline_at) FILTER (WHERE a.status = 'IN_PROGRESS') AS running_until
                FROM learning.quiz_attempts a
               WHERE a.user_id = :user_id AND a.quiz_id = q.id) own
          LEFT JOIN LATERAL (
              SELECT a.* FROM learning.quiz_attempts a
               WHERE a.user_id = :user_id AND a.quiz_id = q.id AND a.status = 'SUBMITTED'
               ORDER BY CASE WHEN q.attempt_policy = 'BEST' THEN a.score_percentage END DESC,
                        a.attempt_number DESC
               LIMIT 1) best ON true
         WHERE {where} ORDER BY {order}
        """  # noqa: S608 (our own text)
    )


_ONE: Final = _statement("q.id = :quiz_id")
_PUBLISHED: Final = _statement(
    f"""{_VISIBLE}
        AND (CAST(:course AS text) IS NULL OR c.slug = :course)
        AND (CAST(:topic_id AS uuid) IS NULL OR q.topic_id = :topic_id)""",
    order="c.position, c.title, m.position NULLS LAST, i.position, q.title, q.id",
)


def quiz_not_found() -> NotFound:
    """The answer for a quiz that is not there for learners."""
    return NotFound("There is no such quiz.", code="quiz_not_found")


def find(session: Session, caller: Caller, quiz_id: UUID) -> QuizView:
    """A quiz, visible or not, with its lock for the caller; one statement.

    Raises NotFound (`quiz_not_found`).
    """
    row = session.execute(_ONE, {"quiz_id": quiz_id, "user_id": caller.id}).one_or_none()
    if row is None:
        raise quiz_not_found()
    return _view(row, caller)


def check_open(session: Session, view: QuizView) -> None:
    """Let only those go on for whom the quiz is there and open, as courses.access.open_module says
    of its module.

    Raises NotFound (`quiz_not_found`), PaymentRequired (`entitlement_required`), Forbidden
    (`not_enrolled`, `not_released_yet` with `released_at`).
    """
    if not view.visible:
        raise quiz_not_found()
    if view.lock is not None:
        raise refusal(session, view.lock, view.course_id)


def get(session: Session, caller: Caller, quiz_id: UUID) -> QuizView:
    """A quiz that is open to the caller; one statement. Raises as `check_open`."""
    view = find(session, caller, quiz_id)
    check_open(session, view)
    return view


def published(
    session: Session, caller: Caller, *, course: str | None, topic_id: UUID | None
) -> Sequence[QuizView]:
    """The published quizzes of a course (by its slug), on a topic, or both, in the course's order,
    locked ones too; one statement.

    Raises Unprocessable (`course`) when neither is named.
    """
    if course is None and topic_id is None:
        raise Unprocessable.field("course", "Name a course or a topic.", code="missing")
    rows = session.execute(
        _PUBLISHED, {"user_id": caller.id, "course": course, "topic_id": topic_id}
    )
    return [_view(row, caller) for row in rows]


def _view(row: Row[Any], caller: Caller) -> QuizView:
    taken = {name: getattr(row, name) for name in _COPIED}
    asked = row.askable if row.question_count is None else min(row.question_count, row.askable)
    return QuizView(
        **taken,
        attempt_policy=AttemptPolicy(row.attempt_policy),
        questions=asked,
        enrollment=None
        if row.enrollment_status is None
        else EnrollmentStatus(row.enrollment_status),
        lock=lock_of(
            is_entitled=is_entitled(caller, row.course_id),
            release_after_days=row.release_after_days,
            enrolled_at=row.enrolled_at,
            now=caller.now,
        ),
        result=None
        if row.attempt_id is None
        else Standing(**{name: getattr(row, name) for name in Standing.__dataclass_fields__}),
    )


_COPIED: Final = frozenset(QuizView.__dataclass_fields__) - {
    "attempt_policy",
    "questions",
    "lock",
    "enrollment",
    "result",
}
