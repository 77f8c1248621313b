"""A provider of mail that keeps what it is given, and can be out of order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy

from studypack.integrations.email import OperatorFault, Quota


@dataclass(frozen=True)
class Received:
    """One mail."""

    to: str
    template: str
    subject: str
    text: str


@dataclass
class Mailbox:
    """Everybody's mails, in the order in which they came."""

    is_down: bool = False
    received: list[Received] = field(default_factory=list)

    def quota(self) -> Quota | None:
        """As fast as they come."""
        return Quota(per_second=10_000, left_today=float("inf"))

    def send(self, raw: bytes, *, to: str, tags: Mapping[str, str]) -> str:
        """Take a mail, or say that nothing is taken now."""
        if self.is_down:
            raise OperatorFault("sending_paused")
        message = message_from_bytes(raw, policy=policy.default)
        body = message.get_body(("plain",))
        self.received.append(
            Received(
                to=to,
                template=tags["template"],
                subject=str(message["Subject"]),
                text=body.get_content() if body else "",
            )
        )
        return f"simulated-{len(self.received)}"

    def last(self, to: str, template: str) -> Received:
        """The last such mail to an address. Raises ValueError if there is none."""
        for each in reversed(self.received):
            if (each.to, each.template) == (to, template):
                return each
        raise ValueError(f"{to} got no {template}")
