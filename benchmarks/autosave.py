"""Saving an exam response, the product's most frequent write, against the bare statement.

Both on a warm connection, in turns: our Lambda handler (authentication, validation, lock, clock,
upsert, commit, JSON) and the one upsert that it comes down to, prepared, on stock pg8000.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import pg8000.native
from sqlalchemy import Engine, make_url

from benchmarks.application import (
    Application,
    Client,
    Databases,
    Person,
    any_answer,
    application,
    event,
    one_flush_engine,
    sign_up,
    stock_engine,
    through,
)
from benchmarks.pairs import interleaved, median_ratio, percentile
from benchmarks.proxy import delaying, measured
from benchmarks.report import Report, Row

ROUNDS = 500
WARM_UP = 30
TEMPLATE = "ot-practice-exam"
ADDED_MILLISECONDS = 1.0

_UPSERT = """
INSERT INTO learning.exam_responses (id, session_id, question_id, answer, revision, flagged,
                                     time_spent_seconds, answered_at, created_at, updated_at)
VALUES (:id, :session_id, :question_id, CAST(:answer AS jsonb), :revision, :flagged, :seconds,
        :now, :now, :now)
ON CONFLICT (session_id, question_id) DO UPDATE
   SET answer = excluded.answer, revision = excluded.revision, flagged = excluded.flagged,
       time_spent_seconds = excluded.time_spent_seconds, answered_at = excluded.answered_at,
       updated_at = excluded.updated_at
 WHERE exam_responses.revision < excluded.revision
RETURNING revision, answer, flagged, time_spent_seconds, reviewed_at, updated_at
"""


@dataclass(frozen=True)
class _Exam:
    """A running exam, whose items are answered over and over."""

    person: Person
    document: dict[str, Any]

    def body(self, revision: int) -> dict[str, Any]:
        """The next response: every call another item, and never a revision seen before."""
        items = self.document["items"]
        item = items[revision % len(items)]
        return {
            "question_id": item["question_id"],
            "answer": any_answer(item),
            "revision": revision,
            "flagged": False,
            "time_spent_seconds": 42,
        }

    def event(self, revision: int) -> dict[str, Any]:
        """The same as a request."""
        path = f"/api/exams/sessions/{self.document['id']}/responses"
        return event("POST", path, self.body(revision), token=self.person.token)


def run(databases: Databases, progress: Callable[[int, int], None]) -> Report:
    """Time the route on loopback, and where a round trip takes a millisecond more."""
    rows: list[Row] = []
    notes: list[str] = []
    networks = (("loopback", 0.0), (f"+{ADDED_MILLISECONDS:g} ms", ADDED_MILLISECONDS))
    with databases.clone() as url, application(url) as app:
        for index, (network, delay) in enumerate(networks):
            done = index * ROUNDS

            def step(now: int, _total: int, done: int = done) -> None:
                progress(done + now, ROUNDS * len(networks))

            with _reached(url, databases.cluster.port, delay) as near:
                measured_rows, round_trip = _network(app, url, near, network, step)
            rows += measured_rows
            notes.append(f"{network}: a round trip (SELECT 1) took {round_trip * 1000:.2f} ms")
    return Report(
        "autosave",
        f"POST /api/exams/sessions/{{id}}/responses, {ROUNDS} rounds",
        "one prepared upsert on stock pg8000, or as the row says",
        tuple(rows),
        (
            *notes,
            "p50 rows: the ratio is the median of the rounds' ratios; p99 rows: of the two p99",
        ),
    )


@contextmanager
def _reached(url: str, port: int, delay: float) -> Iterator[str]:
    if delay == 0:
        yield url
        return
    with delaying(port, delay) as proxy_port:
        yield through(url, proxy_port)


def _network(
    app: Application,
    direct: str,
    url: str,
    network: str,
    progress: Callable[[int, int], None],
) -> tuple[list[Row], float]:
    with ExitStack() as parts:
        app.open(one_flush_engine, direct)
        auth, exams = Client("auth"), Client("exams")
        mine, theirs = _start(auth, exams, app), _start(auth, exams, app)
        ours, stock = app.open(one_flush_engine, url), app.open(stock_engine, url)
        raw = parts.enter_context(_raw_connection(url))
        number = count(1)  # revisions only ever go up, whoever saves

        save = partial(_handled, app, exams, mine, number)
        alternatives = (
            partial(save, ours),
            partial(_upserted, raw.prepare(_UPSERT), theirs, number),
            partial(save, stock),
        )
        for _ in range(WARM_UP):
            for alternative in alternatives:
                alternative()
        round_trip = measured(partial(raw.run, "SELECT 1"))
        seconds = interleaved(alternatives, rounds=ROUNDS, progress=progress)
        for engine in (ours, stock):
            engine.dispose()
    return _rows(network, *seconds), round_trip


def _handled(
    app: Application, exams: Client, exam: _Exam, number: Iterator[int], engine: Engine
) -> None:
    app.engine = engine
    exams.call(exam.event(next(number)))


def _upserted(
    statement: pg8000.native.PreparedStatement, exam: _Exam, number: Iterator[int]
) -> None:
    body = exam.body(next(number))
    stored = statement.run(
        id=str(uuid4()),
        session_id=exam.document["id"],
        question_id=body["question_id"],
        answer=json.dumps(body["answer"]),
        revision=body["revision"],
        flagged=False,
        seconds=42,
        now=datetime.now(UTC),
    )
    if not stored:
        raise RuntimeError("the bare statement stored nothing")


def _start(auth: Client, exams: Client, app: Application) -> _Exam:
    person = sign_up(auth, app)
    answer = exams.request(
        "POST", "/api/exams/sessions", {"template": TEMPLATE}, token=person.token
    )
    return _Exam(person, answer.body)


@contextmanager
def _raw_connection(url: str) -> Iterator[pg8000.native.Connection]:
    parts = make_url(url)
    connection = pg8000.native.Connection(
        parts.username or "",
        password=parts.password,
        host=parts.host,
        port=parts.port,
        database=parts.database,
        ssl_context=False,
    )
    try:
        yield connection
    finally:
        connection.close()


def _rows(network: str, ours: list[float], raw: list[float], stock: list[float]) -> list[Row]:
    rows = []
    for other_name, other in (("", raw), (" (other: ours on stock pg8000)", stock)):
        rows += [
            Row(
                f"{network}, p50{other_name}",
                statistics.median(ours) * 1000,
                statistics.median(other) * 1000,
                "ms",
                median_ratio(ours, other),
            ),
            Row(
                f"{network}, p99{other_name}",
                percentile(ours, 99) * 1000,
                percentile(other, 99) * 1000,
                "ms",
            ),
        ]
    return rows
