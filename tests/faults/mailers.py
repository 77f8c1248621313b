"""Workers that send mails until they are killed, the SES that they send with, and what became of
each mail.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from cron import dispatch_emails
from studypack.core.jobs import JobFailed
from studypack.notifications import claiming, recording
from tests.faults.processes import END_SECONDS, _forks
from tests.faults.victim import Context, Orders, _follow
from tests.support import ses_standin
from tests.support.ses_standin import REJECT, TAKE, THROTTLE, Answer, SesStandIn, share

LEASE = timedelta(seconds=8)
"""Instead of two minutes: a killed worker's mails are waited for. Longer than what a worker may
pause for when it is throttled.
"""
THROTTLED = 0.3
REJECTED = 0.05
SUPPRESSED = 0.05


def dispatch_until(stop: Path, orders: Orders) -> None:
    """Run the job again and again, as overlapping schedules do, until the file is there."""
    _follow(orders)
    claiming.LEASE = recording.LEASE = LEASE  # type: ignore[misc]
    while not stop.exists():
        try:
            dispatch_emails.handler({}, Context(orders.milliseconds))
        except JobFailed:
            time.sleep(0.2)
        time.sleep(0.05)


@dataclass
class Mailers:
    """Such workers."""

    orders: Orders
    stop: Path
    processes: list[ForkServerProcess] = field(default_factory=list)

    def start(self) -> None:
        """One more."""
        process = _forks.Process(target=dispatch_until, args=(self.stop, self.orders))
        process.start()
        self.processes.append(process)

    def kill(self, number: int) -> None:
        """kill -9 one of them, and start another in its place."""
        killed = self.processes.pop(number)
        killed.kill()
        killed.join(END_SECONDS)
        killed.close()
        self.start()

    def finish(self) -> None:
        """Let them come to their end."""
        self.stop.touch()
        for process in self.processes:
            process.join(END_SECONDS)
            assert process.exitcode == 0, f"a worker failed: see {self.orders.log}"
            process.close()
        self.processes.clear()


@contextmanager
def mailing(orders: Orders, ses: SesStandIn, stop: Path, number: int) -> Iterator[Mailers]:
    """Workers for a while."""
    environment = {
        **orders.environment,
        "AWS_ENDPOINT_URL": ses.url,
        "DATABASE_POOL_SIZE": "1",
    }
    mailers = Mailers(replace(orders, environment=environment), stop)
    try:
        for _ in range(number):
            mailers.start()
        yield mailers
    finally:
        for process in mailers.processes:
            process.kill()
            process.join(END_SECONDS)


@dataclass
class HardSes:
    """An SES that throttles at random and refuses some addresses for good."""

    random: random.Random
    rejections: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, to: str) -> Answer:
        with self._lock:
            if self.random.random() < THROTTLED:
                self.throttled += 1
                return THROTTLE
            if is_rejected(to):
                self.rejections[to] += 1
                return REJECT
            return TAKE

    @contextmanager
    def serving(self) -> Iterator[SesStandIn]:
        standin = SesStandIn(answer=self.answer)
        standin.account["SendQuota"]["MaxSendRate"] = 2000.0
        with ses_standin.running(standin):
            yield standin


def is_rejected(address: str) -> bool:
    return share(f"rejected {address}") < REJECTED


def is_suppressed(address: str) -> bool:
    return share(f"suppressed {address}") < SUPPRESSED


_READERS = text(
    """
    INSERT INTO auth.users (id, email, email_verified_at)
    SELECT gen_random_uuid(), 'reader' || n || '@example.com', now()
      FROM generate_series(1, :number) AS n
    """
)
_QUEUE = text(
    """
    INSERT INTO notifications.email_queue (id, user_id, template, dedupe_key, is_urgent)
    SELECT gen_random_uuid(), id,
           CASE WHEN is_urgent THEN 'PASSWORD_CHANGED' ELSE 'WELCOME' END, id::text, is_urgent
      FROM (SELECT id, row_number() OVER () % 5 = 0 AS is_urgent FROM auth.users
             WHERE email LIKE 'reader%') AS readers
    """
)
_SUPPRESS = text(
    """
    INSERT INTO notifications.email_suppressions (id, address_hash, reason)
    SELECT gen_random_uuid(), sha256(convert_to(address, 'UTF8')), 'HARD_BOUNCE'
      FROM unnest(CAST(:addresses AS text[])) AS address
    """
)


def fill(database: Connection, number: int) -> list[str]:
    """Queue so many mails, one a reader; some addresses bounced since. Returns the addresses."""
    database.execute(_READERS, {"number": number})
    database.execute(_QUEUE)
    addresses = [f"reader{each}@example.com" for each in range(1, number + 1)]
    suppressed = [each for each in addresses if is_suppressed(each)]
    database.execute(_SUPPRESS, {"addresses": suppressed})
    return addresses


def pending(database: Connection) -> int:
    """How many mails wait."""
    counted = text("SELECT count(*) FROM notifications.email_queue WHERE status = 'PENDING'")
    return int(database.execute(counted).scalar_one())


_ENDS = text(
    """
    SELECT u.email, q.status, q.status_reason, q.attempts, q.lease_id IS NOT NULL AS is_leased,
           ARRAY(SELECT l.status || CASE WHEN l.may_be_duplicate THEN '?' ELSE '' END
                   FROM notifications.email_logs l WHERE l.queue_id = q.id ORDER BY l.sent_at)
             AS logged
      FROM notifications.email_queue q JOIN auth.users u ON u.id = q.user_id
     WHERE u.email LIKE 'reader%'
    """
)


@dataclass
class Ends:
    """What became of the mails: each a list of addresses."""

    lost: list[str] = field(default_factory=list)
    """SENT, and SES never took it."""
    unsent: list[str] = field(default_factory=list)
    """Not at an end, or at a wrong one."""
    duplicates: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    """Duplicates of which the log does not say that they may be."""
    suppressed_sent: list[str] = field(default_factory=list)
    rejects_retried: list[str] = field(default_factory=list)
    """Offered again without a crash having left it open what SES had said."""


def ends(database: Connection, ses: SesStandIn, hard: HardSes, addresses: Sequence[str]) -> Ends:
    """Hold the rows against what SES was given."""
    found = Ends()
    taken = Counter(each.to for each in ses.taken)
    rows = {row["email"]: row for row in database.execute(_ENDS).mappings()}
    for address in addresses:
        row = rows[address]
        if is_suppressed(address):
            expected = ("CANCELLED", "bounced")
        elif is_rejected(address):
            expected = ("FAILED", "content_refused")
        else:
            expected = ("SENT", None)
        _judge(found, address, row, expected, taken[address], hard.rejections[address])
    return found


def _judge(
    found: Ends,
    address: str,
    row: Any,
    expected: tuple[str, str | None],
    taken: int,
    rejections: int,
) -> None:
    if (row["status"], row["status_reason"]) != expected or row["is_leased"]:
        found.unsent.append(address)
    if row["status"] == "SENT" and not taken:
        found.lost.append(address)
    if is_suppressed(address) and taken + rejections:
        found.suppressed_sent.append(address)
    found.duplicates += [address] * max(0, taken - 1)
    says_so = any(each.endswith("?") for each in row["logged"]) and row["attempts"] >= taken
    if taken > 1 and not says_so:
        found.unexplained.append(address)
    if rejections > 1 and not says_so:
        found.rejects_retried.append(address)
