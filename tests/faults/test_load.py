"""More clients than connections, and a row that somebody else holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text

from tests.faults import audit
from tests.faults.classroom import Books, Learner
from tests.faults.client import Answer, Client, at_once, calling
from tests.faults.ending import end
from tests.faults.figures import Figures
from tests.faults.gates import let_wait
from tests.faults.processes import serving
from tests.faults.victim import Orders
from tests.support.concurrency import bystander, wait_for_waiters

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.1

_CONNECTIONS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def _until_done(client: Client, attempt: Callable[[], Answer]) -> None:
    """Repeat a request while it is told to come back."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while attempt().status != 200 and time.monotonic() < give_up_at:
        client.close()  # the next connection may lead to another process
        time.sleep(PAUSE_SECONDS)


def _sit(learner: Learner, books: Books, port: int, saves: int) -> None:
    """Answer and submit."""
    with calling(port, learner.token) as client:
        for revision in range(1, saves + 1):
            _until_done(client, partial(books.save, learner, client, revision))
        _until_done(client, partial(books.finalize, learner, client))


@pytest.mark.quick
def test_a_storm_of_clients_takes_turns_at_the_connections(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
) -> None:
    processes, pool, saves = (5, 10, 10) if whole else (1, 2, 3)
    clients = len(learners)  # more than a process has threads
    row = figures(f"a storm of {clients} clients at {processes * pool} connections", tries=clients)
    books = Books()
    pooled = replace(orders, environment={**orders.environment, "DATABASE_POOL_SIZE": str(pool)})
    with serving(pooled, number=processes) as servers, audit.looking(url) as database:
        at_once([partial(_sit, learner, books, servers.port, saves) for learner in learners])
        assert database.execute(_CONNECTIONS).scalar_one() <= processes * pool
    end(url, orders, books, learners, row)
    assert (row.unavailable, row.unreachable) == (0, 0), "they wait, and nobody is sent away"
    row.hold()


def test_environments_without_a_connection_say_so_until_there_is_one(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures]
) -> None:
    environments, limit = 16, 5
    used = learners[: 5 * environments]
    row = figures(f"{environments} environments at {limit} connections", tries=len(used))
    books = Books()
    environment = {
        **orders.environment,
        "DATABASE_POOL_SIZE": "1",
        "DATABASE_CONNECT_SECONDS": "5",  # 16 processes import their first request's code at once
    }

    def save(learner: Learner, port: int) -> None:
        with calling(port, learner.token) as client:
            books.save(learner, client, 1)

    with ExitStack() as parts:
        engine = parts.enter_context(bystander(url))
        admin = parts.enter_context(engine.connect()).execution_options(
            isolation_level="AUTOCOMMIT"
        )
        name = admin.execute(text("SELECT current_database()")).scalar_one()
        admin.execute(text(f"ALTER DATABASE {name} CONNECTION LIMIT {limit + 1}"))
        single = replace(orders, environment=environment)
        ports = [parts.enter_context(serving(single)).port for _ in range(environments)]
        callers = list(zip(used, ports * 5, strict=True))
        at_once([partial(save, learner, port) for learner, port in callers])
        assert {answer.status for answer in books.answers} == {200, 503}
        assert books.acknowledged() == 5 * limit, "an environment keeps the connection it has"
        admin.execute(text(f"ALTER DATABASE {name} CONNECTION LIMIT -1"))
        at_once([partial(_sit, learner, books, port, 3) for learner, port in callers])
    end(url, orders, books, used, row)
    row.hold()


@pytest.mark.quick
def test_a_locked_row_keeps_its_own_learner_waiting_and_nobody_else(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
) -> None:
    row = figures("a locked row")
    if not whole:
        let_wait(url, "500ms")  # instead of the role's five seconds
    books, (locked, other) = Books(), learners[:2]
    hold = text("SELECT 1 FROM learning.exam_sessions WHERE id = :id FOR UPDATE")
    with serving(orders) as servers, bystander(url) as engine:

        def save() -> Answer:
            with calling(servers.port, locked.token) as client:
                return books.save(locked, client, 1)

        def finalize() -> Answer:
            with calling(servers.port, locked.token) as client:
                return books.finalize(locked, client)

        def others() -> None:
            with calling(servers.port, other.token) as client:
                for revision in range(1, 21):
                    assert books.save(other, client, revision).status == 200
                assert books.finalize(other, client).status == 200

        with engine.connect() as holder:
            holder.execute(hold, {"id": locked.session_id})
            refused = at_once([save, finalize, others])[:2]
            row.tries += len(refused)
            assert [answer.status for answer in refused] == [503, 503]
            assert all(answer.retry_after for answer in refused)
        with engine.connect() as holder:  # this time it is let go while they wait
            holder.execute(hold, {"id": locked.session_id})

            def let_go() -> None:
                wait_for_waiters(engine, 1)
                holder.rollback()

            assert at_once([save, let_go])[0].status == 200
            row.tries += 1
        assert finalize().status == 200
    end(url, orders, books, [locked, other], row)
    row.hold()
