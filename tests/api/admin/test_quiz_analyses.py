"""Analyses that admins edit or write."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, quizzes


@pytest.fixture
def attempt(learner: Any) -> dict[str, Any]:
    """A submitted one."""
    return quizzes.take(learner, quizzes.a_quiz({"Loops": 2, "Names": 2}), 1)


def path_of(attempt: dict[str, Any]) -> str:
    return f"/api/admin/quiz-attempts/{attempt['id']}/analysis"


def edit(admin: Any, attempt: dict[str, Any], **texts: Any) -> Any:
    seen = admin.get(path_of(attempt)).json()["updated_at"]
    return admin.patch(path_of(attempt), json={"updated_at": seen, **texts})


def test_an_edited_analysis_is_hybrid_and_says_who_and_when(
    admin: Any, learner: Any, attempt: dict[str, Any]
) -> None:
    before = admin.get(path_of(attempt)).json()
    assert (before["analysis_type"], before["ai_model"], before["analyzed_by"]) == (
        "AI",
        None,
        None,
    )
    recommendation = {"text": "Talk to me.", "kind": "topic", "reference_id": None}

    edited = edit(admin, attempt, insights="Look at loops again.", recommendations=[recommendation])

    assert edited.status_code == 200
    after = edited.json()
    assert (after["analysis_type"], after["analyzed_by"]) == ("HYBRID", str(admin.id))
    assert after["analyzed_at"]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {
        "analysis_type",
        "analyzed_by",
        "analyzed_at",
        "updated_at",
        "insights",
        "recommendations",
    }
    seen = learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis").json()
    assert (seen["insights"], seen["recommendations"]) == ("Look at loops again.", [recommendation])
    assert "analyzed_by" not in seen
    [noted] = bank.rows(
        "SELECT actor_id, details FROM auth.audit_log WHERE subject_id = :id", id=attempt["id"]
    )
    assert noted.actor_id == admin.id
    assert noted.details == {"changed": ["insights", "recommendations"]}


def test_a_second_editor_is_the_one_who_is_named(
    admin: Any, sign_up: Any, attempt: dict[str, Any]
) -> None:
    edit(admin, attempt, insights="One.")
    other = sign_up(role="ADMIN")

    after = edit(other, attempt, insights="Two.").json()

    assert (after["analysis_type"], after["analyzed_by"]) == ("HYBRID", str(other.id))


def test_the_same_texts_again_edit_nothing(admin: Any, attempt: dict[str, Any]) -> None:
    before = admin.get(path_of(attempt)).json()

    same = edit(admin, attempt, insights=before["insights"])

    assert same.json() == before


def test_an_analysis_that_one_has_not_seen_is_not_changed(
    admin: Any, attempt: dict[str, Any]
) -> None:
    seen = admin.get(path_of(attempt)).json()["updated_at"]
    edit(admin, attempt, insights="Faster.")

    late = admin.patch(path_of(attempt), json={"updated_at": seen, "insights": "Slower."})

    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    assert admin.get(path_of(attempt)).json()["insights"] == "Faster."


def test_an_attempt_without_an_analysis_gets_a_manual_one(
    admin: Any, learner: Any, attempt: dict[str, Any]
) -> None:
    body = {"insights": "Well done.", "strong_topics": ["Loops"]}
    there = admin.post(path_of(attempt), json=body)
    assert (there.status_code, there.json()["code"]) == (409, "analysis_exists")
    bank.execute("DELETE FROM learning.quiz_analyses")
    missing = admin.get(path_of(attempt))
    assert (missing.status_code, missing.json()["code"]) == (404, "analysis_not_found")
    assert learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis").status_code == 404

    made = admin.post(path_of(attempt), json=body)

    assert made.status_code == 201
    assert (made.json()["analysis_type"], made.json()["analyzed_by"]) == ("MANUAL", str(admin.id))
    assert edit(admin, attempt, insights="Very well.").json()["analysis_type"] == "MANUAL"
    seen = learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis").json()
    assert (seen["analysis_type"], seen["insights"]) == ("MANUAL", "Very well.")


def test_a_running_attempt_has_no_analysis_yet(admin: Any, learner: Any) -> None:
    running = quizzes.begin(learner, quizzes.a_quiz())
    body = {"insights": "Too early."}

    answers = [admin.get(path_of(running)), admin.post(path_of(running), json=body)]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (409, "attempt_not_submitted")
    ] * 2
    nobodys = {"id": str(uuid4())}
    assert admin.get(path_of(nobodys)).status_code == 404
    assert admin.post(path_of(nobodys), json=body).status_code == 404


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({"recommendations": [{"text": "", "kind": "topic"}]}, "recommendations.0.text"),
        ({"recommendations": [{"text": "x", "kind": "video"}]}, "recommendations.0.kind"),
        ({"strong_topics": ["x"] * 51}, "strong_topics"),
        ({"insights": "x" * 5_001}, "insights"),
        ({"analysis_type": "AI"}, "analysis_type"),
        ({"performance_breakdown": {}}, "performance_breakdown"),
    ],
)
def test_what_does_not_fit_names_its_field(
    admin: Any, attempt: dict[str, Any], texts: dict[str, Any], field: str
) -> None:
    refused = edit(admin, attempt, **texts)

    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


def test_learners_and_support_edit_no_analysis(
    learner: Any, support: Any, attempt: dict[str, Any]
) -> None:
    for person in (learner, support):
        assert person.get(path_of(attempt)).status_code == 403
        assert person.patch(path_of(attempt), json={}).status_code == 403
        assert person.post(path_of(attempt), json={}).status_code == 403
