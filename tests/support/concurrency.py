"""Requests at the same time, and faults of the database, caused on purpose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.pool import QueuePool

from studypack.core.config import Settings
from studypack.core.database.engine import get_engine, make_engine

T = TypeVar("T")

PATIENCE_SECONDS = 10

_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
_TERMINATE = text(
    "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    "   AND (NOT :waiting OR wait_event_type = 'Lock')"
)


@contextmanager
def bystander(database_url: str) -> Iterator[Engine]:
    """An engine that is not the application's: its connections do not count against the pool."""
    settings = Settings.from_environment({"DATABASE_URL": database_url, "DATABASE_POOL_SIZE": "2"})
    engine = make_engine(settings)
    try:
        yield engine
    finally:
        engine.dispose()


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run each call in a thread of its own, released together; their results in order."""
    _need_connections(len(calls))
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def meeting_at(
    lock: str, calls: Sequence[Callable[[], T]], *, then: str | None = None, **given: Any
) -> list[T]:
    """Hold what the statement `lock` locks until every call waits for it; then (after the
    statement `then`) let go, and return what the calls returned.

    Each call begins when the one before waits. So every one of them has done what comes before the
    lock and nothing of what comes after.
    """
    _need_connections(len(calls))
    with (
        bystander(os.environ["DATABASE_URL"]) as engine,
        ThreadPoolExecutor(len(calls)) as threads,
    ):
        with engine.connect() as holder:
            holder.execute(text(lock), given)
            running = []
            for number, call in enumerate(calls, start=1):
                running.append(threads.submit(call))
                wait_for_waiters(engine, number)
            if then is not None:
                holder.execute(text(then), given)
            holder.commit()
        return [call.result(PATIENCE_SECONDS) for call in running]


def _need_connections(number: int) -> None:
    """Calls that take turns at one connection do not happen at the same time."""
    pool = get_engine().pool
    assert isinstance(pool, QueuePool)
    assert pool.size() >= number, f"{number} calls at once: ask for the fixture wide_pool"


def wait_for_waiters(engine: Engine, number: int) -> None:
    """Return as soon as this many connections of the database wait for a lock."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher:
        while watcher.execute(_WAITING).scalar_one() < number:
            assert time.monotonic() < give_up_at, f"fewer than {number} came to the lock"
            time.sleep(0.005)


def terminate_connections(engine: Engine, *, only_waiting: bool = False) -> int:
    """End the database's other connections, as a failover would; how many there were."""
    with engine.connect() as connection:
        return int(connection.execute(_TERMINATE, {"waiting": only_waiting}).scalar_one())


def fail_at_commit(session: Any, table: str) -> None:
    """Let every transaction that inserts into the table fail, at its COMMIT and not before."""
    session.execute(
        text(
            "CREATE FUNCTION public.refuse_commit() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'refused at commit'; END $$"
        )
    )
    session.execute(
        text(
            f"CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT ON {table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse_commit()"
        )
    )
