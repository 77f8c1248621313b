"""How authors make quizzes: create, change, choose questions, publish, delete."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, select, text
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.errors import Conflict, FieldError, NotFound, Unprocessable
from studypack.core.paging import PageParams
from studypack.courses import items
from studypack.courses.authoring.editing import lock_course
from studypack.courses.authoring.slugs import free_slug, slug_of
from studypack.courses.models import Course, ItemKind, Module, ModuleItem, Topic
from studypack.questions.answers import QuestionType
from studypack.questions.models import Question, QuestionStatus
from studypack.quizzes import publishing
from studypack.quizzes.models import Quiz, QuizQuestion

MOST_QUESTIONS: Final = 200
"""Of a quiz: an attempt is one page."""


@dataclass(frozen=True)
class ChosenQuestion:
    """A question of a quiz and what it is worth."""

    question_id: UUID
    points: int = 1


@dataclass(frozen=True)
class QuestionRow:
    """A question of a quiz as its author sees it."""

    question_id: UUID
    points: int
    source_id: str | None
    type: QuestionType
    stem: str
    topic: str
    status: QuestionStatus
    is_deleted: bool


@dataclass(frozen=True)
class QuizRecord:
    """A quiz as authors see it."""

    quiz: Quiz
    course_slug: str
    position: int
    """In its module, behind the lessons; 0 without a module."""
    number_of_questions: int


_STORE_QUESTIONS: Final = text(
    """
    INSERT INTO learning.quiz_questions (quiz_id, question_id, position, points)
    SELECT :quiz_id, c.question_id, c.position, c.points
      FROM jsonb_to_recordset(CAST(:chosen AS jsonb))
           AS c (question_id uuid, position int, points int)
    """
)


def list_all(
    session: Session,
    page: PageParams,
    *,
    course_id: UUID | None = None,
    module_id: UUID | None = None,
    topic_id: UUID | None = None,
) -> Sequence[QuizRecord]:
    """Quizzes, unpublished ones too, newest first, one more than the page shows; one statement."""
    query = _records().order_by(Quiz.id.desc()).limit(page.limit + 1)
    for column, wanted in (
        (Quiz.course_id, course_id),
        (Quiz.module_id, module_id),
        (Quiz.topic_id, topic_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if page.after is not None:
        query = query.where(Quiz.id < page.after)
    return [_record(row) for row in session.execute(query)]


def get(session: Session, quiz_id: UUID) -> tuple[QuizRecord, Sequence[QuestionRow]]:
    """A quiz with its questions in order; two statements. Raises NotFound (`quiz_not_found`)."""
    row = session.execute(_records().where(Quiz.id == quiz_id)).one_or_none()
    if row is None:
        raise _not_found()
    return _record(row), _question_rows(session, quiz_id)


def create(
    session: Session, course_id: UUID, values: Mapping[str, Any], *, by: UUID | None
) -> UUID:
    """Make an unpublished quiz of a course. `values`: columns; without a slug it is made of the
    title; `position` in its module, else behind the others.

    Raises NotFound (`course_not_found`), Unprocessable (`module_id`, `topic_id`), Conflict
    (`slug_taken`).
    """
    lock_course(session, course_id)
    given = dict(values)
    position = given.pop("position", None)
    taken = _slugs(session, course_id)
    if given.get("slug") is None:
        given["slug"] = free_slug(slug_of(given["title"], otherwise="quiz"), taken)
    elif given["slug"] in taken:
        raise _slug_taken()
    _check_place(session, course_id, given.get("module_id"), given.get("topic_id"))
    quiz = Quiz(course_id=course_id, **given)
    session.add(quiz)
    session.flush()
    session.refresh(quiz)
    _state_item(session, quiz, position)
    _note(session, "quiz.created", quiz, by)
    session.flush()
    return quiz.id


def change(
    session: Session,
    quiz_id: UUID,
    changes: Mapping[str, Any],
    *,
    seen_at: datetime,
    by: UUID,
) -> None:
    """Change columns of a quiz, or its `position` in the module. Attempts under way keep the rules
    that they began with.

    `seen_at`: the `updated_at` of the state that the author looked at. Raises NotFound
    (`quiz_not_found`), Conflict (`changed_meanwhile` with the newer `updated_at`, `slug_taken`),
    Unprocessable naming the field, also when a published quiz would no longer be ready.
    """
    quiz = _lock(session, quiz_id, seen_at)
    given = dict(changes)
    position = given.pop("position", None)
    if given.get("slug", quiz.slug) in _slugs(session, quiz.course_id) - {quiz.slug}:
        raise _slug_taken()
    changed = sorted(name for name, new in given.items() if getattr(quiz, name) != new)
    if {"module_id", "topic_id"} & set(changed):
        place = given.get("module_id", quiz.module_id), given.get("topic_id", quiz.topic_id)
        _check_place(session, quiz.course_id, *place)
    for name in changed:
        setattr(quiz, name, given[name])
    if quiz.published:
        publishing.check(session, quiz)
    moved = "module_id" in changed
    if changed or position is not None:
        _touch(session, quiz)
        _state_item(session, quiz, position, moved=moved)
        noted = [*changed, *(["position"] if position is not None else [])]
        _note(session, "quiz.changed", quiz, by, changed=noted)
    session.flush()


def choose_questions(
    session: Session,
    quiz_id: UUID,
    chosen: Sequence[ChosenQuestion],
    *,
    seen_at: datetime,
    by: UUID | None,
) -> None:
    """State the quiz's questions, in this order; attempts under way keep theirs.

    Raises NotFound (`quiz_not_found`), Conflict (`changed_meanwhile`), Unprocessable naming
    `questions.<place>.question_id`: twice, unknown, deleted, of another course; or when a
    published quiz would no longer be ready.
    """
    quiz = _lock(session, quiz_id, seen_at)
    _check_questions(session, quiz, chosen)
    before = session.execute(
        select(QuizQuestion.question_id, QuizQuestion.points)
        .where(QuizQuestion.quiz_id == quiz_id)
        .order_by(QuizQuestion.position)
    ).all()
    if [(row.question_id, row.points) for row in before] == [
        (each.question_id, each.points) for each in chosen
    ]:
        return
    session.execute(delete(QuizQuestion).where(QuizQuestion.quiz_id == quiz_id))
    session.execute(
        _STORE_QUESTIONS,
        {
            "quiz_id": quiz_id,
            "chosen": json.dumps(
                [
                    {
                        "question_id": str(each.question_id),
                        "position": place,
                        "points": each.points,
                    }
                    for place, each in enumerate(chosen)
                ]
            ),
        },
    )
    if quiz.published:
        publishing.check(session, quiz)
    _touch(session, quiz)
    _note(session, "quiz.questions_chosen", quiz, by, number=len(chosen))
    session.flush()


def publish(session: Session, quiz_id: UUID, *, by: UUID | None) -> None:
    """Show a quiz to learners, if its module and course are shown; again changes nothing.

    Raises NotFound (`quiz_not_found`), Unprocessable (`nothing_to_publish`, `not_ready`) listing
    what is missing.
    """
    quiz = _lock(session, quiz_id)
    if not quiz.published:
        publishing.check(session, quiz)
    _switch(session, quiz, published=True, by=by)


def unpublish(session: Session, quiz_id: UUID, *, by: UUID | None) -> None:
    """Take a quiz from learners; attempts under way can be finished. Raises NotFound."""
    _switch(session, _lock(session, quiz_id), published=False, by=by)


def remove(session: Session, quiz_id: UUID, *, by: UUID) -> None:
    """Delete a quiz for learners and authors; attempts stay, those under way can be finished.

    Raises NotFound (`quiz_not_found`).
    """
    quiz = _lock(session, quiz_id)
    _touch(session, quiz)
    quiz.deleted_at, quiz.published = quiz.updated_at, False
    items.remove(session, quiz.id)
    _note(session, "quiz.deleted", quiz, by)
    session.flush()


def _records() -> Select[Any]:
    number = (
        select(func.count())
        .where(QuizQuestion.quiz_id == Quiz.id)
        .correlate(Quiz)
        .scalar_subquery()
    )
    return (
        select(
            Quiz,
            Course.slug.label("course_slug"),
            func.coalesce(ModuleItem.position, 0).label("position"),
            number.label("number_of_questions"),
        )
        .join(Course, Course.id == Quiz.course_id)
        .outerjoin(ModuleItem, ModuleItem.item_id == Quiz.id)
        .where(Quiz.deleted_at.is_(None), Course.deleted_at.is_(None))
        .execution_options(populate_existing=True)
    )


def _record(row: Any) -> QuizRecord:
    return QuizRecord(row.Quiz, row.course_slug, row.position, row.number_of_questions)


def _question_rows(session: Session, quiz_id: UUID) -> list[QuestionRow]:
    rows = session.execute(
        select(
            QuizQuestion.question_id,
            QuizQuestion.points,
            Question.source_id,
            Question.type,
            Question.stem,
            Topic.slug.label("topic"),
            Question.status,
            Question.deleted_at.is_not(None).label("is_deleted"),
        )
        .join(Question, Question.id == QuizQuestion.question_id)
        .join(Topic, Topic.id == Question.topic_id)
        .where(QuizQuestion.quiz_id == quiz_id)
        .order_by(QuizQuestion.position)
    )
    return [QuestionRow(**row._asdict()) for row in rows]


def _lock(session: Session, quiz_id: UUID, seen_at: datetime | None = None) -> Quiz:
    """The quiz, locked after its course, as everything that authors change."""
    course_id = session.scalar(select(Quiz.course_id).where(Quiz.id == quiz_id))
    if course_id is None:
        raise _not_found()
    lock_course(session, course_id)
    quiz = session.scalars(
        select(Quiz)
        .where(Quiz.id == quiz_id, Quiz.deleted_at.is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if quiz is None:
        raise _not_found()
    if seen_at is not None and quiz.updated_at != seen_at:
        raise Conflict(
            "Somebody changed this quiz since; look at it again.",
            code="changed_meanwhile",
            updated_at=quiz.updated_at,
        )
    return quiz


def _slugs(session: Session, course_id: UUID) -> set[str]:
    return set(
        session.scalars(
            select(Quiz.slug).where(Quiz.course_id == course_id, Quiz.deleted_at.is_(None))
        )
    )


def _check_place(
    session: Session, course_id: UUID, module_id: UUID | None, topic_id: UUID | None
) -> None:
    """A module and a topic of the quiz's own course, at least one of them."""
    errors = []
    if module_id is None and topic_id is None:
        message = "A quiz belongs to a module or to a topic."
        errors.append(FieldError("module_id", "missing", message))
    known_module = exists().where(
        Module.id == module_id, Module.course_id == course_id, Module.deleted_at.is_(None)
    )
    if module_id is not None and not session.scalar(select(known_module)):
        errors.append(FieldError("module_id", "unknown", "The course has no such module."))
    known_topic = exists().where(Topic.id == topic_id, Topic.course_id == course_id)
    if topic_id is not None and not session.scalar(select(known_topic)):
        errors.append(FieldError("topic_id", "unknown", "The course has no such topic."))
    if errors:
        raise Unprocessable("The quiz cannot be put there.", errors=errors)


