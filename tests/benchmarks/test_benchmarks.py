"""Every benchmark still runs, on sizes too small to say how fast anything is."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import autosave, imports, pairs, proxy, round_trips, scoring
from benchmarks.application import Databases, application
from benchmarks.report import Report, Row
from cron import score_exams
from studypack.core.telemetry import get_logger
from tests.architecture.test_ownership import OPERATIONS

ROOT = Path(__file__).parents[2]
ROUNDS = pairs.MINIMUM_PAIRS
COLUMNS = {"name", "ours", "other", "ratio", "unit"}


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


def check(report: Report, folder: Path) -> list[dict[str, Any]]:
    """The report's rows as written, each a comparison that can be read."""
    written = io.StringIO()
    report.show(Console(file=written, width=200))
    documents: list[dict[str, Any]] = json.loads(report.write(folder).read_text(encoding="utf-8"))
    assert documents
    for document in documents:
        assert document.keys() >= COLUMNS
        if document["unit"] != "round trips":  # of which a route may need none
            assert document["ours"] > 0
            assert document["other"] > 0
            assert document["ratio"] > 0
        assert document["name"] in written.getvalue()
    assert report.other in written.getvalue()
    return documents


def test_every_route_of_exams_is_counted_and_takes_no_more_round_trips_than_on_stock_pg8000(
    databases: Databases,
    progress: Callable[[int, int], None],
    steps: list[tuple[int, int]],
    tmp_path: Path,
) -> None:
    rows = check(round_trips.run(databases, progress), tmp_path)

    counted = {row["name"].partition(" (")[0] for row in rows}
    routes = {
        f"{operation.method} {operation.path}".replace("{session_id}", "{id}")
        for operation in OPERATIONS
        if operation.path.startswith("/api/exams/")
    }
    assert routes - counted == set()
    assert [row["name"] for row in rows if row["ours"] > row["other"]] == []
    assert all(0 <= row["auth"] <= row["statements"] <= row["ours"] for row in rows)
    assert steps[-1][0] == steps[-1][1]


def test_a_saved_response_is_compared_with_a_statement_that_writes_the_same_rows(
    databases: Databases,
    progress: Callable[[int, int], None],
    steps: list[tuple[int, int]],
    tmp_path: Path,
) -> None:
    rows = check(autosave.run(databases, progress, rounds=ROUNDS), tmp_path)

    assert {row["unit"] for row in rows} == {"ms"}
    assert [row["name"].partition(",")[0] for row in rows] == ["loopback"] * 4 + ["+1 ms"] * 4
    assert steps[-1] == (2 * ROUNDS, 2 * ROUNDS)


def test_both_ways_of_scoring_agree(
    databases: Databases,
    progress: Callable[[int, int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(score_exams, "BATCH", 2)

    report = scoring.run(databases, progress, rounds=ROUNDS)

    assert len(check(report, tmp_path)) == 2
    assert f"all {2 * ROUNDS} scores" in report.notes[0]


def test_imports_are_taken_in_fresh_interpreters(
    progress: Callable[[int, int], None], tmp_path: Path
) -> None:
    names = {"cron.maintain_partitions"}

    (row,) = check(imports.run(progress, rounds=1, names=names), tmp_path)

    assert row["name"] in names
    assert row["modules"] > row["modules_other"] > 100


def test_the_products_log_is_as_before_when_a_benchmark_is_over(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = get_logger()
    closed = io.StringIO()
    closed.close()  # as a test's captured output is when a later one runs
    monkeypatch.setattr(logger.registered_handler, "stream", closed)
    level = logger.log_level

    with application(database_url):
        assert logger.log_level == logging.INFO
        logger.info("thrown away")

    assert logger.log_level == level
    assert logger.registered_handler.stream is closed


def test_alternatives_take_turns_and_begin_in_turns() -> None:
    calls: list[str] = []
    alternatives = [lambda: calls.append("a"), lambda: calls.append("b")]

    seconds = pairs.interleaved(alternatives, rounds=ROUNDS)

    assert "".join(calls).startswith("abbaabba")
    assert [len(each) for each in seconds] == [ROUNDS, ROUNDS]
    with pytest.raises(ValueError, match="at least 11"):
        pairs.interleaved(alternatives, rounds=ROUNDS - 1)


def test_ratios_are_medians_of_pairs() -> None:
    assert pairs.median_ratio([1, 2, 30], [2, 2, 3]) == 1
    assert pairs.percentile([float(number) for number in range(101)], 99) == 99
    assert Row("a", 1, 4, "ms").document()["ratio"] == 0.25
    assert Row("a", 1, 4, "ms", ratio=0.3).document()["ratio"] == 0.3


def test_a_delaying_proxy_delays_and_passes_everything_on(database_url: str) -> None:
    from sqlalchemy import make_url, text

    from benchmarks.application import one_flush_engine, through

    with proxy.delaying(make_url(database_url).port or 0, 5.0) as port:
        engine = one_flush_engine(through(database_url, port))
        with engine.connect() as connection:
            seconds = proxy.measured(lambda: connection.execute(text("SELECT 1")), times=5)
        engine.dispose()

    assert seconds >= 0.005


def test_the_command_names_what_there_is() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nonsense"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "layers/shared/python:functions:."},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 2
    for name in ("round_trips", "autosave", "imports", "scoring"):
        assert name in answer.stderr
