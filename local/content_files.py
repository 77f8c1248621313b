"""Course folders as authors write them (local/content/<course>/): read, checked, as typed
values.

A folder has `course.yaml` (the course and its topics), `questions/*.yaml`, `exams.yaml` and
`media/`. Every mistake is found in one go and named by file and item.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studypack.core.errors import FieldError, Unprocessable
from studypack.identity.models import Level
from studypack.questions.answers import (
    Media,
    Option,
    QuestionContent,
    QuestionType,
    Region,
    Section,
    validate_content,
)
from studypack.questions.service import option_id

CONTENT = Path(__file__).parent / "content"


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]


class TopicFile(_File):
    """A topic with its parts."""

    slug: Slug
    name: str
    description: str | None = None
    difficulty: Annotated[int, Field(ge=1, le=5)] | None = None
    topics: tuple[TopicFile, ...] = ()


class CourseFile(_File):
    """course.yaml"""

    slug: Slug
    title: str
    description: str | None = None
    difficulty: Level = Level.BEGINNER
    disclaimer: str | None = None
    topics: tuple[TopicFile, ...]


class ChoiceFile(_File):
    """A choice of SINGLE_BEST or MULTI_SELECT."""

    text: str
    correct: bool = False
    feedback: str | None = None


class DecisionFile(_File):
    """A decision of a CLINICAL_SIM."""

    text: str
    points: int
    feedback: str | None = None


class SectionFile(_File):
    """A step of a CLINICAL_SIM."""

    title: str
    prompt: str
    decisions: tuple[DecisionFile, ...]


class ImageFile(_File):
    """An image in the course's media folder."""

    file: Annotated[str, Field(pattern=r"^[a-z0-9._-]+$")]
    alt: str
    width: int
    height: int


class QuestionFile(_File):
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


class WeightFile(_File):
    """A topic's weight in a blueprint."""

    topic: Slug
    weight: Annotated[float, Field(gt=0)]


class ScaleFile(_File):
    """A reporting scale."""

    minimum: int
    maximum: int
    pass_score: int
    pass_theta: float = 0.0


class ExamFile(_File):
    """One item of exams.yaml."""

    slug: Slug
    title: str
    description: str | None = None
    duration_minutes: Annotated[int, Field(ge=1, le=1440)]
    scoring_mode: Literal["raw", "scaled"]
    items: Annotated[int, Field(ge=1, le=400)]
    topics: tuple[WeightFile, ...]
    sequence: Literal["shuffled", "by_topic"] = "shuffled"
    shuffle_options: bool = True
    practice: bool = False
    pause_minutes: Annotated[int, Field(ge=0)] = 0
    retake_after_hours: Annotated[int, Field(ge=0)] = 0
    max_attempts: Annotated[int, Field(ge=1)] | None = None
    pass_percent: Annotated[Decimal, Field(ge=0, le=100)] | None = None
    scaled: ScaleFile | None = None


class CourseContent(_File):
    """All of a course folder."""

    course: CourseFile
    questions: tuple[QuestionFile, ...]
    exams: tuple[ExamFile, ...]


def course_folders(root: Path = CONTENT) -> list[Path]:
    """The folders that hold a course, by name."""
    return sorted(path.parent for path in root.glob("*/course.yaml"))


def read_course(folder: Path) -> CourseContent:
    """Read and check a course folder.

    Raises Unprocessable with every mistake: `field` is `<file>: <item>.<path>`.
    """
    errors: list[FieldError] = []
    course = _parse(CourseFile, folder / "course.yaml", errors)
    questions: list[tuple[str, QuestionFile]] = [
        (path.name, question)
        for path in sorted((folder / "questions").glob("*.yaml"))
        for question in _parse_list(QuestionFile, path, errors)
    ]
    exams = _parse_list(ExamFile, folder / "exams.yaml", errors)
    if course is not None:
        errors += _cross_checks(folder, course, questions, exams)
    if errors or course is None:
        raise Unprocessable(f"{folder.name}: the course's files have mistakes.", errors=errors)
    return CourseContent(
        course=course, questions=tuple(question for _, question in questions), exams=tuple(exams)
    )


def topic_slugs(topics: tuple[TopicFile, ...]) -> Iterator[str]:
    """Every topic of a tree."""
    for topic in topics:
        yield topic.slug
        yield from topic_slugs(topic.topics)


def _parse(model: type[Any], path: Path, errors: list[FieldError], data: Any = None) -> Any:
    try:
        if data is None:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return model.model_validate(data)
    except (yaml.YAMLError, OSError) as error:
        errors.append(FieldError(path.name, "unreadable", str(error)))
    except ValidationError as error:
        name = data.get("id") or data.get("slug") if isinstance(data, dict) else "?"
        errors.extend(
            FieldError(
                f"{path.name}: {name}.{'.'.join(map(str, item['loc']))}", item["type"], item["msg"]
            )
            for item in error.errors()
        )
    return None


def _parse_list(model: type[Any], path: Path, errors: list[FieldError]) -> list[Any]:
    if not path.exists():
        return []
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        errors.append(FieldError(path.name, "unreadable", str(error)))
        return []
    if not isinstance(data, list):
        errors.append(FieldError(path.name, "not_a_list", "The file must hold a list."))
        return []
    parsed = [_parse(model, path, errors, item) for item in data]
    return [item for item in parsed if item is not None]


def _cross_checks(
    folder: Path,
    course: CourseFile,
    questions: list[tuple[str, QuestionFile]],
    exams: list[ExamFile],
) -> Iterator[FieldError]:
    topics = list(topic_slugs(course.topics))
    known = set(topics)
    for slug in {slug for slug in topics if topics.count(slug) > 1}:
        yield FieldError(f"course.yaml: {slug}", "duplicate", "The topic is there twice.")
    places: dict[str, str] = {}
    for place, question in questions:
        if question.id in places:
            yield FieldError(
                f"{place}: {question.id}", "duplicate", f"The id is in {places[question.id]} too."
            )
        places.setdefault(question.id, place)
        yield from _question_checks(f"{place}: {question.id}", question, folder, course, known)
    for exam in exams:
        yield from _exam_checks(f"exams.yaml: {exam.slug}", exam, known)


def _question_checks(
    where: str, question: QuestionFile, folder: Path, course: CourseFile, topics: set[str]
) -> Iterator[FieldError]:
    if question.topic not in topics:
        yield FieldError(f"{where}.topic", "unknown_topic", question.topic)
    if question.image and not (folder / "media" / question.image.file).is_file():
        yield FieldError(f"{where}.image.file", "missing", question.image.file)
    for problem in validate_content(question.content(course.slug)):
        yield FieldError(f"{where}.{problem.field}", "unsound", problem.message)


def _exam_checks(where: str, exam: ExamFile, topics: set[str]) -> Iterator[FieldError]:
    named = [weight.topic for weight in exam.topics]
    for topic in dict.fromkeys(named):
        if topic not in topics:
            yield FieldError(f"{where}.topics", "unknown_topic", topic)
        if named.count(topic) > 1:
            yield FieldError(f"{where}.topics", "duplicate", f"{topic} is there twice.")
    if (exam.scoring_mode == "scaled") != (exam.scaled is not None):
        yield FieldError(f"{where}.scaled", "scale", "A scaled exam, and only one, has a scale.")
    if exam.scaled and not (exam.scaled.minimum < exam.scaled.pass_score < exam.scaled.maximum):
        yield FieldError(
            f"{where}.scaled", "scale", "A scale passes between its minimum and its maximum."
        )
