"""What modules, lessons and quizzes of a course folder must hold together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from studypack.admin.course_files.content import (
    CourseContent,
    LessonContent,
    ModuleContent,
    QuizContent,
    lesson_path,
    quiz_path,
)
from studypack.admin.course_files.types import topic_slugs
from studypack.core.errors import FieldError
from studypack.courses.authoring import publishing
from studypack.courses.content import markdown
from studypack.courses.file_types import TYPES, extension_of, is_what_its_name_says
from studypack.courses.models import Lesson, LessonKind
from studypack.integrations.storage.files import FIRST_BYTES

PICTURES = {".svg", ".png", ".jpg", ".jpeg", ".webp", ".gif"}


def module_checks(content: CourseContent) -> Iterator[FieldError]:
    """Names, topics, questions, files that lessons and quizzes point to; what is to be
    published.
    """
    topics = set(topic_slugs(content.course.topics))
    bank = {question.id for question in content.questions}
    for module in content.modules:
        yield from _assets(module)
        for lesson in module.lessons:
            yield from _lesson(module, lesson, topics)
        for quiz in module.quizzes:
            yield from _quiz(quiz_path(module.slug, quiz.slug), quiz, topics, bank)
        if module.file.published and not _something_published(module):
            yield FieldError(
                f"modules/{module.slug}/module.yaml: published",
                publishing.NOTHING_TO_PUBLISH,
                "No lesson and no quiz of it is published.",
            )
    for quiz in content.quizzes:
        where = quiz_path(None, quiz.slug)
        if quiz.file.topic is None:
            yield FieldError(f"{where}: topic", "missing", "A quiz of no module needs a topic.")
        yield from _quiz(where, quiz, topics, bank)
    yield from _quiz_slugs(content)
    if content.course.published and not any(each.file.published for each in content.modules):
        yield FieldError(
            "course.yaml: published",
            publishing.NOTHING_TO_PUBLISH,
            "No module of it is published.",
        )


def media_checks(content: CourseContent, shown: Mapping[str, list[str]]) -> Iterator[FieldError]:
    """That every picture is there and is shown somewhere. `shown`: by picture, where."""
    for file, places in shown.items():
        if file not in content.media:
            yield from (
                FieldError(place, "missing", f"media/{file} is not there.") for place in places
            )
    used = shown.keys() | {each.image.file for each in content.questions if each.image}
    for file in content.media:
        if f".{file.rpartition('.')[2].lower()}" not in PICTURES:
            yield FieldError(f"media/{file}", "unexpected", "The file is no picture.")
        elif file not in used:
            yield FieldError(f"media/{file}", "unused", "No question and no lesson shows it.")


def shown_in_lessons(content: CourseContent) -> dict[str, list[str]]:
    """The files in `media` that lessons show, with the lessons' paths."""
    shown: dict[str, list[str]] = {}
    for module, lesson in content.every_lesson():
        for file in pictures_of(lesson):
            shown.setdefault(file, []).append(lesson_path(module.slug, lesson))
    return shown


def pictures_of(lesson: LessonContent) -> list[str]:
    """The files in `media` that a lesson shows, each once."""
    document: Any = lesson.content
    if document is None and lesson.content_markdown:
        document = markdown.to_document(lesson.content_markdown)
    return list(dict.fromkeys(_pictures(document)))


def _pictures(node: Any) -> Iterator[str]:
    waiting = [node]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, dict):
            continue
        if each.get("type") == "image":
            folder, _, file = str(each.get("attrs", {}).get("src", "")).partition("/")
            if folder == "media" and file:
                yield file
        waiting += each.get("content", [])


def _lesson(module: ModuleContent, lesson: LessonContent, topics: set[str]) -> Iterator[FieldError]:
    path = lesson_path(module.slug, lesson)
    where = f"{path}: front matter" if path.endswith(".md") else path
    if lesson.file.topic is not None and lesson.file.topic not in topics:
        yield FieldError(f"{where}: topic", "unknown_topic", lesson.file.topic)
    for index, asset in enumerate(lesson.file.assets):
        if extension_of(asset.saved_as) != extension_of(asset.file):
            yield FieldError(
                f"{where}: assets.{index}.name", "not_its_type", "It ends otherwise than the file."
            )
        if asset.file not in module.assets:
            yield FieldError(
                f"{where}: assets.{index}.file",
                "missing",
                f"modules/{module.slug}/assets/{asset.file} is not there.",
            )
    for file, times in Counter(asset.file for asset in lesson.file.assets).items():
        if times > 1:
            yield FieldError(f"{where}: assets", "duplicate", f"{file} is there twice.")
    if lesson.file.published and lesson.file.kind is not LessonKind.VIDEO:
        for error in publishing_errors(lesson):
            yield FieldError(f"{where}: {error.field}", error.code, error.message)


def publishing_errors(lesson: LessonContent) -> list[FieldError]:
    """What the lesson lacks to be published, as far as its files tell."""
    row = Lesson(
        kind=lesson.file.kind,
        content=lesson.content,
        content_markdown=lesson.content_markdown,
        body_text=lesson.body_text,
    )
    has_pdf = any(asset.file.lower().endswith(".pdf") for asset in lesson.file.assets)
    return publishing.lesson_errors(row, has_pdf=has_pdf)


def _something_published(module: ModuleContent) -> bool:
    return any(lesson.file.published for lesson in module.lessons) or any(
        quiz.file.published for quiz in module.quizzes
    )


def _assets(module: ModuleContent) -> Iterator[FieldError]:
    named = {asset.file for lesson in module.lessons for asset in lesson.file.assets}
    for file, data in module.assets.items():
        path = f"modules/{module.slug}/assets/{file}"
        if file not in named:
            yield FieldError(path, "unused", "No lesson of the module has it among its assets.")
        if extension_of(file) not in TYPES:
            allowed = ", ".join(TYPES)
            yield FieldError(path, "not_allowed", f"Files of these types are taken: {allowed}.")
        elif not data:
            yield FieldError(path, "empty", "The file is empty.")
        elif not is_what_its_name_says(file, data[:FIRST_BYTES]):
            yield FieldError(path, "not_its_type", "The file is not what its name says.")


def _quiz(where: str, quiz: QuizContent, topics: set[str], bank: set[str]) -> Iterator[FieldError]:
    if quiz.file.topic is not None and quiz.file.topic not in topics:
        yield FieldError(f"{where}: topic", "unknown_topic", quiz.file.topic)
    names = [question.id for question in quiz.file.questions]
    for index, name in enumerate(names):
        if name not in bank:
            yield FieldError(f"{where}: questions.{index}", "unknown_question", name)
        elif name in names[:index]:
            yield FieldError(f"{where}: questions.{index}", "duplicate", f"{name} is there twice.")
    if quiz.file.question_count is not None and quiz.file.question_count > len(names):
        yield FieldError(
            f"{where}: question_count", "too_many", f"The quiz has {len(names)} questions."
        )


def _quiz_slugs(content: CourseContent) -> Iterator[FieldError]:
    """A quiz is known by its slug in the whole course, so that it can be moved."""
    places: dict[str, str] = {}
    found = [(each.slug, quiz) for each in content.modules for quiz in each.quizzes]
    for module, quiz in [*found, *((None, quiz) for quiz in content.quizzes)]:
        path = quiz_path(module, quiz.slug)
        if quiz.slug in places:
            yield FieldError(path, "duplicate", f"{places[quiz.slug]} has the slug too.")
        places.setdefault(quiz.slug, path)
