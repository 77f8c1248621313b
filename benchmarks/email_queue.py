"""Our queue of e-mails against django-post-office's and procrastinate's: 50,000 mails wait in each,
in a database of its own on the same server, and are claimed, handed to a stand-in that takes them
at once, and recorded.

A worker of each, in a process of its own, sends a number of them in turns: as they are (what the
queue costs), the same by way of a proxy that adds a millisecond of round-trip time (what it costs
where the database is another machine), and rendered and built as MIME by the product's own
functions (on all sides the same). Then a worker of each is killed at a mail that was taken and
not recorded yet, another goes on, and it is counted who gets what twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from sqlalchemy import make_url, text

from benchmarks import proxy
from benchmarks.application import ROOT, Databases, application, session
from benchmarks.mailqueue import environment
from benchmarks.pairs import MINIMUM_PAIRS, interleaved, median_ratio
from benchmarks.report import Report, Row
from local import postgres

MAILS = 50_000
TURN = 500
"""Mails of one turn. BENCHMARK_WHOLE=1: as many as empty the queues."""
ROUNDS = MINIMUM_PAIRS
COUNTED = 200
CRASH_MAILS, CRASH_AT, CRASHES = 400, 37, 3
"""Mails, at the how-manieth a worker dies, and how many workers do."""
LEASE_SECONDS = 1
"""Of ours after the crash, instead of two minutes; the others' are given back at once."""
FOLDER = Path(__file__).parent / "mailqueue"

_PEOPLE = """
INSERT INTO auth.users (id, email, email_verified_at, first_name)
SELECT public.uuid7(now()), 'reader' || n || '@example.com', now(), 'Learner'
  FROM generate_series(1, :mails) AS n
"""
_QUEUED = """
INSERT INTO notifications.email_queue (id, user_id, template, dedupe_key, scheduled_for)
SELECT public.uuid7(now()), id, 'WELCOME', 'WELCOME:' || id, now() - interval '1 minute'
  FROM auth.users WHERE email LIKE 'reader%'
"""


class Unequal(RuntimeError):
    """A side did not send what it was to send."""


class Worker:
    """A process that sends mails when it is told to."""

    def __init__(self, command: Sequence[str], port: int, *, path: str = "") -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.port = port
        self._child = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**kept, "PYTHONPATH": path, **_ON_LAMBDA},
        )
        self.versions: dict[str, str] = self._said()

    def drain(self, mails: int, **order: Any) -> None:
        """Send so many. Raises Unequal if it were others."""
        sent = self.finish(mails, **order)
        if sent != mails:
            raise Unequal(f"{sent} of {mails} mails were sent")

    def finish(self, mails: int, **order: Any) -> int:
        """Send so many, or what there is; how many it were."""
        return int(self._ask(drain=mails, **order)["sent"])

    def drain_and_die(self, **order: Any) -> None:
        """Send until it dies."""
        self._tell(**order)
        self._child.wait(timeout=120)
        self.close()

    def connect(self, port: int) -> None:
        """Reach the database through another port."""
        self._ask(port=port)

    def close(self) -> None:
        """End the process."""
        if self._child.stdin is not None:
            self._child.stdin.close()
        self._child.wait(timeout=30)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _ask(self, **order: Any) -> Any:
        self._tell(**order)
        return self._said()

    def _tell(self, **order: Any) -> None:
        if self._child.stdin is None:
            raise RuntimeError("the process was started without its pipes")
        self._child.stdin.write(json.dumps(order) + "\n")
        self._child.stdin.flush()

    def _said(self) -> Any:
        line = self._child.stdout.readline() if self._child.stdout else ""
        if not line:
            raise RuntimeError(f"a worker ended with status {self._child.wait(timeout=30)}")
        return json.loads(line)


_ON_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "benchmark", "POWERTOOLS_METRICS_DISABLED": "true"}
_PATHS = os.pathsep.join(str(ROOT / each) for each in ("layers/shared/python", "functions", "."))
_SHARED = str(ROOT / "layers" / "shared" / "python")


@dataclass(frozen=True)
class Side:
    """One way to send mails."""

    name: str
    start: Callable[[], Worker]
    batch: int
    share: float = 1.0
    """Of a turn's mails that it sends: where one takes long."""
    crash: tuple[tuple[str, Any], ...] = ()
    """What a worker after a crash is told besides."""
    wait_seconds: float = 0
    """After which it may find what the killed one had."""


