"""Put mails into the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core.ids import uuid7
from studypack.notifications.bell import notice_of
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.inbox import notify
from studypack.notifications.models import EmailTemplate, QueuedEmail
from studypack.notifications.nudge import nudge_after_commit


def enqueue_email(
    session: Session,
    user_id: UUID,
    template: EmailTemplate,
    *,
    occasion: str,
    to_address: str | None = None,
    **data: Any,
) -> None:
    """Queue one mail in the caller's transaction; the same template and occasion again changes
    nothing. One that somebody waits for is sent right after the commit; what should not be missed
    is told in the product too (bell.py).
    """
    is_urgent = CATALOGUE[template].is_urgent
    statement = (
        insert(QueuedEmail)
        .values(
            id=uuid7(),
            user_id=user_id,
            template=template,
            to_address=to_address,
            data=data,
            dedupe_key=f"{template}:{occasion}",
            is_urgent=is_urgent,
        )
        .on_conflict_do_nothing(index_elements=[QueuedEmail.dedupe_key])
        .returning(QueuedEmail.id)
    )
    queued = session.execute(statement).scalar_one_or_none()
    if queued is None:
        return
    if is_urgent:
        nudge_after_commit(session, queued)
    notice = notice_of(template, user_id, occasion=occasion, facts=data)
    if notice is not None:
        notify(session, [notice])
