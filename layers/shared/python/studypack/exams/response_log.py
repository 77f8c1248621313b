"""The log of an exam session: what each entry says, and how it is appended.

Whoever appends holds the session's row locked (FOR UPDATE or FOR NO KEY UPDATE): the row carries
the log's head, so that entries of two devices follow each other without gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from studypack.core.errors import Conflict
from studypack.exams.clock import ExamClock
from studypack.exams.models import ExamResponseLog, ExamSession
from studypack.exams.receipt import FIRST_PREVIOUS, Entry, Head, LogEvent, instant, next_entry

ENTRIES_PER_ITEM: Final = 50
MOST_ENTRIES: Final = 6_000
"""At about 0.6 KiB each the receipt stays well below Lambda's 6 MB of an answer."""


@dataclass(frozen=True)
class Fact:
    """What happened, to become an entry."""

    event: LogEvent
    data: dict[str, Any]


def started(
    *,
    learner: UUID,
    exam: tuple[str, str],
    form: Sequence[tuple[UUID, int]],
    clock: ExamClock,
    duration_minutes: int,
    time_factor: Decimal,
    scoring_mode: str,
    is_practice: bool,
) -> Fact:
    """The start: slug and title of the exam, its frozen form (question and version in order), the
    learner's accommodation and the clock.
    """
    slug, title = exam
    data = {
        "learner": str(learner),
        "exam": slug,
        "title": title,
        "scoring_mode": scoring_mode,
        "is_practice": is_practice,
        "duration_minutes": duration_minutes,
        "time_factor": f"{time_factor:.2f}",
        "started_at": instant(clock.started_at),
        "deadline_at": instant(clock.deadline_at),
        "pause_budget_seconds": clock.pause_budget_seconds,
        "form": [{"question": str(question), "version": version} for question, version in form],
    }
    return Fact(LogEvent.STARTED, data)


def answered(
    *,
    question_id: UUID,
    revision: int,
    answer: dict[str, Any] | None,
    answer_changed: bool,
    flagged: bool | None,
    time_spent_seconds: int,
) -> Fact:
    """A saved response as the device sent it: without `answer` that stayed as the question's entry
    before says, `flagged` None left the flag as it was.
    """
    data = {
        "question": str(question_id),
        "revision": revision,
        "flagged": flagged,
        "time_spent_seconds": time_spent_seconds,
    }
    if answer_changed:
        data["answer"] = answer
    return Fact(LogEvent.ANSWERED, data)


def check_room(sequence: int, *, items: int) -> None:
    """Refuse a further change of a session whose log, `sequence` entries long, is full.

    Submission and the end of a pause are not asked: they come at most once each. Waiting does not
    help, so the refusal is Conflict (`too_many_changes` with the `limit`), no 429.
    """
    limit = min(ENTRIES_PER_ITEM * items, MOST_ENTRIES)
    if sequence >= limit:
        raise Conflict(
            f"This exam was changed {limit} times, more than its log takes. It can be submitted.",
            code="too_many_changes",
            limit=limit,
        )


def paused(before: ExamClock, after: ExamClock, *, now: datetime) -> list[Fact]:
    """A pause that begins now; one that had ended by itself is logged first."""
    ended = [] if before.paused_at is None else [resumed(before, before.settled(now), now=now)]
    data = {
        "deadline_at": instant(after.deadline_at),
        "ends_at_latest": instant(now + (after.expires_at - after.deadline_at)),
        "pause_used_seconds": after.pause_used_seconds,
    }
    return [*ended, Fact(LogEvent.PAUSED, data)]


def resumed(before: ExamClock, after: ExamClock, *, now: datetime) -> Fact:
    """The end of a pause, at most when its budget ran out, and the deadline that it moved."""
    budget_ends = (before.paused_at or now) + (before.expires_at - before.deadline_at)
    data = {
        "resumed_at": instant(min(now, budget_ends)),
        "deadline_at": instant(after.deadline_at),
        "pause_used_seconds": after.pause_used_seconds,
    }
    return Fact(LogEvent.RESUMED, data)


def submitted(session: ExamSession, *, items: int, answered: int) -> Fact:
    """The submission with the raw score."""
    if session.submitted_at is None:
        raise ValueError("the session is not submitted")
    data = {
        "by": str(session.submitted_by),
        "submitted_at": instant(session.submitted_at),
        "items": items,
        "answered": answered,
        "score_raw": f"{session.score_raw:.4f}",
        "score_percent": f"{session.score_percent:.2f}",
    }
    return Fact(LogEvent.SUBMITTED, data)


def head_of(sequence: int, digest: bytes | None) -> Head:
    """The log's head as a session's row carries it."""
    return Head(sequence, digest or FIRST_PREVIOUS)


def append(
    session: Session, found: ExamSession, facts: Sequence[Fact], *, now: datetime
) -> Sequence[Entry]:
    """Write the entries in one statement, after the session's own changes, its new head among
    them.
    """
    entries = []
    head = head_of(found.log_sequence, found.log_hash)
    for fact in facts:
        entries.append(next_entry(head, found.id, fact.event, now, fact.data))
        head = entries[-1].head
    found.log_sequence, found.log_hash = head.sequence, head.hash
    session.flush()
    session.execute(insert(ExamResponseLog).values([columns(found.id, entry) for entry in entries]))
    return entries


def columns(session_id: UUID, entry: Entry) -> dict[str, Any]:
    """An entry as its row."""
    return {
        "session_id": session_id,
        "sequence": entry.sequence,
        "event": entry.event,
        "occurred_at": entry.at,
        "entry": entry.text,
        "previous_hash": entry.previous,
        "hash": entry.hash,
    }
