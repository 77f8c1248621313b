"""A course of 200 lessons: its page, how far one is, where to go on, and a player's messages,
against the two queries of seed 002 and an upsert, run raw.

The queries read tables of their own, laid out as seed 002 has them, with the same course and
learners, and are prepared on stock pg8000. `service` is our function in a session of its own, from
the connection to the object that an answer is made of; `request` is the whole Lambda handler. Both
sides must agree on what is done, which lesson is next and what was played, or the run stops.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

import pg8000.native
from sqlalchemy import text

from benchmarks.application import (
    Application,
    Client,
    Databases,
    Person,
    application,
    event,
    one_flush_engine,
    raw_connection,
    session,
    sign_up,
    through,
)
from benchmarks.course_learners import (
    LESSONS,
    LESSONS_IN_ORDER,
    MODULES,
    OTHERS,
    SLUG,
    generate,
)
from benchmarks.pairs import interleaved, median_ratio
from benchmarks.proxy import Proxy, counting
from benchmarks.report import Report, Row
from studypack.access.authentication import Caller, authenticate
from studypack.core.database import read_session, transaction
from studypack.courses import course_progress, next_lesson, page
from studypack.courses import progress as studying
from studypack.courses.heartbeats import Beat

ROUNDS: Final = 200
WARM_UP: Final = 10
SECONDS: Final = 15
"""Of video in each range played."""
TOGETHER: Final = 10
"""Ranges in a message of a player that gathers them."""
LEARNERS: Final = 4
"""Who are measured."""

_PROGRESS: Final = """
SELECT m.id AS module_id, m.title AS module_title, COUNT(l.id) AS total_lessons,
       COUNT(lp.id) FILTER (WHERE lp.completed = true) AS completed_lessons
  FROM seed."Module" m
  LEFT JOIN seed."Lesson" l ON l."moduleId" = m.id AND l.published = true
  LEFT JOIN seed."LessonProgress" lp ON lp."lessonId" = l.id AND lp."userId" = :user_id
 GROUP BY m.id
 ORDER BY m.order
"""
"""Seed 002, "Get user's course progress"."""

_NEXT: Final = """
SELECT l.* FROM seed."Lesson" l
  LEFT JOIN seed."LessonProgress" lp ON lp."lessonId" = l.id AND lp."userId" = :user_id
 WHERE l.published = true AND (lp.completed IS NULL OR lp.completed = false)
 ORDER BY (SELECT "order" FROM seed."Module" WHERE id = l."moduleId"), l.order
 LIMIT 1
"""
"""Seed 002, "Get next incomplete lesson"."""

_UPSERT: Final = """
INSERT INTO learning.lesson_progress AS p
       (id, user_id, lesson_id, view_count, position_seconds, position_at, watched_seconds)
VALUES (:id, :user_id, :lesson_id, 1, :position, :now, :seconds)
    ON CONFLICT (user_id, lesson_id) DO UPDATE
   SET position_seconds = excluded.position_seconds, position_at = excluded.position_at,
       watched_seconds = p.watched_seconds + excluded.watched_seconds, updated_at = now()
RETURNING view_count, completed, position_seconds, watched_seconds
"""

Call = Callable[[], Any]


@dataclass(frozen=True)
class Learner:
    """Somebody signed up, also as services know them."""

    person: Person
    caller: Caller


@dataclass
class Player:
    """A learner's player: every message is about the next lesson, and goes on where it was."""

    learner: Learner
    lessons: list[UUID]
    messages: int = 0
    played: dict[UUID, int] = field(default_factory=dict)
    """Seconds of each lesson."""

    def play(self, ranges: int) -> tuple[UUID, list[Beat]]:
        """The next lesson, and what is played of it now."""
        lesson = self.lessons[self.messages % len(self.lessons)]
        self.messages += 1
        start = self.played.get(lesson, 0)
        self.played[lesson] = end = start + ranges * SECONDS
        return lesson, [Beat(at, at + SECONDS) for at in range(start, end, SECONDS)]


@dataclass(frozen=True)
class Learners:
    """Who is measured."""

    finished: Learner
    halfway: Learner
    ours: Player
    bare: Player
    """What they play is upserted."""


@dataclass(frozen=True)
class Comparison:
    """Our two ways, and the other's to the same."""

    name: str
    service: Call
    request: Call
    other: Call
    in_session: Call
    """The other's statement as ours are sent: by a session of ours, unprepared."""
    ranges: int = 0
    """Played by a call, which is told as a rate; 0: nothing is, and a call's time is told."""


@dataclass(frozen=True)
class Counts:
    """What a call sends."""

    statements: int
    round_trips: int


