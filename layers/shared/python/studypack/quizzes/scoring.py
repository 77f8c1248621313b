"""The score of a quiz attempt.

In decimals, because a learner at exactly the passing score must pass: binary sums of 0.1 would not.
Points have 4 decimal places, as the database keeps them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

_POINTS: Final = Decimal("0.0001")
_PERCENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rules:
    """What scores an attempt, as it was when the attempt began."""

    passing_score: int
    """Percent of the points."""
    negative_marking: Decimal
    """Share of a question's points that a wrong answer costs, 0 to 1."""
    shuffle_options: bool

    @classmethod
    def of(cls, document: dict[str, Any]) -> Rules:
        """From an attempt's `rules`."""
        return cls(
            passing_score=int(document["passing_score"]),
            negative_marking=Decimal(str(document["negative_marking"])),
            shuffle_options=bool(document["shuffle_options"]),
        )

    def document(self) -> dict[str, Any]:
        """For an attempt's `rules`."""
        return {
            "passing_score": self.passing_score,
            "negative_marking": str(self.negative_marking),
            "shuffle_options": self.shuffle_options,
        }


@dataclass(frozen=True, slots=True)
class Score:
    """The result: points not below 0, percent of the most points with 2 places."""

    points: Decimal
    max_points: int
    percent: Decimal
    passed: bool


def points_for(points: int, credit: float, *, answered: bool, negative_marking: Decimal) -> Decimal:
    """What an item earns: its share of the points by `credit` (0 to 1); a wrong answer (credit 0)
    costs `negative_marking` of them; no answer earns and costs nothing.
    """
    if not answered:
        return Decimal(0).quantize(_POINTS)
    if credit == 0:
        return (-negative_marking * points).quantize(_POINTS) + 0  # + 0: never a negative zero
    # Through text: the credit's 4 places, not the digits of its binary neighbour.
    return (Decimal(str(credit)) * points).quantize(_POINTS)


def score(earned: Sequence[Decimal], max_points: int, *, passing_score: int) -> Score:
    """The attempt's score from what its items earned; equal to the passing score passes.

    `passed` looks at the percent as it is shown, rounded half up. Without points it is 0 percent.
    """
    total = max(sum(earned, Decimal(0)), Decimal(0)).quantize(_POINTS)
    percent = percent_of(total, max_points)
    return Score(total, max_points, percent, percent >= passing_score)


def percent_of(part: Decimal, whole: int) -> Decimal:
    """100 x part / whole, rounded half up to 2 places; 0 of nothing."""
    if whole == 0:
        return Decimal("0.00")
    return (100 * part / whole).quantize(_PERCENT, ROUND_HALF_UP)
