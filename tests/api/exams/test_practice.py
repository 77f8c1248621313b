from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support import bank, exams
from tests.support.concurrency import meeting_at
from tests.support.devices import another_device
from tests.support.sitting import of_type


@pytest.fixture
def drill(learner: Any) -> dict[str, Any]:
    """A practice session under way."""
    return exams.start(learner, "python-drill")


def read(person: Any, session: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = person.get(f"/api/exams/sessions/{session['id']}").json()["items"]
    return items


def test_the_solution_comes_with_the_answer_and_for_that_item_alone(
    learner: Any, drill: dict[str, Any]
) -> None:
    first, *others = drill["items"]
    content = exams.content_of(first["question_id"])
    saved = exams.save(learner, drill, first, exams.any_answer(first)).json()
    assert saved["solution"]["rationale"] == content.rationale
    assert saved["solution"]["position"] == first["question"]["position"]
    there, *elsewhere = read(another_device(learner), drill)
    assert there["solution"] == saved["solution"]
    assert [item["solution"] for item in elsewhere] == [None] * len(others)


def test_a_flag_alone_shows_no_solution(learner: Any, drill: dict[str, Any]) -> None:
    saved = exams.save(learner, drill, drill["items"][0], None, flagged=True).json()
    assert saved["solution"] is None
    assert read(learner, drill)[0]["solution"] is None


def two_answers(
    drill: dict[str, Any],
) -> tuple[int, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """An item by its place, and two answers to it that differ."""
    place, item = next(
        (place, each)
        for place, each in enumerate(drill["items"])
        if each["question"]["type"] == "SINGLE_BEST"
    )
    first, second = (
        {"type": "SINGLE_BEST", "option_id": option["id"]}
        for option in item["question"]["options"][:2]
    )
    return place, item, first, second


@pytest.mark.parametrize("clear", [True, False])
def test_an_answer_whose_solution_was_shown_is_final(
    learner: Any, drill: dict[str, Any], clear: bool
) -> None:
    place, item, answer, other = two_answers(drill)
    exams.save(learner, drill, item, answer)
    refused = exams.save(learner, drill, item, None if clear else other, revision=2)
    assert (refused.status_code, refused.json()["code"]) == (409, "answer_final")
    response = read(learner, drill)[place]["response"]
    assert (response["revision"], response["answer"]) == (1, answer)


SAVED = (
    "SELECT answered_at, reviewed_at, credit, is_correct FROM learning.exam_responses"
    " WHERE session_id = :id"
)


def test_flag_and_time_of_a_final_answer_can_be_changed_and_nothing_else(
    learner: Any, drill: dict[str, Any]
) -> None:
    item = drill["items"][0]
    answer = exams.any_answer(item)
    first = exams.save(learner, drill, item, answer).json()
    before = bank.row(SAVED, id=drill["id"])
    flagged = exams.save(
        learner, drill, item, answer, revision=2, flagged=True, time_spent_seconds=30
    )
    assert flagged.status_code == 200, flagged.text
    assert flagged.json()["solution"] == first["solution"]
    assert read(learner, drill)[0]["response"] == {
        "question_id": item["question_id"],
        "revision": 2,
        "answer": answer,
        "flagged": True,
        "time_spent_seconds": 30,
    }
    assert bank.row(SAVED, id=drill["id"]) == before


def test_a_selection_of_nothing_shows_no_solution(learner: Any) -> None:
    slug = bank.offer_everything(is_practice=True)
    session = exams.start(learner, slug)
    for kind in ("MULTI_SELECT", "CLINICAL_SIM"):
        item = of_type(session, kind)
        saved = exams.save(learner, session, item, {"type": kind, "option_ids": []}).json()
        assert (saved["answer"], saved["solution"]) == (None, None)


def test_a_final_answer_sent_again_is_replayed_with_its_solution(
    learner: Any, drill: dict[str, Any]
) -> None:
    item = drill["items"][0]
    first = exams.save(learner, drill, item, exams.any_answer(item)).json()
    again = exams.save(learner, drill, item, exams.any_answer(item)).json()
    assert (again["replayed"], again["solution"]) == (True, first["solution"])


@pytest.mark.usefixtures("wide_pool")
def test_an_answer_that_meets_one_made_final_does_not_replace_it(
    learner: Any, drill: dict[str, Any]
) -> None:
    place, item, answer, other = two_answers(drill)
    (refused,) = meeting_at(
        "INSERT INTO learning.exam_responses (id, session_id, question_id, answer, revision,"
        " credit, is_correct, reviewed_at)"
        " VALUES (gen_random_uuid(), :session, :question, CAST(:answer AS jsonb), 1, 0, false,"
        " now())",
        [lambda: exams.save(learner, drill, item, other, revision=2)],
        session=drill["id"],
        question=item["question_id"],
        answer=json.dumps(answer),
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "answer_final")
    assert read(learner, drill)[place]["response"]["revision"] == 1


def test_a_practice_session_is_graded_like_any_other(learner: Any, drill: dict[str, Any]) -> None:
    exams.answer_all(learner, drill, right=True)
    result = exams.finalize(learner, drill)
    assert (result["is_practice"], result["score_percent"]) == (True, "100.00")
    assert bank.value("SELECT count(*) FROM activity.xp_logs") == 1


def test_an_exam_that_is_no_practice_shows_no_solution_to_an_answer(learner: Any) -> None:
    session = exams.start(learner)
    item = session["items"][0]
    assert exams.save(learner, session, item, exams.any_answer(item)).json()["solution"] is None
    assert {entry["solution"] for entry in read(learner, session)} == {None}
    assert bank.value("SELECT count(*) FROM learning.exam_responses WHERE credit >= 0") == 0
