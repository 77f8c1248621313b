"""What a question holds and what a learner may answer: the two JSON documents of the question bank.

A question's content is immutable per version; an exam's form points at (question, version). Lengths
on images (regions, answers to hot spots) are pixels of the original, from its top left corner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from studypack.core.errors import AppError, FieldError, Unprocessable

MAX_CHOICES: Final = 50
"""Most options of a SINGLE_BEST, MULTI_SELECT or ORDERING question."""
MAX_DECISIONS: Final = 200
"""Most decisions of a CLINICAL_SIM, all sections together."""

_TIME_ORDERED_UUIDS: Final = frozenset({1, 6, 7})

# PostgreSQL's jsonb refuses NUL: better a message about the field than a failed statement.
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Pixels = Annotated[float, Field(allow_inf_nan=False, ge=-1_000_000, le=1_000_000)]
Length = Annotated[float, Field(allow_inf_nan=False, gt=0, le=1_000_000)]


class QuestionType(StrEnum):
    """The five kinds of item in the bank."""

    SINGLE_BEST = "SINGLE_BEST"
    MULTI_SELECT = "MULTI_SELECT"
    ORDERING = "ORDERING"
    HOT_SPOT = "HOT_SPOT"
    CLINICAL_SIM = "CLINICAL_SIM"


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(_Document):
    """One option, step (ORDERING) or decision (CLINICAL_SIM)."""

    id: UUID
    content: Text
    is_correct: bool | None = None
    sort_order: Annotated[int, Field(ge=0, le=32_767)] = 0
    """The author's place for it; of an ORDERING question, the right place."""
    points: Annotated[int, Field(ge=-100, le=100)] | None = None
    """What choosing this decision of a CLINICAL_SIM gains or loses."""
    feedback: Text | None = None
    section: Annotated[int, Field(ge=0)] | None = None
    """Index into the CLINICAL_SIM's sections."""


class Media(_Document):
    """An image in storage."""

    key: Text
    alt: Text
    width: Annotated[int, Field(gt=0, le=100_000)]
    height: Annotated[int, Field(gt=0, le=100_000)]
    kind: Literal["image"] = "image"


class RectRegion(_Document):
    """A rectangle by its top left corner."""

    shape: Literal["rect"] = "rect"
    x: Pixels
    y: Pixels
    width: Length
    height: Length


class CircleRegion(_Document):
    """A circle by its centre and radius."""

    shape: Literal["circle"] = "circle"
    cx: Pixels
    cy: Pixels
    r: Length


class PolygonRegion(_Document):
    """A closed polygon by its corners, in order."""

    shape: Literal["polygon"] = "polygon"
    points: Annotated[tuple[tuple[Pixels, Pixels], ...], Field(min_length=3, max_length=500)]


Region = Annotated[RectRegion | CircleRegion | PolygonRegion, Field(discriminator="shape")]


class Section(_Document):
    """One step of a CLINICAL_SIM; its decisions are the options that name it."""

    title: Text
    prompt: Text


class QuestionContent(_Document):
    """One version of a question with its key; `validate_content` says whether it can be used."""

    type: QuestionType
    stem: Text
    rationale: Text
    media: Media | None = None
    options: Annotated[tuple[Option, ...], Field(max_length=MAX_DECISIONS)] = ()
    regions: Annotated[tuple[Region, ...], Field(max_length=50)] = ()
    """The key of a HOT_SPOT: a point in any of them is right."""
    sections: Annotated[tuple[Section, ...], Field(max_length=20)] = ()
    select: Annotated[int, Field(ge=1)] | None = None
    """How many options of a MULTI_SELECT to choose; None leaves the number to the learner."""


class SingleBestAnswer(_Document):
    """The one option chosen."""

    type: Literal[QuestionType.SINGLE_BEST] = QuestionType.SINGLE_BEST
    option_id: UUID


class MultiSelectAnswer(_Document):
    """The options chosen, in any order; none at all clears the answer."""

    type: Literal[QuestionType.MULTI_SELECT] = QuestionType.MULTI_SELECT
    option_ids: Annotated[tuple[UUID, ...], Field(max_length=MAX_CHOICES)]


class OrderingAnswer(_Document):
    """All options in the learner's order."""

    type: Literal[QuestionType.ORDERING] = QuestionType.ORDERING
    option_ids: Annotated[tuple[UUID, ...], Field(max_length=MAX_CHOICES)]


class HotSpotAnswer(_Document):
    """The point marked, in pixels of the original image."""

    type: Literal[QuestionType.HOT_SPOT] = QuestionType.HOT_SPOT
    x: Annotated[float, Field(allow_inf_nan=False)]
    y: Annotated[float, Field(allow_inf_nan=False)]


class ClinicalSimAnswer(_Document):
    """The decisions taken, of all sections, in any order; none at all clears the answer."""

    type: Literal[QuestionType.CLINICAL_SIM] = QuestionType.CLINICAL_SIM
    option_ids: Annotated[tuple[UUID, ...], Field(max_length=MAX_DECISIONS)]


