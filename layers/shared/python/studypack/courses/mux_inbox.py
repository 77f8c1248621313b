"""The inbox of Mux's webhook: each event is recorded once, and takes effect once.

This module opens its short transactions itself: a statement that records, one transaction that
applies, one that keeps why it failed. What Mux answers when it is asked (courses/video_asking.py)
takes effect here too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from studypack.core.database import autocommit, transaction
from studypack.core.database.errors import sqlstate
from studypack.core.jobs import Run, delete_in_batches
from studypack.core.telemetry import get_logger
from studypack.courses.models import Lesson, MuxEvent, VideoUpload
from studypack.courses.video_events import HANDLED, Known, Told, Unreadable, apply, time_of, told_by
from studypack.courses.video_rows import write

BATCH: Final = 50
TRIES_ALONE: Final = 5
"""After so many failures an event raises the alarm."""
_LEFT_ALONE: Final = timedelta(minutes=1)
"""So long the webhook itself may be at it."""
KEPT: Final = timedelta(days=30)


class Outcome(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    """It said nothing new: older than what is known, or the same."""
    UNKNOWN = "unknown"
    """Its asset is of no video of ours, so far."""
    REPLACED = "replaced"
    """Its video was dropped since."""
    NOT_HANDLED = "not_handled"
    UNREADABLE = "unreadable"
    DONE_BEFORE = "done_before"
    BUSY = "busy"
    FAILED = "failed"


class Malformed(ValueError):
    """This is no event of Mux's."""


def record(document: Any) -> str:
    """Put an event into the inbox, unless it is there; its id.

    Raises Malformed.
    """
    values = _row(document)
    with autocommit() as connection:
        connection.execute(_RECORD, values)
    return str(values["id"])


_RECORD = text(
    """
    INSERT INTO learning.mux_events (id, type, object_id, payload, occurred_at)
    VALUES (:id, :type, CAST(:object_id AS text), CAST(:payload AS jsonb), :occurred_at)
    ON CONFLICT DO NOTHING
    """
)


def _row(document: Any) -> dict[str, Any]:
    try:
        event_id, kind, about = document["id"], document["type"], document.get("object") or {}
        occurred_at = time_of(document)
        payload = json.dumps(document, allow_nan=False)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise Malformed("this is no event") from None
    if not all(isinstance(each, str) and 0 < len(each) <= 255 for each in (event_id, kind)):
        raise Malformed("this is no event")
    if "\\u0000" in payload or "\\ud" in payload.lower():
        _check_storable(document)
    asset_id = _asset_of(document)
    named = asset_id or (about.get("id") if isinstance(about, dict) else None)
    return {
        "id": event_id,
        "type": kind,
        "object_id": named if isinstance(named, str) else None,
        "payload": payload,
        "occurred_at": occurred_at,
    }


def _check_storable(document: Any) -> None:
    """PostgreSQL keeps neither NUL nor halves of characters."""
    try:
        raw = json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Malformed("text that cannot be stored") from None
    if b"\\u0000" in raw:
        raise Malformed("text that cannot be stored")


def _asset_of(document: Mapping[str, Any]) -> str | None:
    if document["type"] not in HANDLED:
        return None
    try:
        return told_by(document).asset_id
    except Unreadable:
        return None


def process(event_id: str, *, skip_locked: bool = False) -> Outcome:
    """Let a recorded event take effect, unless it has; why one failed is kept with it.

    `skip_locked`: one that another process is at is not waited for (BUSY).
    """
    try:
        with transaction() as session:
            return _process(session, event_id, skip_locked=skip_locked)
    except Exception as error:
        kind = type(error).__name__
        code = sqlstate(error) if isinstance(error, DBAPIError) else None
        reason = f"{kind} [{code}]" if code else kind
        get_logger().warning(
            "mux event failed",
            extra={"mux_event_id": event_id, "reason": reason},
            exc_info=error,
        )
        with transaction() as session:
            session.execute(_KEEP_FAILURE, {"id": event_id, "reason": reason})
        return Outcome.FAILED


_KEEP_FAILURE = text(
    """
    UPDATE learning.mux_events
       SET attempts = least(attempts + 1, 32000), error = :reason
     WHERE id = :id AND processed_at IS NULL
    """
)


def _process(session: Session, event_id: str, *, skip_locked: bool) -> Outcome:
    kind, payload = session.execute(
        select(MuxEvent.type, MuxEvent.payload).where(MuxEvent.id == event_id)
    ).one()
    told: Told | None = None
    outcome = Outcome.NOT_HANDLED
    if kind in HANDLED:
        try:
            told = told_by(payload)
        except Unreadable:
            outcome = Outcome.UNREADABLE
    if told is not None and told.asset_id is not None:
        _take_turn(session, told.asset_id)
    processed = session.execute(
        select(MuxEvent.processed_at)
        .where(MuxEvent.id == event_id)
        .with_for_update(skip_locked=skip_locked)
    ).one_or_none()
    if processed is None:
        return Outcome.BUSY
    if processed.processed_at is not None:
        return Outcome.DONE_BEFORE
    if told is not None:
        outcome = _apply(session, told)
    _note(session, event_id, outcome)
    return outcome


def apply_answer(told: Told) -> Outcome:
    """Let what Mux answered take effect as an event does; none of it is kept in the inbox."""
    with transaction() as session:
        if told.asset_id is not None:
            _take_turn(session, told.asset_id)
        return _apply(session, told)


def _take_turn(session: Session, asset_id: str) -> None:
    """Events of one asset one after the other: else one that finds no video yet, and the one that
    ties the asset to its video, might miss each other.
    """
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"mux asset {asset_id}"},
    )


