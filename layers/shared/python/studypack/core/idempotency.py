"""Idempotency-Key: a repeated request gets the first one's result instead of a second effect."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.core.jobs import Run, delete_in_batches
from studypack.core.models import IdempotencyKey

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RepeatableRequest:
    """Who asks for what, under which key (None: the client sent none)."""

    user_id: UUID
    operation: str
    key: str | None
    input: Any
    """The validated input, as JSON-ready data."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the input's canonical JSON."""
        canonical = json.dumps(self.input, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


def once(
    session: Session,
    request: RepeatableRequest,
    work: Callable[[], UUID],
    read: Callable[[UUID], Answer],
) -> Answer:
    """Do `work` for the first request of a key and remember the id of what it made; it is read for
    the answer, by a later request as it is then.

    The key's row is written in the request's own transaction: a concurrent duplicate waits on the
    primary key until the first commits (then reads) or rolls back (then does the work). Raises
    Unprocessable (`key_reused`) when the key came before with other input, Conflict
    (`result_gone`) when what was made is no longer there or its id cannot be read.
    """
    if request.key is None:
        return read(work())
    mine = (
        IdempotencyKey.user_id == request.user_id,
        IdempotencyKey.operation == request.operation,
        IdempotencyKey.key == request.key,
    )
    claim = insert(IdempotencyKey).values(
        user_id=request.user_id,
        operation=request.operation,
        key=request.key,
        fingerprint=request.fingerprint,
    )
    claimed = session.execute(
        claim.on_conflict_do_nothing().returning(IdempotencyKey.key)
    ).scalar_one_or_none()
    if claimed is None:
        stored = session.execute(
            select(IdempotencyKey.fingerprint, IdempotencyKey.answer).where(*mine)
        ).one()
        if stored.fingerprint != request.fingerprint:
            raise Unprocessable.field(
                "Idempotency-Key", "This key came before with other input.", code="key_reused"
            )
        return _read_again(stored.answer, read)
    made = work()
    session.execute(update(IdempotencyKey).where(*mine).values(answer={"id": str(made)}))
    return read(made)


def _read_again(stored: Any, read: Callable[[UUID], Answer]) -> Answer:
    gone = Conflict(
        "What this key's first request made is no longer there; send a new key.",
        code="result_gone",
    )
    try:
        made = UUID(stored["id"])
    except (TypeError, KeyError, ValueError, AttributeError):
        raise gone from None
    try:
        return read(made)
    except NotFound:
        raise gone from None


def forget(session: Session, request: RepeatableRequest) -> None:
    """Let a repetition begin anew: what was begun under this key could not be carried out."""
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.user_id == request.user_id,
            IdempotencyKey.operation == request.operation,
            IdempotencyKey.key == request.key,
        )
    )


def purge_old_answers(run: Run) -> None:
    """Forget keys after a day: a repetition comes within minutes."""
    delete_in_batches(
        run,
        "idempotency_keys",
        """DELETE FROM auth.idempotency_keys WHERE (user_id, operation, key) IN (
             SELECT user_id, operation, key FROM auth.idempotency_keys
              WHERE created_at < now() - interval '24 hours' LIMIT :size)""",
    )
