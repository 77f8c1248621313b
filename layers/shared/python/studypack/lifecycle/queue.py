"""The queue of mails as the back office sees it: look, and try a failed one again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.errors import Conflict, NotFound
from studypack.core.paging import PageParams
from studypack.notifications.catalogue import missing_facts
from studypack.notifications.models import EmailStatus, EmailTemplate, QueuedEmail


def search(
    session: Session,
    page: PageParams,
    *,
    user_id: UUID | None = None,
    template: EmailTemplate | None = None,
    status: EmailStatus | None = None,
) -> Sequence[QueuedEmail]:
    """Mails of this user, template and status, newest first, one more than the page shows."""
    query = select(QueuedEmail).order_by(QueuedEmail.id.desc()).limit(page.limit + 1)
    if user_id is not None:
        query = query.where(QueuedEmail.user_id == user_id)
    if template is not None:
        query = query.where(QueuedEmail.template == template)
    if status is not None:
        query = query.where(QueuedEmail.status == status)
    if page.after is not None:
        query = query.where(QueuedEmail.id < page.after)
    return session.scalars(query).all()


_BOUNCED = text(
    """
    SELECT EXISTS (
        SELECT FROM notifications.email_suppressions s
          JOIN auth.users u ON u.id = :user_id
         WHERE s.address_hash = sha256(convert_to(
                   lower(coalesce(CAST(:to_address AS text), u.email)), 'UTF8'))
           AND s.reason = 'HARD_BOUNCE' AND s.lifted_at IS NULL)
    """
)


def retry(session: Session, email_id: UUID, *, by: UUID, now: datetime) -> QueuedEmail:
    """Put a mail that FAILED back into the queue, as if it had not been tried; but for the doubt
    whether a try without an answer sent it, which its log will tell of.

    Raises NotFound; Conflict: `email_not_failed`, `address_suppressed`, `facts_gone` (a link that
    was blanked: ask for a new one instead).
    """
    query = select(QueuedEmail).where(QueuedEmail.id == email_id).with_for_update()
    email = session.scalars(query).one_or_none()
    if email is None:
        raise NotFound("There is no such mail.")
    if email.status is not EmailStatus.FAILED:
        raise Conflict("Only a mail that failed can be tried again.", code="email_not_failed")
    values = {"user_id": email.user_id, "to_address": email.to_address}
    if session.execute(_BOUNCED, values).scalar_one():
        raise Conflict("This address bounced for good.", code="address_suppressed")
    if missing_facts(email.template, email.data):
        raise Conflict("What this mail must say is no longer kept.", code="facts_gone")
    email.status = EmailStatus.PENDING
    email.status_reason = email.last_error = None
    email.processed_at = email.leased_until = email.lease_id = None
    email.attempts = 0
    email.scheduled_for = now
    session.flush()
    audit.record(
        session, "email.retried", actor_id=by, subject_id=email.user_id, email_id=str(email.id)
    )
    return email
