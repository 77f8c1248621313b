"""Our sender, driven by the benchmark as the others are: in a process of its own.

Run by our own Python with the database's URL.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import inf
from typing import Any

from benchmarks.application import Application, application, one_flush_engine, through
from benchmarks.mailqueue.letter import PROVIDER, READY, obey
from cron.dispatch_emails import BATCH
from studypack.integrations.email import Quota
from studypack.notifications import claiming, mime, preparing, recording
from studypack.notifications.claiming import Claimed
from studypack.notifications.preparing import Desk, Ready
from studypack.notifications.sending import database_clock, send_due


class StandIn:
    """The stand-in as a provider of ours."""

    def quota(self) -> Quota:
        """As fast as one likes."""
        return Quota(per_second=1e9, left_today=inf)

    def send(self, raw: bytes, *, to: str, tags: Mapping[str, str]) -> str:
        """Take it."""
        return PROVIDER.take(raw, to)


@contextmanager
def _made(*, is_rendering: bool) -> Iterator[None]:
    """Mails made by the product, or not at all."""
    before = preparing._made  # noqa: SLF001 (between deciding and sending lies this alone)

    def not_at_all(claimed: Claimed, desk: Desk, now: datetime) -> Ready:
        message_id = mime.message_id(claimed.id, desk.sender)
        return Ready(claimed, claimed.address, "Welcome", message_id, READY)

    try:
        if not is_rendering:
            preparing._made = not_at_all  # noqa: SLF001
        yield
    finally:
        preparing._made = before  # noqa: SLF001


def main(arguments: list[str]) -> int:
    """Obey until standard input ends."""
    [url] = arguments

    def drain(order: dict[str, Any]) -> None:
        if "lease_seconds" in order:
            lease = timedelta(seconds=order["lease_seconds"])
            claiming.LEASE = lease  # type: ignore[misc]
            recording.LEASE = lease  # type: ignore[attr-defined]
        until = PROVIDER.taken + order["drain"]
        with _made(is_rendering=order["rendering"]):
            send_due(
                StandIn(),
                clock=database_clock(),
                has_time=lambda: PROVIDER.taken < until,
                batch=BATCH,
            )

    with application(url) as app:
        obey({"batch": str(BATCH)}, drain, lambda port: _connect(app, url, port))
    return 0


def _connect(app: Application, url: str, port: int) -> None:
    app.open(one_flush_engine, through(url, port))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
