"""Database round trips of each exam and account route, counted on the wire.

Counts have no noise: they are the same on every machine. Every route is called by a caller whose
environment is warm (connected, business settings read), which most requests are; what the first
request of an environment costs is a row of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text

from benchmarks.application import (
    PASSWORD,
    Answer,
    Application,
    Client,
    Databases,
    MakeEngine,
    application,
    one_flush_engine,
    session,
    sign_up,
    stock_engine,
    through,
)
from benchmarks.proxy import Proxy, counting
from benchmarks.report import Report, Row
from local.demo.learner import any_answer
from studypack.access.authentication import Caller
from studypack.core.business_settings import forget_business_settings

TEMPLATE = "ot-diagnostic"
_guards = importlib.import_module("studypack.access.guards")
NEW_PASSWORD = "amber harbour whistle"  # noqa: S105 (of accounts that live as long as a run)


@dataclass
class Count:
    """What one call cost."""

    route: str
    statements: int
    round_trips: int
    authentication: int
    """Of the round trips, those of the authenticating statement."""


@dataclass
class Journey:
    """A learner's requests, each counted under its route."""

    auth: Client
    exams: Client
    proxy: Proxy
    application: Application
    counts: list[Count] = field(default_factory=list)
    authentication: int = 0

    def ask(
        self, client: Client, route: str, body: Any = None, *, name: str = "", **details: str
    ) -> Answer:
        """Send `METHOD /path` and count it under its name."""
        method, _, path = route.partition(" ")
        self._unthrottle()
        self.proxy.take()
        self.authentication = 0
        answer = client.request(method, path, body, **details)
        traffic = self.proxy.take()
        self.counts.append(
            Count(name or route, traffic.statements, traffic.round_trips, self.authentication)
        )
        return answer

    def _unthrottle(self) -> None:
        with session(self.application) as opened:
            opened.execute(text("DELETE FROM auth.throttles"))

    def mailed_token(self, user_id: str, template: str) -> str:
        """The token in the newest mail of this kind."""
        with session(self.application) as opened:
            link: str = opened.execute(
                text(
                    "SELECT data ->> 'link' FROM notifications.email_queue"
                    " WHERE user_id = :user AND template = :template ORDER BY id DESC LIMIT 1"
                ),
                {"user": user_id, "template": template},
            ).scalar_one()
        return parse_qs(urlsplit(link).query)["token"][0]


def run(databases: Databases, progress: Callable[[int, int], None]) -> Report:
    """Count every route on our driver and on stock pg8000."""
    ours = _counts(databases, one_flush_engine)
    progress(1, 2)
    stock = _counts(databases, stock_engine)
    progress(2, 2)
    rows = [
        Row(
            name=count.route,
            ours=count.round_trips,
            other=other.round_trips,
            unit="round trips",
            details={
                "statements": count.statements,
                "auth": count.authentication,
                "auth_other": other.authentication,
            },
        )
        for count, other in zip(ours, stock, strict=True)
    ]
    authenticated = [count for count in ours if count.authentication]
    share = sum(count.authentication for count in authenticated) / sum(
        count.round_trips for count in authenticated
    )
    return Report(
        "round_trips",
        "Statements and database round trips of a request",
        "the same code on stock pg8000 (SQLAlchemy's own dialect)",
        tuple(rows),
        (
            "statements: without BEGIN, COMMIT, ROLLBACK; auth: round trips to find out who calls",
            f"authentication is {share:.0%} of the round trips of routes that authenticate",
        ),
    )


def _counts(databases: Databases, make: MakeEngine) -> list[Count]:
    with databases.clone() as url, application(url) as app:
        port = databases.cluster.port
        with counting(port) as proxy:
            app.open(make, through(url, proxy.port))
            journey = Journey(Client("auth"), Client("exams"), proxy, app)
            with _counted_authentication(journey):
                _account(journey)
                _exam(journey)  # once to fill the caches that a warm environment has
                journey.counts.clear()
                _exam(journey)
                _account(journey)
                _first_request(journey, lambda: app.open(make, through(url, proxy.port)))
            app.close()
        return journey.counts


@contextmanager
def _counted_authentication(journey: Journey) -> Iterator[None]:
    authenticate = _guards.authenticate

    def counted(token: str) -> Caller | None:
        before = journey.proxy.look()
        caller: Caller | None = authenticate(token)
        journey.authentication += journey.proxy.look() - before
        return caller

    _guards.authenticate = counted  # type: ignore[attr-defined]
    try:
        yield
    finally:
        _guards.authenticate = authenticate  # type: ignore[attr-defined]


