"""The audit log: written in the transaction of the act itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

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
