"""The mails that the stand-in for SES took, as their readers would see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

SHOWN = 200
"""The newest ones."""

HTML_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
"""Of a mail's own html: it runs nothing, loads nothing from elsewhere, and opens links outside of
its frame.
"""

_SECONDS = 10
_LINK = re.compile(r"https?://[^\s<>\"']+")
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)


@dataclass(frozen=True)
class Mail:
    """One mail that was sent."""

    id: str
    """SES's."""
    to: str
    subject: str
    headers: list[tuple[str, str]]
    text: str
    html: str | None
    email_id: UUID | None
    """Of its row in the queue."""

    @property
    def link(self) -> str | None:
        """The first link of its text: what it wants its reader to follow."""
        found = _LINK.search(self.text)
        return found.group().rstrip(".,)") if found else None

    @property
    def framed_html(self) -> str:
        """Its html with links that open in a new tab."""
        base = '<base target="_blank">'
        html, found = _HEAD.subn(lambda head: head.group() + base, self.html or "", count=1)
        return html if found else base + html


def read(endpoint: str | None) -> list[Mail]:
    """The newest mails that the stand-in at this endpoint took, newest first; none without one."""
    if endpoint is None:
        return []
    taken = list(_taken(endpoint))[-SHOWN:]
    return [_mail(each) for each in reversed(taken)]


def _taken(endpoint: str) -> Iterator[dict[str, Any]]:
    """moto's own list of what it keeps."""
    import httpx2

    try:
        answer = httpx2.get(f"{endpoint}/moto-api/data.json", timeout=_SECONDS)
        answer.raise_for_status()
    except httpx2.HTTPError:  # whoever stands in for AWS there is not moto, or restarts
        return
    kept: dict[str, list[dict[str, Any]]] = answer.json().get("ses", {})
    yield from (each for each in kept.get("RawMessage", ()) if "raw_data" in each)


def _mail(taken: dict[str, Any]) -> Mail:
    message: EmailMessage = message_from_string(taken["raw_data"], policy=policy.default)
    return Mail(
        id=str(taken["id"]),
        to=str(message["To"] or ""),
        subject=str(message["Subject"] or ""),
        headers=[(name, str(value)) for name, value in message.items()],
        text=_part(message, "plain") or "",
        html=_part(message, "html"),
        email_id=_uuid(message["X-Entity-Ref-ID"]),
    )


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else None


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
