"""What waits in the queue of e-mails."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text

from studypack.core.database import transaction


def queued(address: str, template: str | None = None) -> list[dict[str, Any]]:
    """The mails to an address (the account's own included), oldest first."""
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT q.template, q.data, q.status, coalesce(q.to_address, u.email) AS address"
                "  FROM notifications.email_queue q JOIN auth.users u ON u.id = q.user_id"
                " WHERE lower(coalesce(q.to_address, u.email)) = lower(:address)"
                "   AND (CAST(:template AS text) IS NULL OR q.template = :template)"
                " ORDER BY q.created_at, q.id"
            ),
            {"address": address, "template": template},
        )
        return [dict(row._mapping) for row in rows]


def token(address: str, template: str) -> str:
    """The token in the link of the last such mail to an address."""
    link = urlsplit(queued(address, template)[-1]["data"]["link"])
    assert f"{link.scheme}://{link.netloc}" == "https://app.example.com"
    return parse_qs(link.query)["token"][0]
