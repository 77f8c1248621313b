"""Runs the scheduled functions as EventBridge Scheduler would, by the template's own expressions.

Understood: `rate(N minutes|hours|days)` and the six-field `cron(...)` with lists, ranges, steps,
names, `?`, `L`, `L-n`, `nW`, `LW`, `nL` and `d#n`, in any time zone. Not supported, and refused
with a message: `at(...)`, flexible time windows, start and end dates.
"""

from __future__ import annotations

import calendar
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from local import template as sam
from local.invoke import call

_log = logging.getLogger(__name__)

_LAST_YEAR = 2199
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]  # 1 to 7 in AWS's counting
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\(\s*(.+?)\s*\)")

DayRule = Callable[[date], bool]


class ScheduleError(ValueError):
    """An expression that EventBridge Scheduler refuses, or that we cannot run; says which part."""


def trigger(schedule: sam.Schedule) -> BaseTrigger:
    """Make APScheduler's trigger of a template's schedule.

    Raises ScheduleError for an expression that is wrong or not supported.
    """
    if match := _RATE.fullmatch(schedule.expression):
        number, unit = int(match[1]), match[2]
        if number < 1:
            raise ScheduleError(f"{schedule.expression}: the rate must be at least 1")
        return IntervalTrigger(**{f"{unit}s": number}, timezone=UTC)
    if match := _CRON.fullmatch(schedule.expression):
        return AwsCronTrigger(match[1], ZoneInfo(schedule.timezone))
    raise ScheduleError(
        f"{schedule.expression}: only rate(N minutes|hours|days) and cron(six fields) run locally"
    )


class AwsCronTrigger(BaseTrigger):  # type: ignore[misc] # apscheduler 3 has no types
    """AWS's six-field cron; APScheduler's own lacks `W`, `d#n` and ranges over the week's end."""

    def __init__(self, fields: str, timezone: ZoneInfo) -> None:
        """Parse `minutes hours day-of-month month day-of-week year`; raises ScheduleError."""
        parts = fields.upper().split()
        if len(parts) != 6:
            raise ScheduleError(f"cron({fields}): six fields are needed, {len(parts)} are given")
        minutes, hours, days, months, weekdays, years = parts
        if (days == "?") == (weekdays == "?"):
            raise ScheduleError(
                f"cron({fields}): exactly one of day-of-month and day-of-week must be ?"
            )
        self.timezone = timezone
        self.minutes = _values("minutes", minutes, 0, 59)
        self.hours = _values("hours", hours, 0, 23)
        self.months = frozenset(_values("month", months, 1, 12, _MONTHS))
        self.years = frozenset(_values("year", years, 1970, _LAST_YEAR))
        self.falls_on = _day_of_month(days) if weekdays == "?" else _day_of_week(weekdays)

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """The first time after the previous one, or from now on; None when the years are over."""
        after = previous_fire_time or now - timedelta(microseconds=1)
        start = after.astimezone(self.timezone)
        day = start.date()
        while day.year <= _LAST_YEAR:
            if day.year not in self.years or day.month not in self.months:
                day = _first_of_next_month(day)
                continue
            if self.falls_on(day) and (found := self._first_on(day, after)) is not None:
                return found
            day += timedelta(days=1)
        return None

    def _first_on(self, day: date, after: datetime) -> datetime | None:
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.timezone)
                # fold stays 0: an hour that comes twice in autumn runs once, its first time.
                moment = local.astimezone(UTC)
                if moment.astimezone(self.timezone).replace(tzinfo=None) != local.replace(
                    tzinfo=None
                ):
                    continue  # the clock skips this time in spring, and so does AWS
                if moment > after:
                    return moment
        return None


def next_after(schedule: sam.Schedule, moment: datetime) -> datetime | None:
    """When a schedule runs next after a moment; a rate counts from that moment."""
    made = trigger(schedule)
    found: datetime | None = made.get_next_fire_time(moment, moment)
    return found


def _values(
    field: str, expression: str, lowest: int, highest: int, names: Sequence[str] = ()
) -> tuple[int, ...]:
    """The sorted values of a field with `*`, lists, ranges (also over the end) and steps."""

    def number(text: str) -> int:
        if text in names:
            return names.index(text) + lowest
        if not text.isdigit() or not lowest <= int(text) <= highest:
            raise ScheduleError(f"{field}: {text!r} is not between {lowest} and {highest}")
        return int(text)

    found: set[int] = set()
    for part in expression.split(","):
        span, has_step, step_text = part.partition("/")
        step = int(step_text) if step_text.isdigit() else 0
        if has_step and step < 1:
            raise ScheduleError(f"{field}: {part!r} needs a step of at least 1")
        first_text, has_range, last_text = span.partition("-")
        if span == "*":
            first, last = lowest, highest
        else:
            first = number(first_text)
            last = number(last_text) if has_range else (highest if has_step else first)
        if last < first:
            last += highest - lowest + 1
        found |= {
            (value - lowest) % (highest - lowest + 1) + lowest
            for value in range(first, last + 1, step or 1)
        }
    return tuple(sorted(found))


def _day_of_month(expression: str) -> DayRule:
    if expression == "L":
        return lambda day: day.day == _days_in(day)
    if match := re.fullmatch(r"L-(\d+)", expression):
        before = int(match[1])
        return lambda day: day.day == _days_in(day) - before
    if expression == "LW":
        return lambda day: day == _nearest_weekday(day, _days_in(day))
    if match := re.fullmatch(r"(\d+)W", expression):
        wanted = _values("day-of-month", match[1], 1, 31)[0]
        return lambda day: wanted <= _days_in(day) and day == _nearest_weekday(day, wanted)
    days = frozenset(_values("day-of-month", expression, 1, 31))
    return lambda day: day.day in days


