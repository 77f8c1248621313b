"""A submitted exam's raw result: totals and breakdown by topic.

In decimals, because a learner at exactly the pass mark must pass: binary sums of 0.1 would not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

_HUNDREDTH: Final = Decimal("0.01")
_CREDIT: Final = Decimal("0.0001")
"""As the database keeps it: the answer to finalize reads the same the second time."""


@dataclass(frozen=True, slots=True)
class GradedItem:
    """One item of the form: its credit (0 to 1, 4 places) and the seconds spent on it."""

    topic_id: UUID
    credit: float
    time_spent_seconds: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some items; `percent` is 100 x credit / items, 2 places, 0 without items."""

    items: int
    answered: int
    credit: Decimal
    percent: Decimal
    seconds: int


@dataclass(frozen=True, slots=True)
class TopicResult:
    """The totals of one topic's items."""

    topic_id: UUID
    totals: Totals


@dataclass(frozen=True, slots=True)
class ExamResult:
    """The totals of the form and of each topic on it, topics in the order of their first items."""

    totals: Totals
    topics: tuple[TopicResult, ...]


def summarise(items: Sequence[GradedItem]) -> ExamResult:
    """Totals and breakdown of a form; an unanswered item counts among the items."""
    by_topic: dict[UUID, list[GradedItem]] = {}
    for item in items:
        by_topic.setdefault(item.topic_id, []).append(item)
    return ExamResult(
        totals=_totals(items),
        topics=tuple(TopicResult(topic_id, _totals(own)) for topic_id, own in by_topic.items()),
    )


def _totals(items: Sequence[GradedItem]) -> Totals:
    credit = _sum_credit(item.credit for item in items)
    return Totals(
        items=len(items),
        answered=sum(item.answered for item in items),
        credit=credit,
        percent=raw_percent(credit, len(items)),
        seconds=sum(item.time_spent_seconds for item in items),
    )


def _sum_credit(credits: Iterable[float]) -> Decimal:
    # Through text: the credit's 4 places, not the digits of its binary neighbour.
    return sum((Decimal(str(credit)) for credit in credits), Decimal(0)).quantize(_CREDIT)


def raw_percent(credit: Decimal, items: int) -> Decimal:
    """100 x credit / items, rounded half up to 2 places; 0 without items."""
    if items == 0:
        return Decimal("0.00")
    return (100 * credit / items).quantize(_HUNDREDTH, ROUND_HALF_UP)


def passed(raw_percent: Decimal, pass_percent: Decimal) -> bool:
    """Whether the percent as reported, with its 2 places, reaches the pass mark; equal passes."""
    return raw_percent >= pass_percent
