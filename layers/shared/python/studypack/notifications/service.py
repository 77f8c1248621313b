"""Put mails into the queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core.ids import uuid7
from studypack.notifications.models import EmailTemplate, QueuedEmail


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
    nothing.
    """
    statement = insert(QueuedEmail).values(
        id=uuid7(),
        user_id=user_id,
        template=template,
        to_address=to_address,
        data=data,
        dedupe_key=f"{template}:{occasion}",
    )
    session.execute(statement.on_conflict_do_nothing(index_elements=[QueuedEmail.dedupe_key]))
