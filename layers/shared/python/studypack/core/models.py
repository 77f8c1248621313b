"""Tables that serve every package: keys of repeated requests, business settings, the
audit log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, PrimaryKeyConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import Base, new_id


class IdempotencyKey(Base):
    """One request that was sent with an Idempotency-Key, and what a repetition is answered from."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        PrimaryKeyConstraint("user_id", "operation", "key"),
        Index(None, "created_at"),
        {"schema": "auth"},
    )

    user_id: Mapped[UUID]
    """Keys are the caller's own: two users may choose the same."""
    operation: Mapped[str]
    key: Mapped[str]
    fingerprint: Mapped[str]
    """SHA-256 of the input: the same key with other input is an error."""
    answer: Mapped[dict[str, Any] | None]
    """`{"id": ...}`: what the request made, read anew for every repetition."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Setting(Base):
    """A business setting that differs from its default (core/business_settings.py)."""

    __tablename__ = "settings"
    __table_args__ = ({"schema": "auth"},)

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class AuditLog(Base):
    """Who did what to whom: every act of support and admins, and acts on an account's security."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index(None, "actor_id", "id"),
        Index(None, "subject_id", "id"),
        Index(None, "action", "id"),
        {"schema": "auth"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    subject_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
