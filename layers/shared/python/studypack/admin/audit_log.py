"""Reading the audit log: who did what to whom."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.core.models import AuditLog
from studypack.core.paging import PageParams


def entries(
    session: Session,
    page: PageParams,
    *,
    actor_id: UUID | None = None,
    subject_id: UUID | None = None,
    action: str | None = None,
) -> Sequence[AuditLog]:
    """Acts of this actor, on this subject, of this kind, newest first, one more than the page
    shows; each filter has an index that ends in the order of the pages.
    """
    query = select(AuditLog).order_by(AuditLog.id.desc()).limit(page.limit + 1)
    if actor_id is not None:
        query = query.where(AuditLog.actor_id == actor_id)
    if subject_id is not None:
        query = query.where(AuditLog.subject_id == subject_id)
    if action is not None:
        query = query.where(AuditLog.action == action)
    if page.after is not None:
        query = query.where(AuditLog.id < page.after)
    return session.scalars(query).all()
