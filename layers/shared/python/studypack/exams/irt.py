"""Ability and scaled scores: the two-parameter logistic model, EAP estimation, a linear scale.

Ability (theta) is in logits, 0 and 1 the prior's mean and standard deviation. Sources: Birnbaum
1968 (in Lord & Novick, Statistical Theories of Mental Test Scores, chapters 17-20) for the model;
Bock & Mislevy 1982 (Applied Psychological Measurement 6(4), 431-444) for EAP; Papke & Wooldridge
1996 (Journal of Applied Econometrics 11(6), 619-632) for fractional responses.

Plain Python: numpy would cost a scoring function more at import than it could save.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import mul
from typing import Final

LOGITS_SPANNED: Final = 6.0
"""A scale's length in logits: three to each side of the middle, where 99.7% of the prior lie."""
_FINER: Final = 8
_TOO_NARROW: Final = 1.5


@dataclass(frozen=True, slots=True)
class Item:
    """An item's parameters: P(right | theta) = 1 / (1 + exp(-a (theta - b))).

    a: discrimination, per logit, positive. b: difficulty, in logits.
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.a) and math.isfinite(self.b) and self.a > 0):
            raise ValueError(f"not the parameters of an item: a={self.a}, b={self.b}")


def prior_from_difficulty(difficulty: int | None) -> Item:
    """What to take an item for until responses calibrate it: a = 1, b = difficulty - 3.

    `difficulty` is the author's, 1 (easy) to 5 (hard); None is taken for 3. A convention of ours:
    one logit a step, so that the five cover the middle 95% of learners. Raises ValueError beyond.
    """
    if difficulty is None:
        return Item(a=1.0, b=0.0)
    if not 1 <= difficulty <= 5:
        raise ValueError(f"difficulty is 1 to 5, not {difficulty}")
    return Item(a=1.0, b=float(difficulty - 3))


@dataclass(frozen=True)
class Grid:
    """Equally spaced quadrature nodes on [-bound, bound] logits under a standard normal prior."""

    count: int = 61
    bound: float = 4.0

    def __post_init__(self) -> None:
        if self.count < 3 or not 0 < self.bound < math.inf:
            raise ValueError(f"not a grid: {self.count} nodes to {self.bound}")

    @property
    def step(self) -> float:
        """Logits between neighbouring nodes."""
        return 2 * self.bound / (self.count - 1)

    @cached_property
    def nodes(self) -> tuple[float, ...]:
        """From -bound to bound, exactly symmetric."""
        middle = (self.count - 1) / 2
        return tuple((index - middle) * self.step for index in range(self.count))

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """The prior's mass at each node (trapezoid rule); they sum to 1."""
        density = [math.exp(-node * node / 2) for node in self.nodes]
        density[0] /= 2
        density[-1] /= 2
        total = math.fsum(density)
        return tuple(value / total for value in density)

    @cached_property
    def log_weights(self) -> tuple[float, ...]:
        """Natural logarithms of the weights."""
        return tuple(map(math.log, self.weights))

    @cached_property
    def finer(self) -> Grid:
        """The same range in steps an eighth as long."""
        return Grid((self.count - 1) * _FINER + 1, self.bound)


DEFAULT_GRID: Final = Grid()


@dataclass(frozen=True, slots=True)
class Ability:
    """The posterior's mean and standard deviation, both in logits."""

    theta: float
    standard_error: float


def eap(items: Sequence[Item], credits: Sequence[float], grid: Grid = DEFAULT_GRID) -> Ability:
    """The expected a posteriori ability of a learner with these credits (0 to 1) on these items.

    A partial credit c enters as the fractional likelihood c log P + (1 - c) log(1 - P): the
    quasi-likelihood of a fractional response, whose estimate is consistent as long as a learner's
    expected credit is P(theta). Its limits: b is where half the credit is expected and says nothing
    of the steps between (a graded model would); and since a credit in [0, 1] never varies more than
    a right-or-wrong one of the same mean, the standard error is at worst too large.
    Without items the answer is the prior. An unanswered item belongs in the list with credit 0.
    Raises ValueError for unequal lengths or a credit outside 0 to 1.
    """
    if len(items) != len(credits):
        raise ValueError(f"{len(items)} items with {len(credits)} credits")
    if not all(0 <= value <= 1 for value in credits):
        raise ValueError("a credit is between 0 and 1")
    ability = _integrate(items, credits, grid)
    if ability.standard_error < _TOO_NARROW * grid.step:
        # So narrow a posterior falls between the nodes: hundreds of items make it so.
        ability = _integrate(items, credits, grid.finer)
    return ability


def _integrate(items: Sequence[Item], credits: Sequence[float], grid: Grid) -> Ability:
    # c log P + (1 - c) log Q = log Q + c a (theta - b), since log(P / Q) = a (theta - b). So the
    # credits matter only through the sum of c a (Birnbaum's sufficient statistic): the rest is the
    # items' tables, and the constant c a b falls out when the posterior is normalised.
    statistic = sum(item.a * value for item, value in zip(items, credits, strict=True))
    tables = [_log_wrong(item.a, item.b, grid) for item in items]
    logs = [
        node * statistic + rest
        for node, rest in zip(
            grid.nodes, map(sum, zip(grid.log_weights, *tables, strict=True)), strict=True
        )
    ]
    peak = max(logs)
    posterior = [math.exp(value - peak) for value in logs]
    total = math.fsum(posterior)
    theta = math.fsum(map(mul, posterior, grid.nodes)) / total
    variance = math.fsum(
        mass * (node - theta) ** 2 for mass, node in zip(posterior, grid.nodes, strict=True)
    )
    return Ability(theta, math.sqrt(variance / total))


@lru_cache(maxsize=2048)
def _log_wrong(a: float, b: float, grid: Grid) -> tuple[float, ...]:
    """log(1 - P) at each node, without overflow however far the node is from the item."""
    logits = (a * (node - b) for node in grid.nodes)
    return tuple(-(max(logit, 0.0) + math.log1p(math.exp(-abs(logit)))) for logit in logits)


@dataclass(frozen=True, slots=True)
class Scale:
    """A reporting scale, e.g. NBCOT's 300 to 600 with 450 to pass.

    `pass_theta` is the ability, in logits, that just passes; it is reported as `pass_score`.
    """

    minimum: int
    maximum: int
    pass_score: int
    pass_theta: float = 0.0

    def __post_init__(self) -> None:
        if not self.minimum < self.maximum or not self.minimum <= self.pass_score <= self.maximum:
            raise ValueError("a scale runs from minimum to maximum and passes in between")
        if not math.isfinite(self.pass_theta):
            raise ValueError("a scale needs a finite pass_theta")

    @property
    def slope(self) -> float:
        """Points a logit: the whole scale spans six of them."""
        return (self.maximum - self.minimum) / LOGITS_SPANNED


def scaled(theta: float, scale: Scale) -> int:
    """The score reported for an ability in logits: linear through the pass mark, rounded half up.

    Clamped to the scale. Whether a learner passes is read off this score and not off theta, so that
    no report can show the pass score and a failure.
    """
    points = math.floor(scale.pass_score + scale.slope * (theta - scale.pass_theta) + 0.5)
    return max(scale.minimum, min(scale.maximum, points))


def scaled_error(standard_error: float, scale: Scale) -> float:
    """A standard error in logits as points of the scale, to one place."""
    return round(standard_error * scale.slope, 1)
