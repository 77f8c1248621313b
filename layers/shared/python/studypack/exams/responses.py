"""Saving an answer and logging it: the product's most frequent write, two statements."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict, FieldError, Unprocessable
from studypack.core.ids import uuid7
from studypack.exams import response_log
from studypack.exams.clock import ExamClock
from studypack.exams.models import ExamStatus
from studypack.exams.receipt import next_entry
from studypack.exams.sessions import exam_finished, session_not_found
from studypack.questions.answers import ANSWER, Answer, QuestionContent, accept_answer
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
        SELECT id, status, submitted_by, started_at, deadline_at, paused_at, pause_used_seconds,
               pause_budget_seconds, is_practice, blueprint, log_sequence, log_hash
          FROM learning.exam_sessions WHERE id = :session_id AND user_id = :user_id
           FOR NO KEY UPDATE)
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
"""One response of a session at a time, because its log has one order; the lock keeps finalize and
pause out too. The locked row is the newest, the joined ones are as the statement found them when it
began to wait. The clock is read outside the materialized part, and so after the lock was got.
"""

_STORE_AND_LOG = text(
    """
    WITH stored AS (
        INSERT INTO learning.exam_responses AS r
               (id, session_id, question_id, revision, answer, flagged, time_spent_seconds,
                answered_at, credit, is_correct, reviewed_at, created_at, updated_at)
        VALUES (:id, :session_id, :question_id, :revision, CAST(:answer AS jsonb),
                coalesce(CAST(:flagged AS boolean), false), :time_spent_seconds, :answered_at,
                :credit, :is_correct, :reviewed_at, :now, :now)
        ON CONFLICT (session_id, question_id) DO UPDATE
           SET revision = excluded.revision, answer = excluded.answer,
               flagged = coalesce(CAST(:flagged AS boolean), r.flagged),
               time_spent_seconds = greatest(r.time_spent_seconds, excluded.time_spent_seconds),
               answered_at = CASE WHEN CAST(:answer_changed AS boolean)
                                  THEN excluded.answered_at
                                  ELSE r.answered_at END,
               credit = excluded.credit, is_correct = excluded.is_correct,
               reviewed_at = coalesce(r.reviewed_at, excluded.reviewed_at),
               updated_at = excluded.updated_at
         WHERE r.revision = CAST(:seen_revision AS int)
        RETURNING revision, answer, flagged, time_spent_seconds, reviewed_at, updated_at),
    logged AS (
        INSERT INTO learning.exam_response_log
               (session_id, sequence, event, occurred_at, entry, previous_hash, hash)
        SELECT CAST(:session_id AS uuid), CAST(:sequence AS int), CAST(:event AS text),
               CAST(:now AS timestamptz), CAST(:entry AS text), CAST(:previous_hash AS bytea),
               CAST(:hash AS bytea)
          FROM stored),
    head AS (
        UPDATE learning.exam_sessions
           SET log_sequence = :sequence, log_hash = :hash, updated_at = :now
         WHERE id = :session_id AND EXISTS (SELECT FROM stored))
    SELECT * FROM stored
    """
)
"""What was stored is logged, and nothing else: no row comes back when another revision than the one
that was read came while the session was waited for.
"""


def save(session: Session, user_id: UUID, session_id: UUID, response: NewResponse) -> SavedResponse:
    """Store a response if its revision is newer; the same revision with the same answer again
    changes nothing. A selection of nothing is no answer. Of a final answer flag and time change.

    Raises NotFound (`exam_session_not_found`), Conflict (`exam_finished`, `exam_paused`,
    `deadline_passed` with `deadline_at`, `stale_revision` with the newer `response`,
    `answer_final`, `too_many_changes`), Unprocessable naming the field.
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
    answer = accept_answer(response.answer, content, field="answer")
    response = replace(response, answer=answer)
    if row.revision is not None and response.revision <= row.revision:
        return _replay(row, response, content, clock)
    if row.reviewed_at is not None and _document(response.answer) != row.answer:
        raise Conflict(
            "The solution of this question was shown; its answer is final.", code="answer_final"
        )
    response_log.check_room(row.log_sequence, items=row.blueprint["items"])
    stored = _store(session, session_id, response, row, content)
    if stored is None:
        # Another device was faster; what it stored is seen now, and this lock is held already.
        return save(session, user_id, session_id, response)
    return _saved(row, stored, content, clock, replayed=False)


def _open_clock(row: Row[Any]) -> ExamClock:
    if row.status != ExamStatus.IN_PROGRESS:
        raise exam_finished(row.status, submitted_by=row.submitted_by, deadline_at=row.deadline_at)
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
    """The row as stored, or None when what was read is no longer what is there."""
    answer = _document(response.answer)
    changed = row.revision is None or answer != row.answer
    reveal = row.is_practice and answer is not None
    earned = credit(content, response.answer) if reveal and response.answer else None
    fact = response_log.answered(
        question_id=response.question_id,
        revision=response.revision,
        answer=answer,
        answer_changed=changed,
        flagged=response.flagged,
        time_spent_seconds=response.time_spent_seconds,
    )
    head = response_log.head_of(row.log_sequence, row.log_hash)
    entry = next_entry(head, session_id, fact.event, row.now, fact.data)
    return session.execute(
        _STORE_AND_LOG,
        {
            "id": uuid7(row.now),
            "session_id": session_id,
            "question_id": response.question_id,
            "revision": response.revision,
            "seen_revision": row.revision,
            "answer": None if answer is None else json.dumps(answer),
            "answer_changed": changed,
            "flagged": response.flagged,
            "time_spent_seconds": response.time_spent_seconds,
            "answered_at": None if answer is None else row.now,
            "credit": earned,
            "is_correct": None if earned is None else earned == 1,
            "reviewed_at": row.now if reveal else None,
            "now": row.now,
            "sequence": entry.sequence,
            "event": entry.event.value,
            "entry": entry.text,
            "previous_hash": entry.previous,
            "hash": entry.hash,
        },
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
