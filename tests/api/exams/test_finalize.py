from __future__ import annotations

from typing import Any

from cron import score_exams
from tests.support import exams


def test_an_exam_answered_right_passes_with_the_highest_raw_score(learner: Any) -> None:
    session = exams.start(learner)
    exams.answer_all(learner, session, right=True)
    result = exams.finalize(learner, session)
    assert result["status"] == "REVIEW"
    assert result["score_percent"] == "100.00"
    assert result["passed"] is True


def test_a_scaled_exam_is_scored_by_the_job(learner: Any) -> None:
    session = exams.start(learner, "ot-practice-exam")
    exams.answer_all(learner, session, right=True)
    assert exams.finalize(learner, session)["status"] == "SUBMITTED"
    report = score_exams.handler({}, exams.JobContext())
    assert report["processed"] == 1
    review = learner.get(f"/api/exams/sessions/{session['id']}/review").json()
    assert review["status"] == "REVIEW"
    assert 550 < review["scaled"]["score"] <= 600
    assert review["passed"] is True
