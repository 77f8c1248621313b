"""The database goes away under load, while idle, and while asleep, and comes back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from local import postgres
from studypack.core.database.engine import IDLE_SECONDS_BEFORE_PING, PING_SECONDS
from tests.faults import audit, classroom
from tests.faults.classroom import Books, Learner
from tests.faults.client import at_once, calling
from tests.faults.conftest import prepare, state
from tests.faults.ending import end
from tests.faults.figures import Figures
from tests.faults.processes import Servers, new_clock, orders_for, serving
from tests.faults.proxy import Sleep, proxied
from tests.faults.victim import Orders
from tests.support.concurrency import bystander, terminate_connections

PAUSE_SECONDS = 0.1
"""How long a client waits before it repeats a request that failed."""
RECOVERY_SECONDS = 30


@contextmanager
def autosaving(learners: Sequence[Learner], books: Books, port: int) -> Iterator[None]:
    """Every learner saves one response after the other, and repeats what was not acknowledged."""
    stop = threading.Event()

    def work(learner: Learner) -> None:
        revision = 1
        with calling(port, learner.token) as client:
            while not stop.is_set():
                if books.save(learner, client, revision).status == 200:
                    revision += 1
                else:
                    stop.wait(PAUSE_SECONDS)

    threads = [threading.Thread(target=work, args=(learner,)) for learner in learners]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _submit_all(learners: Sequence[Learner], books: Books, port: int) -> None:
    """Every learner submits, and tries again for a while when told to."""

    def submit(learner: Learner) -> None:
        give_up_at = time.monotonic() + RECOVERY_SECONDS
        with calling(port, learner.token) as client:
            while books.finalize(learner, client).status != 200:
                if time.monotonic() > give_up_at:
                    return
                time.sleep(PAUSE_SECONDS)

    at_once([partial(submit, learner) for learner in learners])


def _end(
    url: str,
    orders: Orders,
    books: Books,
    learners: Sequence[Learner],
    servers: Servers,
    row: Figures,
) -> None:
    _submit_all(learners, books, servers.port)
    end(url, orders, books, learners, row)


def _crash(cluster: postgres.Cluster) -> None:
    os.kill(cluster.pid, signal.SIGKILL)


def test_a_database_restarted_under_load_loses_nothing_it_acknowledged(
    tmp_path: Path, figures: Callable[..., Figures]
) -> None:
    stops = {"in order": postgres.stop, "by kill -9": _crash}
    home = state() / "faults-restarted"
    cluster = postgres.start(home)
    try:
        name = f"restart_{uuid4().hex[:12]}"
        url = prepare(cluster, name)
        learners = classroom.enrol(url, 200)
        orders = orders_for(url, tmp_path / "victims.log", pool=10)
        books = Books()
        rows = {how: figures(f"PostgreSQL restarted {how}, 200 autosaving") for how in stops}
        with serving(orders, number=2) as servers:
            with autosaving(learners, books, servers.port):
                for how, stop in stops.items():
                    books.wait_for_more(200)
                    before = len(books.answers)
                    stop(cluster)
                    told = books.so_far()
                    cluster = postgres.start(home, port=cluster.port)
                    books.wait_for_more(200)
                    with audit.looking(url) as database:
                        rows[how].add(audit.responses(database, told))
                    rows[how].tries += 200
                    rows[how].count_all(books.answers[before:])
            books.answers.clear()  # they are counted
            _end(url, orders, books, learners, servers, rows["by kill -9"])
    finally:
        postgres.stop(cluster)
        postgres.remove(home)
    for row in rows.values():
        row.hold()


def test_connections_terminated_under_load_cost_a_repetition_and_nothing_else(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures]
) -> None:
    row = figures("connections terminated, 50 autosaving")
    books, used = Books(), learners[:50]
    with serving(orders, number=2) as servers, bystander(url) as engine:
        with autosaving(used, books, servers.port):
            for _ in range(10):
                books.wait_for_more(50)
                row.tries += terminate_connections(engine)
        _end(url, orders, books, used, servers, row)
    row.hold()


@pytest.mark.quick
@pytest.mark.parametrize("how", ["reset", "silence"])
def test_a_connection_that_died_while_the_environment_was_frozen_is_replaced(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures], how: str
) -> None:
    row = figures(
        "thaw: the connection was cut while idle"
        if how == "reset"
        else "thaw: the connection was dropped silently while idle"
    )
    books, learner, clock = Books(), learners[0], new_clock()
    with proxied(url) as (proxy, through):
        environment = {**orders.environment, "DATABASE_URL": through, "DATABASE_POOL_SIZE": "1"}
        with (
            serving(replace(orders, environment=environment, clock=clock)) as servers,
            calling(servers.port, learner.token) as client,
        ):
            assert books.save(learner, client, 1).status == 200
            for revision in range(2, 5 if how == "reset" else 3):
                getattr(proxy, how)()
                clock.value += 10 * IDLE_SECONDS_BEFORE_PING
                began = time.monotonic()
                assert books.save(learner, client, revision).status == 200
                assert time.monotonic() - began < PING_SECONDS + RECOVERY_SECONDS / 4
                row.tries += 1
            _end(url, orders, books, [learner], servers, row)
    row.hold()


@pytest.mark.quick
def test_a_database_that_takes_its_time_to_wake_is_waited_for(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
) -> None:
    seconds, clients = (15, 10) if whole else (1, 3)
    rows = {
        sleep: figures(f"a database that takes {seconds} s to wake: {sleep}", tries=clients)
        for sleep in Sleep
    }

    def wake(sleep: Sleep, used: Sequence[Learner]) -> None:
        books = Books()
        with proxied(url, sleep) as (proxy, through):
            environment = {**orders.environment, "DATABASE_URL": through}
            waking = threading.Timer(seconds, proxy.wake)
            with serving(replace(orders, environment=environment)) as servers:
                waking.start()

                def save(learner: Learner) -> int:
                    with calling(servers.port, learner.token) as client:
                        return books.save(learner, client, 1).status

                assert at_once([partial(save, learner) for learner in used]) == [200] * clients
                waking.join()
                _end(url, orders, books, used, servers, rows[sleep])

    # All at once, each way with learners of its own: fifteen seconds instead of a minute.
    starts = range(0, len(rows) * clients, clients)
    at_once(
        [
            partial(wake, sleep, learners[start : start + clients])
            for sleep, start in zip(rows, starts, strict=True)
        ]
    )
    for row in rows.values():
        row.hold()


@pytest.mark.quick
@pytest.mark.parametrize("sleep", list(Sleep))
def test_a_database_that_does_not_wake_in_time_is_a_503_in_time(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    sleep: Sleep,
) -> None:
    row = figures("a database that does not wake in time", tries=1)
    books, learner = Books(), learners[0]
    with proxied(url, sleep) as (proxy, through):
        environment = {
            **orders.environment,
            "DATABASE_URL": through,
            "DATABASE_CONNECT_SECONDS": "0.5",
        }
        with (
            serving(replace(orders, environment=environment)) as servers,
            calling(servers.port, learner.token) as client,
        ):
            began = time.monotonic()
            answer = books.save(learner, client, 1)
            assert (answer.status, answer.body["code"]) == (503, "database_unavailable")
            assert answer.retry_after is not None
            assert time.monotonic() - began < 10
            proxy.wake()
            _end(url, orders, books, [learner], servers, row)
    row.hold()
