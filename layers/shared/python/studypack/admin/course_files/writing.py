"""A course as files: always the same bytes for the same course."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

from studypack.admin.course_files import yaml_text
from studypack.admin.course_files.content import (
    CourseContent,
    LessonContent,
    ModuleContent,
    QuizContent,
    lesson_path,
    quiz_path,
)
from studypack.admin.course_files.lesson_types import QuizQuestionFile
from studypack.admin.course_files.types import QuestionFile

_FIRST: Final = ("type", "attrs", "marks", "text", "content")
"""How TipTap's own writers begin a node."""


def write_course(content: CourseContent) -> dict[str, bytes]:
    """The files of a course; `reading.read_course` makes the same course of them."""
    files: dict[str, str] = {"course.yaml": yaml_text.dump(_course(content))}
    for module in content.modules:
        files |= _module(module)
    for quiz in content.quizzes:
        files[quiz_path(None, quiz.slug)] = _quiz(quiz)
    for topic in content.topic_slugs():
        questions = [each for each in content.questions if each.topic == topic]
        if questions:
            entries = (_question(each) for each in sorted(questions, key=lambda each: each.id))
            files[f"questions/{topic}.yaml"] = _list(entries)
    if content.exams:
        exams = sorted(content.exams, key=lambda each: each.slug)
        files["exams.yaml"] = _list(_fields(exam) for exam in exams)
    tree = {path: text.encode() for path, text in files.items()}
    tree |= {f"media/{file}": data for file, data in content.media.items()}
    for module in content.modules:
        for file, data in module.assets.items():
            tree[f"modules/{module.slug}/assets/{file}"] = data
    return dict(sorted(tree.items()))


def _course(content: CourseContent) -> dict[str, Any]:
    fields = _fields(content.course)
    fields.pop("published", None)
    usual = any(module.file.published for module in content.modules)
    if content.published is usual:
        return fields
    names = list(fields)
    before = names[: names.index("topics")]
    return {
        **{name: fields[name] for name in before},
        "published": content.published,
        **{name: fields[name] for name in names[len(before) :]},
    }


def _module(module: ModuleContent) -> dict[str, str]:
    folder = f"modules/{module.slug}"
    files = {f"{folder}/module.yaml": yaml_text.dump(_fields(module.file))}
    for lesson in module.lessons:
        files[lesson_path(module.slug, lesson)] = _lesson(lesson)
    for quiz in module.quizzes:
        files[quiz_path(module.slug, quiz.slug)] = _quiz(quiz)
    return files


def _lesson(lesson: LessonContent) -> str:
    fields = _fields(lesson.file, always=("kind",))
    if lesson.content is not None:
        document = {**fields, "content": _node(lesson.content)}
        return json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    text = lesson.content_markdown
    return f"---\n{yaml_text.dump(fields)}---\n" + (f"{text.strip(chr(10))}\n" if text else "")


def _node(node: Any) -> Any:
    """JSON in an order of its own: the database keeps none."""
    if isinstance(node, Mapping):
        names = [name for name in _FIRST if name in node]
        names += sorted(name for name in node if name not in _FIRST)
        return {name: _node(node[name]) for name in names}
    if isinstance(node, list | tuple):
        return [_node(each) for each in node]
    return node


def _quiz(quiz: QuizContent) -> str:
    fields = _fields(quiz.file, always=("passing_score",))
    fields["questions"] = [_quiz_question(each) for each in quiz.file.questions]
    return yaml_text.dump(fields)


def _quiz_question(question: QuizQuestionFile) -> Any:
    return question.id if question.points == 1 else _fields(question)


def _question(question: QuestionFile) -> dict[str, Any]:
    fields = _fields(question)
    if question.regions:
        fields["regions"] = [_fields(each, always=("shape",)) for each in question.regions]
    return fields


def _list(entries: Iterable[dict[str, Any]]) -> str:
    """Each entry's text by itself, an empty line between them."""
    return "\n".join(yaml_text.dump([entry]) for entry in entries)


def _fields(entry: BaseModel, always: Iterable[str] = ()) -> dict[str, Any]:
    """What an entry says beyond the defaults, in the order of its kind."""
    wanted = set(always)
    said: dict[str, Any] = {}
    for name, info in type(entry).model_fields.items():
        value = getattr(entry, name)
        if name in wanted or info.is_required() or value != info.get_default():
            said[name] = _plain(value)
    return said


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return _fields(value)
        case Enum():
            return value.value
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case float():
            return int(value) if value.is_integer() else value
        case tuple() | list():
            return [_plain(each) for each in value]
        case _:
            return value
