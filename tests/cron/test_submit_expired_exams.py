from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from cron import submit_expired_exams
from studypack.core.database import transaction
from studypack.core.jobs import STOP_BEFORE_MILLISECONDS
from studypack.exams import submission
from tests.support import bank, exams
from tests.support.concurrency import meeting_at

HOUR = 3600


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return submit_expired_exams.handler({}, exams.JobContext(milliseconds))


@pytest.fixture
def expired(learner: Any, other_learner: Any, sign_up: Any) -> list[dict[str, Any]]:
    """Three exams whose time is up."""
    sessions = [exams.start(person) for person in (learner, other_learner, sign_up())]
    for session in sessions:
        exams.move_clock(session["id"], HOUR)
    return sessions


def submitted() -> int:
    count: int = bank.value("SELECT count(*) FROM learning.exam_sessions WHERE status = 'REVIEW'")
    return count


def test_the_job_submits_every_exam_that_ran_out_and_says_how_many(
    expired: list[dict[str, Any]], learner: Any
) -> None:
    running = exams.start(learner, "python-drill")
    report = run()
    assert (report["job"], report["processed"], report["complete"]) == (
        "submit_expired_exams",
        3,
        True,
    )
    assert submitted() == 3
    assert learner.get(f"/api/exams/sessions/{running['id']}").json()["status"] == "IN_PROGRESS"
    assert run()["processed"] == 0


@pytest.mark.usefixtures("wide_pool")
def test_an_exam_that_another_job_holds_is_left_to_it(expired: list[dict[str, Any]]) -> None:
    with transaction() as other_job:
        other_job.execute(
            text("SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE"),
            {"id": expired[0]["id"]},
        )
        assert run()["processed"] == 2
    assert submitted() == 2
    assert run()["processed"] == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_jobs_at_once_share_the_exams(expired: list[dict[str, Any]]) -> None:
    one, other = meeting_at("LOCK TABLE activity.user_activities IN SHARE MODE", [run, run])
    assert one["processed"] + other["processed"] == 3
    assert min(one["processed"], other["processed"]) > 0
    assert submitted() == 3
    assert bank.value("SELECT count(*) FROM activity.user_activities") == 3


@pytest.mark.usefixtures("wide_pool")
def test_a_job_and_a_learner_at_once_submit_once(
    learner: Any, expired: list[dict[str, Any]]
) -> None:
    session = expired[0]
    report, answer = meeting_at(
        "LOCK TABLE activity.user_activities IN SHARE MODE",
        [run, lambda: learner.post(f"/api/exams/sessions/{session['id']}/finalize")],
    )
    assert report["processed"] == 3
    assert answer.json()["submitted_by"] == "CLOCK"
    assert bank.value("SELECT count(*) FROM activity.user_activities") == 3


def test_an_exam_that_cannot_be_graded_is_tried_again_and_stops_nobody(
    learner: Any, expired: list[dict[str, Any]]
) -> None:
    broken = exams.start(learner, "python-drill")
    exams.answer_all(learner, broken, right=True)
    exams.move_clock(broken["id"], 2 * HOUR)
    bank.execute('UPDATE learning.exam_responses SET answer = \'{"type": "ESSAY"}\'')
    report = run()
    assert (report["processed"], report["complete"]) == (3, True)
    bank.execute("DELETE FROM learning.exam_responses")
    assert run()["processed"] == 1


def test_exams_that_cannot_be_graded_stop_nobody_however_many_they_are(
    expired: list[dict[str, Any]], learner: Any, other_learner: Any, sign_up: Any
) -> None:
    broken = []
    for person in (learner, other_learner, sign_up()):
        broken.append(exams.start(person, "python-drill"))
        exams.answer_all(person, broken[-1], right=True)
        exams.move_clock(broken[-1]["id"], 2 * HOUR)
    bank.execute('UPDATE learning.exam_responses SET answer = \'{"type": "ESSAY"}\'')
    report = run()
    assert (report["processed"], report["skipped"], report["complete"]) == (3, 3, True)
    assert submitted() == 3


@pytest.mark.usefixtures("wide_pool")
def test_a_job_does_not_deadlock_with_a_learner_who_submits_meanwhile(learner: Any) -> None:
    # The topics in the order in which a submission locks their mastery.
    first, second = (
        row.slug
        for row in bank.rows(
            "SELECT slug FROM learning.topics"
            " WHERE slug IN ('intervention', 'practice-management') ORDER BY id"
        )
    )
    sessions = [
        exams.start(learner, bank.offer(name, dict.fromkeys(topics, 1), len(topics)))
        for name, topics in {
            "ran-out-first": [second],
            "ran-out-next": [first],
            "under-way": [first, second],
        }.items()
    ]
    for session in sessions:
        exams.answer_all(learner, session, right=True)
    exams.move_clock(sessions[0]["id"], 2 * HOUR)
    exams.move_clock(sessions[1]["id"], HOUR)
    # The job has locked the mastery of the second topic; the learner locks that of the first.
    report, answer = meeting_at(
        "LOCK TABLE activity.user_activities IN SHARE MODE",
        [run, lambda: learner.post(f"/api/exams/sessions/{sessions[2]['id']}/finalize")],
    )
    assert (report["processed"], answer.status_code) == (2, 200)
    assert submitted() == 3


def test_a_job_without_time_begins_nothing_and_does_not_claim_to_be_through(
    expired: list[dict[str, Any]],
) -> None:
    report = run(STOP_BEFORE_MILLISECONDS)
    assert (report["processed"], report["batches"], report["complete"]) == (0, 0, False)
    assert submitted() == 0


def test_a_job_that_fails_says_so_and_leaves_the_exam_under_way_undone(
    expired: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fail_the_second(*arguments: Any, **details: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(submission.activity, "record_event", fail_the_second)
        with pytest.raises(RuntimeError):
            run()
    assert submitted() == 1
    assert run()["processed"] == 2
