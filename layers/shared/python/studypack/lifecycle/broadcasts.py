"""Mails by an admin to a segment: drafted, previewed, started, stopped, gone on with.

A started broadcast is queued a few minutes' worth at a time, each mail scheduled for its own
moment, so that it goes at its rate, other mails pass it, and stopping takes back what is left.
Users are taken in the order of their ids, which is the order of sign-up; who signs up after the
start is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.config import get_settings
from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.core.paging import PageParams
from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.moment import Moment, common_values, run
from studypack.lifecycle.refusals import KINDS, REFUSAL
from studypack.lifecycle.segments import Segment, conditions
from studypack.notifications.models import Broadcast, BroadcastStatus, EmailTemplate
from studypack.notifications.policy import BROADCAST_STOPPED

RULE: Final = "broadcast"
MOST_MINUTES: Final = 10
"""What a run may queue ahead, however long ago the last one was."""
MOST_AT_ONCE: Final = 20_000
"""Mails of one broadcast that a run queues, whatever its rate: they are one transaction."""


@dataclass(frozen=True)
class Preview:
    """What readers will see; how many people the segment holds, and to how many of them marketing
    may go.
    """

    subject: str
    html: str
    text: str
    recipients: int
    reachable: int


def create(session: Session, values: Mapping[str, Any], *, by: UUID) -> Broadcast:
    """Draft a broadcast."""
    broadcast = Broadcast(created_by=by, **values)
    session.add(broadcast)
    session.flush()
    session.refresh(broadcast)
    audit.record(session, "broadcast.created", actor_id=by, subject_id=broadcast.id)
    return broadcast


def listed(session: Session, page: PageParams) -> Sequence[Broadcast]:
    """Broadcasts, newest first, one more than the page shows."""
    query = select(Broadcast).order_by(Broadcast.id.desc()).limit(page.limit + 1)
    if page.after is not None:
        query = query.where(Broadcast.id < page.after)
    return session.scalars(query).all()


def get(session: Session, broadcast_id: UUID) -> Broadcast:
    """One broadcast. Raises NotFound."""
    return _found(session.get(Broadcast, broadcast_id))


def change(
    session: Session, broadcast_id: UUID, changes: Mapping[str, Any], *, by: UUID
) -> Broadcast:
    """Change a draft; of one that was started only the name and the rate, while it is stopped.

    Raises NotFound, Conflict (`broadcast_started`).
    """
    broadcast = _locked(session, broadcast_id)
    free = {
        BroadcastStatus.DRAFT: {"name", "subject", "body", "segment", "per_minute"},
        BroadcastStatus.STOPPED: {"name", "per_minute"},
    }.get(broadcast.status, {"name"})
    if not changes.keys() <= free:
        raise Conflict(
            "What was sent to some cannot be changed for the others.", code="broadcast_started"
        )
    for name, value in changes.items():
        setattr(broadcast, name, value)
    session.flush()
    session.refresh(broadcast)
    audit.record(session, "broadcast.changed", actor_id=by, subject_id=broadcast.id)
    return broadcast


def preview(session: Session, broadcast_id: UUID, *, now: datetime) -> Preview:
    """Render a broadcast for nobody in particular and count its readers.

    Raises NotFound; Unprocessable naming `body` when it cannot be rendered.
    """
    from studypack.emails.render import context, render

    broadcast = get(session, broadcast_id)
    moment = _moment(session, now)
    common = context(
        email="reader@example.com",
        first_name=None,
        timezone="UTC",
        occurred_at=now,
        business=moment.settings,
        unsubscribe_url=f"{get_settings().web_base_url.rstrip('/')}/unsubscribe?token=preview",
    )
    facts = {"subject": broadcast.subject, "body": broadcast.body, **common}
    try:
        rendered = render(EmailTemplate.BROADCAST, facts)
    except ValueError as error:
        raise Unprocessable.field("body", "This cannot be made into a mail.") from error
    condition, values = conditions(Segment.model_validate(broadcast.segment))
    counted = text(_COUNT.format(kinds=KINDS, refusal=REFUSAL, condition=condition))
    row = run(session, counted, {**common_values(moment), **values}).one()
    return Preview(rendered.subject, rendered.html, rendered.text, row.recipients, row.reachable)


def start(session: Session, broadcast_id: UUID, *, by: UUID, now: datetime) -> Broadcast:
    """Begin to send, or go on after a stop; again changes nothing.

    Raises NotFound, Conflict (`broadcast_finished`).
    """
    broadcast = _locked(session, broadcast_id)
    if broadcast.status is BroadcastStatus.SENDING:
        return broadcast
    if broadcast.status is BroadcastStatus.SENT:
        raise Conflict("This broadcast was sent.", code="broadcast_finished")
    broadcast.status = BroadcastStatus.SENDING
    broadcast.started_at = broadcast.started_at or now
    broadcast.updated_at = now - timedelta(minutes=1)
    session.flush()
    session.refresh(broadcast)
    audit.record(session, "broadcast.started", actor_id=by, subject_id=broadcast.id)
    return broadcast


def stop(session: Session, broadcast_id: UUID, *, by: UUID, now: datetime) -> Broadcast:
    """Stop sending: from now on the sender takes no mail of it; this takes back the first of what
    is queued at once, and the job the rest.

    Raises NotFound, Conflict (`broadcast_not_sending`).
    """
    broadcast = _locked(session, broadcast_id)
    if broadcast.status is BroadcastStatus.STOPPED:
        return broadcast
    if broadcast.status is not BroadcastStatus.SENDING:
        raise Conflict("This broadcast is not being sent.", code="broadcast_not_sending")
    broadcast.status = BroadcastStatus.STOPPED
    session.flush()
    session.refresh(broadcast)
    STOPPED_ONES.cancel(session, _moment(session, now))
    audit.record(session, "broadcast.stopped", actor_id=by, subject_id=broadcast.id)
    return broadcast


def _found(broadcast: Broadcast | None) -> Broadcast:
    if broadcast is None:
        raise NotFound("There is no such broadcast.")
    return broadcast


def _locked(session: Session, broadcast_id: UUID) -> Broadcast:
    query = select(Broadcast).where(Broadcast.id == broadcast_id).with_for_update()
    return _found(session.scalars(query).one_or_none())


def _moment(session: Session, now: datetime) -> Moment:
    return Moment(now, get_business_settings(session))


_COUNT = """
    WITH kinds AS ({kinds})
    SELECT count(*) AS recipients, count(*) FILTER (WHERE {refusal} IS NULL) AS reachable
      FROM auth.users u JOIN kinds k ON k.template = 'BROADCAST'
     WHERE u.is_active AND u.deleted_at IS NULL AND {condition}