def run(
    databases: Databases,
    progress: Callable[[int, int], None],
    *,
    rounds: int = ROUNDS,
    others: int = OTHERS,
) -> Report:
    """Make the course, time each comparison and count what it sends."""
    rows: list[Row] = []
    with databases.clone() as url, application(url) as app:
        learners = _learners(app, others)
        with raw_connection(url) as raw:
            compared = _comparisons(learners, raw)
            for number, comparison in enumerate(compared):
                done = partial(_step, progress, number, len(compared))
                rows += _timed(comparison, rounds, done)
        rows = _counted(databases, app, learners, url, rows)
        _check_played(app, learners)
    return Report(
        "courses",
        f"A course of {MODULES * LESSONS} lessons, {others + LEARNERS} learners, {rounds} rounds",
        "seed 002's query on tables of its own, or an upsert of ours, prepared on stock pg8000",
        tuple(rows),
        (
            "service: our function with its session; request: the Lambda handler",
            "ratio in session: to the other's statement sent as ours are, by a session, unprepared",
            "ms: p50; statements, round trips: in a warm environment, authentication included",
        ),
    )


def _step(
    progress: Callable[[int, int], None], number: int, comparisons: int, done: int, rounds: int
) -> None:
    progress(number * rounds + done, comparisons * rounds)


def _learners(app: Application, others: int) -> Learners:
    auth = Client("auth")
    people = [sign_up(auth, app) for _ in range(LEARNERS)]
    with session(app) as opened:
        generate(opened, others=others, learners=[person.id for person in people])
    with app.current().connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))
        lessons = list(connection.execute(text(LESSONS_IN_ORDER), {"slug": SLUG}).scalars())
    finished, halfway, watching, bare = [Learner(each, _caller(each)) for each in people]
    return Learners(finished, halfway, Player(watching, lessons), Player(bare, lessons))


def _caller(person: Person) -> Caller:
    caller = authenticate(person.token)
    if caller is None:
        raise RuntimeError("somebody who has just signed up is not known")
    return caller


def _comparisons(learners: Learners, raw: pg8000.native.Connection) -> list[Comparison]:
    client = Client("courses")
    return [
        _page(client, raw, learners.finished),
        _progress(client, raw, learners.finished),
        _next(client, raw, learners.finished, "all done"),
        _next(client, raw, learners.halfway, "half done"),
        _heartbeats(client, raw, learners, 1),
        _heartbeats(client, raw, learners, TOGETHER),
    ]


def _page(client: Client, raw: pg8000.native.Connection, learner: Learner) -> Comparison:
    def load() -> page.CoursePage:
        with read_session() as opened:
            return page.load(opened, learner.caller, SLUG)

    asked = event("GET", f"/api/courses/{SLUG}", token=learner.person.token)
    other = partial(raw.prepare(_PROGRESS).run, user_id=learner.person.id)
    expected = _of_seed(other())
    _check_same([(each.title, each.items, each.done) for each in load().modules], expected)
    shown = client.send(asked).body["modules"]
    _check_same([(each["title"], len(each["lessons"]), each["done"]) for each in shown], expected)
    return Comparison(
        "page", load, partial(client.call, asked), other, _in_session(_PROGRESS, learner)
    )


def _progress(client: Client, raw: pg8000.native.Connection, learner: Learner) -> Comparison:
    def load() -> course_progress.CourseStanding:
        with read_session() as opened:
            return course_progress.load(opened, learner.caller.id, SLUG)

    asked = event("GET", f"/api/courses/{SLUG}/progress", token=learner.person.token)
    other = partial(raw.prepare(_PROGRESS).run, user_id=learner.person.id)
    expected = _of_seed(other())
    _check_same([(each.title, each.items, each.done) for each in load().modules], expected)
    told = client.send(asked).body["modules"]
    _check_same([(each["title"], each["items"], each["done"]) for each in told], expected)
    return Comparison(
        "progress", load, partial(client.call, asked), other, _in_session(_PROGRESS, learner)
    )


def _in_session(query: str, learner: Learner) -> Call:
    statement = text(query)

    def ask() -> None:
        with read_session() as opened:
            opened.execute(statement, {"user_id": learner.person.id}).all()

    return ask


def _of_seed(rows: Iterable[Any]) -> list[tuple[str, int, int]]:
    return [(title, total, done) for _, title, total, done in rows]


def _next(
    client: Client, raw: pg8000.native.Connection, learner: Learner, where: str
) -> Comparison:
    def find() -> next_lesson.NextLesson | None:
        with read_session() as opened:
            return next_lesson.find(opened, learner.caller, SLUG)

    asked = event("GET", f"/api/courses/{SLUG}/next-lesson", token=learner.person.token)
    other = partial(raw.prepare(_NEXT).run, user_id=learner.person.id)
    expected = next((row[0] for row in other()), None)
    found, told = find(), client.send(asked).body["lesson"]
    _check_same(None if found is None else str(found.id), expected)
    _check_same(None if told is None else told["id"], expected)
    return Comparison(
        f"next lesson, {where}",
        find,
        partial(client.call, asked),
        other,
        _in_session(_NEXT, learner),
    )


