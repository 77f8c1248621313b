"""Submitting an exam while its process is killed, and many times at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from tests.faults import audit
from tests.faults.classroom import Books, Learner
from tests.faults.client import at_once, calling
from tests.faults.ending import end
from tests.faults.figures import Figures
from tests.faults.gates import gate
from tests.faults.processes import Servers, serving
from tests.faults.victim import Orders

ANSWERS = 20
"""Half of the forty items, so that the submission earns XP."""


def _answer(learner: Learner, books: Books, port: int, number: int = ANSWERS) -> None:
    with calling(port, learner.token) as client:
        for revision in range(number):
            assert books.save(learner, client, revision + 1).status == 200


def test_a_process_killed_at_any_moment_of_a_submission_leaves_all_of_it_or_nothing(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures]
) -> None:
    row = figures("kill -9 in the middle of finalize, at every moment")
    books = Books()
    used = []
    with (
        serving(orders) as steady,
        serving(orders, number=0) as doomed,
        audit.looking(url) as database,
    ):
        for moment in count(1):
            learner = learners[moment]
            used.append(learner)
            _answer(learner, books, steady.port)
            doomed.start(die_at=moment)
            with calling(doomed.port, learner.token) as client:
                survived = books.finalize(learner, client).status == 200
            if not survived:
                doomed.reap()
                row.tries += 1
                row.add(audit.left_behind(database))
                row.add(audit.whole_or_nothing(database, [learner.session_id]))
            with calling(steady.port, learner.token) as client:
                books.finalize(learner, client)
            if survived:
                break
    assert row.tries > 20, "a submission has more moments than that"
    end(url, orders, books, used, row)
    row.hold()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("table", "at_commit"),
    [
        ("learning.exam_responses", False),
        ("learning.topic_mastery", False),
        ("activity.xp_logs", False),
        ("activity.user_activities", False),
        ("learning.exam_sessions", True),
    ],
)
def test_a_process_killed_while_the_database_works_for_it_leaves_all_or_nothing(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    table: str,
    at_commit: bool,
) -> None:
    row = figures("kill -9 while a statement or the commit of finalize runs")
    books = Books()
    learner = learners[0]
    with serving(orders) as servers, audit.looking(url) as database:
        _answer(learner, books, servers.port)
        with gate(url, table, at_commit=at_commit) as closed:
            _kill_at(closed.wait_for, servers, learner, books)
            closed.open()
            row.tries += 1
            row.add(audit.left_behind(database))
        row.add(audit.whole_or_nothing(database, [learner.session_id]))
        servers.start()
        with calling(servers.port, learner.token) as client:
            books.finalize(learner, client)
    end(url, orders, books, [learner], row)
    row.hold()


def _kill_at(place: Callable[[], None], servers: Servers, learner: Learner, books: Books) -> None:
    def submit() -> None:
        with calling(servers.port, learner.token) as client:
            assert books.finalize(learner, client).status == 0

    def kill() -> None:
        place()
        servers.kill()

    at_once([submit, kill])


@pytest.mark.quick
def test_twenty_submissions_at_once_are_one(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
) -> None:
    row = figures("20 finalizes at once")
    books = Books()
    used = learners[: 10 if whole else 2]
    with serving(orders, number=2) as servers:
        for learner in used:
            _answer(learner, books, servers.port)

            def submit(learner: Learner) -> object:
                with calling(servers.port, learner.token) as client:
                    return books.finalize(learner, client).body

            told = at_once([partial(submit, learner)] * 20)
            row.tries += 20
            assert all(body == told[0] for body in told), "everybody is told the same"
    end(url, orders, books, used, row)
    row.hold()
