"""Abilities against dense integration, and scores on their scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studypack.exams.irt import (
    DEFAULT_GRID,
    Ability,
    Grid,
    Item,
    Scale,
    eap,
    prior_from_difficulty,
    scaled,
    scaled_error,
)

NBCOT = Scale(minimum=300, maximum=600, pass_score=450, pass_theta=0.35)

items = st.builds(Item, a=st.floats(0.2, 3.0), b=st.floats(-3.5, 3.5))
credits = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
answered = st.lists(st.tuples(items, credits), max_size=30)


def integrated(form: Sequence[Item], earned: Sequence[float], count: int = 4001) -> Ability:
    """The posterior's moments by brute force, item by item as the definition has it."""
    step = 8.0 / (count - 1)
    thetas = [-4.0 + index * step for index in range(count)]
    logs = []
    for theta in thetas:
        total = -theta * theta / 2
        for item, value in zip(form, earned, strict=True):
            right = 1 / (1 + math.exp(-item.a * (theta - item.b)))
            total += value * math.log(right) + (1 - value) * math.log(1 - right)
        logs.append(total)
    peak = max(logs)
    masses = [math.exp(value - peak) for value in logs]
    masses[0] /= 2
    masses[-1] /= 2
    total = sum(masses)
    mean = sum(mass * theta for mass, theta in zip(masses, thetas, strict=True)) / total
    spread = sum(mass * (theta - mean) ** 2 for mass, theta in zip(masses, thetas, strict=True))
    return Ability(mean, math.sqrt(spread / total))


def test_without_items_the_ability_is_the_prior() -> None:
    nobody = eap([], [])

    assert nobody.theta == pytest.approx(0, abs=1e-12)
    assert nobody.standard_error == pytest.approx(1, abs=0.001)


def test_the_grid_is_symmetric_and_its_weights_sum_to_one() -> None:
    nodes, weights = DEFAULT_GRID.nodes, DEFAULT_GRID.weights

    assert len(nodes) == len(weights) == 61
    assert (nodes[0], nodes[30], nodes[-1]) == (-4, 0, 4)
    assert nodes == tuple(-node for node in reversed(nodes))
    assert math.fsum(weights) == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize(("count", "bound"), [(2, 4.0), (61, 0.0), (61, math.inf), (61, math.nan)])
def test_a_grid_has_nodes_and_a_range(count: int, bound: float) -> None:
    with pytest.raises(ValueError, match="grid"):
        Grid(count, bound)


def test_one_item_right_moves_the_ability_up_by_the_textbook_amount() -> None:
    # Integrated with 200,001 nodes on [-4, 4].
    right = eap([Item(a=1.0, b=0.0)], [1.0])

    assert right.theta == pytest.approx(0.41301, abs=1e-4)
    assert right.standard_error == pytest.approx(0.91014, abs=1e-4)


def test_half_the_items_right_on_a_symmetric_form_is_average() -> None:
    form = [Item(1.2, b) for b in (-2.0, -1.0, 0.0, 0.0, 1.0, 2.0)]

    assert eap(form, [0.5] * 6).theta == pytest.approx(0, abs=1e-9)
    assert eap(form, [1, 1, 1, 0, 0, 0]).theta == pytest.approx(0, abs=1e-9)


@given(answered)
def test_mirrored_items_and_credits_mirror_the_ability(pairs: list[tuple[Item, float]]) -> None:
    form = [item for item, _ in pairs]
    earned = [value for _, value in pairs]

    plain = eap(form, earned)
    mirrored = eap([Item(item.a, -item.b) for item in form], [1 - value for value in earned])

    assert mirrored.theta == pytest.approx(-plain.theta, abs=1e-6)
    assert mirrored.standard_error == pytest.approx(plain.standard_error, abs=1e-6)


@given(pairs=st.lists(st.tuples(items, credits), min_size=1, max_size=30), data=st.data())
def test_more_credit_is_never_less_ability(
    pairs: list[tuple[Item, float]], data: st.DataObject
) -> None:
    form = [item for item, _ in pairs]
    earned = [value for _, value in pairs]
    index = data.draw(st.integers(0, len(pairs) - 1))
    better = [*earned[:index], data.draw(st.floats(earned[index], 1.0)), *earned[index + 1 :]]

    # Up to what the two grids differ by where one takes over from the other.
    assert eap(form, better).theta >= eap(form, earned).theta - 0.01


@settings(max_examples=30, deadline=None)
@given(answered)
def test_the_ability_agrees_with_dense_integration(pairs: list[tuple[Item, float]]) -> None:
    form = [item for item, _ in pairs]
    earned = [value for _, value in pairs]

    quick, dense = eap(form, earned), integrated(form, earned)

    assert quick.theta == pytest.approx(dense.theta, abs=0.01)
    assert quick.standard_error == pytest.approx(dense.standard_error, abs=0.01)


