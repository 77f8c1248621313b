"""Course folders as authors write them (local/content/<course>/): read, checked, as typed
values.

A folder has `course.yaml` (the course and its topics), `questions/*.yaml`, `exams.yaml` and
`media/`. Every mistake is found in one go and named by file and item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studypack.core.errors import FieldError, Unprocessable
from studypack.exams.blueprint import MAX_ITEMS, allocate, shortfalls
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


SMALLINT = 32_767
"""What the schema's columns hold."""

Small = Annotated[int, Field(ge=-SMALLINT, le=SMALLINT)]


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
    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class ScaleFile(_File):
    """A reporting scale."""

    minimum: Small
    maximum: Small
    pass_score: Small
    pass_theta: Annotated[float, Field(gt=-100, lt=100, allow_inf_nan=False)] = 0.0


class ExamFile(_File):
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


class CourseContent(_File):
    """All of a course folder."""

    course: CourseFile
    questions: tuple[QuestionFile, ...]
    exams: tuple[ExamFile, ...]


def course_folders(root: Path = CONTENT) -> list[Path]:
    """The folders that hold a course, by name."""
    return sorted(path.parent for path in root.glob("*/course.yaml"))


def read_courses(root: Path = CONTENT) -> dict[str, CourseContent]:
    """Read and check every course folder, and that none uses another's names; by folder's name.

    Raises Unprocessable with every mistake of the first folder that has one, then of all together.
    """
    courses = {folder.name: read_course(folder) for folder in course_folders(root)}
    names: Sequence[tuple[str, Callable[[CourseContent], list[str]]]] = (
        ("course", lambda content: [content.course.slug]),
        ("title", lambda content: [content.course.title]),
        ("question", lambda content: [question.id for question in content.questions]),
        ("exam", lambda content: [exam.slug for exam in content.exams]),
    )
    errors = []
    for kind, of in names:
        places: dict[str, str] = {}
        for folder, content in courses.items():
            errors += [
                FieldError(f"{folder}: {name}", "duplicate", f"{kind}: {places[name]} has it too.")
                for name in of(content)
                if name in places
            ]
            places |= dict.fromkeys(of(content), folder)
    if errors:
        raise Unprocessable("The courses use each other's names.", errors=errors)
    return courses


def read_course(folder: Path) -> CourseContent:
    """Read and check a course folder.

    Raises Unprocessable with every mistake: `field` is `<file>: <item>.<path>`.
    """
    errors: list[FieldError] = []
    course = _parse_file(CourseFile, folder / "course.yaml", errors)
    questions: list[tuple[str, QuestionFile]] = [
        (path.name, question)
        for path in sorted((folder / "questions").glob("*.yaml"))
        for question in _parse_list(QuestionFile, path, errors)
    ]
    if course is not None:
        errors += _question_checks(folder, course, questions)
    bank_is_whole = not errors
    exams = _parse_list(ExamFile, folder / "exams.yaml", errors)
    if course is not None:
        errors += _exam_checks(course, exams)
        if bank_is_whole and not errors:  # else a mistake would be reported a second time
            errors += _bank_checks(course, [question for _, question in questions], exams)
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


def _parse_file(model: type[Any], path: Path, errors: list[FieldError]) -> Any:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        errors.append(FieldError(path.name, "unreadable", str(error)))
        return None
    return _parse(model, path.name, "?", data, errors)


def _parse(model: type[Any], file: str, place: str, data: Any, errors: list[FieldError]) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        name = (data.get("id") or data.get("slug") if isinstance(data, dict) else None) or place
        errors.extend(_named(f"{file}: {name}", error))
    return None


def _named(where: str, error: ValidationError) -> Iterator[FieldError]:
    for item in error.errors():
        path = "".join(f".{part}" for part in item["loc"])
        yield FieldError(f"{where}{path}", item["type"], item["msg"])