"""

STOPPED_ONES: Final = Cancellation(
    RULE,
    f"""
    SELECT q.id, '{BROADCAST_STOPPED}' AS reason,
           jsonb_build_object('broadcast_id', b.id) AS evidence
      FROM notifications.broadcasts b JOIN pending q ON q.broadcast_id = b.id
     WHERE b.status = 'STOPPED'
    """,  # noqa: S608 (our own text)
)

_NEXT = text(
    """
    SELECT id FROM notifications.broadcasts
     WHERE status = 'SENDING' AND updated_at <= CAST(:now AS timestamptz) - interval '1 minute'
     ORDER BY updated_at LIMIT 1 FOR UPDATE SKIP LOCKED
    """
)

_REVIVE = text(
    """
    WITH again AS (
        SELECT q.id, row_number() OVER (ORDER BY q.user_id) - 1 AS place
          FROM notifications.email_queue q
         WHERE q.broadcast_id = :broadcast_id AND q.status = 'CANCELLED'
           AND q.status_reason = 'broadcast_stopped'
         ORDER BY q.user_id LIMIT :size)
    UPDATE notifications.email_queue q
       SET status = 'PENDING', status_reason = NULL, processed_at = NULL,
           scheduled_for = :now + again.place * CAST(:apart AS interval)
      FROM again WHERE q.id = again.id AND q.status = 'CANCELLED'
    RETURNING q.id
    """
)
"""After a stop, what it took back comes first. A query of its own row, so none is doubled."""

_QUEUE = """
    WITH kinds AS MATERIALIZED ({kinds}),
    people AS MATERIALIZED (
        SELECT u.id, {refusal} AS withheld, row_number() OVER (ORDER BY u.id) - 1 AS place
          FROM auth.users u JOIN kinds k ON k.template = 'BROADCAST'
         WHERE u.id > CAST(:after AS uuid) AND u.is_active AND u.deleted_at IS NULL
           AND u.created_at <= :started_at AND {condition}
         ORDER BY u.id LIMIT :size),
    decided AS (
        INSERT INTO notifications.email_decisions
               (id, user_id, template, occasion, verdict, rule, reason, evidence, decided_at)
        SELECT public.uuid7(:now), id, 'BROADCAST', :broadcast || ':' || id,
               CASE WHEN withheld IS NULL THEN 'SEND' ELSE 'WITHHOLD' END, 'broadcast',
               coalesce(withheld, 'due'), jsonb_build_object('broadcast_id', :broadcast), :now
          FROM people ORDER BY id ON CONFLICT DO NOTHING),
    queued AS (
        INSERT INTO notifications.email_queue
               (id, user_id, template, data, dedupe_key, broadcast_id, scheduled_for, created_at)
        SELECT public.uuid7(:now), id, 'BROADCAST',
               jsonb_build_object('subject', CAST(:subject AS text), 'body', CAST(:body AS text)),
               'BROADCAST:' || :broadcast || ':' || id, CAST(:broadcast_id AS uuid),
               :now + place * CAST(:apart AS interval), :now
          FROM people WHERE withheld IS NULL
         ORDER BY id ON CONFLICT (dedupe_key) DO NOTHING
        RETURNING 1)
    SELECT (SELECT count(*) FROM people) AS people, (SELECT count(*) FROM queued) AS queued,
           (SELECT id FROM people ORDER BY id DESC LIMIT 1) AS last_user_id
