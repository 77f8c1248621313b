"""The audit log: written in the transaction of the act itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from studypack.core.business_settings import get_business_settings
from studypack.core.jobs import Run, delete_in_batches
from studypack.core.models import AuditLog
from studypack.core.telemetry import note_event


def record(
    session: Session, action: str, *, actor_id: UUID | None, subject_id: UUID | None, **details: Any
) -> None:
    """Note one act, e.g. `record(session, "accommodation.granted", actor_id=..., subject_id=...,
    factor="1.5")`. The request's log line names it too, without the details.
    """
    session.add(AuditLog(action=action, actor_id=actor_id, subject_id=subject_id, details=details))
    note_event(action)


# Ids carry their time, so the primary key finds what is old.
_OLD = """
    DELETE FROM auth.audit_log WHERE id IN (
        SELECT id FROM auth.audit_log
         WHERE id < public.smallest_uuid7(now() - make_interval(days => :days))
         ORDER BY id LIMIT :size FOR UPDATE SKIP LOCKED)
"""


def purge_old_acts(run: Run) -> None:
    """Delete what was noted longer ago than `audit_log_days`."""
    days = get_business_settings(None).audit_log_days
    delete_in_batches(run, "audit_log", _OLD, days=days)
