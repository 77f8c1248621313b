from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from cron import score_exams
from studypack.core.database import transaction
from studypack.core.jobs import STOP_BEFORE_MILLISECONDS
from tests.support import bank, exams
from tests.support.concurrency import meeting_at


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return score_exams.handler({}, exams.JobContext(milliseconds))


@pytest.fixture
def submitted(learner: Any, other_learner: Any, sign_up: Any) -> list[dict[str, Any]]:
    """Three exams that await their scaled score."""
    sessions = []
    for person in (learner, other_learner, sign_up()):
        sessions.append(exams.start(person, "ot-practice-exam"))
        exams.finalize(person, sessions[-1])
    return sessions


def scored() -> int:
    count: int = bank.value(
        "SELECT count(*) FROM learning.exam_sessions"
        " WHERE status = 'REVIEW' AND score_scaled IS NOT NULL"
    )
    return count


def test_the_job_scores_every_submitted_exam_and_says_how_many(
    submitted: list[dict[str, Any]],
) -> None:
    report = run()
    assert (report["job"], report["processed"], report["complete"]) == ("score_exams", 3, True)
    assert scored() == 3
    assert run()["processed"] == 0


def test_it_goes_on_batch_by_batch_until_nothing_is_left(
    submitted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_exams, "BATCH", 2)
    report = run()
    assert (report["processed"], report["batches"]) == (3, 3)


@pytest.mark.usefixtures("wide_pool")
def test_an_exam_that_another_job_holds_is_left_to_it(submitted: list[dict[str, Any]]) -> None:
    with transaction() as other_job:
        other_job.execute(
            text("SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE"),
            {"id": submitted[0]["id"]},
        )
        assert run()["processed"] == 2
    assert scored() == 2
    assert run()["processed"] == 1


@pytest.mark.parametrize("batch", [1, 2])
def test_exams_that_cannot_be_scored_stop_nobody_however_many_they_are(
    submitted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(score_exams, "BATCH", batch)
    *broken, sound = (session["id"] for session in submitted)
    bank.execute(
        "UPDATE learning.exam_sessions SET scoring = '{}' WHERE id = ANY(:ids)", ids=broken
    )
    report = run()
    assert (report["processed"], report["skipped"], report["complete"]) == (1, 2, True)
    assert bank.value("SELECT status FROM learning.exam_sessions WHERE id = :id", id=sound) == (
        "REVIEW"
    )
    bank.execute(
        "UPDATE learning.exam_sessions SET scoring = (SELECT scoring FROM learning.exam_sessions"
        " WHERE id = :sound) WHERE id = ANY(:ids)",
        ids=broken,
        sound=sound,
    )
    report = run()
    assert (report["processed"], report["skipped"]) == (2, 0)


def test_a_job_whose_time_runs_out_among_what_it_passes_over_is_not_complete(
    submitted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_exams, "BATCH", 1)
    bank.execute("UPDATE learning.exam_sessions SET scoring = '{}'")
    left = [60_000, 60_000, STOP_BEFORE_MILLISECONDS]
    context = exams.JobContext()
    monkeypatch.setattr(context, "get_remaining_time_in_millis", lambda: left.pop(0))
    report = score_exams.handler({}, context)
    assert (report["batches"], report["skipped"], report["complete"]) == (2, 2, False)


@pytest.mark.usefixtures("wide_pool")
def test_two_jobs_at_once_share_the_exams(
    submitted: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_exams, "BATCH", 2)
    one, other = meeting_at("LOCK TABLE activity.user_activities IN SHARE MODE", [run, run])
    assert one["processed"] + other["processed"] == 3
    assert min(one["processed"], other["processed"]) > 0
    assert scored() == 3
    assert (
        bank.value("SELECT count(*) FROM activity.user_activities WHERE type = 'exam.scored'") == 3
    )


def test_a_job_without_time_begins_nothing(submitted: list[dict[str, Any]]) -> None:
    report = run(STOP_BEFORE_MILLISECONDS)
    assert (report["processed"], report["complete"]) == (0, False)
    assert scored() == 0
