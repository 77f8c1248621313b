"""What the bank and the exams of a course folder must hold together, beyond each entry's form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from studypack.admin.course_files.parsing import named
from studypack.admin.course_files.tree import Tree
from studypack.admin.course_files.types import (
    CourseFile,
    ExamFile,
    QuestionFile,
    TopicFile,
    topic_slugs,
)
from studypack.core.errors import FieldError
from studypack.exams.blueprint import allocate, shortfalls
from studypack.questions.answers import validate_content


def question_checks(
    tree: Tree, course: CourseFile, questions: Sequence[tuple[str, QuestionFile]]
) -> Iterator[FieldError]:
    """Topics, ids and contents of the bank; each question with the file that it is in."""
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
        yield from _checks_of(f"{place}: {question.id}", question, tree, course, set(topics))


def _checks_of(
    where: str, question: QuestionFile, tree: Tree, course: CourseFile, topics: set[str]
) -> Iterator[FieldError]:
    if question.topic not in topics:
        yield FieldError(f"{where}.topic", "unknown_topic", question.topic)
    if question.image and f"media/{question.image.file}" not in tree:
        yield FieldError(f"{where}.image.file", "missing", question.image.file)
    try:
        content = question.content(course.slug)
    except ValidationError as error:
        yield from named(where, error)
        return
    for problem in validate_content(content):
        yield FieldError(f"{where}.{problem.field}", "unsound", problem.message)


def exam_checks(course: CourseFile, exams: Sequence[ExamFile]) -> Iterator[FieldError]:
    """Topics, scales and slugs of the exams."""
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


def bank_checks(
    course: CourseFile, questions: Sequence[QuestionFile], exams: Sequence[ExamFile]
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
