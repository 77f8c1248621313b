"""What authors write into a course folder, as typed values: a class per kind of entry."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from studypack.admin.course_files.base import SMALLINT, FileModel, Optional, Slug, Small, Title
from studypack.exams.blueprint import MAX_ITEMS
from studypack.identity.models import Level
from studypack.questions.answers import (
    Media,
    Option,
    QuestionContent,
    QuestionType,
    Region,
    Section,
)
from studypack.questions.service import option_id


class TopicFile(FileModel):
    """A topic with its parts."""

    slug: Slug
    name: str
    description: str | None = None
    difficulty: Annotated[int, Field(ge=1, le=5)] | None = None
    topics: tuple[TopicFile, ...] = ()


def _in_order(slugs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(slugs))


class CourseFile(FileModel):
    """course.yaml"""

    slug: Slug
    title: Title
    description: Optional = None
    difficulty: Level = Level.BEGINNER
    disclaimer: Optional = None
    icon: Optional = None
    syllabus: Optional = None
    position: Small = 0
    published: bool | None = None
    """None: if there is something to publish."""
    prerequisites: Annotated[tuple[Slug, ...], AfterValidator(_in_order)] = ()
    topics: tuple[TopicFile, ...]
    modules: tuple[Slug, ...] = ()


class ChoiceFile(FileModel):
    """A choice of SINGLE_BEST or MULTI_SELECT."""

    text: str
    correct: bool = False
    feedback: str | None = None


class DecisionFile(FileModel):
    """A decision of a CLINICAL_SIM."""

    text: str
    points: int
    feedback: str | None = None


class SectionFile(FileModel):
    """A step of a CLINICAL_SIM."""

    title: str
    prompt: str
    decisions: tuple[DecisionFile, ...]


class ImageFile(FileModel):
    """An image in the course's media folder."""

    file: Annotated[str, Field(pattern=r"^[a-z0-9._-]+$")]
    alt: str
    width: int
    height: int


class QuestionFile(FileModel):
    """One item of questions/*.yaml; which fields it has depends on its type."""

    id: Slug
    type: QuestionType
    topic: Slug
    difficulty: Annotated[int, Field(ge=1, le=5)] | None = None
    stem: str
    rationale: str
    options: tuple[ChoiceFile, ...] = ()
    select: int | None = None
    steps: tuple[str, ...] = ()
    image: ImageFile | None = None
    regions: tuple[Region, ...] = ()
    sections: tuple[SectionFile, ...] = ()

    def content(self, course: str) -> QuestionContent:
        """As the bank stores it."""
        image = self.image
        return QuestionContent(
            type=self.type,
            stem=self.stem,
            rationale=self.rationale,
            media=image
            and Media(
                key=f"{course}/{image.file}", alt=image.alt, width=image.width, height=image.height
            ),
            options=tuple(self._options()),
            regions=self.regions,
            sections=tuple(Section(title=s.title, prompt=s.prompt) for s in self.sections),
            select=self.select,
        )

    def _options(self) -> Iterator[Option]:
        place = 0
        for choice in self.options:
            yield Option(
                id=option_id(self.id, None, choice.text),
                content=choice.text,
                is_correct=choice.correct,
                feedback=choice.feedback,
                sort_order=place,
            )
            place += 1
        for step in self.steps:
            yield Option(id=option_id(self.id, None, step), content=step, sort_order=place)
            place += 1
        for index, section in enumerate(self.sections):
            for decision in section.decisions:
                yield Option(
                    id=option_id(self.id, index, decision.text),
                    content=decision.text,
                    points=decision.points,
                    feedback=decision.feedback,
                    section=index,
                    sort_order=place,
                )
                place += 1


class WeightFile(FileModel):
    """A topic's weight in a blueprint."""

    topic: Slug
    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class ScaleFile(FileModel):
    """A reporting scale."""

    minimum: Small
    maximum: Small
    pass_score: Small
    pass_theta: Annotated[float, Field(gt=-100, lt=100, allow_inf_nan=False)] = 0.0


class ExamFile(FileModel):
    """One item of exams.yaml."""

    slug: Slug
    title: str
    description: str | None = None
    duration_minutes: Annotated[int, Field(ge=1, le=1440)]
    scoring_mode: Literal["raw", "scaled"]
    items: Annotated[int, Field(ge=1, le=MAX_ITEMS)]
    topics: Annotated[tuple[WeightFile, ...], Field(min_length=1, max_length=MAX_ITEMS)]
    sequence: Literal["shuffled", "by_topic"] = "shuffled"
    shuffle_options: bool = True
    practice: bool = False
    pause_minutes: Annotated[int, Field(ge=0, le=SMALLINT)] = 0
    retake_after_hours: Annotated[int, Field(ge=0, le=SMALLINT)] = 0
    max_attempts: Annotated[int, Field(ge=1, le=SMALLINT)] | None = None
    pass_percent: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    scaled: ScaleFile | None = None


def topic_slugs(topics: tuple[TopicFile, ...]) -> Iterator[str]:
    """Every topic of a tree."""
    for topic in topics:
        yield topic.slug
        yield from topic_slugs(topic.topics)
