"""A course's rows in the database, all at once: what an import compares with and an export
writes down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.core.database import Base
from studypack.courses.models import (
    Asset,
    AssetStatus,
    Course,
    Lesson,
    Module,
    ModuleItem,
    Topic,
)
from studypack.exams.models import ExamTemplate
from studypack.quizzes.models import Quiz, QuizQuestion

R = TypeVar("R", bound=Base)


@dataclass
class CourseRows:
    """Rows by what files know them by; those that are deleted too, unless a later one has the
    name.
    """

    course: Course
    topics: dict[str, Topic] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    lessons: dict[tuple[UUID, str], Lesson] = field(default_factory=dict)
    """By module and slug."""
    quizzes: dict[str, Quiz] = field(default_factory=dict)
    quiz_questions: dict[UUID, list[QuizQuestion]] = field(default_factory=dict)
    """By quiz, in their order."""
    quiz_places: dict[UUID, int] = field(default_factory=dict)
    """The places of quizzes in their modules."""
    assets: dict[UUID, list[Asset]] = field(default_factory=dict)
    """By lesson, in their order; those whose files are there."""
    exams: dict[str, ExamTemplate] = field(default_factory=dict)


def find_course(session: Session, slug: str) -> Course | None:
    """The course of this slug."""
    return session.scalars(
        select(Course).where(Course.slug == slug, Course.deleted_at.is_(None))
    ).one_or_none()


def load_rows(session: Session, course: Course) -> CourseRows:
    """Everything of a course but its questions; eight statements."""
    rows = CourseRows(course)
    of_course = course.id
    rows.topics = {
        each.slug: each
        for each in _all(
            session, Topic, Topic.course_id == of_course, order=(Topic.position, Topic.id)
        )
    }
    rows.modules = _newest(_all(session, Module, Module.course_id == of_course))
    modules = [each.id for each in rows.modules.values()]
    for lesson in _living_last(_all(session, Lesson, Lesson.module_id.in_(modules))):
        rows.lessons[lesson.module_id, lesson.slug] = lesson
    rows.quizzes = _newest(_all(session, Quiz, Quiz.course_id == of_course))
    quizzes = [each.id for each in rows.quizzes.values()]
    for chosen in _all(
        session, QuizQuestion, QuizQuestion.quiz_id.in_(quizzes), order=(QuizQuestion.position,)
    ):
        rows.quiz_questions.setdefault(chosen.quiz_id, []).append(chosen)
    rows.quiz_places = {
        item.item_id: item.position
        for item in _all(session, ModuleItem, ModuleItem.item_id.in_(quizzes))
    }
    lessons = [each.id for each in rows.lessons.values()]
    for asset in _all(
        session,
        Asset,
        Asset.lesson_id.in_(lessons),
        Asset.status == AssetStatus.READY,
        order=(Asset.position, Asset.id),
    ):
        rows.assets.setdefault(asset.lesson_id, []).append(asset)
    rows.exams = _newest(_all(session, ExamTemplate, ExamTemplate.course_id == of_course))
    return rows


def _all(session: Session, model: type[R], *where: Any, order: Sequence[Any] = ()) -> Sequence[R]:
    query = select(model).where(*where).order_by(*order)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def _living_last(rows: Iterable[Any]) -> list[Any]:
    return sorted(
        rows, key=lambda row: (row.deleted_at is None, row.deleted_at or row.created_at, row.id)
    )


def _newest(rows: Iterable[Any]) -> dict[str, Any]:
    return {row.slug: row for row in _living_last(rows)}
