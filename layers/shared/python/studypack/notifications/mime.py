"""One mail as the bytes that are handed over (RFC 5322): text and html, and the headers that mail
clients and receiving servers ask for. Pure.

A header cannot be injected: the email package refuses a value with a line break, and addresses are
parsed, never pasted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

LONGEST_ADDRESS: Final = 254


class BadAddress(ValueError):
    """No mail can be sent to what this is."""


class _Verbatim(UnstructuredHeader, BaseHeader):
    """Folded nowhere: the email package would encode a URL or an id that is longer than a line,
    and then nobody could follow it.
    """

    def fold(self, *, policy: Policy[Any]) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _Headers(HeaderRegistry):
    """The package makes a class for each header it is given; these are made once a name."""

    @lru_cache(maxsize=64)  # noqa: B019 (there is one registry, which lives as long as we do)
    def __getitem__(self, name: str) -> type:
        return super().__getitem__(name)


_headers = _Headers()
for _name in ("list-unsubscribe", "list-unsubscribe-post", "message-id", "x-entity-ref-id"):
    _headers.map_to_type(_name, _Verbatim)
_POLICY: Final = SMTP.clone(header_factory=_headers)


@dataclass(frozen=True)
class Sender:
    """Whom mails come from (settings MAIL_FROM, MAIL_REPLY_TO)."""

    mail_from: str
    """`Name <address>` or an address."""
    reply_to: str | None = None


def message_id(queue_id: UUID, sender: Sender) -> str:
    """Our Message-ID: the same one however often the mail is tried, so that a mail client shows a
    duplicate once.
    """
    return f"<{queue_id}@{_mailbox(sender.mail_from).domain}>"


def build(
    queue_id: UUID,
    *,
    sender: Sender,
    to: str,
    subject: str,
    html: str,
    text: str,
    now: datetime,
    unsubscribe_url: str | None = None,
) -> bytes:
    """The whole message, seven bits a byte. `unsubscribe_url` None: one cannot unsubscribe from it.

    Raises BadAddress when `to` is no address that SES takes, ValueError for a line break in what
    becomes a header.
    """
    message = EmailMessage(_POLICY)
    message["From"] = _mailbox(sender.mail_from)
    message["To"] = Address(addr_spec=ascii_address(to))
    if sender.reply_to:
        message["Reply-To"] = _mailbox(sender.reply_to)
    message["Subject"] = subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(queue_id, sender)
    if unsubscribe_url is not None:
        message["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # Answering machines stay silent, and mail clients put no two of our mails into one thread.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Entity-Ref-ID"] = str(queue_id)
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def ascii_address(address: str) -> str:
    """The address with its domain as the DNS writes it.

    Raises BadAddress; an address with other letters before the `@` is one, because SES takes none.
    """
    local, at, domain = address.strip().rpartition("@")
    if not (local and at and local.isascii() and len(address) <= LONGEST_ADDRESS):
        raise BadAddress("this is no address")
    try:
        written = f"{local}@{domain.encode('idna').decode()}"
        parsed = Address(addr_spec=written)
    except (UnicodeError, ValueError, HeaderParseError, IndexError):
        raise BadAddress("this is no address") from None
    if parsed.addr_spec != written or any(ord(each) <= 32 or ord(each) == 127 for each in written):
        raise BadAddress("this is no address")
    return written


@lru_cache(maxsize=8)
def _mailbox(text: str) -> Address:
    """What a setting says; parsed once, not for every mail."""
    name, address = parseaddr(text)
    return Address(display_name=name, addr_spec=ascii_address(address))