def _heartbeats(
    client: Client, raw: pg8000.native.Connection, learners: Learners, ranges: int
) -> Comparison:
    statement = raw.prepare(_UPSERT)

    def service() -> None:
        lesson, beats = learners.ours.play(ranges)
        with transaction() as opened:
            caller = learners.ours.learner.caller
            studying.beat(opened, caller, lesson, beats, position=beats[-1].end)

    def request() -> None:
        lesson, beats = learners.ours.play(ranges)
        body = {
            "type": "heartbeats",
            "beats": [{"from": beat.start, "to": beat.end} for beat in beats],
            "position": beats[-1].end,
        }
        token = learners.ours.learner.person.token
        client.call(event("POST", f"/api/lessons/{lesson}/progress", body, token=token))

    def upsert() -> None:
        for row in _upserted(learners.bare, ranges):
            statement.run(**row)

    def in_session() -> None:
        with transaction() as opened:
            for row in _upserted(learners.bare, ranges):
                opened.execute(text(_UPSERT), row)

    name = "heartbeats" if ranges == 1 else f"heartbeats, {ranges} a message"
    return Comparison(name, service, request, upsert, in_session, ranges)


def _upserted(player: Player, ranges: int) -> list[dict[str, Any]]:
    lesson, beats = player.play(ranges)
    return [
        {
            "id": str(uuid4()),
            "user_id": player.learner.person.id,
            "lesson_id": str(lesson),
            "position": beat.end,
            "now": datetime.now(UTC),
            "seconds": beat.end - beat.start,
        }
        for beat in beats
    ]


def _timed(comparison: Comparison, rounds: int, progress: Callable[[int, int], None]) -> list[Row]:
    alternatives = (
        comparison.service,
        comparison.request,
        comparison.other,
        comparison.in_session,
    )
    for _ in range(WARM_UP):
        for alternative in alternatives:
            alternative()
    service, request, other, in_session = interleaved(
        alternatives, rounds=rounds, progress=progress
    )
    rows = []
    for level, ours in (("service", service), ("request", request)):
        name = f"{comparison.name}, {level}"
        if comparison.ranges:
            told = (_rate(comparison.ranges, ours), _rate(comparison.ranges, other), "per second")
            ratios = median_ratio(other, ours), median_ratio(in_session, ours)
        else:
            told = (_milliseconds(ours), _milliseconds(other), "ms")
            ratios = median_ratio(ours, other), median_ratio(ours, in_session)
        rows.append(Row(name, *told, ratios[0], {"ratio_in_session": round(ratios[1], 2)}))
    return rows


def _milliseconds(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def _rate(ranges: int, seconds: list[float]) -> float:
    return ranges * len(seconds) / sum(seconds)


def _counted(
    databases: Databases, app: Application, learners: Learners, url: str, rows: list[Row]
) -> list[Row]:
    """The rows with what their calls send."""
    counted = []
    with counting(databases.cluster.port) as proxy:
        near = through(url, proxy.port)
        app.open(one_flush_engine, near)
        with raw_connection(near) as raw:
            for comparison in _comparisons(learners, raw):
                other = _sent(proxy, comparison.other)
                for call in (comparison.service, comparison.request):
                    ours = _sent(proxy, call)
                    counted.append(
                        {
                            "statements": ours.statements,
                            "round_trips": ours.round_trips,
                            "other_round_trips": other.round_trips,
                        }
                    )
        app.open(one_flush_engine, url)
    return [
        replace(row, details={**row.details, **sent})
        for row, sent in zip(rows, counted, strict=True)
    ]


def _sent(proxy: Proxy, call: Call) -> Counts:
    call()  # connects
    proxy.take()
    call()
    traffic = proxy.take()
    return Counts(traffic.statements, traffic.round_trips)


def _check_same(ours: object, other: object) -> None:
    if ours != other:
        raise RuntimeError(f"ours is {ours}, the other {other}")


def _check_played(app: Application, learners: Learners) -> None:
    with session(app) as opened:
        for player in (learners.ours, learners.bare):
            rows = opened.execute(
                text(
                    "SELECT lesson_id, watched_seconds FROM learning.lesson_progress"
                    " WHERE user_id = :user_id AND watched_seconds > 0"
                ),
                {"user_id": player.learner.person.id},
            )
            _check_same({row.lesson_id: row.watched_seconds for row in rows}, player.played)