def _exam(journey: Journey) -> None:
    person = sign_up(journey.auth, journey.application)
    exams, token = journey.exams, person.token

    def ask(route: str, body: Any = None, *, name: str = "", **details: str) -> Any:
        return journey.ask(exams, route, body, name=name, token=token, **details).body

    def path(method: str, end: str = "") -> tuple[str, str]:
        return (
            f"{method} /api/exams/sessions/{exam['id']}{end}",
            f"{method} /api/exams/sessions/{{id}}{end}",
        )

    ask("GET /api/exams/templates")
    exam = ask("POST /api/exams/sessions", {"template": TEMPLATE}, name="POST /api/exams/sessions")
    route, name = path("GET")
    ask(route, name=name)
    route, name = path("POST", "/responses")
    item = exam["items"][0]
    response = {"question_id": item["question_id"], "answer": any_answer(item)}
    ask(route, {**response, "revision": 1}, name=f"{name} (first answer)")
    ask(route, {**response, "revision": 2, "flagged": True}, name=f"{name} (changed)")
    ask(route, {**response, "revision": 2}, name=f"{name} (repeated)")
    for each in exam["items"][1:]:
        body = {"question_id": each["question_id"], "answer": any_answer(each), "revision": 1}
        exams.request("POST", route.partition(" ")[2], body, token=token)
    route, name = path("PATCH")
    ask(route, {"action": "pause"}, name=f"{name} (pause)")
    ask(route, {"action": "resume"}, name=f"{name} (resume)")
    ask(route, {"metadata": {"seat": "12"}}, name=f"{name} (metadata)")
    route, name = path("POST", "/finalize")
    ask(route, name=name)
    ask(route, name=f"{name} (repeated)")
    route, name = path("GET", "/review")
    ask(route, name=name)
    route, name = path("GET", "/receipt")
    ask(route, name=name)
    ask("GET /api/exams/receipt-keys")
    ask("GET /api/exams/sessions")
    ask(
        "POST /api/exams/sessions",
        {"template": TEMPLATE},
        name="POST /api/exams/sessions (Idempotency-Key)",
        key="once",
    )


def _account(journey: Journey) -> None:
    def ask(route: str, body: Any = None, *, name: str = "", **details: str) -> Any:
        return journey.ask(journey.auth, route, body, name=name, **details).body

    email = f"{len(journey.counts)}-{id(journey.counts)}@example.com"
    credentials = {"email": email, "password": PASSWORD}
    user = ask("POST /api/auth/signup", credentials)
    ask("POST /api/auth/verify-email/resend", {"email": email})
    token = journey.mailed_token(user["user_id"], "VERIFY_EMAIL")
    ask("POST /api/auth/verify-email", {"token": token})
    second = ask("POST /api/auth/login", credentials)
    sessions = ask("GET /api/auth/sessions", token=second["token"])
    other = next(each["id"] for each in sessions["items"] if not each["current"])
    ask(
        f"DELETE /api/auth/sessions/{other}",
        name="DELETE /api/auth/sessions/{id}",
        token=second["token"],
    )
    renewed = ask(
        "POST /api/auth/password/change",
        {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
        token=second["token"],
    )
    ask("POST /api/auth/logout", token=renewed["token"])
    ask("POST /api/auth/password/forgot", {"email": email})
    token = journey.mailed_token(user["user_id"], "RESET_PASSWORD")
    ask("POST /api/auth/password/reset", {"token": token, "password": PASSWORD})
    ask("GET /api/config")
    ask("GET /api/health/auth")


def _first_request(journey: Journey, connect_anew: Callable[[], object]) -> None:
    """What an environment's first request costs: it connects and reads the business settings."""
    person = sign_up(journey.auth, journey.application)
    connect_anew()
    forget_business_settings()
    client = journey.exams
    journey.proxy.take()
    client.request("GET", "/api/exams/templates", token=person.token)
    traffic = journey.proxy.take()
    journey.counts.append(
        Count(
            "GET /api/exams/templates (connecting)",
            traffic.statements,
            traffic.round_trips,
            authentication=0,  # it happens to come first, and connecting is no part of it
        )
    )
