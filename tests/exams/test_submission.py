from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from studypack.core.database import transaction
from studypack.core.errors import NotFound
from studypack.exams import submission
from tests.support import bank, exams

MINUTES = 60
LIVES_ON = 15 * MINUTES - 30
"""A diagnostic check has half a minute left."""
OVER = 15 * MINUTES + 10


def submit_expired() -> int:
    """Submit what ran out, as the job does."""
    submitted, passed_over = 0, set[UUID]()
    while True:
        before = len(passed_over)
        with transaction() as session:
            done = submission.submit_next_expired(session, passed_over=passed_over)
        submitted += done
        if not done and len(passed_over) == before:
            return submitted


def stored(session: dict[str, Any]) -> Any:
    return bank.row("SELECT * FROM learning.exam_sessions WHERE id = :id", id=session["id"])


def test_what_ran_out_is_submitted_as_of_its_deadline_by_the_clock(learner: Any) -> None:
    session = exams.start(learner)
    exams.answer_all(learner, session, right=True)
    exams.move_clock(session["id"], 3 * 60 * MINUTES)
    assert submit_expired() == 1
    found = stored(session)
    assert found.submitted_at == found.deadline_at
    assert found.completed_at > found.deadline_at
    assert (found.status, found.submitted_by, found.passed) == ("REVIEW", "CLOCK", True)
    assert found.score_raw == 12
    assert bank.value("SELECT count(*) FROM activity.xp_logs") == 1
    assert submit_expired() == 0


def test_whose_time_ran_out_is_told_the_result_and_who_submits_sees_it(learner: Any) -> None:
    for away in (True, False):
        session = exams.start(learner)
        exams.answer_all(learner, session, right=True)
        if away:
            exams.move_clock(session["id"], 3 * 60 * MINUTES)
            assert submit_expired() == 1
            gone = session["id"]
        else:
            exams.finalize(learner, session)

    [line] = learner.get("/api/notifications").json()["items"]
    assert (line["type"], line["link"]) == ("EXAM_SCORED", f"/exams/{gone}")
    assert line["message"] == "The time ran out, so it was submitted. You have 100 %."


def test_what_still_runs_is_left_alone(learner: Any) -> None:
    session = exams.start(learner)
    exams.move_clock(session["id"], LIVES_ON)
    assert submit_expired() == 0
    assert stored(session).status == "IN_PROGRESS"


def test_a_paused_exam_is_left_alone_within_its_budget(learner: Any) -> None:
    session = exams.start(learner)
    learner.patch(f"/api/exams/sessions/{session['id']}", json={"action": "pause"})
    exams.move_clock(session["id"], 44 * MINUTES)
    assert submit_expired() == 0
    assert stored(session).paused_at is not None


def test_an_exam_paused_beyond_budget_and_time_is_submitted_as_of_when_both_ended(
    learner: Any,
) -> None:
    session = exams.start(learner)
    learner.patch(f"/api/exams/sessions/{session['id']}", json={"action": "pause"})
    exams.move_clock(session["id"], 46 * MINUTES)
    assert submit_expired() == 1
    found = stored(session)
    assert found.submitted_by == "CLOCK"
    assert found.paused_at is None
    assert found.pause_used_seconds == 30 * MINUTES
    assert found.submitted_at == found.deadline_at
    assert (found.submitted_at - found.started_at).total_seconds() == 45 * MINUTES


def test_a_scaled_exam_that_ran_out_waits_for_its_score(learner: Any) -> None:
    session = exams.start(learner, "ot-practice-exam")
    exams.move_clock(session["id"], 51 * MINUTES)
    assert submit_expired() == 1
    found = stored(session)
    assert (found.status, found.completed_at, found.passed) == ("SUBMITTED", None, None)


