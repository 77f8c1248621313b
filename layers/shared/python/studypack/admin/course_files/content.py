"""A course folder as a whole, checked: what is imported, exported and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from studypack.admin.course_files.lesson_types import LessonFile, ModuleFile, QuizFile
from studypack.admin.course_files.types import CourseFile, ExamFile, QuestionFile, topic_slugs


@dataclass(frozen=True)
class LessonContent:
    """A lesson, with its content as `courses.content.prepare` leaves it."""

    slug: str
    file: LessonFile
    content: dict[str, Any] | None
    content_markdown: str | None
    body_text: str


@dataclass(frozen=True)
class QuizContent:
    """A quiz."""

    slug: str
    file: QuizFile


@dataclass(frozen=True)
class ModuleContent:
    """A module with all in its folder; lessons and quizzes in their order."""

    slug: str
    file: ModuleFile
    lessons: tuple[LessonContent, ...]
    quizzes: tuple[QuizContent, ...]
    assets: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class CourseContent:
    """All of a course folder."""

    course: CourseFile
    modules: tuple[ModuleContent, ...]
    quizzes: tuple[QuizContent, ...]
    """Those on a topic alone, by slug."""
    questions: tuple[QuestionFile, ...]
    exams: tuple[ExamFile, ...]
    media: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def published(self) -> bool:
        """Whether the course is to be in the catalogue."""
        if self.course.published is None:
            return any(module.file.published for module in self.modules)
        return self.course.published

    def topic_slugs(self) -> Iterator[str]:
        """Every topic."""
        return topic_slugs(self.course.topics)

    def every_quiz(self) -> Iterator[QuizContent]:
        """Those of modules, too."""
        for module in self.modules:
            yield from module.quizzes
        yield from self.quizzes

    def every_lesson(self) -> Iterator[tuple[ModuleContent, LessonContent]]:
        """With the modules that they are in."""
        for module in self.modules:
            for lesson in module.lessons:
                yield module, lesson


def lesson_path(module: str, lesson: LessonContent) -> str:
    """The file that a lesson is in."""
    suffix = "md" if lesson.content is None else "json"
    return f"modules/{module}/{lesson.slug}.{suffix}"


def quiz_path(module: str | None, slug: str) -> str:
    """The file that a quiz is in."""
    folder = "quizzes" if module is None else f"modules/{module}"
    return f"{folder}/{slug}.quiz.yaml"
