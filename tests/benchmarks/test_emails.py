"""The benchmarks of e-mail still run, on sizes too small to say how fast anything is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import email_people, email_queue, email_triggers, pairs
from benchmarks.application import Databases
from benchmarks.mailqueue import environment
from benchmarks.report import Report
from studypack.lifecycle.service import TRIGGERS

ROUNDS = pairs.MINIMUM_PAIRS
SMALL = {"mails": 1_800, "turn": 100, "rounds": ROUNDS}


@pytest.fixture
def databases(cluster: Any, template_database: str) -> Databases:
    """The tests' own template in place of one made for benchmarks."""
    return Databases(cluster, template_database)


@pytest.fixture
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def progress(steps: list[tuple[int, int]]) -> Callable[[int, int], None]:
    return lambda done, total: steps.append((done, total))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One condition, one crash."""
    monkeypatch.setattr(email_queue, "CONDITIONS", email_queue.CONDITIONS[-1:])
    monkeypatch.setattr(email_queue, "CRASHES", 1)
    monkeypatch.setattr(email_queue, "CRASH_MAILS", 100)


def printed(report: Report, folder: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """What is shown, and the rows that are written by name."""
    written = io.StringIO()
    report.show(Console(file=written, width=500))
    rows = json.loads(report.write(folder).read_text(encoding="utf-8"))
    return written.getvalue(), {row["name"]: row for row in rows}


def test_every_trigger_is_timed_and_its_plan_is_kept(
    databases: Databases,
    progress: Callable[[int, int], None],
    steps: list[tuple[int, int]],
    tmp_path: Path,
) -> None:
    report = email_triggers.run(
        databases, progress, users=3_000, events=20_000, rounds=2, plans=tmp_path / "plans"
    )

    _, rows = printed(report, tmp_path)
    rules = [each.rule for each in TRIGGERS]
    assert list(rows) == ["taking mails back", *rules, "all of it"]
    assert all(row["ours"] > 0 and row["other"] > 0 for row in rows.values())
    found = {name: rows[name]["decided_first"] for name in rules}
    assert [name for name, decided in found.items() if not decided] == ["welcome"]  # sent before
    for rule in rules:
        assert "Buffers:" in (tmp_path / "plans" / f"{rule}.txt").read_text(encoding="utf-8")
    assert steps[-1][0] == steps[-1][1]


def test_people_are_as_many_as_asked_for(databases: Databases) -> None:
    from sqlalchemy import text

    from benchmarks.application import application

    with databases.clone() as url, application(url) as app:
        done = list(email_people.generate(app.current(), users=500, events=4_000))
        with app.current().connect() as connection:
            counts = connection.execute(
                text(
                    "SELECT (SELECT count(*) FROM auth.users WHERE email LIKE 'learner%'),"
                    " (SELECT count(*) FROM activity.analytics_events)"
                )
            ).one()

    assert tuple(counts) == (500, 4_000)
    assert len(done) == email_people.STEPS


@pytest.mark.beside_others
@pytest.mark.usefixtures("quick")
def test_all_queues_send_every_mail_and_after_a_crash_few_of_them_twice(
    databases: Databases,
    progress: Callable[[int, int], None],
    steps: list[tuple[int, int]],
    tmp_path: Path,
) -> None:
    try:
        environment.ensure()
    except environment.NotMade as error:
        pytest.fail(f"the others' environment could not be made: {error}")

    report = email_queue.run(databases, progress, **SMALL)

    _, rows = printed(report, tmp_path)
    one, installed, jobs = (
        "post-office, batches of 1",
        "post-office, batches of 100",
        "procrastinate, one at a time",
    )
    for other in (one, installed, jobs):
        assert rows[f"rendered and built: {other}"]["ratio"] > 0
        assert rows[f"statements a mail: {other}"]["ours"] < 1.1
        never = rows[f"never sent after crashes: {other}"]
        assert (never["ours"], never["other"]) == (0, 0)
    twice = {each: rows[f"sent twice after crashes: {each}"] for each in (one, installed, jobs)}
    assert {row["ours"] for row in twice.values()} == {1}
    assert (twice[one]["other"], twice[jobs]["other"]) == (1, 1)
    assert twice[installed]["other"] > 1
    assert "django-post-office 3." in report.other
    assert "procrastinate 3." in report.other
    assert steps[-1][0] == steps[-1][1]


@pytest.mark.usefixtures("quick")
def test_without_their_environment_the_report_says_that_the_others_were_not_measured(
    databases: Databases,
    progress: Callable[[int, int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def fail() -> Path:
        raise environment.NotMade("no network")

    monkeypatch.setattr(environment, "ensure", fail)

    report = email_queue.run(databases, progress, **SMALL)

    shown, rows = printed(report, tmp_path)
    assert "NOT MEASURED: the others' environment could not be made (no network)" in shown
    assert {row["other"] for row in rows.values()} == {None}
    assert rows["rendered and built"]["ours"] > 0
