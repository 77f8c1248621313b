"""Topic weights become whole numbers of items."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from studypack.exams.blueprint import Blueprint, Shortfall, allocate, shortfalls

TOPICS = [UUID(int=index) for index in range(1, 5)]

weights_by_topic = st.dictionaries(
    st.integers(0, 1000),
    st.one_of(st.integers(1, 1000).map(float), st.floats(min_value=1e-6, max_value=1e6)),
    min_size=1,
    max_size=30,
)


def test_the_four_domains_of_an_ot_exam_share_170_items() -> None:
    weights = {"evaluation": 24, "planning": 23, "intervention": 38, "management": 15}

    # Quotas 40.8, 39.1, 64.6, 25.5: the two left over go to .8 and .6.
    assert allocate(weights, 170) == {
        "evaluation": 41,
        "planning": 39,
        "intervention": 65,
        "management": 25,
    }


def test_weights_need_not_add_up_to_anything() -> None:
    assert allocate({"a": 0.2, "b": 0.3}, 10) == allocate({"a": 2000, "b": 3000}, 10)


def test_equal_remainders_go_to_the_larger_weight() -> None:
    # Quotas 0.5 and 1.5.
    assert allocate({"light": 1, "heavy": 3}, 2) == {"light": 0, "heavy": 2}


def test_equal_weights_go_to_the_earlier_key() -> None:
    assert allocate({"z": 1, "a": 1, "m": 1}, 4) == {"z": 2, "a": 1, "m": 1}


def test_decimal_weights_tie_as_their_author_sees_them() -> None:
    # Quotas 0.5, 1.5 and 3: in binary, the halves differ in the last digit.
    assert allocate({"a": 0.1, "b": 0.3, "c": 0.6}, 5) == {"a": 0, "b": 2, "c": 3}


def test_no_items_are_shared_out_as_none() -> None:
    assert allocate({"a": 1, "b": 2}, 0) == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    ("weights", "items"),
    [
        ({}, 10),
        ({"a": 0.0}, 10),
        ({"a": 1.0, "b": -1.0}, 10),
        ({"a": math.inf}, 10),
        ({"a": math.nan}, 10),
        ({"a": 1.0}, -1),
    ],
)
def test_what_cannot_be_shared_out_is_refused(weights: dict[str, float], items: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        allocate(weights, items)


@given(weights=weights_by_topic, items=st.integers(0, 400))
def test_counts_sum_to_the_items_and_stay_within_one_of_their_quota(
    weights: dict[int, float], items: int
) -> None:
    counts = allocate(weights, items)

    exact = {key: Fraction(str(weight)) for key, weight in weights.items()}
    assert list(counts) == list(weights)
    assert sum(counts.values()) == items
    for key, count in counts.items():
        quota = items * exact[key] / sum(exact.values())
        assert math.floor(quota) <= count <= math.ceil(quota)


@given(weights=weights_by_topic, items=st.integers(0, 400))
def test_a_heavier_topic_never_gets_fewer_items(weights: dict[int, float], items: int) -> None:
    counts = allocate(weights, items)

    in_order = sorted(weights, key=lambda key: weights[key])
    for lighter, heavier in pairwise(in_order):
        if weights[lighter] < weights[heavier]:
            assert counts[lighter] <= counts[heavier]


def test_a_blueprint_is_read_from_its_document_and_counts_its_items() -> None:
    blueprint = Blueprint.model_validate(
        {
            "items": 10,
            "topics": [
                {"topic_id": str(TOPICS[0]), "weight": 1},
                {"topic_id": str(TOPICS[1]), "weight": 2.5},
            ],
        }
    )

    assert blueprint.counts() == {TOPICS[0]: 3, TOPICS[1]: 7}
    assert blueprint.sequence == "shuffled"
    assert blueprint.shuffle_options
    assert Blueprint.model_validate(blueprint.model_dump(mode="json")) == blueprint


@pytest.mark.parametrize(
    "change",
    [
        {"items": 0},
        {"items": 401},
        {"topics": []},
        {"topics": [{"topic_id": TOPICS[0], "weight": 0}]},
        {"topics": [{"topic_id": TOPICS[0], "weight": math.inf}]},
        {"topics": [{"topic_id": TOPICS[0], "weight": 1}] * 2},
        {"sequence": "random"},
        {"pause": True},
    ],
)
def test_a_blueprint_that_plans_no_exam_is_refused(change: dict[str, Any]) -> None:
    document = {"items": 10, "topics": [{"topic_id": TOPICS[0], "weight": 1}]}

    with pytest.raises(ValidationError):
        Blueprint.model_validate(document | change)


def test_a_bank_too_small_is_named_by_topic() -> None:
    wanted = {"a": 3, "b": 2, "c": 1, "d": 0}

    assert shortfalls(wanted, {"a": 3, "b": 1}) == [Shortfall("b", 2, 1), Shortfall("c", 1, 0)]
