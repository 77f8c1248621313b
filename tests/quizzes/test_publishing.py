"""What is wrong with a question for a quiz: pure."""

from __future__ import annotations

import pytest

from studypack.questions.answers import QuestionContent, QuestionType
from studypack.questions.models import QuestionStatus
from studypack.quizzes.publishing import has_key, question_problem
from tests.support import quizzes

KEYLESS = {
    QuestionType.SINGLE_BEST: {"is_correct": False},
    QuestionType.MULTI_SELECT: {"is_correct": None},
    QuestionType.CLINICAL_SIM: {"points": 0},
}


def without_key(kind: QuestionType) -> QuestionContent:
    sound = quizzes.content(kind)
    match kind:
        case QuestionType.HOT_SPOT:
            return sound.model_copy(update={"regions": ()})
        case QuestionType.ORDERING:
            return sound.model_copy(update={"options": sound.options[:1]})
        case _:
            options = tuple(each.model_copy(update=KEYLESS[kind]) for each in sound.options)
            return sound.model_copy(update={"options": options})


@pytest.mark.parametrize("kind", list(QuestionType))
def test_a_question_of_any_type_needs_an_answer_that_is_right(kind: QuestionType) -> None:
    assert has_key(quizzes.content(kind))
    assert not has_key(without_key(kind))

    document = without_key(kind).model_dump(mode="json")
    found = question_problem(QuestionStatus.ACTIVE, document, deleted=False)
    assert found is not None
    assert found[0] == "no_correct_option"


@pytest.mark.parametrize("kind", list(QuestionType))
def test_a_sound_active_question_is_none(kind: QuestionType) -> None:
    document = quizzes.content(kind).model_dump(mode="json")

    assert question_problem(QuestionStatus.ACTIVE, document, deleted=False) is None


@pytest.mark.parametrize(
    ("status", "deleted", "code"),
    [
        (QuestionStatus.DRAFT, False, "not_active"),
        (QuestionStatus.RETIRED, False, "not_active"),
        (QuestionStatus.ACTIVE, True, "deleted"),
    ],
)
def test_what_is_not_asked_any_more_is_named(
    status: QuestionStatus, deleted: bool, code: str
) -> None:
    document = quizzes.content().model_dump(mode="json")
    found = question_problem(status, document, deleted=deleted)

    assert found is not None
    assert found[0] == code


def test_a_question_with_another_fault_is_unsound() -> None:
    document = quizzes.content().model_copy(update={"rationale": " "}).model_dump(mode="json")
    found = question_problem(QuestionStatus.ACTIVE, document, deleted=False)

    assert found is not None
    assert found[0] == "unsound"
    assert question_problem(QuestionStatus.ACTIVE, None, deleted=False) is not None