class _Bench:
    def __init__(self, databases: Databases, python: Path | None, mails: int) -> None:
        self._databases = databases
        self._python = python
        self._mails = mails

    @contextmanager
    def sides(self) -> Iterator[list[Side]]:
        """Queues, filled, each in a database of its own."""
        with ExitStack() as parts:
            url = parts.enter_context(self._databases.clone())
            _fill(url, self._mails)
            port = make_url(url).port or 0
            ours = (sys.executable, "-m", "benchmarks.mailqueue.our_worker", url)
            made = [
                Side(
                    "ours",
                    lambda: Worker(ours, port, path=_PATHS),
                    0,
                    crash=(("lease_seconds", LEASE_SECONDS),),
                    wait_seconds=1.2 * LEASE_SECONDS,
                )
            ]
            if self._python is not None:
                made += self._others(parts, str(self._python))
            yield made

    def _others(self, parts: ExitStack, python: str) -> list[Side]:
        def of(script: str) -> Callable[[], Worker]:
            """The first worker makes the tables and fills them."""
            database = parts.enter_context(self._database())
            to_fill = [self._mails]

            def start() -> Worker:
                mails = str(to_fill.pop() if to_fill else 0)
                command = [python, str(FOLDER / script), json.dumps(database), mails]
                return Worker(command, database["PORT"], path=_SHARED)

            return start

        office, installed = of("office_worker.py"), of("office_worker.py")
        return [
            Side("post-office, batches of 1", office, 1, 0.1),
            Side("post-office, batches of 100", installed, 100),
            Side(
                "procrastinate, one at a time",
                of("jobs_worker.py"),
                1,
                crash=(("take_back", True),),
            ),
        ]

    @contextmanager
    def _database(self) -> Iterator[dict[str, Any]]:
        cluster = self._databases.cluster
        name = f"bench_mail_{uuid4().hex[:8]}"
        parts = make_url(postgres.ensure_database(cluster, name))
        try:
            yield {
                "NAME": parts.database,
                "USER": parts.username,
                "PASSWORD": parts.password,
                "HOST": parts.host,
                "PORT": parts.port,
            }
        finally:
            postgres.drop_database(cluster, name)


def run(
    databases: Databases,
    progress: Callable[[int, int], None],
    *,
    mails: int = MAILS,
    turn: int | None = None,
    rounds: int = ROUNDS,
) -> Report:
    """Send them all. Without the others' environment, ours is measured alone and the report says
    so.
    """
    if turn is None:
        whole = (mails - 1_000) // (len(CONDITIONS) * rounds) // 100 * 100
        turn = whole if os.environ.get("BENCHMARK_WHOLE") else TURN
    try:
        python: Path | None = environment.ensure()
        missing = ""
    except environment.NotMade as error:
        python, missing = None, f"NOT MEASURED: the others' environment could not be made ({error})"
    total = len(CONDITIONS) * rounds + 1
    with _Bench(databases, python, mails).sides() as sides, ExitStack() as parts:
        workers = []
        for side in sides:
            workers.append(side.start())
            parts.callback(workers[-1].close)
        sizes = [max(1, int(turn * side.share)) for side in sides]
        seconds = []
        for number, condition in enumerate(CONDITIONS):
            with condition.applied(workers):
                done = partial(_further, progress, number * rounds, total)
                seconds.append(_timed(sides, workers, sizes, rounds, done, condition))
        counts = [_count(side, worker) for side, worker in zip(sides, workers, strict=True)]
        versions = {name: each for worker in workers for name, each in worker.versions.items()}
    with _Bench(databases, python, CRASH_MAILS).sides() as sides:
        crashed = [_crash(side) for side in sides]
    progress(total, total)
    return _report(sides, sizes, seconds, counts, crashed, versions, missing, (mails, rounds))


@dataclass(frozen=True)
class Condition:
    """Under which mails are sent."""

    name: str
    is_rendering: bool = False
    milliseconds: float = 0
    """Of round-trip time added."""

    @contextmanager
    def applied(self, workers: Sequence[Worker]) -> Iterator[None]:
        """For a while."""
        if not self.milliseconds:
            yield
            return
        with proxy.delaying(workers[0].port, self.milliseconds) as port:
            for worker in workers:
                worker.connect(port)
            try:
                yield
            finally:
                for worker in workers:
                    worker.connect(worker.port)


CONDITIONS = (
    Condition("nothing rendered"),
    Condition("nothing rendered, +1 ms", milliseconds=1),
    Condition("rendered and built", is_rendering=True),
)


def _further(
    progress: Callable[[int, int], None], before: int, total: int, done: int, _: int
) -> None:
    progress(before + done, total)


