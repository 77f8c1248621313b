"""What an attempt tells of its learner: rules over its items. Pure.

**Topics.** A topic's percent is the credit that its items earned, weighted by their points, of the
most it could be; negative marking is left out, so it is 0 to 100. Strong: at least 80 percent over
at least 2 items. Weak: below 60 percent.

**Time.** The first rule that fits gives the verdict:

1. `ran_out_of_time`: the time limit ended the attempt and something was unanswered.
2. `no_times`: the client told no times.
3. `too_fast_and_wrong`: at least 2 answers, and a third of all of them, came within 10 seconds and
   earned less than full credit.
4. `left_unanswered`: it was handed in with questions unanswered.
5. `slow`: more than 90 percent of the time limit was used; without a limit: more than 120 seconds a
   question on average.
6. `balanced`: none of these.

The average time is over the items with a time. Thresholds are ours (no seed names any); an
administrator's analysis (HYBRID) may say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from studypack.quizzes.scoring import percent_of

STRONG_PERCENT: Final = 80
STRONG_ITEMS: Final = 2
WEAK_PERCENT: Final = 60
FAST_SECONDS: Final = 10
FAST_ANSWERS: Final = 2
FAST_SHARE: Final = Decimal(1) / 3
TIGHT_SHARE: Final = Decimal("0.9")
SLOW_SECONDS: Final = 120


class TimeRule(StrEnum):
    """Stable codes of the rules above."""

    RAN_OUT_OF_TIME = "ran_out_of_time"
    NO_TIMES = "no_times"
    TOO_FAST_AND_WRONG = "too_fast_and_wrong"
    LEFT_UNANSWERED = "left_unanswered"
    SLOW = "slow"
    BALANCED = "balanced"


VERDICTS: Final = {
    TimeRule.RAN_OUT_OF_TIME: (
        "The time ran out before every question was answered: answer what you know first and come"
        " back to the rest."
    ),
    TimeRule.NO_TIMES: "No times were recorded for this attempt.",
    TimeRule.TOO_FAST_AND_WRONG: (
        "Several answers came within seconds and missed: read each question to its end before you"
        " answer."
    ),
    TimeRule.LEFT_UNANSWERED: (
        "You handed it in with questions unanswered: look through them once more before you submit."
    ),
    TimeRule.SLOW: "You needed a lot of time: practise until the basics come without searching.",
    TimeRule.BALANCED: "You used your time well.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a submitted attempt."""

    topic_id: UUID
    topic: str
    """Its topic's name."""
    points: int
    credit: Decimal
    """0 to 1."""
    answered: bool
    seconds: int
    """0: not told."""


@dataclass(frozen=True, slots=True)
class WeakTopic:
    """A topic to work on."""

    topic_ids: tuple[UUID, ...]
    """Several topics may have one name."""
    name: str
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Analysis:
    """The findings; topics by name."""

    breakdown: dict[str, Decimal]
    """Topic -> percent with 2 places, by name."""
    strong: tuple[str, ...]
    """Strongest first."""
    weak: tuple[WeakTopic, ...]
    """Weakest first."""
    avg_seconds: int | None
    """A question, rounded half up; None without times."""
    time_rule: TimeRule
    time_management: str
    insights: str


def analyse(items: Sequence[Item], *, limit_seconds: int | None, ran_out: bool) -> Analysis:
    """Apply the rules to an attempt's items, in any order.

    `limit_seconds`: the learner's time limit with its accommodation, None without one. `ran_out`:
    whether it ended the attempt.
    """
    by_topic: dict[str, list[Item]] = {}
    for item in items:
        by_topic.setdefault(item.topic, []).append(item)
    breakdown = {name: _percent(by_topic[name]) for name in sorted(by_topic)}
    strong = sorted(
        (
            name
            for name, percent in breakdown.items()
            if percent >= STRONG_PERCENT and len(by_topic[name]) >= STRONG_ITEMS
        ),
        key=lambda name: (-breakdown[name], name),
    )
    weak = sorted(
        (
            WeakTopic(tuple(sorted({item.topic_id for item in by_topic[name]})), name, percent)
            for name, percent in breakdown.items()
            if percent < WEAK_PERCENT
        ),
        key=lambda topic: (topic.percent, topic.name),
    )
    rule = time_rule(items, limit_seconds=limit_seconds, ran_out=ran_out)
    return Analysis(
        breakdown=breakdown,
        strong=tuple(strong),
        weak=tuple(weak),
        avg_seconds=_average(items),
        time_rule=rule,
        time_management=VERDICTS[rule],
        insights=_insights(items, strong, [topic.name for topic in weak]),
    )


def time_rule(items: Sequence[Item], *, limit_seconds: int | None, ran_out: bool) -> TimeRule:
    """The first rule about time that fits."""
    unanswered = any(not item.answered for item in items)
    answered = [item for item in items if item.answered]
    seconds = sum(item.seconds for item in items)
    if ran_out and unanswered:
        return TimeRule.RAN_OUT_OF_TIME
    if seconds == 0:
        return TimeRule.NO_TIMES
    fast = sum(0 < item.seconds < FAST_SECONDS and item.credit < 1 for item in answered)
    if fast >= FAST_ANSWERS and fast >= FAST_SHARE * len(answered):
        return TimeRule.TOO_FAST_AND_WRONG
    if unanswered:
        return TimeRule.LEFT_UNANSWERED
    if limit_seconds is None:
        slow = (_average(items) or 0) > SLOW_SECONDS
    else:
        slow = seconds > TIGHT_SHARE * limit_seconds
    return TimeRule.SLOW if slow else TimeRule.BALANCED


def _percent(items: Sequence[Item]) -> Decimal:
    earned = sum((item.credit * item.points for item in items), Decimal(0))
    return percent_of(earned, sum(item.points for item in items))


def _average(items: Sequence[Item]) -> int | None:
    timed = [item.seconds for item in items if item.seconds > 0]
    if not timed:
        return None
    return int((Decimal(sum(timed)) / len(timed)).to_integral_value(ROUND_HALF_UP))


def _insights(items: Sequence[Item], strong: Sequence[str], weak: Sequence[str]) -> str:
    answered = sum(item.answered for item in items)
    right = sum(item.credit == 1 for item in items)
    sentences = [f"You answered {answered} of {len(items)} questions, {right} of them fully right."]
    if strong:
        sentences.append(f"You are strong in {_listed(strong)}.")
    if weak:
        sentences.append(f"Work on {_listed(weak)}.")
    if not strong and not weak:
        sentences.append("No topic stands out.")
    return " ".join(sentences)


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