Answer = Annotated[
    SingleBestAnswer | MultiSelectAnswer | OrderingAnswer | HotSpotAnswer | ClinicalSimAnswer,
    Field(discriminator="type"),
]
ANSWER: Final[TypeAdapter[Answer]] = TypeAdapter(Answer)
"""Reads a stored or submitted answer: `ANSWER.validate_python(row.response)`."""


@dataclass(frozen=True)
class Problem:
    """What keeps a content from being used: dotted path of the field, sentence for its author."""

    field: str
    message: str


class AnswerMismatch(AppError, ValueError):
    """A well-formed answer that does not fit its question: a 422 naming the answer's field."""

    status = 422
    code = "answer_mismatch"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message, errors=[FieldError(field, self.code, message)])
        self.field = field


def validate_content(content: QuestionContent) -> list[Problem]:
    """Everything that keeps this content from being published; empty if it is sound.

    Grading and presenting expect sound content; a draft may be anything that the models accept.
    """
    return [*_common_problems(content), *_RULES[content.type](content)]


def _common_problems(content: QuestionContent) -> Iterator[Problem]:
    if not content.stem.strip():
        yield Problem("stem", "A question needs a stem.")
    if not content.rationale.strip():
        yield Problem("rationale", "A question needs a rationale: learners read it in the review.")
    if content.media is not None and not content.media.alt.strip():
        yield Problem("media.alt", "An image needs a text for those who cannot see it.")
    yield from _misplaced_fields(content)
    if len({option.id for option in content.options}) < len(content.options):
        yield Problem("options", "Two options have the same id.")
    for index, option in enumerate(content.options):
        if not option.content.strip():
            yield Problem(f"options.{index}.content", "An option needs a text.")
        if option.id.version in _TIME_ORDERED_UUIDS:
            # Learners see the ids. In time order they would give away an ORDERING's key.
            yield Problem(
                f"options.{index}.id", "An option's id must not be time-ordered: use version 4."
            )


def _misplaced_fields(content: QuestionContent) -> Iterator[Problem]:
    owned: tuple[tuple[str, bool, QuestionType], ...] = (
        ("regions", bool(content.regions), QuestionType.HOT_SPOT),
        ("sections", bool(content.sections), QuestionType.CLINICAL_SIM),
        ("select", content.select is not None, QuestionType.MULTI_SELECT),
    )
    for field, present, owner in owned:
        if present and content.type is not owner:
            yield Problem(field, f"Only a {owner} question has {field}.")
    if content.type is QuestionType.CLINICAL_SIM:
        return
    for index, option in enumerate(content.options):
        for field, value in (("points", option.points), ("section", option.section)):
            if value is not None:
                yield Problem(
                    f"options.{index}.{field}", f"Only a CLINICAL_SIM's decision has {field}."
                )


def _choice_problems(content: QuestionContent) -> Iterator[Problem]:
    if not 2 <= len(content.options) <= MAX_CHOICES:
        yield Problem("options", f"A {content.type} question needs 2 to {MAX_CHOICES} options.")


def _single_best_problems(content: QuestionContent) -> Iterator[Problem]:
    yield from _choice_problems(content)
    correct = sum(option.is_correct is True for option in content.options)
    if correct != 1:
        yield Problem("options", f"Exactly one option must be correct, not {correct}.")


def _multi_select_problems(content: QuestionContent) -> Iterator[Problem]:
    yield from _choice_problems(content)
    correct = sum(option.is_correct is True for option in content.options)
    if correct == 0:
        yield Problem("options", "At least one option must be correct.")
    if content.select is not None and content.select != correct:
        yield Problem(
            "select", f"It asks for {content.select} options where {correct} are correct."
        )


def _ordering_problems(content: QuestionContent) -> Iterator[Problem]:
    yield from _choice_problems(content)
    if len({option.sort_order for option in content.options}) < len(content.options):
        yield Problem("options", "Two steps have the same place in the right order (sort_order).")


def _hot_spot_problems(content: QuestionContent) -> Iterator[Problem]:
    if content.options:
        yield Problem("options", "A HOT_SPOT question has regions instead of options.")
    if content.media is None:
        yield Problem("media", "A HOT_SPOT question needs an image.")
    if not content.regions:
        yield Problem("regions", "A HOT_SPOT question needs at least one region.")
    for index, region in enumerate(content.regions):
        if isinstance(region, PolygonRegion) and _doubled_area(region) == 0:
            yield Problem(f"regions.{index}", "The polygon encloses nothing.")
        if content.media is not None and not _inside(region, content.media):
            yield Problem(
                f"regions.{index}",
                "The region leaves the image, which is "
                f"{content.media.width} x {content.media.height} pixels.",
            )


