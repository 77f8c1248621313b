"""Saving an answer: the product's most frequent write, two statements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict, FieldError, Unprocessable
from studypack.core.ids import uuid7
from studypack.exams.clock import ExamClock
from studypack.exams.models import ExamResponse, ExamStatus
from studypack.exams.sessions import session_not_found
from studypack.questions.answers import (
    ANSWER,
    Answer,
    AnswerMismatch,
    QuestionContent,
    check_answer,
)
from studypack.questions.grading import credit


@dataclass(frozen=True)
class NewResponse:
    """What the client sends: the whole state of one item, under a revision that it counts up."""

    question_id: UUID
    revision: int
    answer: Answer | None
    flagged: bool | None
    """None keeps the flag as it is."""
    time_spent_seconds: int
    """In all so far; a smaller figure than stored is ignored."""


@dataclass(frozen=True)
class SavedResponse:
    """The stored state of an item, and the clock."""

    question_id: UUID
    revision: int
    answer: dict[str, Any] | None
    flagged: bool
    time_spent_seconds: int
    saved_at: datetime
    now: datetime
    clock: ExamClock
    position: int
    content: QuestionContent
    revealed: bool
    """Practice: the key may be shown, and the answer is final."""
    replayed: bool
    session_id: UUID
    shuffle_options: bool


_LOCK_AND_READ = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT id, status, started_at, deadline_at, paused_at, pause_used_seconds,
               pause_budget_seconds, is_practice, blueprint
          FROM learning.exam_sessions WHERE id = :session_id AND user_id = :user_id
           FOR SHARE)
    SELECT locked.*, clock_timestamp() AS now, i.question_id, i.position, v.content,
           r.revision, r.answer, r.flagged, r.time_spent_seconds, r.reviewed_at, r.updated_at
      FROM locked
      LEFT JOIN learning.exam_items i ON i.session_id = locked.id AND i.question_id = :question_id
      LEFT JOIN learning.question_versions v
             ON v.question_id = i.question_id AND v.version = i.question_version
      LEFT JOIN learning.exam_responses r
             ON r.session_id = i.session_id AND r.question_id = i.question_id
    """
)
"""FOR SHARE lets answers to other items pass and keeps finalize and pause out; the clock is read
outside the materialized part, and so after the lock was got.
"""


def save(session: Session, user_id: UUID, session_id: UUID, response: NewResponse) -> SavedResponse:
    """Store a response if its revision is newer; the same revision with the same answer again
    changes nothing.

    Raises NotFound (`exam_session_not_found`), Conflict (`exam_finished`, `exam_paused`,
    `deadline_passed` with `deadline_at`, `stale_revision` with the newer `response`,
    `answer_final`), Unprocessable naming the field.
    """
    row = session.execute(
        _LOCK_AND_READ,
        {"session_id": session_id, "user_id": user_id, "question_id": response.question_id},
    ).one_or_none()
    if row is None:
        raise session_not_found()
    clock = _open_clock(row)
    if row.position is None:
        raise Unprocessable.field(
            "question_id", "This exam has no such question.", code="question_not_in_exam"
        )
    content = QuestionContent.model_validate(row.content)
    _check_shape(response, content)
    if row.revision is not None and response.revision <= row.revision:
        return _replay(row, response, content, clock)
    if row.reviewed_at is not None:
        raise Conflict(
            "The solution of this question was shown; its answer is final.", code="answer_final"
        )
    stored = _store(session, session_id, response, row, content)
    if stored is None:
        # Another device was faster; what it stored, seen now, decides: replay, stale or final.
        return save(session, user_id, session_id, response)
    return _saved(row, stored, content, clock, replayed=False)


def _open_clock(row: Row[Any]) -> ExamClock:
    if row.status != ExamStatus.IN_PROGRESS:
        raise Conflict(
            "This exam has been submitted.", code="exam_finished", status_of_session=row.status
        )
    clock = ExamClock(
        row.started_at,
        row.deadline_at,
        row.paused_at,
        row.pause_used_seconds,
        row.pause_budget_seconds,
    )
    if clock.is_paused(row.now):
        raise Conflict("This exam is paused; resume it first.", code="exam_paused")
    if clock.is_expired(row.now):
        raise Conflict(
            "The time of this exam is up.",
            code="deadline_passed",
            deadline_at=clock.running_deadline(row.now),
            server_now=row.now,
        )
    return clock


