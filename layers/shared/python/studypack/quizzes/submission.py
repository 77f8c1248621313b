"""Submitting an attempt, by its learner or by the clock: once, scored, with all that follows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.orm import Session

from studypack.activity import service as activity
from studypack.activity.models import XpSource
from studypack.activity.xp import XP_AMOUNTS
from studypack.core.telemetry import get_logger
from studypack.courses import completion
from studypack.courses.models import ItemKind
from studypack.courses.service import TopicEvidence, record_mastery
from studypack.questions.answers import ANSWER
from studypack.questions.grading import credit
from studypack.quizzes import analyses, scoring
from studypack.quizzes.analysis import Item
from studypack.quizzes.attempts import AttemptItem, AttemptView, attempt_not_found, load
from studypack.quizzes.models import AttemptStatus
from studypack.quizzes.scoring import Score

CLAIMED: Final = 50
"""Attempts that one transaction of the job claims."""

_LOCK: Final = """
    WITH locked AS MATERIALIZED (
        SELECT id, user_id, quiz_id, status, deadline_at FROM learning.quiz_attempts
         WHERE id = :attempt_id {whose} FOR NO KEY UPDATE)
    SELECT locked.*, clock_timestamp() AS now, q.course_id, q.title, q.slug,
           CASE WHEN q.deleted_at IS NULL THEN q.module_id END AS module_id,
           EXISTS (SELECT FROM learning.quiz_attempts o
                    WHERE o.user_id = locked.user_id AND o.quiz_id = locked.quiz_id AND o.passed
                      AND o.id <> locked.id) AS passed_before
      FROM locked JOIN learning.quizzes q ON q.id = locked.quiz_id
