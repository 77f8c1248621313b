"""Processes of the product that can be killed: API servers on one address, and jobs."""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.faults import victim
from tests.faults.client import HOST
from tests.faults.victim import Orders

END_SECONDS = 60

# The fork server preloads by this path, and says nothing when it finds nothing.
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.faults.victim"])


@dataclass
class Servers:
    """API servers that share one listening socket, which outlives each of them."""

    listener: socket.socket
    orders: Orders
    processes: list[ForkServerProcess] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Where clients find them."""
        return int(self.listener.getsockname()[1])

    def start(self, number: int = 1, **changed: Any) -> None:
        """Start more of them."""
        for _ in range(number):
            orders = replace(self.orders, **changed)
            process = _forks.Process(target=victim.serve, args=(self.listener, orders))
            process.start()
            self.processes.append(process)

    def kill(self) -> None:
        """kill -9 all of them and wait until they are gone."""
        for process in self.processes:
            process.kill()
        self.reap()

    def reap(self) -> None:
        """Wait until they are gone."""
        for process in self.processes:
            process.join(END_SECONDS)
            assert process.exitcode is not None
            process.close()
        self.processes.clear()


@contextmanager
def serving(orders: Orders, number: int = 1, *, host: str = HOST) -> Iterator[Servers]:
    """API servers for a while."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        listener.bind((host, 0))
        listener.listen(1024)
        servers = Servers(listener, orders)
        try:
            servers.start(number)
            yield servers
        finally:
            servers.kill()


@dataclass
class Job:
    """A job under way in a process of its own."""

    process: ForkServerProcess
    report: Any

    def kill(self) -> None:
        """kill -9 it."""
        self.process.kill()
        self.finish()

    def finish(self) -> dict[str, Any] | None:
        """Wait for its end; what it reported, or None when it died."""
        self.process.join(END_SECONDS)
        assert self.process.exitcode is not None, "the job never ended"
        try:
            return dict(self.report.recv())
        except EOFError:
            return None
        finally:
            self.report.close()
            self.process.close()


def start_job(name: str, orders: Orders) -> Job:
    """Start a job."""
    ours, theirs = _forks.Pipe(duplex=False)
    process = _forks.Process(target=victim.run_job, args=(name, theirs, orders))
    process.start()
    theirs.close()
    return Job(process, ours)


def process_event(event_id: str, orders: Orders) -> str | None:
    """Let an event of Stripe's take effect in a process of its own; what became of it, None when
    the process died.
    """
    ours, theirs = _forks.Pipe(duplex=False)
    process = _forks.Process(target=victim.process_event, args=(event_id, theirs, orders))
    process.start()
    theirs.close()
    report = Job(process, ours).finish()
    return None if report is None else str(report["outcome"])


def run_job(name: str, orders: Orders) -> dict[str, Any] | None:
    """Run a job to its end, whichever that is."""
    return start_job(name, orders).finish()


def run_jobs(orders: Orders, names: Sequence[str] = victim.JOBS[:1]) -> None:
    """Run jobs that nothing disturbs."""
    for name in names:
        report = run_job(name, orders)
        assert report is not None, f"{name} failed: see {orders.log}"
        assert report["complete"], report


def orders_for(url: str, log: Path, *, pool: int = 4, **environment: str) -> Orders:
    """The environment of a function on this database."""
    return Orders({"DATABASE_URL": url, "DATABASE_POOL_SIZE": str(pool), **environment}, log)


def new_clock() -> Any:
    """A wall clock that can be set in running victims: seconds off."""
    return _forks.Value("d", 0.0)