def _note(session: Session, event_id: str, outcome: Outcome) -> None:
    session.execute(
        update(MuxEvent)
        .where(MuxEvent.id == event_id)
        .values(
            processed_at=func.clock_timestamp(),
            outcome=outcome.value,
            attempts=MuxEvent.attempts + 1,
            error=None,
        )
    )


def _apply(session: Session, told: Told) -> Outcome:
    found = _find(session, told)
    if found is None:
        return Outcome.UNKNOWN
    upload_id, lesson_id = found
    # The lesson first, as everybody does who locks both.
    lesson = session.scalars(
        select(Lesson)
        .where(Lesson.id == lesson_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    upload = session.scalars(
        select(VideoUpload)
        .where(VideoUpload.id == upload_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if None not in (upload.mux_asset_id, told.asset_id) and upload.mux_asset_id != told.asset_id:
        return Outcome.UNKNOWN  # it names our row, and is not what came of it
    is_new = upload.mux_asset_id is None and told.asset_id is not None
    upload.mux_asset_id = upload.mux_asset_id or told.asset_id
    upload.mux_upload_id = upload.mux_upload_id or told.upload_id
    if upload.dropped_at is not None:
        if is_new:
            # It came of an upload that was thought to be cancelled: that has to be deleted too.
            upload.cleared_at = None
        session.flush()
        return Outcome.REPLACED
    session.flush()
    return _apply_to_lesson(session, lesson, upload, told, is_new=is_new)


def _apply_to_lesson(
    session: Session, lesson: Lesson, upload: VideoUpload, told: Told, *, is_new: bool
) -> Outcome:
    known = Known(
        lesson.video_status,
        lesson.video_error,
        lesson.video_changed_at,
        lesson.mux_asset_id,
        lesson.mux_playback_id,
        lesson.duration_seconds,
        list(lesson.captions),
    )
    after = apply(known, told)
    if is_new and told.asset_id is not None:
        after = _catch_up(session, after, told.asset_id)
    after = replace(after, mux_asset_id=upload.mux_asset_id)
    if after == known and lesson.mux_upload_id == upload.mux_upload_id:
        return Outcome.UNCHANGED
    write(session, lesson.id, mux_upload_id=upload.mux_upload_id, **vars(after))
    return Outcome.APPLIED


def _catch_up(session: Session, known: Known, asset_id: str) -> Known:
    """Apply what came before it was known whose asset this is."""
    waiting = session.scalars(
        select(MuxEvent)
        .where(MuxEvent.object_id == asset_id, MuxEvent.outcome == Outcome.UNKNOWN.value)
        .order_by(MuxEvent.occurred_at, MuxEvent.id)
        .with_for_update()
    ).all()
    for event in waiting:
        known = apply(known, told_by(event.payload))
        event.outcome = Outcome.APPLIED.value
    return known


def _find(session: Session, told: Told) -> tuple[UUID, UUID] | None:
    """The row of the video that an event is about, and its lesson: by the asset, else by the
    upload, else by what we told Mux to repeat.
    """
    ways = [VideoUpload.mux_asset_id == told.asset_id] if told.asset_id else []
    if told.upload_id is not None:
        ways.append(VideoUpload.mux_upload_id == told.upload_id)
    if told.reference is not None:
        ways.append(VideoUpload.id == told.reference)
    if not ways:
        return None
    rows = session.scalars(select(VideoUpload).where(or_(*ways))).all()
    for row in sorted(
        rows,
        key=lambda each: (
            told.asset_id is None or each.mux_asset_id != told.asset_id,
            told.upload_id is None or each.mux_upload_id != told.upload_id,
        ),
    ):
        if row.mux_upload_id is None or told.upload_id in (None, row.mux_upload_id):
            return row.id, row.lesson_id
    return None


_DUE = text(
    """
    SELECT id FROM learning.mux_events
     WHERE processed_at IS NULL AND received_at < clock_timestamp() - CAST(:alone AS interval)
       AND NOT (id = ANY(CAST(:tried AS text[])))
     ORDER BY received_at, id LIMIT :size
    """
)
_WAITING_FOR_SOMEBODY = text(
    "SELECT count(*) FROM learning.mux_events WHERE processed_at IS NULL AND attempts >= :tries"
)


def retry_due(run: Run) -> int:
    """Process what was recorded and has not taken effect, each event once a run; how many have
    failed so often that somebody has to look at them.
    """
    tried: list[str] = []
    while run.has_time():
        with transaction() as session:
            due = (
                session.execute(_DUE, {"tried": tried, "size": BATCH, "alone": _LEFT_ALONE})
                .scalars()
                .all()
            )
        if not due:
            run.complete = True
            break
        run.batches += 1
        for event_id in due:
            if not run.has_time():
                break
            tried.append(event_id)
            outcome = process(event_id, skip_locked=True)
            run.count(outcome.value, 1)
            run.processed += outcome not in {Outcome.BUSY, Outcome.FAILED}
    with transaction() as session:
        return int(session.scalar(_WAITING_FOR_SOMEBODY, {"tries": TRIES_ALONE}) or 0)


def purge_old_events(run: Run) -> None:
    """Forget events that were done long ago: Mux repeats one for a day."""
    delete_in_batches(
        run,
        "mux_events",
        f"""DELETE FROM learning.mux_events WHERE id IN (
              SELECT id FROM learning.mux_events
               WHERE received_at < now() - interval '{KEPT.days:d} days'
                 AND processed_at IS NOT NULL
               LIMIT :size FOR UPDATE SKIP LOCKED)""",  # noqa: S608 (a number)
    )
