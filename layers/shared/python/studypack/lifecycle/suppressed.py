"""Addresses that get nothing, or no marketing, as the back office sees them: look, and lift what no
longer holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.errors import Conflict, NotFound
from studypack.core.paging import PageParams
from studypack.identity.models import User
from studypack.notifications.models import EmailSuppression, SuppressionReason


def search(
    session: Session,
    page: PageParams,
    *,
    user_id: UUID | None = None,
    reason: SuppressionReason | None = None,
    with_lifted: bool = False,
) -> Sequence[EmailSuppression]:
    """Suppressions of this user or of the account's address, newest first, one more than the page
    shows; those that were lifted only if asked for.
    """
    query = select(EmailSuppression).order_by(EmailSuppression.id.desc()).limit(page.limit + 1)
    if user_id is not None:
        address = func.sha256(func.convert_to(func.lower(User.email), "UTF8"))
        of_account = select(address).where(User.id == user_id).scalar_subquery()
        query = query.where(
            or_(EmailSuppression.user_id == user_id, EmailSuppression.address_hash == of_account)
        )
    if reason is not None:
        query = query.where(EmailSuppression.reason == reason)
    if not with_lifted:
        query = query.where(EmailSuppression.lifted_at.is_(None))
    if page.after is not None:
        query = query.where(EmailSuppression.id < page.after)
    return session.scalars(query).all()


def lift(session: Session, suppression_id: UUID, *, by: UUID, now: datetime) -> None:
    """Write to an address again that bounced or complained; once it was lifted, again changes
    nothing. SES keeps a list of its own, from which the address has to be taken too.

    Raises NotFound, Conflict (`readers_choice`): whoever unsubscribed takes that back alone.
    """
    query = select(EmailSuppression).where(EmailSuppression.id == suppression_id).with_for_update()
    found = session.scalars(query).one_or_none()
    if found is None:
        raise NotFound("There is no such suppression.")
    if found.reason is SuppressionReason.UNSUBSCRIBE:
        raise Conflict(
            "Only the reader takes back what the reader unsubscribed from.", code="readers_choice"
        )
    if found.lifted_at is not None:
        return
    found.lifted_at = now
    session.flush()
    audit.record(
        session,
        "suppression.lifted",
        actor_id=by,
        subject_id=found.user_id,
        suppression_id=str(found.id),
        reason=found.reason.value,
    )
