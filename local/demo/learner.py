"""What the demo's learner knows: about three quarters of the sample content, unevenly by topic.

The keys come from the authors' files and are found by the texts that a learner sees; no response
of the API is asked for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.content_files import course_folders, read_course
from studypack.questions.answers import (
    CircleRegion,
    Option,
    PolygonRegion,
    QuestionContent,
    QuestionType,
    RectRegion,
    Region,
)
from studypack.questions.grading import contains

# Uneven, so that the breakdown by topic has something to say; weighted by the blueprint 0.76.
KNOWN_SHARES = {
    "evaluation-assessment": 0.85,
    "analysis-planning": 0.75,
    "intervention": 0.8,
    "practice-management": 0.5,
}
OTHERWISE_KNOWN = 0.75

Document = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """An answer, and whether the learner knew it."""

    answer: Document
    known: bool


class Learner:
    """Knows a fixed share of each topic; which items these are, the order of asking decides."""

    def __init__(self, bank: Iterable[QuestionContent] | None = None) -> None:
        self._by_stem = {content.stem: content for content in bank or sample_bank()}
        self._owed: dict[str, float] = defaultdict(lambda: 0.5)

    def attempt(self, item: Document) -> Attempt:
        """Answer an item as the API shows it: right if the topic's share allows."""
        topic = item["topic"]
        content = self._by_stem.get(item["question"]["stem"])
        self._owed[topic] += KNOWN_SHARES.get(topic, OTHERWISE_KNOWN)
        known = content is not None and self._owed[topic] >= 1
        if known:
            self._owed[topic] -= 1
        return Attempt(self.answer(item, right=known), known)

    def answer(self, item: Document, *, right: bool) -> Document:
        """The right answer, or a plausible wrong one; an unknown item is given any answer."""
        question = item["question"]
        content = self._by_stem.get(question["stem"])
        if content is None:
            return any_answer(item)
        fields = _right(content) if right else _wrong(content)
        shown = {(section, text): id_ for section, text, id_ in _options(question)}
        by_id = {option.id: shown[option.section, option.content] for option in content.options}
        if "option_ids" in fields:
            fields["option_ids"] = [by_id[option.id] for option in fields["option_ids"]]
        if "option_id" in fields:
            fields["option_id"] = by_id[fields["option_id"].id]
        return {"type": question["type"], **fields}


def sample_bank() -> list[QuestionContent]:
    """Every question of the sample courses with its key."""
    courses = [read_course(folder) for folder in course_folders()]
    return [
        question.content(course.course.slug) for course in courses for question in course.questions
    ]


def any_answer(item: Document) -> Document:
    """A well-formed answer to an item as shown, without its key and whatever it is worth."""
    question = item["question"]
    kind, ids = question["type"], [id_ for _, _, id_ in _options(question)]
    match kind:
        case "SINGLE_BEST":
            return {"type": kind, "option_id": ids[0]}
        case "HOT_SPOT":
            return {"type": kind, "x": 1, "y": 1}
        case "ORDERING":
            return {"type": kind, "option_ids": ids}
        case _:
            return {"type": kind, "option_ids": ids[:1]}


def _options(question: Document) -> list[tuple[int | None, str, str]]:
    """Section, text and id of every option; one text may stand in two sections."""
    groups: list[tuple[int | None, list[Document]]] = [(None, question["options"])]
    groups += [(index, section["options"]) for index, section in enumerate(question["sections"])]
    return [
        (section, option["content"], option["id"]) for section, group in groups for option in group
    ]


def _right(content: QuestionContent) -> Document:
    correct = [option for option in content.options if option.is_correct]
    match content.type:
        case QuestionType.SINGLE_BEST:
            return {"option_id": correct[0]}
        case QuestionType.MULTI_SELECT:
            return {"option_ids": correct}
        case QuestionType.ORDERING:
            return {"option_ids": _in_order(content)}
        case QuestionType.CLINICAL_SIM:
            return {"option_ids": [o for o in content.options if (o.points or 0) > 0]}
        case QuestionType.HOT_SPOT:
            x, y = _inside(content.regions[0])
            return {"x": x, "y": y}


def _wrong(content: QuestionContent) -> Document:
    """Wrong as people are: one choice missed, two steps swapped, a point beside the place."""
    correct = [option for option in content.options if option.is_correct]
    others = [option for option in content.options if not option.is_correct]
    match content.type:
        case QuestionType.SINGLE_BEST:
            return {"option_id": others[0]}
        case QuestionType.MULTI_SELECT:
            return {"option_ids": [*correct[1:], *others[:1]]}
        case QuestionType.ORDERING:
            first, second, *rest = _in_order(content)
            return {"option_ids": [second, first, *rest]}
        case QuestionType.CLINICAL_SIM:
            by_points = sorted(content.options, key=lambda option: option.points or 0)
            gaining = [option for option in by_points if (option.points or 0) > 0]
            return {"option_ids": [by_points[0], *gaining[:-1]]}
        case QuestionType.HOT_SPOT:
            x, y = next(
                point
                for point in _corners(content)
                if not any(contains(region, *point) for region in content.regions)
            )
            return {"x": x, "y": y}


def _in_order(content: QuestionContent) -> list[Option]:
    return sorted(content.options, key=lambda option: option.sort_order)


def _inside(region: Region) -> tuple[float, float]:
    match region:
        case RectRegion(x=x, y=y, width=width, height=height):
            return x + width / 2, y + height / 2
        case CircleRegion(cx=cx, cy=cy):
            return cx, cy
        case PolygonRegion(points=points):
            return points[0]  # a corner lies on the border, and the border belongs to it


def _corners(content: QuestionContent) -> list[tuple[float, float]]:
    width = content.media.width if content.media else 0
    height = content.media.height if content.media else 0
    return [(1, 1), (width - 1, 1), (1, height - 1), (width - 1, height - 1)]
