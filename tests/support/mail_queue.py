"""Readers, mails in the queue, and what became of them."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

from studypack.core.database import autocommit
from studypack.core.ids import uuid7

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
"""A Wednesday noon; what is queued here is due then."""

LATER = timedelta(minutes=3)
"""Longer than a lease."""


def _run(statement: str, **given: Any) -> list[dict[str, Any]]:
    with autocommit() as connection:
        result = connection.execute(text(statement), given)
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


def reader(address: str | None = None, *, is_verified: bool = True, **columns: Any) -> UUID:
    """An account."""
    user_id = uuid7()
    values = {
        "id": user_id,
        "email": address or f"{user_id.hex}@example.com",
        "email_verified_at": NOW if is_verified else None,
        "first_name": "Ada",
        **columns,
    }
    names = ", ".join(values)
    _run(
        f"INSERT INTO auth.users ({names}) VALUES ({', '.join(':' + each for each in values)})",
        **values,
    )
    return user_id


def address_of(user_id: UUID) -> str:
    """Where the account's mails go."""
    return str(_run("SELECT email FROM auth.users WHERE id = :id", id=user_id)[0]["email"])


def queue(
    user_id: UUID, template: str = "PASSWORD_CHANGED", *, data: Any = None, **columns: Any
) -> UUID:
    """A mail that is due at NOW."""
    email_id = uuid7()
    values = {
        "id": email_id,
        "user_id": user_id,
        "template": template,
        "dedupe_key": f"{template}:{email_id}",
        "scheduled_for": NOW - timedelta(seconds=1),
        "created_at": NOW - timedelta(minutes=1),
        **columns,
    }
    names = ", ".join(values)
    placeholders = ", ".join(f":{each}" for each in values)
    _run(
        f"INSERT INTO notifications.email_queue ({names}, data)"
        f" VALUES ({placeholders}, CAST(:data AS jsonb))",
        **values,
        data=json.dumps(data or {}),
    )
    return email_id


def row(email_id: UUID) -> dict[str, Any]:
    """The mail's row."""
    [found] = _run("SELECT * FROM notifications.email_queue WHERE id = :id", id=email_id)
    return found


def mails(user_id: UUID) -> list[dict[str, Any]]:
    """The rows of somebody's mails, in the order in which they were queued."""
    return _run(
        "SELECT * FROM notifications.email_queue WHERE user_id = :id ORDER BY id", id=user_id
    )


def log(email_id: UUID) -> list[dict[str, Any]]:
    """The tries to send it, the first one first."""
    return _run(
        "SELECT * FROM notifications.email_logs WHERE queue_id = :id ORDER BY attempt, sent_at",
        id=email_id,
    )


def decisions(user_id: UUID) -> list[tuple[str, str, str]]:
    """What was decided on somebody's mails: template, verdict, reason."""
    rows = _run(
        "SELECT template, verdict, reason FROM notifications.email_decisions"
        " WHERE user_id = :id ORDER BY decided_at, id",
        id=user_id,
    )
    return [(each["template"], each["verdict"], each["reason"]) for each in rows]


def suppress(address: str, reason: str = "HARD_BOUNCE", category: str | None = None) -> None:
    """Write no more to an address."""
    _run(
        "INSERT INTO notifications.email_suppressions (id, address_hash, reason, category)"
        " VALUES (:id, :hash, :reason, :category)",
        id=uuid7(),
        hash=hashlib.sha256(address.lower().encode()).digest(),
        reason=reason,
        category=category,
    )


def change(user_id: UUID, **columns: Any) -> None:
    """Change an account."""
    settings = ", ".join(f"{name} = :{name}" for name in columns)
    _run(f"UPDATE auth.users SET {settings} WHERE id = :id", id=user_id, **columns)


def change_mail(email_id: UUID, **columns: Any) -> None:
    """Change a mail's row."""
    settings = ", ".join(f"{name} = :{name}" for name in columns)
    _run(f"UPDATE notifications.email_queue SET {settings} WHERE id = :id", id=email_id, **columns)


def lift(address: str) -> None:
    """Write to an address again."""
    _run(
        "UPDATE notifications.email_suppressions SET lifted_at = :now WHERE address_hash = :hash",
        now=NOW,
        hash=hashlib.sha256(address.lower().encode()).digest(),
    )


def switch_off(user_id: UUID, category: str) -> None:
    """Send somebody no mails of a category."""
    _run(
        "INSERT INTO notifications.notification_preferences (id, user_id, category, email)"
        " VALUES (:id, :user_id, :category, false)",
        id=uuid7(),
        user_id=user_id,
        category=category,
    )


def broadcast(status: str = "SENDING") -> UUID:
    """A mail to many."""
    broadcast_id = uuid7()
    _run(
        "INSERT INTO notifications.broadcasts (id, name, subject, body, status)"
        " VALUES (:id, 'News', 'News', 'Hello.', :status)",
        id=broadcast_id,
        status=status,
    )
    return broadcast_id


def set_broadcast(broadcast_id: UUID, status: str) -> None:
    """Stop a broadcast, or let it go on."""
    _run(
        "UPDATE notifications.broadcasts SET status = :status WHERE id = :id",
        id=broadcast_id,
        status=status,
    )
