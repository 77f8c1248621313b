"""How much of an item an answer earns: one rule per question type, each with where it comes from.

Credit is a share from 0 to 1, rounded to 4 places, so that a stored credit equals a computed one.
docs/scoring.md has a worked example of each rule.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final
from uuid import UUID

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
    RectRegion,
    Region,
    SingleBestAnswer,
)

EDGE: Final = 1e-6
"""Pixels by which a point may miss a border and still be on it: room for rounding only."""


def credit(content: QuestionContent, answer: Answer | None) -> float:
    """The share of the item that this answer earns, 0 to 1, rounded to 4 places; no answer earns 0.

    Expects content that `validate_content` accepts and an answer that `check_answer` accepts.
    Raises AnswerMismatch if the answer is for another type of question.
    """
    if answer is None:
        return 0.0
    if answer.type is not content.type:
        raise AnswerMismatch("type", f"The question is {content.type}, the answer {answer.type}.")
    match answer:
        case SingleBestAnswer(option_id=chosen):
            share = single_best(content, chosen)
        case MultiSelectAnswer(option_ids=chosen_ids):
            share = multi_select(content, frozenset(chosen_ids))
        case OrderingAnswer(option_ids=order):
            share = ordering(content, order)
        case HotSpotAnswer(x=x, y=y):
            share = hot_spot(content, x, y)
        case ClinicalSimAnswer(option_ids=chosen_ids):
            share = clinical_sim(content, frozenset(chosen_ids))
    # Rounding reaches 1 only from 1: the models' limits keep an item below 20,000 points.
    return round(min(1.0, share), 4)


def is_correct(content: QuestionContent, answer: Answer | None) -> bool:
    """Whether the answer earns full credit."""
    return credit(content, answer) == 1.0


def single_best(content: QuestionContent, chosen: UUID) -> float:
    """1 for the key, 0 for a distractor: number-right scoring, without a penalty for guessing."""
    return float(any(option.id == chosen and option.is_correct for option in content.options))


def multi_select(content: QuestionContent, chosen: frozenset[UUID]) -> float:
    """(right chosen - wrong chosen) / number right, not below 0.

    Source: the +/- rule of the NCLEX for select-all-that-apply items (NCSBN, since 2023): a point
    for each right option, one off for each wrong one, no item below zero. Without the deduction,
    choosing everything would earn everything.
    """
    right = {option.id for option in content.options if option.is_correct}
    if not right:
        return 0.0
    return max(0, len(chosen & right) - len(chosen - right)) / len(right)


def ordering(content: QuestionContent, order: tuple[UUID, ...]) -> float:
    """The share of the right order's n - 1 neighbouring pairs that the answer keeps as neighbours.

    Source: Moodle's ordering question, grading type "relative to the next item (excluding last)".
    Places are not counted: one step put too early costs its own links and not all that follows.
    """
    right = [option.id for option in sorted(content.options, key=lambda option: option.sort_order)]
    if len(right) < 2:
        return 0.0
    return len(set(pairwise(right)) & set(pairwise(order))) / (len(right) - 1)


def hot_spot(content: QuestionContent, x: float, y: float) -> float:
    """1 if the point (pixels of the image) lies in any region or on its border, else 0.

    Source: the areas of IMS QTI 2.1 (select point interaction): rectangle, circle, polygon.
    """
    return float(any(contains(region, x, y) for region in content.regions))


def contains(region: Region, x: float, y: float) -> bool:
    """Whether a point, in pixels of the image, lies in the region or on its border.

    A polygon's inside is decided by the even-odd rule (SVG 2, fill-rule: evenodd).
    """
    match region:
        case RectRegion():
            return (
                region.x - EDGE <= x <= region.x + region.width + EDGE
                and region.y - EDGE <= y <= region.y + region.height + EDGE
            )
        case CircleRegion():
            return math.hypot(x - region.cx, y - region.cy) <= region.r + EDGE
        case PolygonRegion():
            edges = list(pairwise((*region.points, region.points[0])))
            if any(_distance(x, y, *start, *end) <= EDGE for start, end in edges):
                return True
            return sum(_crosses(x, y, *start, *end) for start, end in edges) % 2 == 1


def _distance(x: float, y: float, x1: float, y1: float, x2: float, y2: float) -> float:
    """From a point to the nearest point of a segment."""
    along_x, along_y = x2 - x1, y2 - y1
    squared = along_x * along_x + along_y * along_y
    if squared == 0:
        return math.hypot(x - x1, y - y1)
    t = min(1.0, max(0.0, ((x - x1) * along_x + (y - y1) * along_y) / squared))
    return math.hypot(x - x1 - t * along_x, y - y1 - t * along_y)


def _crosses(x: float, y: float, x1: float, y1: float, x2: float, y2: float) -> bool:
    """Whether a ray to the right crosses this edge; a corner counts with the edge below it only."""
    if (y1 > y) == (y2 > y):
        return False
    return x < x1 + (y - y1) / (y2 - y1) * (x2 - x1)


def clinical_sim(content: QuestionContent, chosen: frozenset[UUID]) -> float:
    """The points of the decisions taken over all positive points, not below 0.

    Source: the proficiency score of patient management problems (McGuire & Babbott 1967, Journal
    of Educational Measurement 4(1), 1-10): weighted choices over the best attainable. Harmful
    decisions weigh negative, indifferent ones 0.
    """
    attainable = sum(max(0, option.points or 0) for option in content.options)
    if attainable == 0:
        return 0.0
    earned = sum(option.points or 0 for option in content.options if option.id in chosen)
    return max(0, earned) / attainable
