"""Which mails are due, asked over 200,000 people and 2 million events: how long each family of
triggers takes, in how many statements, and what PostgreSQL reads for it.

First everything of two weeks is decided, as by the first run of the job on old accounts; then what
each further five minutes bring. Nothing is sent in between, so that all that was queued waits, and
what takes mails back has all of it to look at.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

from benchmarks import email_people
from benchmarks.application import Databases, application
from benchmarks.pairs import MINIMUM_PAIRS
from benchmarks.report import RESULTS, Report, Row
from studypack.core.business_settings import BusinessSettings
from studypack.lifecycle.moment import Moment
from studypack.lifecycle.service import CANCELLATIONS, TRIGGERS
from studypack.lifecycle.trigger import Trigger

USERS, EVENTS = 200_000, 2_000_000
ROUNDS = MINIMUM_PAIRS
EVERY = timedelta(minutes=5)
"""As the job runs."""
LARGE = 1_000
"""Rows from which a table read whole is worth a word."""
PLANS = RESULTS / "email_triggers"
SETTINGS = BusinessSettings()


Step = Callable[[Session, Moment], int]


@dataclass(frozen=True)
class Family:
    """What one rule asks, which the job repeats until nothing is left."""

    name: str
    steps: tuple[Step, ...]


@dataclass
class Cost:
    """What a run of one family came to."""

    seconds: float = 0
    statements: int = 0
    decided: int = 0


@dataclass
class Plan:
    """What PostgreSQL read for the statements of a family."""

    pages: int = 0
    indexes: set[str] = field(default_factory=set)
    whole: dict[str, int] = field(default_factory=dict)
    """Tables that were read from end to end, and their rows."""
    texts: list[str] = field(default_factory=list)

    def add(self, root: Mapping[str, Any]) -> None:
        """Take in one statement's plan, as JSON."""
        self.pages += root["Shared Hit Blocks"] + root["Shared Read Blocks"]
        for node in _nodes(root):
            if node["Actual Loops"] == 0:
                continue
            if "Index Name" in node:
                self.indexes.add(node["Index Name"])
            if node["Node Type"] == "Seq Scan":
                rows = int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
                table = node["Relation Name"]
                self.whole[table] = max(self.whole.get(table, 0), rows)


def families() -> list[Family]:
    """What takes mails back as one family, then the triggers."""

    def decide(trigger: Trigger, session: Session, moment: Moment) -> int:
        return trigger.decide(session, moment).decisions

    return [
        Family("taking mails back", tuple(each.cancel for each in CANCELLATIONS)),
        *(Family(each.rule, (partial(decide, each),)) for each in TRIGGERS),
    ]


def run(
    databases: Databases,
    progress: Callable[[int, int], None],
    *,
    users: int = USERS,
    events: int = EVENTS,
    rounds: int = ROUNDS,
    plans: Path = PLANS,
) -> Report:
    """Make the people, decide on everything, then on what five minutes bring, again and again."""
    steps = iter(range(1, email_people.STEPS + rounds + 3))
    total = email_people.STEPS + rounds + 2
    with databases.clone() as url, application(url) as app:
        engine = app.current()
        started = time.perf_counter()
        for _ in email_people.generate(engine, users=users, events=events):
            progress(next(steps), total)
        generating = time.perf_counter() - started
        each_family = families()
        first = _evaluate(engine, each_family, Moment(email_people.NOW, SETTINGS))
        _analyze(engine)
        progress(next(steps), total)
        read = _explain(engine, each_family, Moment(email_people.NOW + EVERY, SETTINGS))
        _keep(plans, read)
        progress(next(steps), total)
        later = []
        for number in range(1, rounds + 1):
            moment = Moment(email_people.NOW + number * EVERY, SETTINGS)
            later.append(_evaluate(engine, each_family, moment))
            progress(next(steps), total)
        with engine.connect() as connection:
            waiting = connection.execute(
                text("SELECT count(*) FROM notifications.email_queue WHERE status = 'PENDING'")
            ).scalar_one()
    rows = [
        _row(each.name, first[each.name], [run[each.name] for run in later], read[each.name])
        for each in each_family
    ]
    every_run = statistics.median(sum(cost.seconds for cost in run.values()) for run in later)
    once = sum(cost.seconds for cost in first.values())
    total_row = Row("all of it", every_run * 1000, once * 1000, "ms")
    return Report(
        "email_triggers",
        f"Triggers over {users:,} people and {events:,} events, a run of the job",
        "the first run, which decides on all of two weeks at once",
        (*rows, total_row),
        (
            f"ours: the median of {rounds} runs, five minutes apart; {waiting:,} mails wait unsent",
            f"read whole: tables from {LARGE:,} rows; plans: {plans.parent.name}/{plans.name}/",
            f"people and events were made in {generating:.0f} s, seeded",
        ),
    )