"""


def queue_next(session: Session, moment: Moment) -> int:
    """Queue what one broadcast may send until the next run, in the caller's transaction.

    Returns 0 when no broadcast waits for it: one that was seen to in the last minute does not.
    """
    broadcast_id = run(session, _NEXT, {"now": moment.now}).scalar()
    if broadcast_id is None:
        return 0
    broadcast = _locked(session, broadcast_id)
    minutes = min((moment.now - broadcast.updated_at) / timedelta(minutes=1), MOST_MINUTES)
    values = {
        "now": moment.now,
        "broadcast_id": broadcast.id,
        "apart": timedelta(minutes=1) / broadcast.per_minute,
    }
    allowed = min(max(int(minutes * broadcast.per_minute), 1), MOST_AT_ONCE)
    revived = len(run(session, _REVIVE, {**values, "size": allowed}).all())
    queued, is_through = revived, False
    if revived < allowed:
        people, new = _queue(session, broadcast, moment, values, allowed - revived)
        queued, is_through = queued + people, people == 0 and revived == 0
        broadcast.queued += new
    broadcast.updated_at = moment.now
    session.flush()
    if is_through:
        _finish(session, broadcast, moment.now)
    return max(queued, 1)


def _queue(
    session: Session, broadcast: Broadcast, moment: Moment, values: Mapping[str, Any], size: int
) -> tuple[int, int]:
    condition, further = conditions(Segment.model_validate(broadcast.segment))
    statement = _QUEUE.format(kinds=KINDS, refusal=REFUSAL, condition=condition)
    row = run(
        session,
        text(statement),
        {
            **common_values(moment),
            **values,
            **further,
            "broadcast": str(broadcast.id),
            "subject": broadcast.subject,
            "body": broadcast.body,
            "after": str(broadcast.last_user_id or UUID(int=0)),
            "started_at": broadcast.started_at,
            "size": size,
        },
    ).one()
    broadcast.last_user_id = row.last_user_id or broadcast.last_user_id
    return row.people, row.queued


def _finish(session: Session, broadcast: Broadcast, now: datetime) -> None:
    """It is sent when nothing of it waits any more."""
    waiting = session.scalar(
        text(
            "SELECT EXISTS (SELECT FROM notifications.email_queue"
            " WHERE broadcast_id = :id AND status = 'PENDING')"
        ),
        {"id": broadcast.id},
    )
    if not waiting:
        session.execute(
            update(Broadcast)
            .where(Broadcast.id == broadcast.id)
            .values(status=BroadcastStatus.SENT, finished_at=now)
        )
