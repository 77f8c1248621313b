"""What runs in the processes that get killed: the API on a given socket, or one scheduled job.

A victim can be told to die by its own SIGKILL at the n-th moment of its work with the database:
before and after each statement, before and after each COMMIT. So every place is tried, and the
same place each time.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvicorn
from sqlalchemy import event
from sqlalchemy.orm import Session

from studypack.billing import inbox
from studypack.core import business_settings
from studypack.core.config import get_settings
from studypack.core.database import engine as engine_module
from studypack.core.http import create_app
from studypack.core.http.admission import Admission
from studypack.core.http.app import health_router
from tests.support.exams import JobContext

FUNCTIONS = ("auth", "users", "exams", "billing", "admin")
JOBS = ("score_exams", "submit_expired_exams")

# Imported before the fork, so that a victim is there at once.
_ROUTERS = [importlib.import_module(f"api.{name}.routes").router for name in FUNCTIONS]
_HANDLERS = {name: importlib.import_module(f"cron.{name}") for name in JOBS}
for _module in ("http.h11_impl", "http.auto", "websockets.auto"):
    importlib.import_module(f"uvicorn.protocols.{_module}")


@dataclass(frozen=True)
class Orders:
    """How a victim is set up."""

    environment: Mapping[str, str]
    log: Path
    die_at: int | None = None
    """The moment, counted from 1, at which it kills itself."""
    clock: Any = None
    """A shared number of seconds by which its wall clock is off."""
    milliseconds: Sequence[int] = field(default=(60_000,))
    """What Lambda's context says is left, look by look; the last one stays."""
    batch: int | None = None


class Context(JobContext):
    """A Lambda context whose time runs out as ordered."""

    def __init__(self, milliseconds: Sequence[int]) -> None:
        super().__init__(milliseconds[-1])
        self._coming = list(milliseconds)

    def get_remaining_time_in_millis(self) -> int:
        return self._coming.pop(0) if len(self._coming) > 1 else self._coming[0]


def serve(listener: socket.socket, orders: Orders) -> None:
    """Serve the whole API until killed."""
    _follow(orders)
    app = create_app([*_ROUTERS, health_router("exams")])
    settings = get_settings()
    app.add_middleware(
        Admission,
        requests=settings.database_pool_size,
        seconds=settings.database_connect_seconds,
    )
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False, http="h11"
    )
    uvicorn.Server(config).run(sockets=[listener])


def run_job(name: str, report: Connection, orders: Orders) -> None:
    """Run one job as Lambda would and send its report."""
    _follow(orders)
    module = _HANDLERS[name]
    if orders.batch is not None:
        module.BATCH = orders.batch
    report.send(module.handler({}, Context(orders.milliseconds)))


def process_event(event_id: str, report: Connection, orders: Orders) -> None:
    """Let a recorded event of Stripe's take effect, and send what became of it."""
    _follow(orders)
    report.send({"outcome": inbox.process(event_id).outcome.value})


def _follow(orders: Orders) -> None:
    log = os.open(orders.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(orders.environment)
    get_settings.cache_clear()
    if orders.clock is not None:
        _shift_wall_clock(orders.clock)
    if orders.die_at is not None:
        _die_at(orders.die_at)


def _shift_wall_clock(clock: Any) -> None:
    """The modules that read the wall clock see another one; the others pass the database's on."""
    shifted = SimpleNamespace(
        **{
            **vars(time),
            "time": lambda: time.time() + clock.value,
            "time_ns": lambda: time.time_ns() + int(clock.value * 1e9),
        }
    )
    for module in (engine_module, business_settings, importlib.import_module("studypack.core.ids")):
        module.time = shifted  # type: ignore[attr-defined]


def _die_at(moment: int) -> None:
    passed = 0

    def pass_by(*_args: Any, **_options: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    engine = engine_module.get_engine()
    event.listen(engine, "before_cursor_execute", pass_by)
    event.listen(engine, "after_cursor_execute", pass_by)
    event.listen(engine, "commit", pass_by)
    event.listen(Session, "after_commit", pass_by)
