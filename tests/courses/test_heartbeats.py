"""What of a video counts as watched: never more than time allows, never less than before."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from studypack.core.database import transaction
from studypack.courses import heartbeats
from studypack.courses.heartbeats import Beat, needed_seconds, played, position_time
from tests.support import bank, learning
from tests.support.concurrency import at_once

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECONDS = 600


@pytest.fixture
def video(learner: Any) -> UUID:
    """A video of ten minutes that the learner opened at NOW."""
    lesson = learning.add_video(learning.a_course(0), seconds=SECONDS)
    learning.view(learner, lesson)
    bank.execute(
        "UPDATE learning.lesson_progress SET created_at = :now, last_viewed_at = :now", now=NOW
    )
    return lesson


def tell(
    person: Any, lesson: UUID, after: float, *beats: tuple[int, int] | Beat, position: int = 0
) -> Any:
    """Send a message so many seconds after the lesson was opened."""
    made = [beat if isinstance(beat, Beat) else Beat(*beat) for beat in beats]
    with transaction() as session:
        return heartbeats.record(
            session,
            person.id,
            lesson,
            made,
            position=position,
            duration_seconds=SECONDS,
            now=NOW + timedelta(seconds=after),
        )


def watched() -> str:
    """The ranges that are stored."""
    found: str = bank.value("SELECT CAST(watched AS text) FROM learning.lesson_progress")
    return found


def test_what_was_played_is_a_union_of_ranges(learner: Any, video: UUID) -> None:
    tell(learner, video, 60, (0, 30), (20, 50))
    tell(learner, video, 120, (50, 80), (10, 20), (200, 210))
    assert watched() == "{[0,80),[200,210)}"
    assert tell(learner, video, 180, (0, 80)).watched_seconds == 90


def test_the_sum_is_always_that_of_the_ranges_and_never_falls(learner: Any, video: UUID) -> None:
    chance = random.Random(6)  # noqa: S311 (not for secrets)
    after, before = 0.0, 0
    for _ in range(60):
        after += chance.uniform(0, 40)
        start = chance.randrange(SECONDS + 50)
        state = tell(learner, video, after, (start, start + chance.randrange(90)))
        assert before <= state.watched_seconds <= min(SECONDS, 2 * after + 30)
        before = state.watched_seconds
        stored = bank.value(
            "SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM learning.lesson_progress,"
            " unnest(watched) AS r"
        )
        assert stored == before


def test_one_message_counts_no_more_than_time_allows_from_the_opening_on(
    learner: Any, video: UUID
) -> None:
    assert tell(learner, video, 60, (0, SECONDS)).watched_seconds == 60 * 2 + 30
    assert watched() == "{[0,150)}"


def test_many_messages_at_once_count_no_more_than_one(learner: Any, video: UUID) -> None:
    for _ in range(50):
        state = tell(learner, video, 60, (0, SECONDS))
    assert state.watched_seconds == 150
    assert tell(learner, video, 75, (0, SECONDS)).watched_seconds == 150 + 30
    assert tell(learner, video, 85, (0, SECONDS)).watched_seconds == 150 + 30 + 20


def test_time_that_was_not_used_is_there_for_a_message_that_comes_late(
    learner: Any, video: UUID
) -> None:
    for after in (10, 30, 40):
        state = tell(learner, video, after, (after - 10, after))
    assert state.watched_seconds == 30
    assert tell(learner, video, 41, (10, 20)).watched_seconds == 40


def test_time_without_messages_counts_for_a_quarter_of_an_hour_at_most(
    learner: Any, video: UUID
) -> None:
    bank.execute("UPDATE learning.lesson_progress SET last_viewed_at = now() - interval '9 years'")
    with transaction() as session:
        state = heartbeats.record(
            session,
            learner.id,
            video,
            [Beat(0, 7200)],
            position=7200,
            duration_seconds=7200,
            now=NOW + timedelta(days=1),
        )
    assert state is not None
    assert state.watched_seconds == 15 * 60 * 2 + 30


def test_what_lies_beyond_the_end_is_cut_off(learner: Any, video: UUID) -> None:
    state = tell(learner, video, 100, (590, 700), position=9_999)
    assert (state.watched_seconds, state.position_seconds) == (10, SECONDS)


def test_speed_up_to_double_is_believed(learner: Any, video: UUID) -> None:
    for after in range(60, 301, 60):
        state = tell(learner, video, after, ((after - 60) * 2, after * 2))
    assert state.watched_seconds == SECONDS


def test_a_late_message_adds_what_was_played_and_does_not_move_the_position_back(
    learner: Any, video: UUID
) -> None:
    tell(learner, video, 60, Beat(30, 60, NOW + timedelta(seconds=60)), position=60)
    state = tell(learner, video, 65, Beat(0, 30, NOW + timedelta(seconds=30)), position=30)
    assert (state.watched_seconds, state.position_seconds) == (60, 60)
    state = tell(learner, video, 70, Beat(0, 10, NOW + timedelta(seconds=70)), position=10)
    assert state.position_seconds == 10, "a learner may go back"


def test_messages_in_any_order_reach_one_state(learner: Any, video: UUID) -> None:
    chance = random.Random(2)  # noqa: S311 (not for secrets)
    messages = [
        (Beat(start, start + 50, NOW + timedelta(seconds=start + 50)), start + 50)
        for start in range(0, 400, 50)
    ]
    reached = set()
    for _ in range(6):
        bank.execute(
            "UPDATE learning.lesson_progress SET watched = '{}', watched_seconds = 0,"
            " position_seconds = 0, position_at = NULL, heartbeat_at = NULL"
        )
        chance.shuffle(messages)
        for number, (beat, position) in enumerate(messages):
            state = tell(learner, video, 420 + number, beat, position=position)
        reached.add((watched(), state.watched_seconds, state.position_seconds))
    assert reached == {("{[0,400)}", 400, 400)}


def test_a_players_clock_that_is_ahead_does_not_outrun_later_messages() -> None:
    ahead = Beat(0, 10, NOW + timedelta(days=1))
    assert position_time([ahead], NOW) == NOW
    assert position_time([], NOW) == NOW
    assert position_time([Beat(0, 10), Beat(10, 20, NOW - timedelta(1))], NOW) == NOW - timedelta(1)


def test_a_message_without_ranges_moves_the_position_only(learner: Any, video: UUID) -> None:
    state = tell(learner, video, 60, position=300)
    assert (state.watched_seconds, state.position_seconds) == (0, 300)
    assert played([Beat(7, 7)]) == "{}"


def test_a_lesson_that_was_never_opened_has_nowhere_to_record(other_learner: Any) -> None:
    lesson = learning.add_video(learning.a_course(0))
    assert tell(other_learner, lesson, 60, (0, 10)) is None


@pytest.mark.parametrize(
    ("duration", "percent", "needed"), [(600, 90, 540), (601, 90, 541), (7, 50, 4), (3, 100, 3)]
)
def test_enough_is_rounded_up(duration: int, percent: int, needed: int) -> None:
    assert needed_seconds(duration, percent) == needed


@pytest.mark.usefixtures("wide_pool")
def test_messages_at_the_same_time_all_count_and_none_twice(learner: Any, video: UUID) -> None:
    calls = [
        lambda start=start: tell(learner, video, 300, (start, start + 45))
        for start in range(0, 600, 30)
    ]
    at_once(*calls)
    found = bank.row("SELECT watched_seconds, view_count FROM learning.lesson_progress")
    assert found.watched_seconds == SECONDS
    assert watched() == f"{{[0,{SECONDS})}}"
