"""What each type of answer earns, by example and by property."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from studypack.questions.answers import (
    Answer,
    AnswerMismatch,
    CircleRegion,
    ClinicalSimAnswer,
    HotSpotAnswer,
    MultiSelectAnswer,
    OrderingAnswer,
    PolygonRegion,
    QuestionContent,
    QuestionType,
    RectRegion,
    SingleBestAnswer,
)
from studypack.questions.grading import contains, credit, is_correct

IDS = [UUID(int=index, version=4) for index in range(1, 13)]


def question(
    type_: QuestionType, options: list[dict[str, Any]], **fields: object
) -> QuestionContent:
    document = {"type": type_, "stem": "Which?", "rationale": "Because.", "options": options}
    return QuestionContent.model_validate(document | fields)


def choice(type_: QuestionType, correct: list[bool]) -> QuestionContent:
    return question(
        type_,
        [
            {"id": id_, "content": "x", "is_correct": value}
            for id_, value in zip(IDS, correct, strict=False)
        ],
    )


def steps(count: int) -> QuestionContent:
    # Stored backwards: the right order is sort_order's, not the array's.
    return question(
        QuestionType.ORDERING,
        [
            {"id": IDS[index], "content": "x", "sort_order": index * 10}
            for index in reversed(range(count))
        ],
    )


def simulation(*points: int) -> QuestionContent:
    return question(
        QuestionType.CLINICAL_SIM,
        [
            {"id": id_, "content": "x", "points": value, "section": 0}
            for id_, value in zip(IDS, points, strict=False)
        ],
        sections=[{"title": "Evaluate", "prompt": "First?"}],
    )


def chosen(*indexes: int) -> tuple[UUID, ...]:
    return tuple(IDS[index] for index in indexes)


@pytest.mark.parametrize("type_", list(QuestionType))
def test_no_answer_earns_nothing(type_: QuestionType) -> None:
    assert credit(choice(type_, [True, False]), None) == 0.0


def test_an_answer_to_another_type_is_not_graded() -> None:
    with pytest.raises(AnswerMismatch):
        credit(choice(QuestionType.SINGLE_BEST, [True, False]), HotSpotAnswer(x=1, y=1))


def test_the_key_earns_everything_and_a_distractor_nothing() -> None:
    content = choice(QuestionType.SINGLE_BEST, [False, True, False])

    assert [credit(content, SingleBestAnswer(option_id=id_)) for id_ in IDS[:3]] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("picks", "expected"),
    [
        ((0, 1, 2), 1.0),
        ((0, 1), 0.6667),
        ((0, 1, 3), 0.3333),
        ((0, 3), 0.0),
        ((3, 4), 0.0),
        ((0, 1, 2, 3, 4), 0.3333),
        ((), 0.0),
    ],
)
def test_each_wrong_choice_takes_a_right_one_back(picks: tuple[int, ...], expected: float) -> None:
    content = choice(QuestionType.MULTI_SELECT, [True, True, True, False, False])

    assert credit(content, MultiSelectAnswer(option_ids=chosen(*picks))) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((0, 1, 2, 3, 4), 1.0),
        ((4, 0, 1, 2, 3), 0.75),
        ((1, 2, 0, 3, 4), 0.5),
        ((0, 2, 1, 3, 4), 0.25),
        ((4, 3, 2, 1, 0), 0.0),
        ((1, 3, 0, 2, 4), 0.0),
    ],
)
def test_an_order_earns_its_share_of_the_right_neighbours(
    order: tuple[int, ...], expected: float
) -> None:
    assert credit(steps(5), OrderingAnswer(option_ids=chosen(*order))) == expected


@pytest.mark.parametrize(
    ("picks", "expected"),
    [
        ((0, 1), 1.0),
        ((0,), 0.6667),
        ((0, 1, 2), 1.0),
        ((0, 3), 0.3333),
        ((0, 1, 3, 4), 0.0),
        ((3, 4), 0.0),
        ((), 0.0),
    ],
)
def test_a_simulation_earns_its_net_points_over_the_best_attainable(
    picks: tuple[int, ...], expected: float
) -> None:
    content = simulation(2, 1, 0, -1, -2)

    assert credit(content, ClinicalSimAnswer(option_ids=chosen(*picks))) == expected


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(100, 120, 1.0), (130, 120, 1.0), (131, 120, 0.0), (300, 200, 1.0), (320, 210, 1.0)],
)
def test_a_point_in_any_region_or_on_its_border_earns_everything(
    x: float, y: float, expected: float
) -> None:
    content = question(
        QuestionType.HOT_SPOT,
        [],
        media={"key": "k", "alt": "A hand", "width": 640, "height": 480},
        regions=[
            {"shape": "circle", "cx": 100, "cy": 120, "r": 30},
            {"shape": "rect", "x": 300, "y": 200, "width": 20, "height": 10},
        ],
    )

    assert credit(content, HotSpotAnswer(x=x, y=y)) == expected


def test_full_credit_and_only_full_credit_is_correct() -> None:
    content = choice(QuestionType.MULTI_SELECT, [True, True, False])

    assert is_correct(content, MultiSelectAnswer(option_ids=chosen(0, 1)))
    assert not is_correct(content, MultiSelectAnswer(option_ids=chosen(0)))
    assert not is_correct(content, None)


def test_rounding_does_not_make_the_most_nearly_right_answer_right() -> None:
    # As many decisions, with as many points, as the models allow.
    content = question(
        QuestionType.CLINICAL_SIM,
        [
            {"id": UUID(int=index, version=4), "content": "x", "points": 100, "section": 0}
            for index in range(1, 200)
        ]
        + [{"id": UUID(int=200, version=4), "content": "x", "points": 1, "section": 0}],
    )
    all_but_one_point = tuple(option.id for option in content.options[:-1])

    assert credit(content, ClinicalSimAnswer(option_ids=all_but_one_point)) == 0.9999
    assert not is_correct(content, ClinicalSimAnswer(option_ids=all_but_one_point))


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (choice(QuestionType.MULTI_SELECT, [False]), MultiSelectAnswer(option_ids=chosen(0))),
        (steps(1), OrderingAnswer(option_ids=chosen(0))),
        (simulation(-1, 0), ClinicalSimAnswer(option_ids=chosen(1))),
    ],
    ids=["nothing correct", "one step", "nothing to gain"],
)
def test_a_question_without_a_key_earns_nothing_and_breaks_no_scoring_job(
    content: QuestionContent, answer: Answer
) -> None:
    assert credit(content, answer) == 0.0


CRESCENT = PolygonRegion(points=((0, 0), (100, 0), (100, 100), (50, 20), (0, 100)))


@pytest.mark.parametrize(
    ("x", "y", "inside"),
    [
        (50, 10, True),
        (50, 20, True),
        (50, 21, False),
        (5, 80, True),
        (0, 100, True),
        (75, 60, True),
        (40, 100, False),
        (-1, 0, False),
        (101, 0, False),
        (50, 0, True),
        (100, 50, True),
    ],
)
def test_a_polygon_may_be_hollow_and_its_border_counts(x: float, y: float, inside: bool) -> None:
    assert contains(CRESCENT, x, y) is inside


def test_a_border_counts_although_binary_fractions_miss_it() -> None:
    assert 0.1 + 0.2 != 0.3
    assert contains(RectRegion(x=0.1, y=0, width=0.2, height=1), 0.3, 0.5)
    assert contains(RectRegion(x=0.3, y=0, width=0.2, height=1), 0.1 + 0.2 - 1e-16, 0.5)


coordinates = st.floats(min_value=0, max_value=640)


@given(
    x=coordinates,
    y=coordinates,
    left=st.integers(0, 600),
    top=st.integers(0, 600),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
)
def test_a_rectangle_drawn_as_a_polygon_holds_the_same_points(
    x: float, y: float, left: int, top: int, width: int, height: int
) -> None:
    right, bottom = left + width, top + height
    rect = RectRegion(x=left, y=top, width=width, height=height)
    polygon = PolygonRegion(points=((left, top), (right, top), (right, bottom), (left, bottom)))
    # At a corner the tolerance is a square for one and round for the other.
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    assume(all(math.dist((x, y), corner) > 1e-5 or (x, y) == corner for corner in corners))

    assert contains(rect, x, y) == contains(polygon, x, y)


@given(angle=st.floats(0, math.tau), share=st.floats(0, 2))
def test_a_circle_holds_what_is_no_farther_than_its_radius(angle: float, share: float) -> None:
    assume(abs(share - 1) > 1e-6)
    circle = CircleRegion(cx=100, cy=100, r=50)
    x, y = 100 + 50 * share * math.cos(angle), 100 + 50 * share * math.sin(angle)

    assert contains(circle, x, y) is (share < 1)


@given(correct=st.lists(st.booleans(), min_size=2, max_size=12), data=st.data())
def test_credit_for_a_multi_select_is_full_for_the_key_alone(
    correct: list[bool], data: st.DataObject
) -> None:
    assume(any(correct))
    content = choice(QuestionType.MULTI_SELECT, correct)
    key = {option.id for option in content.options if option.is_correct}
    picks = data.draw(st.sets(st.sampled_from(IDS[: len(correct)])))

    earned = credit(content, MultiSelectAnswer(option_ids=tuple(picks)))

    assert 0 <= earned <= 1
    assert earned == round(earned, 4)
    assert (earned == 1) is (picks == key)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_only_the_right_order_is_fully_right(count: int) -> None:
    right = tuple(IDS[:count])
    full = [
        order
        for order in permutations(right)
        if credit(steps(count), OrderingAnswer(option_ids=order)) == 1
    ]

    assert full == [right]


@given(points=st.lists(st.integers(-100, 100), min_size=2, max_size=12), data=st.data())
def test_credit_for_a_simulation_never_falls_for_a_good_decision_more(
    points: list[int], data: st.DataObject
) -> None:
    assume(max(points) > 0)
    content = simulation(*points)
    picks = data.draw(st.sets(st.sampled_from(range(len(points)))))
    good = data.draw(st.sampled_from([index for index, value in enumerate(points) if value > 0]))

    before = credit(content, ClinicalSimAnswer(option_ids=chosen(*picks)))
    after = credit(content, ClinicalSimAnswer(option_ids=chosen(*(picks | {good}))))

    assert 0 <= before <= after <= 1