def _day_of_week(expression: str) -> DayRule:
    if expression == "L":
        return lambda day: _weekday(day) == 7
    if match := re.fullmatch(r"(\w+)L", expression):
        last = _values("day-of-week", match[1], 1, 7, _WEEKDAYS)[0]
        return lambda day: _weekday(day) == last and day.day > _days_in(day) - 7
    if match := re.fullmatch(r"(\w+)#([1-5])", expression):
        wanted, nth = _values("day-of-week", match[1], 1, 7, _WEEKDAYS)[0], int(match[2])
        return lambda day: _weekday(day) == wanted and (day.day - 1) // 7 == nth - 1
    days = frozenset(_values("day-of-week", expression, 1, 7, _WEEKDAYS))
    return lambda day: _weekday(day) in days


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _days_in(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(month: date, wanted: int) -> date:
    """Monday to Friday nearest to a day, within the month."""
    day = month.replace(day=wanted)
    if day.isoweekday() == 6:
        return day - timedelta(days=1) if wanted > 1 else day + timedelta(days=2)
    if day.isoweekday() == 7:
        return day + timedelta(days=1) if wanted < _days_in(month) else day - timedelta(days=2)
    return day


def _first_of_next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


@dataclass(frozen=True)
class LastRun:
    """How a run ended."""

    at: datetime
    seconds: float
    report: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def summary(self) -> str:
        """A few words for people."""
        if self.error is not None:
            return f"failed: {self.error}"
        figures = {
            name: value
            for name, value in self.report.items()
            if isinstance(value, int) and not isinstance(value, bool) and name != "batches"
            if value or name == "processed"
        }
        return ", ".join(f"{value} {name}" for name, value in figures.items()) or "done"


@dataclass(frozen=True)
class CronState:
    """What the local page shows of a scheduled function."""

    name: str
    expression: str
    next_run: datetime | None
    last_run: LastRun | None


class Crons:
    """The scheduled functions of a template, each run in a thread, one run of each at a time."""

    def __init__(
        self,
        template: sam.Template,
        *,
        invoke: Callable[[sam.Function, dict[str, Any]], Any] = call,
    ) -> None:
        """Parse every schedule, so that a wrong one is known before anything runs."""
        self._invoke = invoke
        self._jobs = [
            (function, schedule, trigger(schedule))
            for function in template.of_kind(sam.Kind.CRON)
            for schedule in function.schedules
        ]
        self._runs: dict[str, LastRun] = {}
        self._busy = {function.logical_id: threading.Lock() for function, _, _ in self._jobs}
        self._scheduler: BackgroundScheduler | None = None

    def start(self, now: datetime) -> None:
        """Begin. Everything runs once at the start: AWS does so for rates, and a machine that is

        switched off at night would else never run a nightly job. All of them are safe to run again.
        """
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # "skipped": a run is under way
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max(1, len(self._jobs)))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for function, schedule, when in self._jobs:
            self._scheduler.add_job(
                self._run_now,
                when,
                args=(function, schedule),
                id=_job_id(function, schedule),
                next_run_time=now,
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more runs and wait for those under way."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None

    def states(self) -> list[CronState]:
        """Every schedule with its next run and last result."""
        return [
            CronState(
                name=function.name,
                expression=schedule.expression,
                next_run=self._next_run(function, schedule),
                last_run=self._runs.get(_job_id(function, schedule)),
            )
            for function, schedule, _ in self._jobs
        ]

    def run_now(self, name: str, now: datetime) -> LastRun | None:
        """Run the job of this name out of turn; None while a run of it goes on.

        Raises LookupError when no scheduled function has that name.
        """
        for function, schedule, _ in self._jobs:
            if function.name == name:
                return self.run(function, schedule, now)
        raise LookupError(f"no scheduled function is called {name!r}")

    def _next_run(self, function: sam.Function, schedule: sam.Schedule) -> datetime | None:
        if self._scheduler is None:
            return None
        job = self._scheduler.get_job(_job_id(function, schedule))
        return None if job is None else job.next_run_time

    def _run_now(self, function: sam.Function, schedule: sam.Schedule) -> None:
        self.run(function, schedule, datetime.now(UTC))

    def run(self, function: sam.Function, schedule: sam.Schedule, now: datetime) -> LastRun | None:
        """Run once as if the schedule came due; None while another run of the function goes on."""
        lock = self._busy[function.logical_id]
        if not lock.acquire(blocking=False):
            return None
        started = time.monotonic()
        outcome = LastRun(at=now, seconds=0)
        try:
            result = self._invoke(function, scheduler_event(schedule, now))
            outcome = replace(outcome, report=result if isinstance(result, dict) else {})
        except Exception as error:  # whatever a job raises must not end the scheduler
            outcome = replace(outcome, error=f"{type(error).__name__}: {error}"[:500])
        finally:
            lock.release()
        outcome = replace(outcome, seconds=round(time.monotonic() - started, 3))
        self._runs[_job_id(function, schedule)] = outcome
        if outcome.error is not None:
            _log.error("%s %s", function.name, outcome.summary)
        elif outcome.report.get("processed"):
            _log.info("%s %s in %s s", function.name, outcome.summary, outcome.seconds)
        return outcome


def scheduler_event(schedule: sam.Schedule, now: datetime) -> Any:
    """The payload of a run: the template's own, else EventBridge Scheduler's default."""
    if schedule.input is not None:
        return json.loads(schedule.input)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "000000000000",
        "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "eu-central-1",
        "resources": [],
        "detail": "{}",
    }


def _job_id(function: sam.Function, schedule: sam.Schedule) -> str:
    return f"{function.logical_id} {schedule.expression}"
