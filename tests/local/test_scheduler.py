"""Schedules as AWS reads them, and how runs are kept and reported."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local import template as sam
from local.scheduler import Crons, LastRun, ScheduleError, next_after, trigger

NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)  # a Wednesday

JOBS = """
Resources:
  Score:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: cron.score.handler
      Timeout: 55
      Events:
        Often: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}
"""


def schedule(expression: str, timezone: str = "UTC") -> sam.Schedule:
    return sam.Schedule(expression, timezone, None)


def following(expression: str, start: datetime, count: int, timezone: str = "UTC") -> list[str]:
    """The next times of an expression, as `2026-03-11 12:00` in UTC."""
    found: list[str] = []
    moment: datetime | None = start
    while len(found) < count:
        assert moment is not None
        moment = next_after(schedule(expression, timezone), moment)
        if moment is None:
            break
        found.append(moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(15 3 * * ? *)", ["2026-03-12 03:15", "2026-03-13 03:15"]),
        ("cron(0/20 12 * * ? *)", ["2026-03-11 12:20", "2026-03-11 12:40", "2026-03-12 12:00"]),
        ("cron(*/30 * ? * MON-FRI *)", ["2026-03-11 12:30", "2026-03-11 13:00"]),
        # 1 is Sunday in AWS's counting, and ranges may run over the week's end.
        ("cron(0 9 ? * 1 *)", ["2026-03-15 09:00", "2026-03-22 09:00"]),
        ("cron(0 9 ? * FRI-MON *)", ["2026-03-13 09:00", "2026-03-14 09:00", "2026-03-15 09:00"]),
        ("cron(0 22-1 * * ? *)", ["2026-03-11 22:00", "2026-03-11 23:00", "2026-03-12 00:00"]),
        ("cron(0 0 L * ? *)", ["2026-03-31 00:00", "2026-04-30 00:00"]),
        ("cron(0 0 L-2 * ? *)", ["2026-03-29 00:00", "2026-04-28 00:00"]),
        # 15 March 2026 is a Sunday, 15 August a Saturday; 1 August is a Saturday too.
        ("cron(0 0 15W 3,8 ? *)", ["2026-03-16 00:00", "2026-08-14 00:00"]),
        ("cron(0 0 1W 8 ? *)", ["2026-08-03 00:00"]),
        ("cron(0 0 LW 5 ? *)", ["2026-05-29 00:00"]),
        ("cron(0 0 ? * 6L *)", ["2026-03-27 00:00", "2026-04-24 00:00"]),
        ("cron(0 0 ? * MON#1 *)", ["2026-04-06 00:00", "2026-05-04 00:00"]),
        ("cron(0 0 ? * 3#5 *)", ["2026-03-31 00:00", "2026-06-30 00:00"]),
        ("cron(0 0 29 FEB ? *)", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("cron(0 0 1 1 ? 2027)", ["2027-01-01 00:00"]),
        ("cron(0 0 31 2 ? *)", []),
    ],
)
def test_a_cron_expression_runs_when_aws_runs_it(expression: str, expected: list[str]) -> None:
    assert following(expression, NOON, max(1, len(expected))) == expected


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [("rate(1 minute)", 1), ("rate(5 minutes)", 5), ("rate(1 hour)", 60), ("rate(2 days)", 2880)],
)
def test_a_rate_counts_from_the_run_before(expression: str, minutes: int) -> None:
    assert next_after(schedule(expression), NOON) == NOON + timedelta(minutes=minutes)


def test_a_time_that_the_clock_skips_in_spring_does_not_run_that_day() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)  # Berlin skips 02:00 to 03:00 on 29 March

    assert following("cron(30 2 * * ? *)", start, 1, "Europe/Berlin") == ["2026-03-30 00:30"]


def test_a_time_that_comes_twice_in_autumn_runs_once() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)  # Berlin has 02:30 twice on 25 October

    assert following("cron(30 2 * * ? *)", start, 2, "Europe/Berlin") == [
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("cron(0 9 * * MON *)", "exactly one"),
        ("cron(0 9 ? * ? *)", "exactly one"),
        ("cron(0 9 * * ?)", "six fields"),
        ("cron(60 9 * * ? *)", "minutes: '60'"),
        ("cron(0 9 ? * 0 *)", "day-of-week: '0'"),
        ("cron(0/0 9 * * ? *)", "step"),
        ("rate(0 minutes)", "at least 1"),
        ("rate(30 seconds)", "only rate"),
        ("at(2026-01-01T00:00:00)", "only rate"),
    ],
)
def test_a_wrong_expression_is_refused_with_its_reason(expression: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        trigger(schedule(expression))


@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 3_000_000).map(lambda m: m * 61))
def test_next_times_always_lie_ahead_and_a_day_apart(minute: int, hour: int, offset: int) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=offset)
    daily = schedule(f"cron({minute} {hour} * * ? *)")
    moments = [start]
    for _ in range(4):
        found = next_after(daily, moments[-1])
        assert found is not None
        moments.append(found)

    assert start < moments[1] <= start + timedelta(days=1)
    assert {after - before for before, after in pairwise(moments[1:])} == {timedelta(days=1)}


class Recorded:
    """A function under our control in place of a job."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []

    def __call__(self, _function: sam.Function, event: dict[str, Any]) -> Any:
        self.events.append(event)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def run(crons: Crons, now: datetime = NOON) -> LastRun | None:
    function = sam.parse(JOBS).function("cron.score")
    return crons.run(function, function.schedules[0], now)