def _inside(region: Region, image: Media) -> bool:
    left, top, right, bottom = _bounds(region)
    return left >= 0 and top >= 0 and right <= image.width and bottom <= image.height


def _bounds(region: Region) -> tuple[float, float, float, float]:
    match region:
        case RectRegion(x=x, y=y, width=width, height=height):
            return x, y, x + width, y + height
        case CircleRegion(cx=cx, cy=cy, r=r):
            return cx - r, cy - r, cx + r, cy + r
        case PolygonRegion(points=points):
            xs, ys = zip(*points, strict=True)
            return min(xs), min(ys), max(xs), max(ys)


def _doubled_area(polygon: PolygonRegion) -> float:
    corners = polygon.points
    following = (*corners[1:], corners[0])
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(corners, following, strict=True))


def _clinical_sim_problems(content: QuestionContent) -> Iterator[Problem]:
    if not content.sections:
        yield Problem("sections", "A CLINICAL_SIM needs at least one section.")
    for index, section in enumerate(content.sections):
        if not section.title.strip():
            yield Problem(f"sections.{index}.title", "A section needs a title.")
        if not section.prompt.strip():
            yield Problem(f"sections.{index}.prompt", "A section needs a prompt.")
        if sum(option.section == index for option in content.options) < 2:
            yield Problem(f"sections.{index}", "A section needs at least two decisions.")
    for index, option in enumerate(content.options):
        if option.section is None or option.section >= len(content.sections):
            yield Problem(f"options.{index}.section", "A decision must name one of the sections.")
        if option.points is None:
            yield Problem(f"options.{index}.points", "A decision needs points.")
    if not any((option.points or 0) > 0 for option in content.options):
        yield Problem("options", "At least one decision must gain points.")


_RULES: Final[Mapping[QuestionType, Callable[[QuestionContent], Iterator[Problem]]]] = {
    QuestionType.SINGLE_BEST: _single_best_problems,
    QuestionType.MULTI_SELECT: _multi_select_problems,
    QuestionType.ORDERING: _ordering_problems,
    QuestionType.HOT_SPOT: _hot_spot_problems,
    QuestionType.CLINICAL_SIM: _clinical_sim_problems,
}


def check_answer(answer: Answer, content: QuestionContent) -> None:
    """Make sure that this answer fits this question.

    Raises AnswerMismatch naming the answer's field: another type than the question's, an option
    that it does not have or that is named twice, more options than it asks for, an order that
    leaves one out, a point outside the image. It says nothing about right and wrong.
    """
    if answer.type is not content.type:
        raise AnswerMismatch("type", f"The question is {content.type}, the answer {answer.type}.")
    match answer:
        case SingleBestAnswer(option_id=option_id):
            _check_options("option_id", (option_id,), content)
        case HotSpotAnswer():
            _check_point(answer, content)
        case MultiSelectAnswer(option_ids=chosen):
            _check_options("option_ids", chosen, content)
            if content.select is not None and len(chosen) > content.select:
                raise AnswerMismatch("option_ids", f"Choose at most {content.select} options.")
        case OrderingAnswer(option_ids=chosen):
            _check_options("option_ids", chosen, content)
            if len(chosen) < len(content.options):
                raise AnswerMismatch("option_ids", "An order names every step.")
        case ClinicalSimAnswer(option_ids=chosen):
            _check_options("option_ids", chosen, content)


def accept_answer(answer: Answer | None, content: QuestionContent, *, field: str) -> Answer | None:
    """A submitted answer as it is stored: a selection of nothing is none. Who unticks the last box
    has cleared the answer: it must not count as one.

    Raises Unprocessable (`answer_mismatch`) naming the request's field, e.g. `answer.option_id`,
    when it does not fit the question.
    """
    if answer is None:
        return None
    try:
        check_answer(answer, content)
    except AnswerMismatch as mismatch:
        raise Unprocessable(
            mismatch.message,
            code=mismatch.code,
            errors=[FieldError(f"{field}.{mismatch.field}", mismatch.code, mismatch.message)],
        ) from None
    match answer:
        case MultiSelectAnswer(option_ids=()) | ClinicalSimAnswer(option_ids=()):
            return None
        case _:
            return answer


def _check_options(field: str, chosen: tuple[UUID, ...], content: QuestionContent) -> None:
    if len(set(chosen)) < len(chosen):
        raise AnswerMismatch(field, "An option is named twice.")
    if not set(chosen) <= {option.id for option in content.options}:
        raise AnswerMismatch(field, "The question has no such option.")


def _check_point(answer: HotSpotAnswer, content: QuestionContent) -> None:
    width, height = (content.media.width, content.media.height) if content.media else (0, 0)
    if not 0 <= answer.x <= width:
        raise AnswerMismatch("x", f"The point is outside the image, which is {width} pixels wide.")
    if not 0 <= answer.y <= height:
        raise AnswerMismatch("y", f"The point is outside the image, which is {height} pixels high.")
