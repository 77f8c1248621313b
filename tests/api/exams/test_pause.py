from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support import bank, exams
from tests.support.sitting import between, fields, parse


@pytest.fixture
def sitting(learner: Any) -> dict[str, Any]:
    """15 minutes under way, with 30 minutes for pauses."""
    return exams.start(learner)


def change(person: Any, session: dict[str, Any], **body: Any) -> Any:
    return person.patch(f"/api/exams/sessions/{session['id']}", json=body)


def state(person: Any, session: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = person.get(f"/api/exams/sessions/{session['id']}").json()
    return document


def test_a_paused_exam_hides_its_questions_and_keeps_its_answers(
    learner: Any, sitting: dict[str, Any]
) -> None:
    exams.save(learner, sitting, sitting["items"][0], exams.any_answer(sitting["items"][0]))
    paused = change(learner, sitting, action="pause").json()
    for document in (paused, state(learner, sitting)):
        assert document["clock"]["paused"] is True
        assert document["items"] == []
        assert document["item_count"] == 12
        assert document["status"] == "IN_PROGRESS"
    resumed = change(learner, sitting, action="resume").json()
    assert resumed["clock"]["paused"] is False
    assert [i["question"] for i in resumed["items"]] == [i["question"] for i in sitting["items"]]
    assert resumed["items"][0]["response"]["revision"] == 1


def test_a_pause_moves_the_deadline_by_its_length(learner: Any, sitting: dict[str, Any]) -> None:
    exams.move_clock(sitting["id"], 5 * 60)
    change(learner, sitting, action="pause")
    exams.move_clock(sitting["id"], 10 * 60)
    during = state(learner, sitting)["clock"]
    resumed = change(learner, sitting, action="resume").json()["clock"]
    for clock in (during, resumed):
        assert clock["remaining_seconds"] in range(590, 601)
        assert clock["pause_left_seconds"] in range(20 * 60 - 5, 20 * 60 + 1)
        stretched = between(clock["started_at"], clock["deadline_at"])
        assert timedelta(0) <= stretched - timedelta(minutes=25) < timedelta(seconds=5)


def test_a_pause_ends_with_its_budget_and_the_exam_runs_on(
    learner: Any, sitting: dict[str, Any]
) -> None:
    change(learner, sitting, action="pause")
    exams.move_clock(sitting["id"], 35 * 60)
    running = state(learner, sitting)
    assert running["clock"]["paused"] is False
    assert running["clock"]["pause_left_seconds"] == 0
    assert running["clock"]["remaining_seconds"] in range(590, 601)
    assert len(running["items"]) == 12
    answer = exams.any_answer(sitting["items"][0])
    assert exams.save(learner, sitting, sitting["items"][0], answer).status_code == 200
    exams.move_clock(sitting["id"], 10 * 60)
    late = exams.save(learner, sitting, sitting["items"][0], answer, revision=2)
    assert late.json()["code"] == "deadline_passed"


def test_a_budget_used_up_allows_no_further_pause(learner: Any, sitting: dict[str, Any]) -> None:
    change(learner, sitting, action="pause")
    exams.move_clock(sitting["id"], 31 * 60)
    change(learner, sitting, action="resume")
    refused = change(learner, sitting, action="pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "pause_budget_spent")


def test_a_template_without_pauses_allows_none(learner: Any) -> None:
    session = exams.start(learner, "python-checkpoint")
    refused = change(learner, session, action="pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "pause_not_allowed")
    assert len(state(learner, session)["items"]) == 15


def test_an_exam_whose_time_is_up_cannot_be_paused(learner: Any, sitting: dict[str, Any]) -> None:
    exams.move_clock(sitting["id"], 15 * 60)
    refused = change(learner, sitting, action="pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "pause_not_allowed")


def test_pausing_and_resuming_twice_are_refused(learner: Any, sitting: dict[str, Any]) -> None:
    assert change(learner, sitting, action="resume").json()["code"] == "not_paused"
    change(learner, sitting, action="pause")
    assert change(learner, sitting, action="pause").json()["code"] == "already_paused"


def test_a_submitted_exam_cannot_be_changed(learner: Any, sitting: dict[str, Any]) -> None:
    exams.finalize(learner, sitting)
    for body in ({"action": "pause"}, {"action": "resume"}, {"metadata": {"device": "phone"}}):
        refused = change(learner, sitting, **body)
        assert (refused.status_code, refused.json()["code"]) == (409, "exam_finished")


def test_a_paused_exam_may_be_submitted(learner: Any, sitting: dict[str, Any]) -> None:
    change(learner, sitting, action="pause")
    exams.move_clock(sitting["id"], 5 * 60)
    result = exams.finalize(learner, sitting)
    assert (result["status"], result["submitted_by"]) == ("REVIEW", "LEARNER")
    stored = bank.row(
        "SELECT paused_at, pause_used_seconds FROM learning.exam_sessions WHERE id = :id",
        id=sitting["id"],
    )
    assert stored.paused_at is None
    assert stored.pause_used_seconds in range(300, 305)


def test_notes_are_merged_key_by_key_and_null_removes_one(
    learner: Any, sitting: dict[str, Any]
) -> None:
    change(learner, sitting, metadata={"device": "phone", "zoom": 2})
    merged = change(learner, sitting, metadata={"zoom": None, "theme": "dark"}).json()
    assert merged["metadata"] == {"device": "phone", "theme": "dark"}
    assert parse(merged["clock"]["deadline_at"]) == parse(sitting["clock"]["deadline_at"])


def test_notes_that_grow_too_long_together_are_refused(
    learner: Any, sitting: dict[str, Any]
) -> None:
    for name in ("one", "two"):
        assert change(learner, sitting, metadata={name: "x" * 2_400}).status_code == 200
    refused = change(learner, sitting, metadata={"three": "x" * 2_400})
    assert (refused.status_code, fields(refused)) == (422, ["metadata"])
    assert sorted(state(learner, sitting)["metadata"]) == ["one", "two"]
    instead = change(learner, sitting, metadata={"one": None, "three": "x" * 2_400})
    assert sorted(instead.json()["metadata"]) == ["three", "two"]


def test_a_session_changed_too_often_cannot_be_paused_and_a_pause_can_be_ended(
    learner: Any, sitting: dict[str, Any]
) -> None:
    fill = "UPDATE learning.exam_sessions SET log_sequence = 599 WHERE id = :id"
    bank.execute(fill, id=sitting["id"])
    assert change(learner, sitting, action="pause").status_code == 200
    assert change(learner, sitting, action="resume").status_code == 200
    refused = change(learner, sitting, action="pause")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_changes")
    assert state(learner, sitting)["clock"]["paused"] is False


@pytest.mark.parametrize("paused", [False, True])
def test_the_clock_of_a_submitted_exam_stands_at_nought(
    learner: Any, sitting: dict[str, Any], paused: bool
) -> None:
    if paused:
        change(learner, sitting, action="pause")
    exams.finalize(learner, sitting)
    clock = state(learner, sitting)["clock"]
    assert (clock["remaining_seconds"], clock["paused"]) == (0, False)


WRONG_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({}, "body"),
    ({"action": "pause", "metadata": {}}, "body"),
    ({"action": "stop"}, "action"),
    ({"metadata": {"note": "x" * 5_001}}, "metadata"),
    ({"metadata": {"note": 10**400}}, "metadata"),
    ({"deadline_at": "2100-01-01T00:00:00Z", "action": "pause"}, "deadline_at"),
]


def test_a_change_that_is_none_names_the_field(learner: Any, sitting: dict[str, Any]) -> None:
    for body, field in WRONG_CHANGES:
        refused = change(learner, sitting, **body)
        assert refused.status_code == 422, body
        assert fields(refused) == [field], body
    assert state(learner, sitting)["clock"]["paused"] is False


def test_pausing_costs_four_statements(
    learner: Any, sitting: dict[str, Any], statements: Any
) -> None:
    statements()
    change(learner, sitting, action="pause")
    assert len(statements()) == 1 + 4, "lock, clock, write; the session read back"
