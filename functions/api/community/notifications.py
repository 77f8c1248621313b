"""What happened that concerns me: the bell."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.core.http import DbSession, Out, Paging, UtcTime, page_of
from studypack.notifications import inbox
from studypack.notifications.models import NotificationType, Priority

router = APIRouter(prefix="/api/notifications")


class NotificationOut(Out):
    """One fact."""

    id: UUID
    type: NotificationType
    title: str
    message: str
    priority: Priority
    link: str | None = Field(description="A path of the web client")
    data: dict[str, Any]
    read_at: UtcTime | None
    created_at: UtcTime


class UnreadOut(Out):
    """How many are unread."""

    unread: int


class NotificationsOut(UnreadOut):
    """One page, and how many are unread in all."""

    items: list[NotificationOut]
    next_cursor: str | None


@router.get("")
def list_notifications(caller: CurrentUser, session: DbSession, paging: Paging) -> NotificationsOut:
    """My notifications, newest first, and how many are unread in all."""
    found, unread = inbox.list_notifications(session, caller.id, paging)
    page = page_of(found, paging, key=lambda each: each.id, out=NotificationOut.model_validate)
    return NotificationsOut(items=page.items, next_cursor=page.next_cursor, unread=unread)


@router.post("/read-all")
def read_all_notifications(caller: CurrentUser, session: DbSession) -> UnreadOut:
    """Mark all that there are as read."""
    inbox.mark_all_read(session, caller.id, now=caller.now)
    return UnreadOut(unread=0)


@router.post("/{notification_id}/read")
def read_notification(notification_id: UUID, caller: CurrentUser, session: DbSession) -> UnreadOut:
    """Mark one as read; again changes nothing."""
    unread = inbox.mark_read(session, caller.id, notification_id, now=caller.now)
    return UnreadOut(unread=unread)
