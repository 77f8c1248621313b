"""A form as a learner sees it: drawn, put in order and shown so that its id reproduces it.

A form is an exam session's or a quiz attempt's. Nothing here is random: every order is that of
SHA-256 digests of the form's id and what is put in order, so the same form looks the same on every
device, after any crash, and in a dispute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from studypack.questions.answers import (
    Media,
    Option,
    QuestionContent,
    QuestionType,
    Region,
)

T = TypeVar("T")

_RESHUFFLES: Final = 8


class PublicMedia(BaseModel):
    """An image as a learner gets it; the service makes a link of its key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    key: str
    alt: str
    width: int
    height: int


class PublicOption(BaseModel):
    """An option under the letter of its displayed place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID
    label: str
    content: str


class PublicSection(BaseModel):
    """A section of a CLINICAL_SIM with its decisions; letters start anew in each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    prompt: str
    options: tuple[PublicOption, ...]


class PublicItem(BaseModel):
    """What a learner may see of an item before submission, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int
    type: QuestionType
    stem: str
    media: PublicMedia | None
    select: int | None
    options: tuple[PublicOption, ...]
    sections: tuple[PublicSection, ...]


class RevealedOption(PublicOption):
    """An option with what it was worth."""

    is_correct: bool | None
    points: int | None
    feedback: str | None


class RevealedSection(BaseModel):
    """A section with its decisions and what they were worth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    prompt: str
    options: tuple[RevealedOption, ...]


class RevealedItem(BaseModel):
    """An item after submission: as it was shown, with its key and rationale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    position: int
    type: QuestionType
    stem: str
    media: PublicMedia | None
    select: int | None
    options: tuple[RevealedOption, ...]
    sections: tuple[RevealedSection, ...]
    key: tuple[UUID, ...]
    """The right options as displayed; steps in right order; the decisions that gain points."""
    regions: tuple[Region, ...]
    rationale: str


def draw_key(form_id: UUID, question_id: UUID) -> str:
    """The sort key by which a form draws questions: 64 hexadecimal digits.

    PostgreSQL computes the same, so a draw can be one statement: encode(sha256(convert_to(
    form_id::text || ':' || question_id::text, 'UTF8')), 'hex'). Sort it COLLATE "C".
    """
    return _digest(f"{form_id}:{question_id}")


def shuffled(
    form_id: UUID, salt: str, items: Iterable[T], *, key: Callable[[T], object] = str
) -> list[T]:
    """The items in an order that only the form's id, the salt and their keys decide.

    Keys must be distinct as text; then the order in which the items come does not matter.
    """
    return sorted(items, key=lambda item: _digest(f"{form_id}:{salt}:{key(item)}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def present(
    content: QuestionContent, form_id: UUID, position: int, shuffle_options: bool
) -> PublicItem:
    """The item at this position (1 is the first) as its learner sees it before submission.

    Every field is copied by name, so that what is added to a content stays secret until it is
    named here. An ORDERING's steps are always shuffled; three or more never come in right order.
    """
    shown = _shown(content, form_id, position, shuffle_options)
    return PublicItem(
        position=position,
        type=content.type,
        stem=content.stem,
        media=_public_media(content.media),
        select=content.select,
        options=tuple(
            PublicOption(id=place.option.id, label=place.label, content=place.option.content)
            for place in shown
            if place.section is None
        ),
        sections=tuple(
            PublicSection(
                title=section.title,
                prompt=section.prompt,
                options=tuple(
                    PublicOption(
                        id=place.option.id, label=place.label, content=place.option.content
                    )
                    for place in shown
                    if place.section == index
                ),
            )
            for index, section in enumerate(content.sections)
        ),
    )


def reveal(
    content: QuestionContent, form_id: UUID, position: int, shuffle_options: bool
) -> RevealedItem:
    """The item as `present` showed it, with key, points, feedback, regions and rationale.

    Only for a submitted form, or a practice item whose answer is final.
    """
    shown = _shown(content, form_id, position, shuffle_options)
    return RevealedItem(
        position=position,
        type=content.type,
        stem=content.stem,
        media=_public_media(content.media),
        select=content.select,
        options=tuple(_revealed(place) for place in shown if place.section is None),
        sections=tuple(
            RevealedSection(
                title=section.title,
                prompt=section.prompt,
                options=tuple(_revealed(place) for place in shown if place.section == index),
            )
            for index, section in enumerate(content.sections)
        ),
        key=_key(content, [place.option for place in shown]),
        regions=content.regions,
        rationale=content.rationale,
    )


@dataclass(frozen=True)
class _Place:
    """An option where it is shown: the section of a CLINICAL_SIM, and the letter."""

    option: Option
    section: int | None
    label: str


def _shown(
    content: QuestionContent, form_id: UUID, position: int, shuffle_options: bool
) -> list[_Place]:
    places: list[_Place] = []
    used: dict[int | None, int] = {}
    for option in _display_order(content, form_id, position, shuffle_options):
        section = option.section if content.type is QuestionType.CLINICAL_SIM else None
        index = used.get(section, 0)
        used[section] = index + 1
        places.append(_Place(option, section, _label(index)))
    return sorted(places, key=lambda place: -1 if place.section is None else place.section)


def _display_order(
    content: QuestionContent, form_id: UUID, position: int, shuffle_options: bool
) -> list[Option]:
    # By place and then id: the order of the stored array must not matter.
    authored = sorted(content.options, key=lambda option: (option.sort_order, option.id))
    salt = f"options:{position}"
    if content.type is QuestionType.ORDERING and len(authored) > 2:
        tries = (
            shuffled(form_id, f"{salt}:{attempt}", authored, key=lambda option: option.id)
            for attempt in range(_RESHUFFLES)
        )
        # Three steps come out right eight times running once in 1.7 million: then backwards.
        return next((order for order in tries if order != authored), authored[::-1])
    # Two steps may well come in right order: if they never did, showing them would tell the answer.
    if shuffle_options or content.type is QuestionType.ORDERING:
        return shuffled(form_id, salt, authored, key=lambda option: option.id)
    return authored


def _label(index: int) -> str:
    """A to Z, then AA, AB, ... as in spreadsheets."""
    letters = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _key(content: QuestionContent, shown: Iterable[Option]) -> tuple[UUID, ...]:
    match content.type:
        case QuestionType.ORDERING:
            right = sorted(content.options, key=lambda option: option.sort_order)
        case QuestionType.CLINICAL_SIM:
            right = [option for option in shown if (option.points or 0) > 0]
        case _:
            right = [option for option in shown if option.is_correct]
    return tuple(option.id for option in right)


def _revealed(place: _Place) -> RevealedOption:
    return RevealedOption(
        id=place.option.id,
        label=place.label,
        content=place.option.content,
        is_correct=place.option.is_correct,
        points=place.option.points,
        feedback=place.option.feedback,
    )


def _public_media(media: Media | None) -> PublicMedia | None:
    if media is None:
        return None
    return PublicMedia(
        kind=media.kind, key=media.key, alt=media.alt, width=media.width, height=media.height
    )
