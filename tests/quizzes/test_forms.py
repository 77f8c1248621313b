"""Which questions an attempt asks, in which order: pure."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from studypack.quizzes.forms import Candidate, document, draw

ATTEMPTS = st.uuids(version=4)


def candidates(number: int, seen: list[int] | None = None) -> list[Candidate]:
    return [
        Candidate(UUID(int=place + 1), 1, 1, place, (seen or [0] * number)[place])
        for place in range(number)
    ]


@given(attempt=ATTEMPTS, number=st.integers(0, 30), count=st.none() | st.integers(1, 40))
def test_the_same_attempt_draws_the_same_form_however_its_candidates_come(
    attempt: UUID, number: int, count: int | None
) -> None:
    offered = candidates(number)
    drawn = draw(offered, attempt, count=count, shuffle=True)

    assert drawn == draw(offered[::-1], attempt, count=count, shuffle=True)
    assert len(drawn) == len(set(drawn)) == min(number, count or number)


def test_two_attempts_draw_different_forms() -> None:
    offered = candidates(10)
    forms = {
        tuple(draw(offered, UUID(int=attempt), count=5, shuffle=True)) for attempt in range(20)
    }

    assert len(forms) > 10


@given(attempt=ATTEMPTS, seen=st.lists(st.integers(0, 3), min_size=5, max_size=12))
def test_what_was_seen_least_comes_first(attempt: UUID, seen: list[int]) -> None:
    drawn = draw(candidates(len(seen), seen), attempt, count=4, shuffle=True)

    assert sorted(each.times_seen for each in drawn) == sorted(seen)[:4]


@given(attempt=ATTEMPTS, count=st.none() | st.integers(1, 10))
def test_unshuffled_questions_keep_the_authors_order(attempt: UUID, count: int | None) -> None:
    drawn = draw(candidates(10), attempt, count=count, shuffle=False)

    assert [each.position for each in drawn] == sorted(each.position for each in drawn)


def test_a_form_names_question_version_and_points() -> None:
    assert document([Candidate(UUID(int=7), 3, 2, 0, 0)]) == [
        {"question_id": str(UUID(int=7)), "version": 3, "points": 2}
    ]
