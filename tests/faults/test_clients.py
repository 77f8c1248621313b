"""Clients with addresses that are none, and clocks that are wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from local import environment
from tests.faults import audit, classroom
from tests.faults.classroom import Books, Learner
from tests.faults.client import Answer, Client, calling
from tests.faults.figures import Figures
from tests.faults.processes import new_clock, run_jobs, serving
from tests.faults.victim import Orders

SAMPLE = Path(__file__).parents[2] / "events" / "api" / "auth.json"
PASSWORD = "violet canal lantern"
DAY = 24 * 3600

STORED_ADDRESSES = {
    "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
    "::1": "::/64",
    "fe80::1%eth0": "fe80::/64",
    "::ffff:198.51.100.7": "198.51.100.7",
    "198.51.100.8": "198.51.100.8",
    "": "unknown",
    "unknown": "unknown",
    "999.1.2.3": "unknown",
    "2001:db8::zz": "unknown",
    "198.51.100.9, 10.0.0.1": "unknown",
    "x" * 5000: "unknown",
    "';DROP TABLE auth.users;--": "unknown",
}

_ADDRESSES = text("SELECT array_agg(DISTINCT ip) FROM auth.sessions WHERE user_id = :id")


@pytest.fixture
def auth(url: str) -> Iterator[Callable[[str, str, dict[str, Any]], Answer]]:
    """Calls the function `auth` as the gateway does, from any address."""
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))

    def call(address: str, path: str, body: dict[str, Any]) -> Answer:
        http = {**sample["requestContext"]["http"], "method": "POST", "path": path}
        answer = handler(
            {
                **sample,
                "rawPath": path,
                "body": json.dumps(body),
                "headers": {
                    "content-type": "application/json",
                    "x-forwarded-for": "203.0.113.99",  # what a client claims is not read
                },
                "requestContext": {
                    **sample["requestContext"],
                    "http": {**http, "sourceIp": address},
                },
            },
            None,
        )
        document = json.loads(answer["body"]) if answer.get("body") else None
        return Answer(answer["statusCode"], document, answer["headers"].get("retry-after"))

    with environment.applied({"DATABASE_URL": url}):
        from api.auth.handler import handler  # asks for its settings when it is imported

        yield call


@pytest.mark.quick
def test_an_address_of_any_kind_or_none_is_counted_and_stored_without_a_fault(
    url: str,
    auth: Callable[[str, str, dict[str, Any]], Answer],
    figures: Callable[..., Figures],
) -> None:
    row = figures("an IPv6-only or malformed client address")
    lost = []
    with audit.looking(url) as database:
        for number, (address, stored) in enumerate(STORED_ADDRESSES.items()):
            account = {"email": f"address-{number}@example.com", "password": PASSWORD}
            made = auth(address, "/api/auth/signup", account)
            wrong = auth(address, "/api/auth/login", {**account, "password": "not this one"})
            right = auth(address, "/api/auth/login", account)
            row.tries += 3
            row.count(made, wrong, right)
            assert [made.status, wrong.status, right.status] == [201, 401, 200]
            found = database.execute(_ADDRESSES, {"id": made.body["user_id"]}).scalar_one()
            if found != [stored]:
                lost.append(f"{address[:40]!r} is stored as {found}")
    row.add(audit.Findings(lost=tuple(lost)))
    row.hold()


@pytest.mark.quick
def test_a_client_that_has_ipv6_only_is_served_like_any_other(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures]
) -> None:
    if not socket.has_ipv6 or not _can_bind("::1"):
        pytest.skip("this machine has no IPv6")
    row = figures("an IPv6-only or malformed client address", tries=1)
    books, learner = Books(), learners[0]
    with (
        serving(orders, host="::1") as servers,
        calling(servers.port, learner.token, host="::1") as client,
    ):
        account = {"email": "ipv6@example.com", "password": PASSWORD}
        assert client.post("/api/auth/signup", account).status == 201
        assert books.save(learner, client, 1).status == 200
        assert books.finalize(learner, client).status == 200
    run_jobs(orders)
    with audit.looking(url) as database:
        row.add(audit.submissions(database, books.submitted, scored=True))
    row.count_all(books.answers)
    row.hold()


def _can_bind(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


@pytest.mark.quick
@pytest.mark.parametrize("seconds_off", [-DAY, DAY])
@pytest.mark.parametrize("whose", ["client", "server"])
def test_an_exam_runs_by_the_databases_clock_whoever_elses_is_wrong(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whose: str,
    seconds_off: int,
) -> None:
    row = figures(f"clock of the {whose} off by a day")
    books, (running, late, new) = Books(), learners[:3]
    classroom.let_expire(url, [late])
    clock = new_clock()
    headers = {}
    if whose == "server":
        clock.value = seconds_off
    else:
        headers["Date"] = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds_off))
    with (
        serving(replace(orders, clock=clock)) as servers,
        audit.looking(url) as database,
    ):

        def client_of(learner: Learner) -> Client:
            return Client(servers.port, learner.token, headers)

        clients = [client_of(each) for each in (running, late, new)]
        try:
            saved = books.save(running, clients[0], 1)
            assert saved.status == 200, "time is left"
            refused = books.save(late, clients[1], 1)
            assert (refused.status, refused.body["code"]) == (409, "deadline_passed")
            assert books.finalize(running, clients[0]).body["submitted_by"] == "LEARNER"
            assert books.finalize(late, clients[1]).body["submitted_by"] == "CLOCK"
            started = clients[2].post("/api/exams/sessions", {"template": "ot-diagnostic"})
            now = database.execute(select(func.clock_timestamp())).scalar_one()
        finally:
            for client in clients:
                client.close()
    row.tries += 5
    row.count_all([*books.answers, started])
    told = datetime.fromisoformat(started.body["started_at"])
    assert abs(now - told) < timedelta(minutes=1)
    run_jobs(orders)
    with audit.looking(url) as database:
        row.add(audit.responses(database, books))
        row.add(audit.submissions(database, books.submitted, scored=True))
    row.hold()
