"""What a client is told when the commit itself fails, and what a repetition then does."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.accounts import value
from tests.support.concurrency import fail_at_commit, meeting_at

START = {"template": "ot-diagnostic"}
SESSIONS = "/api/exams/sessions"
COUNT = "SELECT count(*) FROM learning.exam_sessions"


def test_an_exam_whose_commit_fails_is_a_500_and_the_key_is_free_for_the_next_try(
    learner: Any, session: Session
) -> None:
    fail_at_commit(session, "learning.exam_sessions")
    session.commit()
    key = {"Idempotency-Key": "k"}
    answer = learner.post(SESSIONS, json=START, headers=key)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "refused at commit" not in answer.text
    assert value(COUNT) == 0
    session.execute(text("DROP TRIGGER refuse_commit ON learning.exam_sessions"))
    session.commit()
    again = learner.post(SESSIONS, json=START, headers=key)
    assert again.status_code == 201
    assert value(COUNT) == 1


@pytest.mark.usefixtures("wide_pool")
def test_starting_an_exam_twice_at_once_with_one_key_starts_one(learner: Any) -> None:
    def start() -> Any:
        return learner.post(SESSIONS, json=START, headers={"Idempotency-Key": "k"})

    first, second = meeting_at("LOCK TABLE learning.exam_sessions IN SHARE MODE", [start, start])
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] == second.json()["id"]
    assert first.json()["items"] == second.json()["items"]
    assert value(COUNT) == 1


def test_a_key_that_comes_again_with_another_exam_names_the_header(learner: Any) -> None:
    key = {"Idempotency-Key": "k"}
    assert learner.post(SESSIONS, json=START, headers=key).status_code == 201
    other = learner.post(SESSIONS, json={"template": "ot-practice-exam"}, headers=key)
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert value(COUNT) == 1


def test_a_repetition_without_a_key_is_a_second_request(learner: Any) -> None:
    key = {"Idempotency-Key": "k"}
    first = learner.post(SESSIONS, json=START, headers=key).json()
    assert learner.post(SESSIONS, json=START, headers=key).json()["id"] == first["id"]
    second = learner.post(SESSIONS, json=START)
    assert (second.status_code, second.json()["code"]) == (409, "exam_already_running")
    assert second.json()["session_id"] == first["id"]