def _check_questions(session: Session, quiz: Quiz, chosen: Sequence[ChosenQuestion]) -> None:
    if len(chosen) > MOST_QUESTIONS:
        raise Unprocessable.field(
            "questions", f"A quiz has at most {MOST_QUESTIONS} questions.", code="too_many"
        )
    wanted = [each.question_id for each in chosen]
    known = set(
        session.scalars(
            select(Question.id)
            .join(Topic, Topic.id == Question.topic_id)
            .where(
                Question.id.in_(wanted),
                Question.deleted_at.is_(None),
                Topic.course_id == quiz.course_id,
            )
        )
    )
    errors = []
    for place, question_id in enumerate(wanted):
        field = f"questions.{place}.question_id"
        if question_id not in known:
            errors.append(FieldError(field, "unknown", "The course has no such question."))
        elif question_id in wanted[:place]:
            errors.append(FieldError(field, "duplicate", "The question is there already."))
    if errors:
        raise Unprocessable("These questions cannot be in the quiz.", errors=errors)


def _state_item(
    session: Session, quiz: Quiz, position: int | None = None, *, moved: bool = False
) -> None:
    """Keep the quiz's row among what counts in its module."""
    if quiz.module_id is None:
        items.remove(session, quiz.id)
        return
    if position is None and not moved:
        position = session.scalar(select(ModuleItem.position).where(ModuleItem.item_id == quiz.id))
    if position is None:
        last = session.scalar(
            select(func.max(ModuleItem.position)).where(
                ModuleItem.module_id == quiz.module_id, ModuleItem.item_id != quiz.id
            )
        )
        position = 0 if last is None else last + 1
    items.put(
        session,
        quiz.id,
        module_id=quiz.module_id,
        kind=ItemKind.QUIZ,
        title=quiz.title,
        position=position,
        published=quiz.published,
    )


def _switch(session: Session, quiz: Quiz, *, published: bool, by: UUID | None) -> None:
    if quiz.published is published:
        return
    quiz.published = published
    _touch(session, quiz)
    session.flush()
    _state_item(session, quiz)
    _note(session, "quiz.published" if published else "quiz.unpublished", quiz, by)
    session.flush()


def _touch(session: Session, quiz: Quiz) -> None:
    """By the clock of the moment: its transaction may have begun before another's that changed it
    first.
    """
    quiz.updated_at = session.execute(select(func.clock_timestamp())).scalar_one()


def _note(session: Session, act: str, quiz: Quiz, by: UUID | None, **details: Any) -> None:
    """An author's act; not what nobody in particular did (a seed)."""
    if by is not None:
        audit.record(session, act, actor_id=by, subject_id=quiz.id, slug=quiz.slug, **details)


def _not_found() -> NotFound:
    return NotFound("There is no such quiz.", code="quiz_not_found")


def _slug_taken() -> Conflict:
    message = "Another quiz of the course has this slug."
    return Conflict(message, code="slug_taken", errors=[FieldError("slug", "slug_taken", message)])
