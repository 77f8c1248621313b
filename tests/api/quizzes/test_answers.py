"""Saving answers one by one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from studypack.questions.answers import QuestionType
from tests.support import bank, quizzes
from tests.support.concurrency import at_once


@pytest.fixture
def attempt(learner: Any) -> dict[str, Any]:
    """One under way, with a question of each type and a time limit."""
    quiz = quizzes.a_quiz({"Loops": 5}, kinds=quizzes.ALL_TYPES, time_limit_minutes=10)
    return quizzes.begin(learner, quiz)


def of_type(attempt: dict[str, Any], kind: QuestionType) -> dict[str, Any]:
    [item] = [each for each in attempt["items"] if each["question"]["type"] == kind.value]
    return item


def stored(attempt: dict[str, Any]) -> int:
    number: int = bank.value(
        "SELECT count(*) FROM learning.quiz_answers WHERE attempt_id = :id", id=attempt["id"]
    )
    return number


@pytest.mark.parametrize("kind", list(QuestionType))
def test_an_answer_of_any_type_is_there_again(
    learner: Any, attempt: dict[str, Any], kind: QuestionType
) -> None:
    item = of_type(attempt, kind)
    response = quizzes.right(item)

    saved = quizzes.save(learner, attempt, item, response, time_spent_seconds=12)

    assert saved.status_code == 200
    assert (saved.json()["response"], saved.json()["replayed"]) == (response, False)
    assert saved.json()["server_now"]
    again = learner.get(f"/api/quiz-attempts/{attempt['id']}").json()
    answer = of_type(again, kind)["answer"]
    assert (answer["response"], answer["revision"], answer["time_spent_seconds"]) == (
        response,
        1,
        12,
    )


def test_the_same_revision_replays_and_a_lower_one_learns_of_the_newer(
    learner: Any, attempt: dict[str, Any]
) -> None:
    item = of_type(attempt, QuestionType.SINGLE_BEST)
    right, wrong = quizzes.right(item), quizzes.wrong(item)
    quizzes.save(learner, attempt, item, right, revision=2)

    replayed = quizzes.save(learner, attempt, item, right, revision=2)
    assert (replayed.status_code, replayed.json()["replayed"]) == (200, True)
    for revision, response in ((1, right), (2, wrong)):
        refused = quizzes.save(learner, attempt, item, response, revision=revision)
        assert (refused.status_code, refused.json()["code"]) == (409, "stale_revision")
        assert refused.json()["answer"] == {
            "response": right,
            "revision": 2,
            "time_spent_seconds": 0,
        }
    newer = quizzes.save(learner, attempt, item, wrong, revision=3)
    assert newer.json()["response"] == wrong


@pytest.mark.parametrize("kind", [QuestionType.MULTI_SELECT, QuestionType.CLINICAL_SIM])
def test_a_selection_of_nothing_takes_the_answer_back(
    learner: Any, attempt: dict[str, Any], kind: QuestionType
) -> None:
    item = of_type(attempt, kind)
    quizzes.save(learner, attempt, item, quizzes.right(item))
    nothing = {"type": kind.value, "option_ids": []}

    cleared = quizzes.save(learner, attempt, item, nothing, revision=2)

    assert (cleared.status_code, cleared.json()["response"]) == (200, None)
    assert quizzes.save(learner, attempt, item, None, revision=2).json()["replayed"] is True


def test_time_spent_only_grows(learner: Any, attempt: dict[str, Any]) -> None:
    item = attempt["items"][0]
    quizzes.save(learner, attempt, item, None, time_spent_seconds=50)

    saved = quizzes.save(learner, attempt, item, None, revision=2, time_spent_seconds=20)

    assert saved.json()["time_spent_seconds"] == 50


def test_an_answer_that_does_not_fit_its_question_names_the_field(
    learner: Any, attempt: dict[str, Any]
) -> None:
    single = of_type(attempt, QuestionType.SINGLE_BEST)
    multi = of_type(attempt, QuestionType.MULTI_SELECT)
    cases = [
        (single, quizzes.right(multi), "response.type"),
        (single, {"type": "SINGLE_BEST", "option_id": str(uuid4())}, "response.option_id"),
        (multi, {"type": "MULTI_SELECT", "option_ids": [str(uuid4())]}, "response.option_ids"),
        (
            of_type(attempt, QuestionType.HOT_SPOT),
            {"type": "HOT_SPOT", "x": 1000, "y": 1},
            "response.x",
        ),
    ]
    for item, response, field in cases:
        refused = quizzes.save(learner, attempt, item, response)
        assert refused.status_code == 422
        assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert stored(attempt) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"response": None}, "revision"),
        ({"revision": 1}, "response"),
        ({"response": None, "revision": 0}, "revision"),
        ({"response": None, "revision": 1, "time_spent_seconds": -1}, "time_spent_seconds"),
        ({"response": None, "revision": 1, "points": 3}, "points"),
        ({"response": {"type": "ESSAY"}, "revision": 1}, "response"),
    ],
)
def test_a_malformed_body_names_its_field(
    learner: Any, attempt: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    path = f"/api/quiz-attempts/{attempt['id']}/answers/{attempt['items'][0]['question_id']}"
    refused = learner.put(path, json=body)

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"].startswith(field)


def test_a_question_that_the_attempt_does_not_ask_is_not_there(
    learner: Any, attempt: dict[str, Any]
) -> None:
    for unknown in (str(uuid4()), str(bank.value("SELECT min(id::text) FROM learning.questions"))):
        refused = quizzes.save(learner, attempt, {"question_id": unknown}, None)
        assert (refused.status_code, refused.json()["code"]) == (404, "question_not_in_attempt")


def test_after_the_deadline_nothing_is_saved(learner: Any, attempt: dict[str, Any]) -> None:
    item = of_type(attempt, QuestionType.SINGLE_BEST)
    quizzes.save(learner, attempt, item, quizzes.wrong(item))
    quizzes.move_clock(attempt, 601)

    refused = quizzes.save(learner, attempt, item, quizzes.right(item), revision=2)

    assert (refused.status_code, refused.json()["code"]) == (409, "deadline_passed")
    assert refused.json()["deadline_at"] < refused.json()["server_now"]
    shown = learner.get(f"/api/quiz-attempts/{attempt['id']}").json()
    assert (shown["remaining_seconds"], shown["status"]) == (0, "IN_PROGRESS")
    assert of_type(shown, QuestionType.SINGLE_BEST)["answer"]["revision"] == 1


def test_a_submitted_attempt_takes_no_answers(learner: Any, attempt: dict[str, Any]) -> None:
    quizzes.submit(learner, attempt)

    refused = quizzes.save(learner, attempt, attempt["items"][0], None)

    assert (refused.status_code, refused.json()["code"]) == (409, "attempt_finished")


@pytest.mark.usefixtures("wide_pool")
def test_of_answers_at_once_the_newest_revision_stays(
    learner: Any, attempt: dict[str, Any]
) -> None:
    item = of_type(attempt, QuestionType.SINGLE_BEST)
    responses = [quizzes.right(item), quizzes.wrong(item)]

    answers = at_once(
        *(
            lambda revision=revision: quizzes.save(
                learner, attempt, item, responses[revision % 2], revision=revision
            )
            for revision in range(1, 13)
        )
    )

    assert {answer.status_code for answer in answers} <= {200, 409}
    kept = bank.row("SELECT revision, response FROM learning.quiz_answers")
    assert (kept.revision, kept.response) == (12, responses[0])


def test_saving_an_answer_takes_two_statements(
    learner: Any, attempt: dict[str, Any], statements: Any
) -> None:
    item = of_type(attempt, QuestionType.SINGLE_BEST)
    response = quizzes.right(item)
    for revision in (1, 2):
        statements()
        quizzes.save(learner, attempt, item, response, revision=revision)
        assert len(statements()) == 3  # who calls; lock and read; store
