"""The work that each mail is: rendered and built by the product's own functions, or not at all, and
handed to a stand-in that takes it at once. In each worker's own environment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

SENDER = "StudyPack <hello@studypack.example>"
WEB = "https://app.example.com"
READY = b"Subject: Welcome\r\n\r\nWelcome.\r\n"
"""What is handed over where nothing is rendered."""


class Provider:
    """Takes mails."""

    def __init__(self) -> None:
        self.taken = 0
        self.is_rendering = False
        self.dies_at: int | None = None
        self.journal: Path | None = None

    def offer(self, address: str) -> str:
        """Do the work of one mail and take it; the provider's id of it."""
        raw = rendered(address) if self.is_rendering else READY
        return self.take(raw, address)

    def take(self, raw: bytes, address: str) -> str:
        """Take a mail, and write down whose, if somebody wants to know; die of it, if told to."""
        if not raw:
            raise ValueError("an empty mail")
        self.taken += 1
        if self.journal is not None:
            with self.journal.open("a", encoding="utf-8") as journal:
                journal.write(f"{address}\n")
        if self.taken == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return uuid4().hex


PROVIDER = Provider()


def rendered(address: str) -> bytes:
    """The mail that our queue's side sends too."""
    from studypack.core.business_settings import BusinessSettings
    from studypack.emails.render import context, render
    from studypack.notifications import mime

    now = datetime.now(UTC)
    facts = context(
        email=address,
        first_name="Learner",
        timezone="UTC",
        occurred_at=now,
        business=BusinessSettings(),
        web_base_url=WEB,
    )
    words = render("WELCOME", facts)
    return mime.build(
        uuid4(),
        sender=mime.Sender(SENDER),
        to=address,
        subject=words.subject,
        html=words.html,
        text=words.text,
        now=now,
    )


def obey(
    versions: Mapping[str, str],
    drain: Callable[[dict[str, Any]], None],
    connect: Callable[[int], None],
) -> None:
    """Print the versions, then follow lines of JSON on standard input, and say when each is done:

    {"port": 5433}                                    reach the database through this port
    {"drain": 100, "batch": 1, "rendering": false}    send so many mails

    With "journal" each taken mail's address is appended to that file; with "dies_at" the process
    is killed when it has taken so many, before anybody learns of the last.
    """
    print(json.dumps(dict(versions)), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        before = PROVIDER.taken
        if "port" in order:
            connect(order["port"])
        else:
            PROVIDER.is_rendering = order["rendering"]
            PROVIDER.dies_at = order.get("dies_at")
            PROVIDER.journal = Path(order["journal"]) if "journal" in order else None
            drain(order)
        print(json.dumps({"sent": PROVIDER.taken - before}), flush=True)
