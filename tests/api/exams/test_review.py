from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from cron import score_exams
from studypack.courses.mastery import updated
from tests.support import bank, exams


def review(person: Any, session: dict[str, Any]) -> Any:
    return person.get(f"/api/exams/sessions/{session['id']}/review")


@pytest.fixture
def half_right(learner: Any) -> dict[str, Any]:
    """A submitted exam: the first six items right, three with any answer, three left out."""
    session = exams.start(learner)
    for place, item in enumerate(session["items"][:9]):
        answer = exams.any_answer(item)
        if place < 6:
            answer = exams.right_answer(exams.content_of(item["question_id"]))
        exams.save(learner, session, item, answer, flagged=place == 8, time_spent_seconds=place + 1)
    exams.finalize(learner, session)
    return session


def test_the_review_opens_with_the_submission(learner: Any) -> None:
    session = exams.start(learner)
    closed = review(learner, session)
    assert (closed.status_code, closed.json()["code"]) == (409, "exam_not_submitted")
    exams.finalize(learner, session)
    assert review(learner, session).status_code == 200


def test_the_review_shows_each_item_as_it_was_shown_with_key_and_rationale(
    learner: Any, half_right: dict[str, Any]
) -> None:
    reviewed = review(learner, half_right).json()["items"]
    for shown, item in zip(half_right["items"], reviewed, strict=True):
        assert item["question_id"] == shown["question_id"]
        content = exams.content_of(item["question_id"])
        question = item["question"]
        assert question["rationale"] == content.rationale
        assert question["key"] or question["regions"]
        for name in ("position", "type", "stem", "media", "select"):
            assert question[name] == shown["question"][name]
        for before, after in zip(shown["question"]["options"], question["options"], strict=True):
            assert {name: after[name] for name in before} == before
    assert [item["is_correct"] for item in reviewed[:6]] == [True] * 6
    assert [item["response"] for item in reviewed[9:]] == [None] * 3
    assert {item["credit"] for item in reviewed[9:]} == {"0"}


def test_the_breakdown_adds_up_to_the_whole(learner: Any, half_right: dict[str, Any]) -> None:
    document = review(learner, half_right).json()
    topics = document["topics"]
    assert sum(topic["items"] for topic in topics) == document["items_total"] == 12
    assert sum(topic["answered"] for topic in topics) == document["items_answered"] == 9
    assert sum(topic["seconds"] for topic in topics) == document["seconds"] == 45
    credit = sum(Decimal(topic["credit"]) for topic in topics)
    assert credit == Decimal(document["score_raw"])
    assert credit == sum(Decimal(item["credit"]) for item in document["items"])
    assert document["items_flagged"] == 1
    for topic in topics:
        own = [item for item in document["items"] if item["topic"] == topic["slug"]]
        assert sum(Decimal(item["credit"]) for item in own) == Decimal(topic["credit"])


def test_mastery_follows_from_the_answered_items_of_each_topic(
    learner: Any, half_right: dict[str, Any]
) -> None:
    document = review(learner, half_right).json()
    for topic in document["topics"]:
        if topic["answered"]:
            expected = updated(None, 0, float(topic["credit"]), topic["answered"])
            assert topic["mastery"] == pytest.approx(expected, abs=1e-5)
        else:
            assert topic["mastery"] is None


def test_a_scaled_review_waits_for_its_score_and_then_has_it_with_its_error(learner: Any) -> None:
    session = exams.start(learner, "ot-practice-exam")
    exams.answer_all(learner, session, right=True)
    exams.finalize(learner, session)
    waiting = review(learner, session).json()
    assert (waiting["status"], waiting["passed"]) == ("SUBMITTED", None)
    assert waiting["scaled"] == {
        "minimum": 300,
        "maximum": 600,
        "pass_score": 450,
        "score": None,
        "standard_error": None,
    }
    assert all(item["question"]["rationale"] for item in waiting["items"])
    score_exams.handler({}, exams.JobContext())
    scored = review(learner, session).json()
    assert (scored["status"], scored["passed"]) == ("REVIEW", True)
    assert 550 < scored["scaled"]["score"] <= 600
    error = bank.value("SELECT theta_error FROM learning.exam_sessions")
    assert scored["scaled"]["standard_error"] == round(float(error) * 50, 1)


def test_a_raw_review_has_no_scale(learner: Any, half_right: dict[str, Any]) -> None:
    assert review(learner, half_right).json()["scaled"] is None


def test_the_review_costs_one_statement_for_twelve_items_and_for_all(
    learner: Any, half_right: dict[str, Any], statements: Any
) -> None:
    large = exams.start(learner, bank.offer_everything())
    exams.answer_all(learner, large, right=False)
    exams.finalize(learner, large)
    for session in (half_right, large):
        statements()
        assert review(learner, session).status_code == 200
        assert len(statements()) == 1 + 1
