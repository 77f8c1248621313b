"""A start that is repeated under its Idempotency-Key: the same session, as it is by then."""

from __future__ import annotations

from typing import Any

from tests.support import bank, exams

KEY = {"Idempotency-Key": "8d1f"}


def start(person: Any) -> Any:
    return person.post("/api/exams/sessions", json={"template": "ot-diagnostic"}, headers=KEY)


def test_it_tells_the_clock_and_the_answers_of_now(learner: Any) -> None:
    session = start(learner).json()
    exams.save(learner, session, session["items"][0], exams.any_answer(session["items"][0]))
    exams.move_clock(session["id"], 300)
    again = start(learner)
    assert (again.status_code, again.json()["id"]) == (201, session["id"])
    assert again.json()["clock"]["remaining_seconds"] in range(590, 601)
    assert again.json()["items"][0]["response"]["revision"] == 1


def test_it_hides_the_questions_of_a_paused_exam(learner: Any) -> None:
    session = start(learner).json()
    learner.patch(f"/api/exams/sessions/{session['id']}", json={"action": "pause"})
    again = start(learner).json()
    assert (again["clock"]["paused"], again["items"]) == (True, [])


def test_it_tells_of_a_submission(learner: Any) -> None:
    exams.finalize(learner, start(learner).json())
    assert start(learner).json()["status"] == "REVIEW"
    assert bank.value("SELECT count(*) FROM learning.exam_sessions") == 1


def test_what_an_earlier_release_stored_is_understood(learner: Any) -> None:
    session = start(learner).json()
    bank.execute(
        "UPDATE auth.idempotency_keys SET answer = jsonb_build_object('id', CAST(:id AS text),"
        " 'status', 'IN_PROGRESS')",
        id=session["id"],
    )
    assert start(learner).json()["items"] == session["items"]


def test_a_session_that_is_gone_is_a_conflict(learner: Any) -> None:
    start(learner)
    bank.execute("DELETE FROM learning.exam_sessions")
    answer = start(learner)
    assert (answer.status_code, answer.json()["code"]) == (409, "result_gone")


def test_it_costs_three_statements(learner: Any, statements: Any) -> None:
    start(learner)
    statements()
    start(learner)
    assert len(statements()) == 1 + 3, "the key, what it made, the session"