"""
"""The clock is read once the lock was got. Of a learner only one attempt at a quiz runs, and the
next begins when the one before is committed: `passed_before` cannot change meanwhile.
"""

_LOCK_ANY: Final = text(_LOCK.format(whose=""))
_LOCK_OWN: Final = text(_LOCK.format(whose="AND user_id = :user_id"))

_CLAIM: Final = text(
    """
    SELECT id, user_id FROM learning.quiz_attempts
     WHERE status = 'IN_PROGRESS' AND deadline_at <= statement_timestamp()
       AND id <> ALL (CAST(:passed_over AS uuid[]))
     ORDER BY deadline_at LIMIT :size
       FOR NO KEY UPDATE SKIP LOCKED
    """
)
"""Not by clock_timestamp(), which is volatile: the index on the deadline could not bound the
scan.
"""

_CLOSE: Final = text(
    """
    WITH graded AS (
        SELECT * FROM jsonb_to_recordset(CAST(:graded AS jsonb))
               AS g (question_id uuid, points numeric, is_correct boolean)),
    answers AS (
        UPDATE learning.quiz_answers r
           SET points_awarded = g.points, is_correct = g.is_correct, updated_at = :now
          FROM graded g WHERE r.attempt_id = :attempt_id AND r.question_id = g.question_id)
    UPDATE learning.quiz_attempts
       SET status = 'SUBMITTED', submitted_at = :submitted_at, score_points = :points,
           score_percentage = :percent, passed = :passed, xp_awarded = :xp, updated_at = :now
     WHERE id = :attempt_id
    """
)


@dataclass(frozen=True)
class _Graded:
    item: AttemptItem
    credit: float
    earned: Decimal
    answered: bool


def submit(session: Session, user_id: UUID, attempt_id: UUID) -> AttemptView:
    """Submit the learner's attempt and score what was saved in time; a submitted one is returned as
    it is. Access may have ended meanwhile.

    However many calls come at once: the row's lock lets one submit, the others see that it was.
    Raises NotFound (`quiz_attempt_not_found`).
    """
    values = {"attempt_id": attempt_id, "user_id": user_id}
    row = session.execute(_LOCK_OWN, values).one_or_none()
    if row is None:
        raise attempt_not_found()
    if row.status == AttemptStatus.IN_PROGRESS:
        _submit(session, row)
    return load(session, user_id, attempt_id)


def submit_if_expired(session: Session, attempt_id: UUID) -> bool:
    """Submit a running attempt whose time is up; False when it still runs."""
    row = session.execute(_LOCK_ANY, {"attempt_id": attempt_id}).one_or_none()
    if row is None or row.status != AttemptStatus.IN_PROGRESS:
        return True
    if not _is_expired(row):
        return False
    _submit(session, row)
    return True


def submit_expired(session: Session, *, passed_over: set[UUID]) -> int:
    """Submit attempts whose time ran out, and say how many.

    Claims a set of them, and of each learner submits one: within a learner enrolment and mastery
    are locked in one order, learners by their ids; two of a learner's attempts in one transaction
    would break that. The others are left to the next call. One that cannot be graded is logged,
    left as it is and added to `passed_over`, whose attempts are not claimed.
    """
    claimed = session.execute(_CLAIM, {"passed_over": list(passed_over), "size": CLAIMED})
    one_each = {row.user_id: row.id for row in reversed(claimed.all())}
    done = 0
    for user_id in sorted(one_each):
        attempt_id = one_each[user_id]
        try:
            with session.begin_nested():
                row = session.execute(_LOCK_ANY, {"attempt_id": attempt_id}).one()
                _submit(session, row)
            done += 1
        except (ValueError, LookupError, IntegrityError, DataError):
            passed_over.add(attempt_id)
            get_logger().exception(
                "quiz attempt cannot be graded", extra={"attempt_id": attempt_id}
            )
    return done


def _is_expired(row: Row[Any]) -> bool:
    return row.deadline_at is not None and bool(row.now >= row.deadline_at)


def _submit(session: Session, row: Row[Any]) -> None:
    """Close the locked attempt and write what follows, all in the caller's transaction.

    Locks follow in the order of courses/completion.py: the attempt, the enrolment, what hangs from
    it, mastery last.
    """
    view = load(session, row.user_id, row.id)
    graded = [_grade(view, item) for item in view.items]
    score = scoring.score(
        [each.earned for each in graded],
        view.max_points,
        passing_score=view.rules.passing_score,
    )
    first_pass = score.passed and not row.passed_before
    ran_out = _is_expired(row)
    _close(session, row, graded, score, ran_out=ran_out, first_pass=first_pass)
    if score.passed and row.module_id is not None:
        completion.complete_item(
            session, row.user_id, row.quiz_id, ItemKind.QUIZ, row.module_id, now=row.now
        )
    record_mastery(session, row.user_id, _evidence(graded), now=row.now)
    if first_pass:
        _record_pass(session, row, view, score)
    analyses.make(
        session,
        view,
        [_analysed(each) for each in graded],
        user_id=row.user_id,
        course_id=row.course_id,
        ran_out=ran_out,
        now=row.now,
    )


def _grade(view: AttemptView, item: AttemptItem) -> _Graded:
    response = item.answer.response if item.answer else None
    answered = response is not None
    share = credit(item.content, ANSWER.validate_python(response)) if answered else 0.0
    earned = scoring.points_for(
        item.points, share, answered=answered, negative_marking=view.rules.negative_marking
    )
    return _Graded(item, share, earned, answered)


def _close(
    session: Session,
    row: Row[Any],
    graded: Sequence[_Graded],
    score: Score,
    *,
    ran_out: bool,
    first_pass: bool,
) -> None:
    answers = [
        {
            "question_id": str(each.item.question_id),
            "points": str(each.earned),
            "is_correct": each.credit == 1,
        }
        for each in graded
        if each.item.answer is not None
    ]
    session.execute(
        _CLOSE,
        {
            "attempt_id": row.id,
            "graded": json.dumps(answers),
            "submitted_at": row.deadline_at if ran_out else row.now,
            "points": score.points,
            "percent": score.percent,
            "passed": score.passed,
            "xp": XP_AMOUNTS[XpSource.QUIZ] if first_pass else 0,
            "now": row.now,
        },
    )


def _evidence(graded: Sequence[_Graded]) -> list[TopicEvidence]:
    """Answered items only: what was left out says nothing about mastery."""
    by_topic: dict[UUID, list[float]] = {}
    for each in graded:
        if each.answered:
            by_topic.setdefault(each.item.topic_id, []).append(each.credit)
    return [
        TopicEvidence(topic_id, len(credits), sum(credits))
        for topic_id, credits in by_topic.items()
    ]


def _analysed(each: _Graded) -> Item:
    answer = each.item.answer
    return Item(
        topic_id=each.item.topic_id,
        topic=each.item.topic,
        points=each.item.points,
        credit=Decimal(str(each.credit)),
        answered=each.answered,
        seconds=answer.time_spent_seconds if answer else 0,
    )


def _record_pass(session: Session, row: Row[Any], view: AttemptView, score: Score) -> None:
    """What is told once of a quiz: that it was passed."""
    activity.grant_xp(session, row.user_id, XpSource.QUIZ, row.quiz_id, now=row.now)
    activity.record_activity(
        session,
        row.user_id,
        "quiz.passed",
        f"Passed {row.title}",
        now=row.now,
        quiz_id=str(row.quiz_id),
        attempt_id=str(row.id),
        percent=str(score.percent),
    )
    activity.record_event_once(
        session,
        "quiz_passed",
        row.id,
        now=row.now,
        user_id=row.user_id,
        quiz_id=str(row.quiz_id),
        quiz_title=row.title,
        course_id=str(row.course_id),
        course_slug=view.course_slug,
        attempt_number=view.attempt_number,
        percent=float(score.percent),
    )
