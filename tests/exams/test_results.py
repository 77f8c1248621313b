"""Raw totals of a submitted form, in all and by topic."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.exams.results import (
    ExamResult,
    GradedItem,
    TopicResult,
    Totals,
    passed,
    raw_percent,
    summarise,
)

FIRST, SECOND = UUID(int=1), UUID(int=2)

graded_items = st.builds(
    GradedItem,
    topic_id=st.sampled_from([FIRST, SECOND, UUID(int=3)]),
    credit=st.integers(0, 10_000).map(lambda value: value / 10_000),
    time_spent_seconds=st.integers(0, 3600),
    answered=st.booleans(),
)


def test_a_form_is_totalled_in_all_and_by_topic_in_order_of_appearance() -> None:
    result = summarise(
        [
            GradedItem(SECOND, 1.0, 40, answered=True),
            GradedItem(FIRST, 0.6667, 75, answered=True),
            GradedItem(SECOND, 0.0, 5, answered=False),
        ]
    )

    assert result == ExamResult(
        totals=Totals(3, 2, Decimal("1.6667"), Decimal("55.56"), 120),
        topics=(
            TopicResult(SECOND, Totals(2, 1, Decimal("1.0"), Decimal("50.00"), 45)),
            TopicResult(FIRST, Totals(1, 1, Decimal("0.6667"), Decimal("66.67"), 75)),
        ),
    )


def test_an_empty_form_has_nothing_and_no_topics() -> None:
    assert summarise([]) == ExamResult(Totals(0, 0, Decimal(0), Decimal(0), 0), ())


@pytest.mark.parametrize(
    ("credit", "items", "percent"),
    [
        ("2", 3, "66.67"),
        ("1", 3, "33.33"),
        ("0.25", 2000, "0.01"),
        ("0.0001", 1, "0.01"),
        ("1.0001", 8, "12.50"),
        ("1.0004", 8, "12.51"),
        ("7", 7, "100.00"),
    ],
)
def test_a_percent_has_two_places_rounded_half_up(credit: str, items: int, percent: str) -> None:
    assert raw_percent(Decimal(credit), items) == Decimal(percent)


def test_ten_tenths_are_one_although_binary_fractions_say_less() -> None:
    assert sum([0.1] * 10) < 1
    items = [GradedItem(FIRST, 0.1, 0, answered=True)] * 10

    assert summarise(items).totals.percent == Decimal(10)


@pytest.mark.parametrize(
    ("reached", "needed", "expected"),
    [("70.00", "70", True), ("69.99", "70", False), ("100.00", "100", True)],
)
def test_the_pass_mark_itself_passes(reached: str, needed: str, expected: bool) -> None:
    assert passed(Decimal(reached), Decimal(needed)) is expected


@given(st.lists(graded_items, max_size=60))
def test_the_topics_add_up_to_the_whole(items: list[GradedItem]) -> None:
    result = summarise(items)
    parts = [topic.totals for topic in result.topics]

    assert sum(part.items for part in parts) == result.totals.items == len(items)
    assert sum(part.answered for part in parts) == result.totals.answered
    assert sum(part.credit for part in parts) == result.totals.credit
    assert sum(part.seconds for part in parts) == result.totals.seconds
    assert 0 <= result.totals.percent <= 100
    assert [topic.topic_id for topic in result.topics] == list(
        dict.fromkeys(item.topic_id for item in items)
    )