def _row(name: str, first: Cost, later: list[Cost], plan: Plan) -> Row:
    return Row(
        name,
        statistics.median(each.seconds for each in later) * 1000,
        first.seconds * 1000,
        "ms",
        details={
            "statements": round(statistics.fmean(each.statements for each in later), 1),
            "statements_first": first.statements,
            "decided": round(statistics.fmean(each.decided for each in later), 1),
            "decided_first": first.decided,
            "pages": plan.pages,
            "indexes": len(plan.indexes),
            "read_whole": ", ".join(
                f"{table} {rows:,}" for table, rows in sorted(plan.whole.items()) if rows >= LARGE
            )
            or "nothing",
        },
    )


Statements = list[tuple[str, Any]]
"""Texts with their parameters, as the driver gets them."""


@contextmanager
def _watched(engine: Engine) -> Iterator[Statements]:
    """All statements that are executed meanwhile."""
    seen: Statements = []

    def see(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", see)


def _evaluate(engine: Engine, each_family: list[Family], moment: Moment) -> dict[str, Cost]:
    """One run of the job: each step in a transaction of its own until it finds nothing."""
    costs = {}
    for family in each_family:
        cost = costs[family.name] = Cost()
        with _watched(engine) as seen:
            started = time.perf_counter()
            for step in family.steps:
                done = 1
                while done:
                    with Session(engine, expire_on_commit=False) as session, session.begin():
                        done = step(session, moment)
                    cost.decided += done
            cost.seconds = time.perf_counter() - started
        cost.statements = len(seen)
    return costs


def _analyze(engine: Engine) -> None:
    """What autovacuum does after so many rows."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE notifications.email_queue"))
        connection.execute(text("VACUUM ANALYZE notifications.email_decisions"))


def _explain(engine: Engine, each_family: list[Family], moment: Moment) -> dict[str, Plan]:
    """The plan of each step's first statement as it runs, and nothing of what it writes."""
    plans = {}
    for family in each_family:
        plan = plans[family.name] = Plan()
        for step in family.steps:
            with _watched(engine) as seen, Session(engine) as session:
                step(session, moment)
                session.rollback()
            statement, parameters = seen[0]
            text_plan, [document] = (
                _explained(engine, f"EXPLAIN (ANALYZE, BUFFERS{form}) {statement}", parameters)
                for form in ("", ", FORMAT JSON")
            )
            plan.texts.append("\n".join(text_plan))
            plan.add((json.loads(document) if isinstance(document, str) else document)[0]["Plan"])
    return plans


def _explained(engine: Engine, statement: str, parameters: Any) -> list[Any]:
    with engine.connect() as connection:
        lines = list(connection.exec_driver_sql(statement, parameters).scalars())
        connection.rollback()
        return lines


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _keep(folder: Path, plans: Mapping[str, Plan]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, plan in plans.items():
        file = folder / f"{name.replace(' ', '_')}.txt"
        file.write_text("\n\n".join(plan.texts) + "\n", encoding="utf-8")
