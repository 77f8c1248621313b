"""The score of an attempt: pure."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.quizzes.scoring import Rules, percent_of, points_for, score

CREDITS = st.integers(0, 10_000).map(lambda each: each / 10_000)
SHARES = st.integers(0, 100).map(lambda each: Decimal(each) / 100)
POINTS = st.integers(1, 100)


@pytest.mark.parametrize(
    ("points", "credit", "answered", "negative", "earned"),
    [
        (1, 1.0, True, "0", "1"),
        (3, 0.3333, True, "0", "0.9999"),
        (4, 0.0, True, "0.25", "-1"),
        (4, 0.0, False, "0.25", "0"),
        (4, 0.5, True, "1", "2"),
        (3, 0.0, True, "0.33", "-0.99"),
    ],
)
def test_a_wrong_answer_costs_its_share_and_none_costs_nothing(
    points: int, credit: float, answered: bool, negative: str, earned: str
) -> None:
    found = points_for(points, credit, answered=answered, negative_marking=Decimal(negative))

    assert found == Decimal(earned)


def test_a_wrong_answer_without_negative_marking_is_a_plain_zero() -> None:
    assert str(points_for(1, 0.0, answered=True, negative_marking=Decimal("0.00"))) == "0.0000"


@pytest.mark.parametrize(
    ("points", "of", "percent"),
    [
        ("2", 3, "66.67"),
        ("1", 3, "33.33"),
        ("1", 8, "12.50"),
        ("0.9999", 16, "6.25"),
        ("0", 0, "0"),
    ],
)
def test_percent_is_rounded_half_up_to_two_places(points: str, of: int, percent: str) -> None:
    assert percent_of(Decimal(points), of) == Decimal(percent)


def test_half_a_hundredth_is_rounded_up() -> None:
    assert percent_of(Decimal("1.0001"), 200) == Decimal("0.50")
    assert percent_of(Decimal("0.0001"), 2) == Decimal("0.01")


@pytest.mark.parametrize(("right", "passes"), [(69, False), (70, True), (71, True)])
def test_who_reaches_the_passing_score_exactly_passes(right: int, passes: bool) -> None:
    assert score([Decimal(1)] * right, 100, passing_score=70).passed is passes


def test_what_shows_as_the_passing_score_passes() -> None:
    found = score([Decimal("69.9950")], 100, passing_score=70)

    assert (found.percent, found.passed) == (Decimal("70.00"), True)


def test_wrong_answers_do_not_take_the_total_below_nothing() -> None:
    found = score([Decimal(-3), Decimal(1)], 10, passing_score=1)

    assert (found.points, found.percent, found.passed) == (Decimal(0), Decimal(0), False)


@given(
    items=st.lists(st.tuples(POINTS, CREDITS, st.booleans()), min_size=1, max_size=30),
    negative=SHARES,
    passing=st.integers(0, 100),
)
def test_a_score_stays_within_its_bounds_and_does_not_depend_on_the_order(
    items: list[tuple[int, float, bool]], negative: Decimal, passing: int
) -> None:
    earned = [
        points_for(points, credit, answered=answered, negative_marking=negative)
        for points, credit, answered in items
    ]
    most = sum(points for points, _credit, _answered in items)
    found = score(earned, most, passing_score=passing)

    assert 0 <= found.points <= most
    assert 0 <= found.percent <= 100
    assert found.passed is (found.percent >= passing)
    assert score(earned[::-1], most, passing_score=passing) == found


@given(points=POINTS, credit=CREDITS, negative=SHARES)
def test_no_answer_earns_more_than_its_points_and_none_costs_more(
    points: int, credit: float, negative: Decimal
) -> None:
    earned = points_for(points, credit, answered=True, negative_marking=negative)

    assert -points <= earned <= points
    assert (earned < 0) is (credit == 0 and negative > 0)
    assert -earned.as_tuple().exponent <= 4


def test_rules_are_the_same_after_being_stored() -> None:
    rules = Rules(70, Decimal("0.25"), shuffle_options=False)

    assert Rules.of(rules.document()) == rules
