"""Saving an exam response, the product's most frequent write, against the bare statement.

Both on a warm connection, in turns: our Lambda handler (authentication, validation, lock, clock,
upsert, log, commit, JSON) and the one statement that it comes down to, prepared, on stock pg8000:
it writes the same rows, the response, its entry in the session's log and the log's head.
"""

from __future__ import annotations

import hashlib
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
from sqlalchemy import Engine

from benchmarks.application import (
    Application,
    Client,
    Databases,
    Person,
    application,
    event,
    one_flush_engine,
    raw_connection,
    sign_up,
    stock_engine,
    through,
)
from benchmarks.pairs import interleaved, median_ratio, percentile
from benchmarks.proxy import delaying, measured
from benchmarks.report import Report, Row
from local.demo.learner import any_answer

ROUNDS = 500
WARM_UP = 30
TEMPLATE = "ot-practice-exam"
ADDED_MILLISECONDS = 1.0

_WRITES = """
WITH stored AS (
    INSERT INTO learning.exam_responses
           (id, session_id, question_id, answer, revision, flagged, time_spent_seconds,
            answered_at, created_at, updated_at)
    VALUES (:id, :session_id, :question_id, CAST(:answer AS jsonb), :revision, :flagged, :seconds,
            :now, :now, :now)
    ON CONFLICT (session_id, question_id) DO UPDATE
       SET answer = excluded.answer, revision = excluded.revision, flagged = excluded.flagged,
           time_spent_seconds = excluded.time_spent_seconds, answered_at = excluded.answered_at,
           updated_at = excluded.updated_at
    RETURNING session_id),
logged AS (
    INSERT INTO learning.exam_response_log
           (session_id, sequence, event, occurred_at, entry, previous_hash, hash)
    SELECT session_id, CAST(:sequence AS int), 'ANSWERED', CAST(:now AS timestamptz),
           CAST(:entry AS text), CAST(:previous AS bytea), CAST(:hash AS bytea)
      FROM stored)
UPDATE learning.exam_sessions s
   SET log_sequence = CAST(:sequence AS int), log_hash = CAST(:hash AS bytea),
       updated_at = CAST(:now AS timestamptz)
  FROM stored WHERE s.id = stored.session_id
RETURNING s.log_sequence
"""


@dataclass(frozen=True)
class Exam:
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


def run(
    databases: Databases, progress: Callable[[int, int], None], *, rounds: int = ROUNDS
) -> Report:
    """Time the route on loopback, and where a round trip takes a millisecond more."""
    rows: list[Row] = []
    notes: list[str] = []
    networks = (("loopback", 0.0), (f"+{ADDED_MILLISECONDS:g} ms", ADDED_MILLISECONDS))
    with databases.clone() as url, application(url) as app:
        for index, (network, delay) in enumerate(networks):
            done = index * rounds

            def step(now: int, _total: int, done: int = done) -> None:
                progress(done + now, rounds * len(networks))

            with _reached(url, databases.cluster.port, delay) as near:
                measured_rows, round_trip = _network(app, url, near, network, rounds, step)
            rows += measured_rows
            notes.append(f"{network}: a round trip (SELECT 1) took {round_trip * 1000:.2f} ms")
    return Report(
        "autosave",
        f"POST /api/exams/sessions/{{id}}/responses, {rounds} rounds",
        "one prepared statement on stock pg8000 that writes the same rows, or as the row says",
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
    rounds: int,
    progress: Callable[[int, int], None],
) -> tuple[list[Row], float]:
    with ExitStack() as parts:
        app.open(one_flush_engine, direct)
        auth, exams = Client("auth"), Client("exams")
        mine, theirs = _start(auth, exams, app), _start(auth, exams, app)
        ours, stock = app.open(one_flush_engine, url), app.open(stock_engine, url)
        raw = parts.enter_context(raw_connection(url))
        number = count(1)  # revisions only ever go up, whoever saves

        save = partial(_handled, app, exams, mine, number)
        alternatives = (
            partial(save, ours),
            partial(_Bare(raw, theirs).save, number),
            partial(save, stock),
        )
        for _ in range(min(WARM_UP, rounds)):
            for alternative in alternatives:
                alternative()
        round_trip = measured(partial(raw.run, "SELECT 1"))
        seconds = interleaved(alternatives, rounds=rounds, progress=progress)
        for engine in (ours, stock):
            engine.dispose()
    return _rows(network, *seconds), round_trip


def _handled(
    app: Application, exams: Client, exam: Exam, number: Iterator[int], engine: Engine
) -> None:
    app.engine = engine
    exams.call(exam.event(next(number)))


class _Bare:
    """Writes what our route writes, with nothing around it."""

    def __init__(self, connection: pg8000.native.Connection, exam: Exam) -> None:
        self._exam = exam
        self._statement = connection.prepare(_WRITES)
        ((self._sequence, self._hash),) = connection.run(
            "SELECT log_sequence, log_hash FROM learning.exam_sessions WHERE id = :id",
            id=exam.document["id"],
        )

    def save(self, number: Iterator[int]) -> None:
        """The next response; the database checks that its entry continues the log."""
        body = self._exam.body(next(number))
        session_id, sequence, now = self._exam.document["id"], self._sequence + 1, datetime.now(UTC)
        entry = json.dumps(
            {
                **body,
                "session": session_id,
                "sequence": sequence,
                "event": "ANSWERED",
                "at": now.isoformat(),
            }
        )
        digest = hashlib.sha256(self._hash + entry.encode()).digest()
        stored = self._statement.run(
            id=str(uuid4()),
            session_id=session_id,
            question_id=body["question_id"],
            answer=json.dumps(body["answer"]),
            revision=body["revision"],
            flagged=False,
            seconds=body["time_spent_seconds"],
            now=now,
            sequence=sequence,
            entry=entry,
            previous=self._hash,
            hash=digest,
        )
        if list(stored) != [[sequence]]:
            raise RuntimeError("the bare statement stored nothing")
        self._sequence, self._hash = sequence, digest


def _start(auth: Client, exams: Client, app: Application) -> Exam:
    person = sign_up(auth, app)
    answer = exams.request(
        "POST", "/api/exams/sessions", {"template": TEMPLATE}, token=person.token
    )
    return Exam(person, answer.body)


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