def _check_shape(response: NewResponse, content: QuestionContent) -> None:
    if response.answer is None:
        return
    try:
        check_answer(response.answer, content)
    except AnswerMismatch as mismatch:
        raise Unprocessable(
            mismatch.message,
            code=mismatch.code,
            errors=[FieldError(f"answer.{mismatch.field}", mismatch.code, mismatch.message)],
        ) from None


def _replay(
    row: Row[Any], response: NewResponse, content: QuestionContent, clock: ExamClock
) -> SavedResponse:
    same = response.revision == row.revision and _document(response.answer) == row.answer
    if not same:
        raise _stale(row)
    return _saved(row, row, content, clock, replayed=True)


def _stale(stored: Row[Any]) -> Conflict:
    newer = {
        "revision": stored.revision,
        "answer": stored.answer,
        "flagged": stored.flagged,
        "time_spent_seconds": stored.time_spent_seconds,
    }
    message = f"Revision {stored.revision} of this answer is stored already."
    return Conflict(
        message,
        code="stale_revision",
        errors=[FieldError("revision", "stale_revision", message)],
        response=newer,
    )


def _document(answer: Answer | None) -> dict[str, Any] | None:
    return None if answer is None else ANSWER.dump_python(answer, mode="json")


def _store(
    session: Session,
    session_id: UUID,
    response: NewResponse,
    row: Row[Any],
    content: QuestionContent,
) -> Row[Any] | None:
    """The row as stored, or None when this revision or a newer one, or a final answer, came in
    between.
    """
    reveal = row.is_practice and response.answer is not None
    earned = credit(content, response.answer) if reveal else None
    values = {
        "revision": response.revision,
        "answer": _document(response.answer),
        "flagged": bool(response.flagged),
        "time_spent_seconds": response.time_spent_seconds,
        "answered_at": row.now if response.answer is not None else None,
        "credit": earned,
        "is_correct": None if earned is None else earned == 1,
        "reviewed_at": row.now if reveal else None,
        "updated_at": row.now,
    }
    statement = insert(ExamResponse).values(
        id=uuid7(row.now),
        session_id=session_id,
        question_id=response.question_id,
        created_at=row.now,
        **values,
    )
    return session.execute(
        statement.on_conflict_do_update(
            index_elements=[ExamResponse.session_id, ExamResponse.question_id],
            # An older revision may have come since `row` was read: its flag and time count too.
            set_={
                **values,
                "flagged": ExamResponse.flagged
                if response.flagged is None
                else statement.excluded.flagged,
                "time_spent_seconds": func.greatest(
                    ExamResponse.time_spent_seconds, statement.excluded.time_spent_seconds
                ),
            },
            where=(ExamResponse.revision < statement.excluded.revision)
            & ExamResponse.reviewed_at.is_(None),
        ).returning(
            ExamResponse.revision,
            ExamResponse.answer,
            ExamResponse.flagged,
            ExamResponse.time_spent_seconds,
            ExamResponse.reviewed_at,
            ExamResponse.updated_at,
        )
    ).one_or_none()


def _saved(
    row: Row[Any], stored: Row[Any], content: QuestionContent, clock: ExamClock, *, replayed: bool
) -> SavedResponse:
    return SavedResponse(
        question_id=row.question_id,
        revision=stored.revision,
        answer=stored.answer,
        flagged=stored.flagged,
        time_spent_seconds=stored.time_spent_seconds,
        saved_at=stored.updated_at,
        now=row.now,
        clock=clock,
        position=row.position,
        content=content,
        revealed=stored.reviewed_at is not None,
        replayed=replayed,
        session_id=row.id,
        shuffle_options=bool(row.blueprint.get("shuffle_options", True)),
    )
