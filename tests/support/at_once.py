"""Things that happen at once in a test, without luck: all wait for one lock, then it is let go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.database import transaction

T = TypeVar("T")
PATIENCE = 4.0
"""Seconds; the database's own lock_timeout is 5."""


def wait_until_blocked(session: Session, number: int) -> None:
    """Return when so many connections to this database wait for a lock."""
    give_up_at = time.monotonic() + PATIENCE
    while True:
        session.execute(text("SELECT pg_stat_clear_snapshot()"))
        blocked = session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        )
        if blocked == number:
            return
        assert time.monotonic() < give_up_at, f"{blocked} of {number} wait for the lock"
        threading.Event().wait(0.005)


def meeting_at(
    lock: str, calls: Sequence[Callable[[], T]], *, then: str | None = None, **values: Any
) -> list[T]:
    """Hold what the statement `lock` locks until every call waits for it; then (after the
    statement `then`) let go, and return what the calls returned.

    Each call begins when the one before waits. The pool needs a connection for each call and one.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        with transaction() as holder:
            holder.execute(text(lock), values)
            futures = []
            for number, call in enumerate(calls, start=1):
                futures.append(pool.submit(call))
                wait_until_blocked(holder, number)
            if then is not None:
                holder.execute(text(then), values)
        return [future.result(timeout=20) for future in futures]
