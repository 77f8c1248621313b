"""The rules that tell what an attempt says of its learner: pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.quizzes.analysis import VERDICTS, Item, TimeRule, analyse, time_rule

TOPICS = ("Loops", "Names", "Functions", "Scope")


def item(
    topic: str = "Loops",
    credit: str = "1",
    *,
    points: int = 1,
    answered: bool = True,
    seconds: int = 30,
) -> Item:
    return Item(UUID(int=hash(topic) % 2**64), topic, points, Decimal(credit), answered, seconds)


def unanswered(topic: str = "Loops", seconds: int = 0) -> Item:
    return item(topic, "0", answered=False, seconds=seconds)


ITEMS = st.lists(
    st.builds(
        lambda topic, credit, points, answered, seconds: item(
            topic,
            str(Decimal(credit) / 4) if answered else "0",
            points=points,
            answered=answered,
            seconds=seconds,
        ),
        st.sampled_from(TOPICS),
        st.integers(0, 4),
        st.integers(1, 5),
        st.booleans(),
        st.integers(0, 400),
    ),
    min_size=1,
    max_size=20,
)
LIMITS = st.none() | st.integers(60, 6000)


def test_a_topics_percent_is_weighed_by_points() -> None:
    found = analyse(
        [item("Loops", "1", points=3), item("Loops", "0"), item("Names", "0.5")],
        limit_seconds=None,
        ran_out=False,
    )

    assert found.breakdown == {"Loops": Decimal("75.00"), "Names": Decimal("50.00")}


def test_strong_needs_two_items_and_weak_does_not() -> None:
    items = [
        item("One right"),
        item("Two right"),
        item("Two right"),
        item("Wrong", "0"),
        item("Between", "0.6"),
    ]
    found = analyse(items, limit_seconds=None, ran_out=False)

    assert found.strong == ("Two right",)
    assert [topic.name for topic in found.weak] == ["Wrong"]
    assert "strong in Two right" in found.insights
    assert "Work on Wrong" in found.insights


@pytest.mark.parametrize(
    ("percent", "strong", "weak"),
    [
        ("0.8", True, False),
        ("0.7999", False, False),
        ("0.6", False, False),
        ("0.5999", False, True),
    ],
)
def test_the_limits_belong_to_the_better_side(percent: str, strong: bool, weak: bool) -> None:
    found = analyse([item(credit=percent)] * 2, limit_seconds=None, ran_out=False)

    assert (bool(found.strong), bool(found.weak)) == (strong, weak)


def test_the_weakest_topic_comes_first_and_the_strongest_too() -> None:
    items = [
        *[item("Good", "0.85")] * 2,
        *[item("Best", "1")] * 2,
        item("Poor", "0.5"),
        item("Poorest", "0.1"),
    ]
    found = analyse(items, limit_seconds=None, ran_out=False)

    assert found.strong == ("Best", "Good")
    assert [topic.name for topic in found.weak] == ["Poorest", "Poor"]


def test_topics_of_one_name_are_one_and_all_are_named() -> None:
    items = [
        Item(UUID(int=each), "Loops", 1, Decimal(0), answered=True, seconds=5) for each in (2, 1)
    ]
    [weak] = analyse(items, limit_seconds=None, ran_out=False).weak

    assert weak.topic_ids == (UUID(int=1), UUID(int=2))


@pytest.mark.parametrize(
    ("items", "limit", "ran_out", "rule"),
    [
        ([item(), unanswered()], 60, True, TimeRule.RAN_OUT_OF_TIME),
        ([unanswered(), unanswered()], 60, True, TimeRule.RAN_OUT_OF_TIME),
        ([item(seconds=0)] * 2, None, False, TimeRule.NO_TIMES),
        ([item(seconds=0), unanswered()], None, False, TimeRule.NO_TIMES),
        ([item(credit="0", seconds=9)] * 2, None, False, TimeRule.TOO_FAST_AND_WRONG),
        ([item(credit="0", seconds=10)] * 2, None, False, TimeRule.BALANCED),
        ([item(credit="0", seconds=9), item()], None, False, TimeRule.BALANCED),
        ([item(seconds=2)] * 5, None, False, TimeRule.BALANCED),
        (
            [*[item(credit="0", seconds=3)] * 2, *[item()] * 4],
            None,
            False,
            TimeRule.TOO_FAST_AND_WRONG,
        ),
        ([*[item(credit="0", seconds=3)] * 2, *[item()] * 5], None, False, TimeRule.BALANCED),
        ([item(), unanswered()], None, False, TimeRule.LEFT_UNANSWERED),
        ([item(seconds=121)], None, False, TimeRule.SLOW),
        ([item(seconds=120)], None, False, TimeRule.BALANCED),
        ([item(seconds=91)], 100, False, TimeRule.SLOW),
        ([item(seconds=90)], 100, False, TimeRule.BALANCED),
        ([item(seconds=500)], 1000, False, TimeRule.BALANCED),
        ([item(seconds=30)], 60, True, TimeRule.BALANCED),
    ],
)
def test_the_first_rule_about_time_that_fits_gives_the_verdict(
    items: list[Item], limit: int | None, ran_out: bool, rule: TimeRule
) -> None:
    assert time_rule(items, limit_seconds=limit, ran_out=ran_out) is rule


def test_the_average_is_over_items_with_a_time_and_rounded_half_up() -> None:
    items = [item(seconds=10), item(seconds=11), unanswered()]

    assert analyse(items, limit_seconds=None, ran_out=False).avg_seconds == 11
    assert analyse([unanswered()], limit_seconds=None, ran_out=False).avg_seconds is None


@given(items=ITEMS, limit=LIMITS, ran_out=st.booleans(), data=st.data())
def test_findings_agree_with_each_other_and_not_with_the_order(
    items: list[Item], limit: int | None, ran_out: bool, data: Any
) -> None:
    found = analyse(items, limit_seconds=limit, ran_out=ran_out)

    assert set(found.breakdown) == {each.topic for each in items}
    assert all(0 <= percent <= 100 for percent in found.breakdown.values())
    weak = {topic.name for topic in found.weak}
    assert set(found.strong).isdisjoint(weak)
    assert weak == {name for name, percent in found.breakdown.items() if percent < 60}
    assert all(found.breakdown[name] >= 80 for name in found.strong)
    assert found.time_management == VERDICTS[found.time_rule]
    assert (found.avg_seconds is None) == all(each.seconds == 0 for each in items)
    again = data.draw(st.permutations(items))
    assert analyse(again, limit_seconds=limit, ran_out=ran_out) == found


@given(items=ITEMS, limit=LIMITS)
def test_without_unanswered_questions_nothing_is_said_to_be_unanswered(
    items: list[Item], limit: int | None
) -> None:
    answered = [each for each in items if each.answered]
    rules = {time_rule(answered, limit_seconds=limit, ran_out=out) for out in (True, False)}

    assert rules.isdisjoint({TimeRule.RAN_OUT_OF_TIME, TimeRule.LEFT_UNANSWERED})
    assert len(rules) == 1


def test_every_rule_has_its_words() -> None:
    assert set(VERDICTS) == set(TimeRule)
