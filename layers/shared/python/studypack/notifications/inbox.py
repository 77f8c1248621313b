"""What the product tells a learner inside of itself: told by facts, listed, read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.errors import NotFound
from studypack.core.paging import PageParams
from studypack.notifications.models import NotificationType, Priority


@dataclass(frozen=True)
class Notice:
    """One fact to tell one user."""

    user_id: UUID
    type: NotificationType
    reference: str
    """What it is about: the same type and reference make no second line."""
    title: str
    message: str
    link: str | None = None
    """A path of the web client."""
    priority: Priority = Priority.NORMAL
    data: dict[str, Any] = field(default_factory=dict)


_NOTIFY: Final = text(
    """
    INSERT INTO notifications.notifications
           (id, user_id, type, title, message, priority, link, reference, data)
    SELECT public.uuid7(), n.user_id, n.type, n.title, n.message, n.priority, n.link, n.reference,
           n.data
      FROM jsonb_to_recordset(CAST(:notices AS jsonb))
           AS n (user_id uuid, type text, title text, message text, priority text, link text,
                 reference text, data jsonb)
     ORDER BY n.user_id, n.type, n.reference
        ON CONFLICT (user_id, type, reference) DO NOTHING
    """
)


def notify(session: Session, notices: Sequence[Notice]) -> None:
    """Tell facts in the caller's transaction, in one statement; one told before is not told
    again.
    """
    if not notices:
        return
    rows = [
        {
            "user_id": str(each.user_id),
            "type": each.type.value,
            "title": each.title,
            "message": each.message,
            "priority": each.priority.value,
            "link": each.link,
            "reference": each.reference,
            "data": each.data,
        }
        for each in notices
    ]
    session.execute(_NOTIFY, {"notices": json.dumps(rows)})


@dataclass(frozen=True)
class Told:
    """One line under the bell."""

    id: UUID
    type: NotificationType
    title: str
    message: str
    priority: Priority
    link: str | None
    data: dict[str, Any]
    read_at: datetime | None
    created_at: datetime


# The count stands alone on the left, so that it comes also with an empty page.
_LIST: Final = text(
    """
    SELECT counted.unread, n.*
      FROM (SELECT count(*) AS unread FROM notifications.notifications
             WHERE user_id = :user_id AND read_at IS NULL) counted
      LEFT JOIN LATERAL (
           SELECT id, type, title, message, priority, link, data, read_at, created_at
             FROM notifications.notifications
            WHERE user_id = :user_id AND (CAST(:after AS uuid) IS NULL OR id < :after)
            ORDER BY id DESC LIMIT :rows) n ON true
     ORDER BY n.id DESC
    """
)


def list_notifications(
    session: Session, user_id: UUID, paging: PageParams
) -> tuple[list[Told], int]:
    """A page, newest first (one more than asked for, if there is more), and how many are unread in
    all; one statement.
    """
    given = {"user_id": user_id, "after": paging.after, "rows": paging.limit + 1}
    rows = session.execute(_LIST, given).all()
    told = [
        Told(
            id=row.id,
            type=NotificationType(row.type),
            title=row.title,
            message=row.message,
            priority=Priority(row.priority),
            link=row.link,
            data=row.data,
            read_at=row.read_at,
            created_at=row.created_at,
        )
        for row in rows
        if row.id is not None
    ]
    return told, rows[0].unread


# The rest of the statement sees the rows as they were before, hence `id <> :id`.
_READ: Final = text(
    """
    WITH marked AS (
        UPDATE notifications.notifications SET read_at = coalesce(read_at, :now)
         WHERE id = :id AND user_id = :user_id RETURNING id)
    SELECT (SELECT count(*) FROM marked) AS found,
           (SELECT count(*) FROM notifications.notifications
             WHERE user_id = :user_id AND read_at IS NULL AND id <> :id) AS unread
    """
)


def mark_read(session: Session, user_id: UUID, notification_id: UUID, *, now: datetime) -> int:
    """Mark one as read, once, and return how many are left unread; one statement.

    Raises NotFound (`notification_not_found`).
    """
    given = {"id": notification_id, "user_id": user_id, "now": now}
    row = session.execute(_READ, given).one()
    if not row.found:
        raise NotFound("There is no such notification.", code="notification_not_found")
    return int(row.unread)


_READ_ALL: Final = text(
    """
    UPDATE notifications.notifications SET read_at = :now
     WHERE user_id = :user_id AND read_at IS NULL AND created_at <= :now
    """
)


def mark_all_read(session: Session, user_id: UUID, *, now: datetime) -> None:
    """Mark all as read that were told by now."""
    session.execute(_READ_ALL, {"user_id": user_id, "now": now})
