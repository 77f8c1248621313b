"""The quizzes of a course's files as rows, and what they count for in their modules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.admin.course_files.content import CourseContent, QuizContent, quiz_path
from studypack.admin.course_files.report import Change, CourseReport, Kind
from studypack.admin.course_files.rows import CourseRows
from studypack.admin.course_files.setting import assign
from studypack.core.database import new_id
from studypack.courses import items
from studypack.courses.models import ItemKind
from studypack.questions.models import Question
from studypack.quizzes.models import Quiz, QuizQuestion


def write(
    session: Session,
    rows: CourseRows,
    content: CourseContent,
    report: CourseReport,
    *,
    now: datetime,
) -> None:
    """Make the course have the files' quizzes, in their order; attempts keep what they began
    with.
    """
    names = {question.id for quiz in content.every_quiz() for question in quiz.file.questions}
    bank: dict[str, UUID] = {
        str(row.source_id): row.id
        for row in session.execute(
            select(Question.source_id, Question.id).where(Question.source_id.in_(names))
        )
    }
    for module in content.modules:
        module_id = rows.modules[module.slug].id
        for position, quiz in enumerate(module.quizzes):
            path = quiz_path(module.slug, quiz.slug)
            row = _quiz(session, rows, quiz, module_id, bank, path, position, report)
            session.flush()
            items.put(
                session,
                row.id,
                module_id=module_id,
                kind=ItemKind.QUIZ,
                title=quiz.file.title,
                position=position,
                published=quiz.file.published,
            )
    for quiz in content.quizzes:
        path = quiz_path(None, quiz.slug)
        row = _quiz(session, rows, quiz, None, bank, path, 0, report)
        session.flush()
        items.remove(session, row.id)
    kept = {quiz.slug for quiz in content.every_quiz()}
    modules = {row.id: slug for slug, row in rows.modules.items()}
    for slug, row in rows.quizzes.items():
        if slug not in kept and row.deleted_at is None:
            row.deleted_at = now
            items.remove(session, row.id)
            folder = modules.get(row.module_id) if row.module_id else None
            report.note(Kind.QUIZ, quiz_path(folder, slug), Change.REMOVED)
    session.flush()


def _quiz(
    session: Session,
    rows: CourseRows,
    quiz: QuizContent,
    module_id: UUID | None,
    bank: Mapping[str, UUID],
    path: str,
    position: int,
    report: CourseReport,
) -> Quiz:
    found = rows.quizzes.get(quiz.slug)
    row = found or Quiz(id=new_id(), course_id=rows.course.id, slug=quiz.slug)
    if found is None:
        session.add(row)
        rows.quizzes[quiz.slug] = row
    came = found is None or found.deleted_at is not None
    file = quiz.file
    changed = assign(
        row,
        module_id=module_id,
        topic_id=rows.topics[file.topic].id if file.topic else None,
        deleted_at=None,
        **{
            name: getattr(file, name)
            for name in (
                "title",
                "description",
                "passing_score",
                "time_limit_minutes",
                "max_attempts",
                "attempt_policy",
                "question_count",
                "shuffle_questions",
                "shuffle_options",
                "negative_marking",
                "published",
            )
        },
    )
    moved = not came and rows.quiz_places.get(row.id, 0) != position
    session.flush()
    changed |= _choose(session, rows, row.id, quiz, bank)
    if came:
        report.note(Kind.QUIZ, path, Change.CREATED)
    else:
        report.note(Kind.QUIZ, path, Change.CHANGED if changed or moved else Change.UNCHANGED)
    return row


def _choose(
    session: Session,
    rows: CourseRows,
    quiz_id: UUID,
    quiz: QuizContent,
    bank: Mapping[str, UUID],
) -> bool:
    """Let the quiz have these questions in this order; whether it had others."""
    before = {chosen.question_id: chosen for chosen in rows.quiz_questions.get(quiz_id, [])}
    changed = False
    for position, question in enumerate(quiz.file.questions):
        question_id = bank[question.id]
        chosen = before.pop(question_id, None)
        if chosen is None:
            chosen = QuizQuestion(quiz_id=quiz_id, question_id=question_id)
            session.add(chosen)
        changed |= assign(chosen, position=position, points=question.points)
    for gone in before.values():
        session.delete(gone)
        changed = True
    return changed
