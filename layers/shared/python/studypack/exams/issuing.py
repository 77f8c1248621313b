"""Issuing receipts: signed at submission, or by the job when the key could not be read then."""

from __future__ import annotations

import json
import time
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from studypack.core.config import get_settings
from studypack.core.errors import Conflict, NotFound, Unavailable
from studypack.core.telemetry import get_logger
from studypack.exams import receipt
from studypack.exams.models import ExamReceipt, ExamSession, ExamStatus
from studypack.exams.receipt import Head, LoggedEntry, Receipt
from studypack.exams.receipt_keys import (
    InvalidKey,
    KeyRing,
    SigningKey,
    encode,
    jwk,
    read_key_ring,
)
from studypack.exams.sessions import session_not_found

KEY_SECONDS = 600
"""A rotated key is in use everywhere after so long."""
RETRY_SECONDS = 60
"""After a failure nobody waits for the secret for so long: submissions go on unsigned."""

_failed_at: float | None = None
"""By the wall clock: a monotonic one may stand still while Lambda freezes the environment."""

_UNSIGNED = text(
    """
    WITH unsigned AS MATERIALIZED (
        SELECT session_id, entries, head FROM learning.exam_receipts
         WHERE signature IS NULL AND session_id <> ALL (CAST(:passed_over AS uuid[]))
         ORDER BY session_id LIMIT :size
           FOR UPDATE SKIP LOCKED)
    SELECT u.session_id, u.entries, u.head, clock_timestamp() AS now,
           (SELECT jsonb_agg(jsonb_build_array(l.entry, encode(l.hash, 'hex'))
                             ORDER BY l.sequence)
              FROM learning.exam_response_log l WHERE l.session_id = u.session_id) AS log
      FROM unsigned u
    """
)

_SIGN = text(
    """
    UPDATE learning.exam_receipts SET key_id = :key_id, signed_at = :signed_at,
           signature = :signature
     WHERE session_id = :session_id AND signature IS NULL
    """
)

_LOAD = text(
    """
    SELECT s.status, r.entries, r.head, r.key_id, r.signed_at, r.signature,
           (SELECT jsonb_agg(jsonb_build_array(l.entry, encode(l.hash, 'hex'))
                             ORDER BY l.sequence)
              FROM learning.exam_response_log l WHERE l.session_id = s.id) AS log
      FROM learning.exam_sessions s
      LEFT JOIN learning.exam_receipts r ON r.session_id = s.id
     WHERE s.id = :session_id AND s.user_id = :user_id
    """
)


def signing_key() -> SigningKey | None:
    """The key that signs now; None when there is none to be had, which the log says and nobody
    waits for: an exam matters more than its receipt.

    Ask before a transaction begins: reading the secret is a call to another service.
    """
    ring = _key_ring()
    return None if ring is None else ring.signing


def public_keys() -> list[dict[str, str]]:
    """The public keys as JWKs, the signing one first.

    Raises Unavailable when the secret cannot be read.
    """
    ring = _key_ring()
    if ring is None:
        raise Unavailable("The keys of exam receipts cannot be read.", code="keys_unavailable")
    return [jwk(key) for key in ring.public_keys.values()]


def forget_keys() -> None:
    """Read the secret anew at the next use."""
    global _failed_at
    _failed_at = None
    _secrets.cache_clear()
    read_key_ring.cache_clear()


def _key_ring() -> KeyRing | None:
    global _failed_at
    if _failed_at is not None and time.time() - _failed_at < RETRY_SECONDS:
        return None
    settings = get_settings()
    try:
        if settings.receipt_signing_key is not None:
            return read_key_ring(settings.receipt_signing_key.get_secret_value())
        if settings.receipt_key_secret is not None:
            secret = _secrets().get(settings.receipt_key_secret, max_age=KEY_SECONDS)
            return read_key_ring(str(secret))
        reason = "neither RECEIPT_KEY_SECRET_ARN nor RECEIPT_SIGNING_KEY is set"
    except InvalidKey as error:
        reason = str(error)
    except Exception as error:  # whatever keeps the secret away must not keep an exam open
        reason = type(error).__name__
    _failed_at = time.time()
    get_logger().error("exam receipts cannot be signed", extra={"reason": reason})
    return None


@lru_cache(maxsize=1)
def _secrets() -> Any:
    """Powertools' secrets, with waits that a learner who submits can bear."""
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from botocore.config import Config

    config = Config(
        connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    return SecretsProvider(boto_config=config)


def issue(session: Session, found: ExamSession, key: SigningKey | None, *, now: datetime) -> None:
    """Write the receipt of a session whose log has just got its last entry; signed if there is a
    key.
    """
    head = Head(found.log_sequence, found.log_hash or receipt.FIRST_PREVIOUS)
    signed = {} if key is None else _signed(found.id, head, key, now=now)
    session.execute(
        insert(ExamReceipt).values(
            session_id=found.id, entries=head.sequence, head=head.hash, **signed
        )
    )


def _signed(session_id: UUID, head: Head, key: SigningKey, *, now: datetime) -> dict[str, Any]:
    statement = receipt.statement(session_id, head, key.id, signed_at=now)
    return {"key_id": key.id, "signed_at": now, "signature": key.sign(statement.message)}


def sign_unsigned(session: Session, key: SigningKey, *, size: int, passed_over: set[UUID]) -> int:
    """Sign up to `size` receipts that submission left unsigned, and say how many.

    A log that no longer leads to the head it had at submission is not signed, of which the log
    tells, and is added to `passed_over`, whose sessions are not claimed.
    """
    signed = 0
    for row in session.execute(_UNSIGNED, {"size": size, "passed_over": list(passed_over)}).all():
        head = Head(row.entries, row.head)
        log = [(entry, bytes.fromhex(digest)) for entry, digest in row.log or []]
        if not receipt.leads_to(head, log):
            passed_over.add(row.session_id)
            get_logger().error(
                "exam receipt is not signed: its log was changed",
                extra={"session_id": row.session_id},
            )
            continue
        session.execute(
            _SIGN,
            {"session_id": row.session_id, **_signed(row.session_id, head, key, now=row.now)},
        )
        signed += 1
    return signed


def load_receipt(session: Session, user_id: UUID, session_id: UUID) -> Receipt:
    """The receipt of this user's submitted session, in one statement.

    Raises NotFound (`exam_session_not_found`, `no_receipt` for a session older than receipts are),
    Conflict (`exam_not_submitted`).
    """
    row = session.execute(_LOAD, {"session_id": session_id, "user_id": user_id}).one_or_none()
    if row is None:
        raise session_not_found()
    if row.status in {ExamStatus.DRAFT, ExamStatus.IN_PROGRESS}:
        raise Conflict(
            "The receipt is written when the exam is submitted.", code="exam_not_submitted"
        )
    if row.head is None or row.log is None:
        raise NotFound("This exam was taken before receipts were kept.", code="no_receipt")
    statement = None
    if row.signature is not None:
        head = Head(row.entries, row.head)
        statement = receipt.statement(session_id, head, row.key_id, signed_at=row.signed_at)
    return Receipt(
        format=receipt.FORMAT,
        entries=tuple(
            LoggedEntry(entry=json.loads(entry), hash=digest) for entry, digest in row.log
        ),
        statement=statement,
        signature=None if row.signature is None else encode(row.signature),
    )
