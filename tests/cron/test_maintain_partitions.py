from __future__ import annotations

from typing import Any

import pytest

from cron import maintain_partitions
from tests.support import bank, exams

pytestmark = pytest.mark.usefixtures("database_url")


def run() -> dict[str, Any]:
    return maintain_partitions.handler({}, exams.JobContext())


def partitions() -> list[str]:
    return [
        row.name
        for row in bank.rows(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
            " WHERE inhparent = 'activity.analytics_events'::regclass ORDER BY 1"
        )
    ]


def test_the_months_ahead_are_there_already_and_stay() -> None:
    before = partitions()
    assert len(before) == 1 + 4
    report = run()
    assert (report["processed"], report["complete"]) == (0, True)
    assert partitions() == before


def test_missing_months_are_made() -> None:
    before = partitions()
    last = [name for name in before if "default" not in name][-2:]
    for name in last:
        bank.execute(f"DROP TABLE {name}")
    assert run()["processed"] == 2
    assert partitions() == before


def test_an_event_of_a_month_ahead_lies_in_its_own_partition() -> None:
    bank.execute(
        "INSERT INTO activity.analytics_events (id, event_name, event_time)"
        " SELECT public.uuid7(ahead), 'test', ahead"
        " FROM (SELECT date_trunc('month', now(), 'UTC') + make_interval(months => m)"
        " + interval '1 day' AS ahead FROM generate_series(0, 3) AS m) AS months"
    )
    homes = bank.rows("SELECT DISTINCT tableoid::regclass::text FROM activity.analytics_events")
    assert len(homes) == 4
    assert not any("default" in home[0] for home in homes)
