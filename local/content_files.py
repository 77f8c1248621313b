"""Course folders as authors write them (local/content/courses/<slug>/): read, checked, as typed
values.

A folder has `course.yaml` (the course and its topics), `questions/*.yaml`, `exams.yaml` and
`media/`. Every mistake is found in one go and named by file and item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from local.content_types import (
    CourseContent,
    CourseFile,
    ExamFile,
    QuestionFile,
    TopicFile,
    topic_slugs,
)
from studypack.core.errors import FieldError, Unprocessable
from studypack.exams.blueprint import allocate, shortfalls
from studypack.questions.answers import validate_content

__all__ = [
    "CONTENT",
    "COURSES",
    "CourseContent",
    "CourseFile",
    "ExamFile",
    "QuestionFile",
    "TopicFile",
    "course_folders",
    "read_course",
    "read_courses",
    "topic_slugs",
]

CONTENT = Path(__file__).parent / "content"
COURSES = CONTENT / "courses"


def course_folders(root: Path = COURSES) -> list[Path]:
    """The folders that hold a course, by name."""
    return sorted(path.parent for path in root.glob("*/course.yaml"))


def read_courses(root: Path = COURSES) -> dict[str, CourseContent]:
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
