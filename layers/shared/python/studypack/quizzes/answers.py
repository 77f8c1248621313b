"""Saving an answer of a quiz attempt: two statements."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict, FieldError, NotFound
from studypack.core.ids import uuid7
from studypack.questions.answers import ANSWER, Answer, QuestionContent, accept_answer
from studypack.quizzes.models import AttemptStatus


@dataclass(frozen=True)
class NewAnswer:
    """What the client sends, under a revision that it counts up with each change."""

    response: Answer | None
    revision: int
    time_spent_seconds: int
    """In all so far; a smaller figure than stored is ignored."""


@dataclass(frozen=True)
class SavedAnswer:
    """What is stored then."""

    question_id: UUID
    response: dict[str, Any] | None
    revision: int
    time_spent_seconds: int
    answered_at: datetime
    deadline_at: datetime | None
    server_now: datetime
    replayed: bool
    """This revision was stored before."""


_LOCK_AND_READ: Final = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT id, status, deadline_at, form FROM learning.quiz_attempts
         WHERE id = :attempt_id AND user_id = :user_id FOR NO KEY UPDATE)
    SELECT locked.id, locked.status, locked.deadline_at, clock_timestamp() AS now,
           f.entry IS NOT NULL AS asked, v.content,
           r.response, r.revision, r.time_spent_seconds, r.answered_at
      FROM locked
      LEFT JOIN LATERAL (
           SELECT entry FROM jsonb_array_elements(locked.form) AS e (entry)
            WHERE entry ->> 'question_id' = CAST(:question_id AS text)) f ON true
      LEFT JOIN learning.question_versions v
        ON v.question_id = CAST(:question_id AS uuid)
       AND v.version = CAST(f.entry ->> 'version' AS int)
      LEFT JOIN learning.quiz_answers r
        ON r.attempt_id = locked.id AND r.question_id = CAST(:question_id AS uuid)
    """
)
"""The lock keeps a submission out. The locked row is the newest, the joined ones are as the
statement found them when it began to wait. The clock is read outside the materialized part, and so
after the lock was got.
"""

_STORE: Final = text(
    """
    INSERT INTO learning.quiz_answers AS r
           (id, attempt_id, question_id, response, revision, time_spent_seconds, answered_at,
            created_at, updated_at)
    VALUES (:id, :attempt_id, :question_id, CAST(:response AS jsonb), :revision,
            :time_spent_seconds, :now, :now, :now)
    ON CONFLICT (attempt_id, question_id) DO UPDATE
       SET response = excluded.response, revision = excluded.revision,
           time_spent_seconds = greatest(r.time_spent_seconds, excluded.time_spent_seconds),
           answered_at = excluded.answered_at, updated_at = excluded.updated_at
     WHERE r.revision = CAST(:seen_revision AS int)
    RETURNING response, revision, time_spent_seconds, answered_at
    """
)
"""No row comes back when another revision than the one that was read came while the attempt was
waited for.
"""


def save(
    session: Session, user_id: UUID, attempt_id: UUID, question_id: UUID, answer: NewAnswer
) -> SavedAnswer:
    """Store an answer if its revision is newer; the same revision with the same answer again
    changes nothing. A selection of nothing is no answer. Access may have ended meanwhile.

    Raises NotFound (`quiz_attempt_not_found`, `question_not_in_attempt`), Conflict
    (`attempt_finished`, `deadline_passed` with `deadline_at`, `stale_revision` with the newer
    `answer`), Unprocessable naming the field.
    """
    row = _lock(session, user_id, attempt_id, question_id)
    content = QuestionContent.model_validate(row.content)
    document = _document(accept_answer(answer.response, content, field="response"))
    if row.revision is not None and answer.revision <= row.revision:
        if answer.revision < row.revision or document != row.response:
            raise _stale(row)
        return _saved(row, row, question_id, replayed=True)
    stored = session.execute(
        _STORE,
        {
            "id": uuid7(row.now),
            "attempt_id": attempt_id,
            "question_id": question_id,
            "response": None if document is None else json.dumps(document),
            "revision": answer.revision,
            "seen_revision": row.revision,
            "time_spent_seconds": answer.time_spent_seconds,
            "now": row.now,
        },
    ).one_or_none()
    if stored is None:
        # Another tab was faster; what it stored is seen now, and this lock is held already.
        return save(session, user_id, attempt_id, question_id, answer)
    return _saved(row, stored, question_id, replayed=False)


def attempt_finished() -> Conflict:
    """The answer for a change that comes after submission."""
    return Conflict("This attempt has been submitted.", code="attempt_finished")


def _lock(session: Session, user_id: UUID, attempt_id: UUID, question_id: UUID) -> Row[Any]:
    """The running attempt with the question and what is stored of its answer."""
    row = session.execute(
        _LOCK_AND_READ,
        {"attempt_id": attempt_id, "user_id": user_id, "question_id": question_id},
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such quiz attempt.", code="quiz_attempt_not_found")
    if row.status != AttemptStatus.IN_PROGRESS:
        raise attempt_finished()
    if row.deadline_at is not None and row.now >= row.deadline_at:
        raise Conflict(
            "The time of this attempt is up.",
            code="deadline_passed",
            deadline_at=row.deadline_at,
            server_now=row.now,
        )
    if not row.asked:
        raise NotFound("This attempt has no such question.", code="question_not_in_attempt")
    return row


def _document(answer: Answer | None) -> dict[str, Any] | None:
    return None if answer is None else ANSWER.dump_python(answer, mode="json")


def _stale(stored: Row[Any]) -> Conflict:
    message = f"Revision {stored.revision} of this answer is stored already."
    return Conflict(
        message,
        code="stale_revision",
        errors=[FieldError("revision", "stale_revision", message)],
        answer={
            "response": stored.response,
            "revision": stored.revision,
            "time_spent_seconds": stored.time_spent_seconds,
        },
    )


def _saved(row: Row[Any], stored: Row[Any], question_id: UUID, *, replayed: bool) -> SavedAnswer:
    return SavedAnswer(
        question_id=question_id,
        response=stored.response,
        revision=stored.revision,
        time_spent_seconds=stored.time_spent_seconds,
        answered_at=stored.answered_at,
        deadline_at=row.deadline_at,
        server_now=row.now,
        replayed=replayed,
    )
