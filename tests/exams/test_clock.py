"""When an exam ends, with pauses and accommodations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.core.errors import Conflict
from studypack.exams.clock import (
    AlreadyPaused,
    ExamClock,
    NotPaused,
    PauseBudgetSpent,
    PauseNotAllowed,
)
from studypack.questions.timing import duration

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def clock(budget: int = 600, used: int = 0, paused_at: datetime | None = None) -> ExamClock:
    return ExamClock(
        started_at=START,
        deadline_at=START + HOUR,
        paused_at=paused_at,
        pause_used_seconds=used,
        pause_budget_seconds=budget,
    )


def test_a_running_exam_ends_at_its_deadline_and_not_a_moment_before() -> None:
    running = clock()
    just_before = at(60) - timedelta(microseconds=1)

    assert running.expires_at == running.running_deadline(at(10)) == at(60)
    assert not running.is_expired(just_before)
    assert running.is_expired(at(60))


def test_remaining_time_is_whole_seconds_rounded_down_and_never_negative() -> None:
    assert clock().remaining_seconds(at(10)) == 3000
    assert clock().remaining_seconds(at(10) + timedelta(microseconds=1)) == 2999
    assert clock().remaining_seconds(at(70)) == 0


def test_a_paused_clock_stands_still() -> None:
    paused = clock().pause(at(20))

    assert paused.is_paused(at(29))
    assert paused.remaining_seconds(at(20)) == paused.remaining_seconds(at(29)) == 2400
    assert paused.running_deadline(at(29)) == at(69)


def test_resuming_moves_the_deadline_by_the_pause_and_charges_the_budget() -> None:
    resumed = clock().pause(at(20)).resume(at(24))

    assert resumed == ExamClock(START, at(64), None, 240, 600)
    assert resumed.remaining_seconds(at(24)) == 2400


def test_a_second_pause_has_what_the_first_one_left() -> None:
    resumed = clock().pause(at(20)).resume(at(26)).pause(at(30)).resume(at(40))

    assert resumed == ExamClock(START, at(70), None, 600, 600)


def test_a_pause_out_of_budget_ends_by_itself_and_the_exam_runs_on() -> None:
    paused = clock().pause(at(20))

    assert not paused.is_paused(at(30))
    assert paused.remaining_seconds(at(35)) == 35 * 60
    assert paused.expires_at == paused.running_deadline(at(50)) == at(70)
    assert not paused.is_expired(at(69))
    assert paused.is_expired(at(70))


def test_resuming_late_settles_the_pause_at_its_budget() -> None:
    paused = clock().pause(at(20))

    assert (
        paused.resume(at(35)) == paused.settled(at(35)) == ExamClock(START, at(70), None, 600, 600)
    )


def test_settling_leaves_a_running_and_a_truly_paused_clock_alone() -> None:
    paused = clock().pause(at(20))

    assert clock().settled(at(10)) == clock()
    assert paused.settled(at(25)) == paused


def test_an_exam_without_a_pause_budget_cannot_be_paused() -> None:
    with pytest.raises(PauseNotAllowed):
        clock(budget=0).pause(at(10))


def test_an_exam_whose_time_is_up_cannot_be_paused() -> None:
    with pytest.raises(PauseNotAllowed):
        clock().pause(at(60))


def test_a_paused_exam_cannot_be_paused_again() -> None:
    with pytest.raises(AlreadyPaused):
        clock().pause(at(10)).pause(at(11))


def test_a_spent_budget_allows_no_further_pause_whether_resumed_or_not() -> None:
    paused = clock().pause(at(10))

    with pytest.raises(PauseBudgetSpent):
        paused.pause(at(25))
    with pytest.raises(PauseBudgetSpent):
        paused.resume(at(25)).pause(at(26))


def test_a_running_exam_cannot_be_resumed() -> None:
    with pytest.raises(NotPaused):
        clock().resume(at(10))


def test_the_refusals_are_conflicts_with_codes_of_their_own() -> None:
    refusals = (PauseNotAllowed, AlreadyPaused, NotPaused, PauseBudgetSpent)

    assert all(issubclass(refusal, Conflict) for refusal in refusals)
    assert len({refusal.code for refusal in refusals}) == 4


def test_a_moment_before_the_pause_counts_as_its_beginning() -> None:
    paused = clock().pause(at(20))

    assert paused.running_deadline(at(19)) == at(60)
    assert paused.resume(at(19)) == clock()


def test_the_budget_is_charged_in_seconds_begun_and_the_deadline_moves_exactly() -> None:
    resumed = clock().pause(at(20)).resume(at(20) + timedelta(milliseconds=1200))

    assert resumed.deadline_at == at(60) + timedelta(milliseconds=1200)
    assert resumed.pause_used_seconds == 2


@given(
    budget=st.integers(1, 900),
    waits=st.lists(st.floats(min_value=0, max_value=900, allow_nan=False), max_size=12),
)
def test_pauses_never_gain_more_than_the_budget_nor_lose_working_time(
    budget: int, waits: list[float]
) -> None:
    now, exam, paused = START, clock(budget=budget), False
    worked = timedelta()
    for wait in waits:
        later = now + timedelta(seconds=wait)
        running_from = min(later, now + timedelta(seconds=exam.pause_left_seconds))
        worked += later - (running_from if paused else now)
        now = later
        try:
            exam = exam.resume(now) if paused else exam.pause(now)
        except (PauseNotAllowed, PauseBudgetSpent):
            break
        paused = not paused

    assert exam.pause_used_seconds <= budget
    assert HOUR <= exam.expires_at - START <= HOUR + timedelta(seconds=budget)
    assert exam.running_deadline(now) - now == HOUR - worked
    assert exam.is_expired(exam.expires_at)
    assert not exam.is_expired(exam.expires_at - timedelta(microseconds=1))


@given(paused_after=st.integers(0, 3599), later=st.integers(0, 8000), budget=st.integers(1, 3600))
def test_a_clock_is_expired_exactly_from_its_expiry_on(
    paused_after: int, later: int, budget: int
) -> None:
    paused = clock(budget=budget).pause(START + timedelta(seconds=paused_after))
    now = START + timedelta(seconds=paused_after + later)

    assert paused.is_expired(now) is (now >= paused.expires_at)
    assert paused.settled(now).expires_at == paused.expires_at


@pytest.mark.parametrize(
    ("minutes", "factor", "seconds"),
    [(240, "1", 14400), (240, "1.5", 21600), (240, "1.25", 18000), (1, "1.001", 61), (7, "2", 840)],
)
def test_an_accommodation_lengthens_the_exam_to_whole_seconds(
    minutes: int, factor: str, seconds: int
) -> None:
    assert duration(minutes, Decimal(factor)) == timedelta(seconds=seconds)


def test_without_an_accommodation_the_duration_is_the_templates() -> None:
    assert duration(90) == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("minutes", "factor"), [(0, "1"), (-1, "1"), (60, "0.99"), (60, "NaN"), (60, "Infinity")]
)
def test_an_exam_without_time_is_refused(minutes: int, factor: str) -> None:
    with pytest.raises(ValueError, match=r"minutes|accommodation"):
        duration(minutes, Decimal(factor))