def _parse_list(model: type[Any], path: Path, errors: list[FieldError]) -> list[Any]:
    if not path.exists():
        return []
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        errors.append(FieldError(path.name, "unreadable", str(error)))
        return []
    if not isinstance(data, list):
        errors.append(FieldError(path.name, "not_a_list", "The file must hold a list."))
        return []
    parsed = []
    for index, item in enumerate(data):
        if item is None:
            errors.append(FieldError(f"{path.name}: [{index}]", "empty", "The item is empty."))
            continue
        parsed.append(_parse(model, path.name, f"[{index}]", item, errors))
    return [item for item in parsed if item is not None]


def _question_checks(
    folder: Path, course: CourseFile, questions: list[tuple[str, QuestionFile]]
) -> Iterator[FieldError]:
    topics = list(topic_slugs(course.topics))
    for slug in {slug for slug in topics if topics.count(slug) > 1}:
        yield FieldError(f"course.yaml: {slug}", "duplicate", "The topic is there twice.")
    places: dict[str, str] = {}
    for place, question in questions:
        if question.id in places:
            yield FieldError(
                f"{place}: {question.id}", "duplicate", f"The id is in {places[question.id]} too."
            )
        places.setdefault(question.id, place)
        yield from _checks_of(f"{place}: {question.id}", question, folder, course, set(topics))


def _checks_of(
    where: str, question: QuestionFile, folder: Path, course: CourseFile, topics: set[str]
) -> Iterator[FieldError]:
    if question.topic not in topics:
        yield FieldError(f"{where}.topic", "unknown_topic", question.topic)
    if question.image and not (folder / "media" / question.image.file).is_file():
        yield FieldError(f"{where}.image.file", "missing", question.image.file)
    try:
        content = question.content(course.slug)
    except ValidationError as error:
        yield from _named(where, error)
        return
    for problem in validate_content(content):
        yield FieldError(f"{where}.{problem.field}", "unsound", problem.message)


def _exam_checks(course: CourseFile, exams: list[ExamFile]) -> Iterator[FieldError]:
    topics = set(topic_slugs(course.topics))
    for slug, times in Counter(exam.slug for exam in exams).items():
        if times > 1:
            yield FieldError(f"exams.yaml: {slug}", "duplicate", "The exam is there twice.")
    for exam in exams:
        where = f"exams.yaml: {exam.slug}"
        named = [weight.topic for weight in exam.topics]
        for topic in dict.fromkeys(named):
            if topic not in topics:
                yield FieldError(f"{where}.topics", "unknown_topic", topic)
            if named.count(topic) > 1:
                yield FieldError(f"{where}.topics", "duplicate", f"{topic} is there twice.")
        scale = exam.scaled
        if (exam.scoring_mode == "scaled") != (scale is not None):
            yield FieldError(
                f"{where}.scaled", "scale", "A scaled exam, and only one, has a scale."
            )
        if scale and not (scale.minimum < scale.pass_score < scale.maximum):
            yield FieldError(
                f"{where}.scaled", "scale", "A scale passes between its minimum and its maximum."
            )


def _bank_checks(
    course: CourseFile, questions: list[QuestionFile], exams: list[ExamFile]
) -> Iterator[FieldError]:
    """Whether every exam can be drawn: as the draw does, a question counts for the nearest of the
    blueprint's topics above it.
    """
    shelf = Counter(question.topic for question in questions)
    for exam in exams:
        weights = {weight.topic: weight.weight for weight in exam.topics}
        available: Counter[str] = Counter()
        for topic, nearest in _nearest(course.topics, set(weights), None):
            available[nearest] += shelf[topic]
        for gap in shortfalls(allocate(weights, exam.items), available):
            yield FieldError(
                f"exams.yaml: {exam.slug}.topics.{gap.key}",
                "bank_too_small",
                f"{gap.wanted} questions are wanted, {gap.available} are there,"
                f" {gap.wanted - gap.available} are missing.",
            )


def _nearest(
    topics: tuple[TopicFile, ...], roots: set[str], above: str | None
) -> Iterator[tuple[str, str]]:
    """Each topic at or below one of the roots, with the nearest of them."""
    for topic in topics:
        nearest = topic.slug if topic.slug in roots else above
        if nearest is not None:
            yield topic.slug, nearest
        yield from _nearest(topic.topics, roots, nearest)