def test_a_run_gets_the_schedulers_event_and_is_remembered() -> None:
    job = Recorded({"job": "score", "processed": 3, "batches": 2, "complete": True})
    crons = Crons(sam.parse(JOBS), invoke=job)

    run(crons)

    assert job.events[0]["source"] == "aws.scheduler"
    assert job.events[0]["time"] == "2026-03-11T12:00:00Z"
    [state] = crons.states()
    assert (state.name, state.expression) == ("cron.score", "rate(1 minute)")
    assert state.last_run is not None
    assert (state.last_run.at, state.last_run.summary) == (NOON, "3 processed")


def test_the_templates_own_payload_replaces_the_default_one() -> None:
    text = JOBS.replace("rate(1 minute)}", "rate(1 minute), Input: '{\"full\": true}'}")
    template = sam.parse(text)
    job = Recorded()
    function = template.function("cron.score")

    Crons(template, invoke=job).run(function, function.schedules[0], NOON)

    assert job.events == [{"full": True}]


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ({"processed": 0}, 0),
        (None, 0),
        ({"processed": 2}, 1),
        (RuntimeError("the database is gone"), 1),
    ],
)
def test_a_run_is_logged_only_when_it_did_something_or_failed(
    answer: Any, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="local.scheduler"):
        run(Crons(sam.parse(JOBS), invoke=Recorded(answer)))

    assert len(caplog.records) == lines


def test_a_failed_run_is_kept_as_a_failure_and_the_next_one_runs() -> None:
    job = Recorded(RuntimeError("the database is gone"))
    crons = Crons(sam.parse(JOBS), invoke=job)

    failed = run(crons)
    job.answer = {"processed": 1}
    recovered = run(crons)

    assert failed is not None
    assert failed.summary == "failed: RuntimeError: the database is gone"
    assert recovered is not None
    assert recovered.summary == "1 processed"


def test_a_job_runs_one_at_a_time() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def slow(_function: sam.Function, _event: dict[str, Any]) -> dict[str, int]:
        begun.set()
        may_end.wait(10)
        return {"processed": 1}

    crons = Crons(sam.parse(JOBS), invoke=slow)
    first = threading.Thread(target=run, args=(crons,))
    first.start()
    assert begun.wait(10)
    second = run(crons)
    may_end.set()
    first.join(10)

    assert second is None
    assert crons.states()[0].last_run is not None


def test_a_job_can_be_run_out_of_turn_by_its_name() -> None:
    crons = Crons(sam.parse(JOBS), invoke=Recorded({"processed": 2}))
    name = crons.states()[0].name

    run_now = crons.run_now(name, NOON)

    assert run_now is not None
    assert run_now.summary == "2 processed"
    assert crons.states()[0].last_run == run_now
    with pytest.raises(LookupError, match="nothing"):
        crons.run_now("cron.nothing", NOON)


def test_everything_runs_once_at_the_start_and_stop_waits_for_it() -> None:
    done = threading.Event()

    def invoke(_function: sam.Function, _event: dict[str, Any]) -> dict[str, int]:
        done.set()
        return {"processed": 0}

    crons = Crons(sam.parse(JOBS), invoke=invoke)
    crons.start(datetime.now(UTC))
    try:
        assert done.wait(10)
        assert crons.states()[0].next_run is not None
    finally:
        crons.stop()

    assert crons.states()[0].last_run is not None
    assert crons.states()[0].next_run is None


def test_the_projects_own_schedules_can_be_run() -> None:
    names = [state.name for state in Crons(sam.read()).states()]

    assert "cron.submit_expired_exams" in names