@pytest.mark.parametrize("earned", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("a", [0.3, 1.0, 3.0])
def test_four_hundred_items_all_right_or_all_wrong_are_safe(a: float, earned: float) -> None:
    form = [Item(a, -2.0 + index / 100) for index in range(400)]

    quick, dense = eap(form, [earned] * 400), integrated(form, [earned] * 400, 801)

    assert quick.theta == pytest.approx(dense.theta, abs=0.01)
    assert quick.standard_error == pytest.approx(dense.standard_error, abs=0.01)


def test_extreme_parameters_neither_overflow_nor_divide_by_zero() -> None:
    ability = eap([Item(1000.0, 50.0), Item(1000.0, -50.0)], [1.0, 0.0])

    assert math.isfinite(ability.theta)
    assert math.isfinite(ability.standard_error)


def test_more_items_make_the_standard_error_smaller_and_shrink_the_ability_less() -> None:
    few = eap([Item(1.0, 0.0)] * 5, [1, 1, 1, 1, 0])
    many = eap([Item(1.0, 0.0)] * 50, [1, 1, 1, 1, 0] * 10)
    unshrunk = math.log(0.8 / 0.2)

    assert many.standard_error < few.standard_error < 1
    assert 0 < few.theta < many.theta < unshrunk


def test_a_sharper_item_says_more_than_a_blunt_one() -> None:
    assert eap([Item(2.0, 0.0)], [1.0]).theta > eap([Item(0.5, 0.0)], [1.0]).theta


def test_under_the_model_a_right_answer_counts_by_its_sharpness_not_its_difficulty() -> None:
    form = [Item(1.0, -1.5), Item(1.0, 1.5)]

    assert eap(form, [1, 0]) == eap(form, [0, 1])


@pytest.mark.parametrize(
    ("form", "earned"),
    [([Item(1, 0)], []), ([], [1.0]), ([Item(1, 0)], [1.1]), ([Item(1, 0)], [math.nan])],
)
def test_credits_must_match_the_items(form: list[Item], earned: list[float]) -> None:
    with pytest.raises(ValueError, match="credit"):
        eap(form, earned)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (-1, 0), (math.inf, 0), (math.nan, 0), (1, math.inf)])
def test_an_item_that_does_not_discriminate_is_refused(a: float, b: float) -> None:
    with pytest.raises(ValueError, match="parameters"):
        Item(a, b)


def test_the_authors_difficulty_is_the_prior_location() -> None:
    assert [prior_from_difficulty(d).b for d in (1, 2, 3, 4, 5, None)] == [-2, -1, 0, 1, 2, 0]
    assert {prior_from_difficulty(d).a for d in (1, 2, 3, 4, 5, None)} == {1}


@pytest.mark.parametrize("difficulty", [0, 6])
def test_there_are_five_difficulties(difficulty: int) -> None:
    with pytest.raises(ValueError, match="1 to 5"):
        prior_from_difficulty(difficulty)


@given(
    minimum=st.integers(0, 1000),
    span=st.integers(1, 1000),
    share=st.floats(0, 1),
    pass_theta=st.floats(-4, 4),
)
def test_the_pass_mark_lands_exactly_on_the_pass_score(
    minimum: int, span: int, share: float, pass_theta: float
) -> None:
    scale = Scale(minimum, minimum + span, minimum + round(span * share), pass_theta)

    assert scaled(pass_theta, scale) == scale.pass_score


def test_a_logit_is_a_sixth_of_the_scale() -> None:
    assert scaled(NBCOT.pass_theta + 1, NBCOT) == 500
    assert scaled(NBCOT.pass_theta - 1, NBCOT) == 400
    assert scaled_error(0.3, NBCOT) == 15.0


def test_the_worked_example_of_the_documentation_comes_out_as_written() -> None:
    form = [Item(1.0, -1.0), Item(1.2, 0.0), Item(0.8, 0.5), Item(1.5, 1.0), Item(1.0, 2.0)]

    ability = eap(form, [1, 1, 0.6667, 0, 0])

    assert ability.theta == pytest.approx(0.293, abs=0.0005)
    assert ability.standard_error == pytest.approx(0.683, abs=0.0005)
    assert scaled(ability.theta, NBCOT) == 447
    assert scaled_error(ability.standard_error, NBCOT) == 34.2
    assert eap(form, [1] * 5).theta == pytest.approx(1.594, abs=0.0005)
    assert eap(form, [0] * 5).theta == pytest.approx(-1.107, abs=0.0005)


def test_three_logits_reach_the_ends_of_a_scale_that_passes_in_the_middle() -> None:
    assert scaled(NBCOT.pass_theta + 3, NBCOT) == 600
    assert scaled(NBCOT.pass_theta - 3, NBCOT) == 300
    assert scaled(40.0, NBCOT) == 600
    assert scaled(-40.0, NBCOT) == 300


def test_a_score_is_rounded_half_up() -> None:
    scale = Scale(minimum=0, maximum=6, pass_score=3)

    assert [scaled(theta, scale) for theta in (-0.5, -0.51, 0.49, 0.5)] == [3, 2, 3, 4]


@given(st.floats(-10, 10), st.floats(-10, 10))
def test_more_ability_is_never_a_lower_score(one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert 300 <= scaled(low, NBCOT) <= scaled(high, NBCOT) <= 600


@pytest.mark.parametrize(
    ("minimum", "maximum", "pass_score", "pass_theta"),
    [(600, 300, 450, 0.0), (300, 300, 300, 0.0), (300, 600, 299, 0.0), (300, 600, 450, math.nan)],
)
def test_a_scale_has_room_and_a_pass_mark_on_it(
    minimum: int, maximum: int, pass_score: int, pass_theta: float
) -> None:
    with pytest.raises(ValueError, match="scale"):
        Scale(minimum, maximum, pass_score, pass_theta)