def _fill(url: str, mails: int) -> None:
    with application(url) as app:
        with session(app) as opened:
            opened.execute(text(_PEOPLE), {"mails": mails})
            opened.execute(text(_QUEUED))
        engine = app.current().execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _timed(
    sides: Sequence[Side],
    workers: Sequence[Worker],
    sizes: Sequence[int],
    rounds: int,
    progress: Callable[[int, int], None],
    condition: Condition,
) -> list[list[float]]:
    """The seconds a mail of each side in each round, in turns."""
    turns = []
    for side, worker, size in zip(sides, workers, sizes, strict=True):
        order = {"batch": side.batch, "rendering": condition.is_rendering}
        worker.drain(min(size, 100), **order)  # it connects
        turns.append(partial(worker.drain, size, **order))
    taken = interleaved(turns, rounds=rounds, progress=progress)
    return [[each / size for each in row] for row, size in zip(taken, sizes, strict=True)]


def _count(side: Side, worker: Worker) -> proxy.Traffic:
    """What COUNTED mails send to the database."""
    with proxy.counting(worker.port) as counter:
        worker.connect(counter.port)
        worker.drain(100, batch=side.batch, rendering=False)
        counter.take()
        worker.drain(COUNTED, batch=side.batch, rendering=False, is_counted=True)
        traffic = counter.take()
        worker.connect(worker.port)
    # An empty statement, by which a pool tries its connection, is a round trip only.
    return proxy.Traffic(traffic.round_trips, [each for each in traffic.texts if each.strip()])


@dataclass(frozen=True)
class Crash:
    """What became of mails while workers were killed."""

    twice: int
    never: int


def _crash(side: Side) -> Crash:
    """Kill some workers right after a mail was taken, let another finish; who got what."""
    with tempfile.TemporaryDirectory(prefix="mails-") as folder:
        journal = Path(folder) / "journal"
        order = {"batch": side.batch, "rendering": False, "journal": str(journal)}
        told = dict(side.crash)
        for _ in range(CRASHES):
            side.start().drain_and_die(drain=CRASH_MAILS, dies_at=CRASH_AT, **order, **told)
            time.sleep(side.wait_seconds)
        worker = side.start()
        try:
            worker.finish(CRASH_MAILS, **order, **told)
        finally:
            worker.close()
        got = Counter(journal.read_text(encoding="utf-8").split())
    return Crash(sum(got.values()) - len(got), CRASH_MAILS - len(got))


def _report(
    sides: Sequence[Side],
    sizes: Sequence[int],
    seconds: Sequence[Sequence[Sequence[float]]],
    counts: Sequence[proxy.Traffic],
    crashed: Sequence[Crash],
    versions: dict[str, str],
    missing: str,
    size: tuple[int, int],
) -> Report:
    mails, rounds = size
    others = range(1, len(sides))
    rows = []
    for work, taken in zip((each.name for each in CONDITIONS), seconds, strict=True):
        ours = 1 / median(taken[0])
        rows += [
            Row(
                f"{work}: {sides[other].name}",
                ours,
                1 / median(taken[other]),
                "mails/s",
                median_ratio(taken[other], taken[0]),
            )
            for other in others
        ] or [Row(work, ours, None, "mails/s")]
    figures: tuple[tuple[str, Sequence[float]], ...] = (
        ("statements a mail", [each.statements / COUNTED for each in counts]),
        ("round trips a mail", [each.round_trips / COUNTED for each in counts]),
        ("sent twice after crashes", [each.twice for each in crashed]),
        ("never sent after crashes", [each.never for each in crashed]),
    )
    for name, values in figures:
        rows += [
            Row(f"{name}: {sides[other].name}", values[0], values[other], _unit(name))
            for other in others
        ] or [Row(name, values[0], None, _unit(name))]
    known = ", ".join(f"{name} {each}" for name, each in versions.items() if name != "batch")
    turns = ", ".join(f"{side.name} {each:,}" for side, each in zip(sides, sizes, strict=True))
    return Report(
        "email_queue",
        f"Claiming and sending from a queue of {mails:,} mails",
        known or "nothing",
        tuple(rows),
        (
            *([missing] if missing else []),
            f"medians of {rounds} turns; mails a turn: {turns}",
            f"crash: kill -9 at the {CRASH_AT}th mail, taken and not recorded, {CRASHES} times",
        ),
    )


def _unit(name: str) -> str:
    return name.removesuffix(" a mail") if name.endswith(" a mail") else "mails"