def test_an_exam_that_cannot_be_graded_does_not_stop_the_others(
    learner: Any, other_learner: Any, sign_up: Any
) -> None:
    broken, *sound = (exams.start(person) for person in (learner, other_learner, sign_up()))
    exams.answer_all(learner, broken, right=True)
    bank.execute(
        'UPDATE learning.exam_responses SET answer = \'{"type": "ESSAY"}\' WHERE session_id = :id',
        id=broken["id"],
    )
    for minutes, session in zip((50, 40, 30), (broken, *sound), strict=True):
        exams.move_clock(session["id"], minutes * MINUTES)
    assert submit_expired() == 2
    assert {stored(session).status for session in sound} == {"REVIEW"}
    left = stored(broken)
    assert (left.status, left.submitted_at, left.score_raw) == ("IN_PROGRESS", None, None)
    assert (
        bank.value(
            "SELECT count(*) FROM activity.user_activities WHERE user_id = :id", id=learner.id
        )
        == 0
    )


def test_one_is_submitted_at_a_time_and_the_longest_over_first(
    learner: Any, other_learner: Any
) -> None:
    late, later = exams.start(learner), exams.start(other_learner)
    exams.move_clock(late["id"], OVER)
    exams.move_clock(later["id"], 2 * OVER)
    with transaction() as session:
        assert submission.submit_next_expired(session, passed_over=set()) == 1
    assert (stored(late).status, stored(later).status) == ("IN_PROGRESS", "REVIEW")


def test_a_single_session_is_submitted_only_when_its_time_is_up(learner: Any) -> None:
    document = exams.start(learner)
    session_id = UUID(document["id"])

    def submit() -> bool:
        with transaction() as session:
            return submission.submit_if_expired(session, session_id)

    assert submit() is False
    exams.move_clock(document["id"], OVER)
    assert submit() is True
    first = stored(document)
    assert submit() is True
    assert stored(document) == first


def test_the_learner_cannot_submit_what_is_not_theirs(learner: Any, other_learner: Any) -> None:
    document = exams.start(learner)
    with transaction() as session, pytest.raises(NotFound):
        submission.finalize(session, other_learner.id, UUID(document["id"]))
    assert stored(document).status == "IN_PROGRESS"


def test_evidence_counts_answered_items_only(learner: Any) -> None:
    document = exams.start(learner, "ot-intervention-drill")
    for item in document["items"][:4]:
        exams.save(
            learner, document, item, exams.right_answer(exams.content_of(item["question_id"]))
        )
    exams.finalize(learner, document)
    mastery = bank.row("SELECT mastery_score, evidence FROM learning.topic_mastery")
    assert mastery.evidence == 2 + 4
    assert float(mastery.mastery_score) == pytest.approx((2 * 0.5 + 4) / 6, abs=1e-5)


def test_what_practice_opened_keeps_the_time_at_which_it_was_opened(learner: Any) -> None:
    drill = exams.start(learner, "ot-intervention-drill")
    exams.save(learner, drill, drill["items"][0], exams.any_answer(drill["items"][0]))
    opened = bank.value("SELECT reviewed_at FROM learning.exam_responses")
    exams.finalize(learner, drill)
    stored_then = bank.row("SELECT reviewed_at, updated_at FROM learning.exam_responses")
    assert stored_then.reviewed_at == opened
    assert stored_then.updated_at > opened


def test_in_an_exam_submission_opens_the_answers(learner: Any) -> None:
    session = exams.start(learner)
    exams.save(learner, session, session["items"][0], exams.any_answer(session["items"][0]))
    assert bank.value("SELECT reviewed_at FROM learning.exam_responses") is None
    exams.finalize(learner, session)
    assert bank.value("SELECT reviewed_at FROM learning.exam_responses") is not None


def test_the_search_for_what_ran_out_is_bounded_by_the_index_on_deadlines(
    session: Any,
) -> None:
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_bitmapscan = off"))
    plan = session.scalar(
        text(f"EXPLAIN (FORMAT JSON) {submission._EXPIRED.text}"), {"passed_over": []}
    )
    [scan] = _scans(plan[0]["Plan"])
    assert scan["Index Name"] == "ix_exam_sessions_deadline_at"
    assert "deadline_at" in scan["Index Cond"]


def _scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        *([node] if "Scan" in node["Node Type"] else []),
        *(scan for below in node.get("Plans", ()) for scan in _scans(below)),
    ]
