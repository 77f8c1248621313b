"""What must be there before learners may see a quiz.

What is published can always be taken back. A question that is retired later is left out of new
attempts; so a published quiz may run empty, and says so to whoever begins it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.core.errors import FieldError, Unprocessable
from studypack.questions.answers import QuestionContent, QuestionType, validate_content
from studypack.questions.models import Question, QuestionStatus, QuestionVersion
from studypack.quizzes.models import Quiz, QuizQuestion

NOT_READY: Final = "not_ready"
NOTHING_TO_PUBLISH: Final = "nothing_to_publish"


def problems(session: Session, quiz: Quiz) -> list[FieldError]:
    """Everything that keeps a quiz from learners, by field, `questions.<place>.question_id` for a
    question (from 0); one statement. Empty: it may be published.
    """
    rows = session.execute(
        select(
            Question.id,
            Question.source_id,
            Question.status,
            Question.deleted_at,
            QuestionVersion.content,
        )
        .select_from(QuizQuestion)
        .join(Question, Question.id == QuizQuestion.question_id)
        .outerjoin(
            QuestionVersion,
            (QuestionVersion.question_id == Question.id)
            & (QuestionVersion.version == Question.version),
        )
        .where(QuizQuestion.quiz_id == quiz.id)
        .order_by(QuizQuestion.position)
    ).all()
    if not rows:
        return [FieldError("questions", NOTHING_TO_PUBLISH, "The quiz has no questions.")]
    found = []
    for place, row in enumerate(rows):
        problem = question_problem(row.status, row.content, deleted=row.deleted_at is not None)
        if problem is not None:
            code, message = problem
            name = row.source_id or row.id
            found.append(FieldError(f"questions.{place}.question_id", code, f"{name}: {message}"))
    if quiz.question_count is not None and quiz.question_count > len(rows):
        message = f"{quiz.question_count} are to be drawn, but there are {len(rows)} questions."
        found.append(FieldError("question_count", "too_few_questions", message))
    return found


def check(session: Session, quiz: Quiz) -> None:
    """Raises Unprocessable (`nothing_to_publish`, `not_ready`) listing what keeps it from
    learners.
    """
    found = problems(session, quiz)
    if found:
        empty = found[0].code == NOTHING_TO_PUBLISH
        raise Unprocessable(
            "There is nothing to publish." if empty else "The quiz is not ready for learners.",
            code=NOTHING_TO_PUBLISH if empty else NOT_READY,
            errors=found,
        )


def question_problem(
    status: QuestionStatus, content: dict[str, object] | None, *, deleted: bool
) -> tuple[str, str] | None:
    """Code and sentence of what is wrong with a question of the bank for a quiz. Pure."""
    if deleted:
        return "deleted", "The question was deleted."
    if status is not QuestionStatus.ACTIVE:
        return "not_active", f"The question is {status.value}, not ACTIVE."
    if content is None:
        return "no_correct_option", "The question has no content."
    question = QuestionContent.model_validate(content)
    if not has_key(question):
        return "no_correct_option", "The question has no correct option."
    unsound = validate_content(question)
    if unsound:
        return "unsound", f"{unsound[0].field}: {unsound[0].message}"
    return None


def has_key(content: QuestionContent) -> bool:
    """Whether some answer earns full credit. Pure."""
    match content.type:
        case QuestionType.SINGLE_BEST | QuestionType.MULTI_SELECT:
            return any(option.is_correct for option in content.options)
        case QuestionType.ORDERING:
            return len(content.options) > 1
        case QuestionType.HOT_SPOT:
            return bool(content.regions)
        case QuestionType.CLINICAL_SIM:
            return any((option.points or 0) > 0 for option in content.options)
