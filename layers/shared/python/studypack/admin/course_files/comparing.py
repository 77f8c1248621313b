"""What is otherwise in one course than in another, whatever their files look like."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from studypack.admin.course_files.content import CourseContent, lesson_path, quiz_path
from studypack.admin.course_files.setting import markdown_as_written
from studypack.admin.course_files.types import TopicFile


def differences(one: CourseContent, other: CourseContent) -> list[str]:
    """The fields that differ or that only one of them has, by file and name."""
    left, right = dict(_facts(one)), dict(_facts(other))
    absent = object()
    return sorted(
        name
        for name in left.keys() | right.keys()
        if left.get(name, absent) != right.get(name, absent)
    )


def _facts(content: CourseContent) -> Iterator[tuple[str, Any]]:
    yield from _fields("course.yaml", content.course, without={"topics", "published"})
    yield "course.yaml: published", content.published
    yield from _topics("", content.course.topics)
    for module in content.modules:
        folder = f"modules/{module.slug}"
        yield from _fields(f"{folder}/module.yaml", module.file)
        for lesson in module.lessons:
            path = lesson_path(module.slug, lesson)
            yield from _fields(path, lesson.file)
            text = markdown_as_written(lesson.content_markdown)
            yield f"{path}: content", lesson.content or text
        for quiz in module.quizzes:
            yield from _fields(quiz_path(module.slug, quiz.slug), quiz.file)
        for file, data in module.assets.items():
            yield f"{folder}/assets/{file}", hashlib.sha256(data).hexdigest()
    for quiz in content.quizzes:
        yield from _fields(quiz_path(None, quiz.slug), quiz.file)
    for question in content.questions:
        yield from _fields(f"questions: {question.id}", question)
    for exam in content.exams:
        yield from _fields(f"exams.yaml: {exam.slug}", exam)
    for file, data in content.media.items():
        yield f"media/{file}", hashlib.sha256(data).hexdigest()


def _topics(above: str, topics: tuple[TopicFile, ...]) -> Iterator[tuple[str, Any]]:
    yield f"course.yaml: topics below {above or 'the course'}", [topic.slug for topic in topics]
    for topic in topics:
        yield from _fields(f"course.yaml: {topic.slug}", topic, without={"topics"})
        yield from _topics(topic.slug, topic.topics)


def _fields(
    path: str, entry: BaseModel, *, without: set[str] | None = None
) -> Iterator[tuple[str, Any]]:
    for name in type(entry).model_fields.keys() - (without or set()):
        yield f"{path}: {name}", getattr(entry, name)
