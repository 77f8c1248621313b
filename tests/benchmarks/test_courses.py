"""The benchmark of courses still runs, on sizes too small to say how fast anything is."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import courses, pairs
from benchmarks.application import Databases

ROUNDS = pairs.MINIMUM_PAIRS


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


def test_a_long_course_is_compared_with_the_seeds_queries_and_with_upserts(
    databases: Databases,
    progress: Callable[[int, int], None],
    steps: list[tuple[int, int]],
    tmp_path: Path,
) -> None:
    report = courses.run(databases, progress, rounds=ROUNDS, others=3)

    written = io.StringIO()
    report.show(Console(file=written, width=200))
    rows = {row["name"]: row for row in json.loads(report.write(tmp_path).read_text("utf-8"))}
    for name, unit in {
        "page": "ms",
        "progress": "ms",
        "next lesson, all done": "ms",
        "next lesson, half done": "ms",
        "heartbeats": "per second",
        "heartbeats, 10 a message": "per second",
    }.items():
        service, request = rows.pop(f"{name}, service"), rows.pop(f"{name}, request")
        assert service["unit"] == request["unit"] == unit
        assert request["statements"] == service["statements"] + 1  # who calls
        assert request["round_trips"] == service["round_trips"] + 1
        for row in (service, request):
            assert row["ours"] > 0
            assert row["other"] > 0
            assert row["ratio"] > 0
            assert row["ratio_in_session"] > 0
            assert row["name"] in written.getvalue()
    assert rows == {}
    assert steps[-1][0] == steps[-1][1]


def test_a_run_stops_where_the_two_sides_disagree(
    databases: Databases,
    progress: Callable[[int, int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = courses._PROGRESS.replace("lp.completed = true", "lp.completed = false")
    monkeypatch.setattr(courses, "_PROGRESS", half)

    with pytest.raises(RuntimeError, match="ours is"):
        courses.run(databases, progress, rounds=ROUNDS, others=3)
