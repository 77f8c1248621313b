"""What a provider of mail answers, by what the sender has to do next. None of it has the provider's
own text, which may quote an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Undelivered(Exception):
    """The provider did not take the mail, as far as we know; `code` is stable and ours."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Throttled(Undelivered):
    """Too many at once, or today: the mail is as good as before."""


class Unreached(Undelivered):
    """The provider could not be asked, or failed: another try may succeed."""

    def __init__(self, code: str, *, may_be_sent: bool) -> None:
        super().__init__(code)
        self.may_be_sent = may_be_sent
        """No answer came, so that it may have taken the mail all the same."""


class Refused(Undelivered):
    """This mail will never be taken."""


class OperatorFault(Undelivered):
    """No mail would be taken now (sending paused, sender not verified, rights missing): none is at
    fault, and somebody has to look.
    """


@dataclass(frozen=True)
class Quota:
    """What the account may send."""

    per_second: float
    left_today: float
    """Mails; infinite where there is no limit."""
    per_day: float = 0.0
    """Mails of which those are left; 0 where there is no limit."""


class Provider(Protocol):
    """Takes mails over, one by one."""

    def quota(self) -> Quota | None:
        """What may be sent now; None if the provider does not say.

        Raises OperatorFault when sending is switched off.
        """

    def send(self, raw: bytes, *, to: str, tags: Mapping[str, str]) -> str:
        """Hand over one MIME message and return the provider's id for it. Tried once: a repeated
        call could be a second mail.

        Raises Throttled, Unreached, Refused, OperatorFault.
        """
