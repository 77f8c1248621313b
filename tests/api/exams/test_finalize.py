from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from studypack.core.database.engine import get_engine
from studypack.exams import submission
from tests.support import bank, exams
from tests.support.concurrency import meeting_at


def what_follows(session: dict[str, Any]) -> dict[str, int]:
    """How often each thing that a submission writes was written."""
    counts = bank.row(
        """
        SELECT (SELECT count(*) FROM learning.exam_sessions
                 WHERE id = :id AND status <> 'IN_PROGRESS') AS submitted,
               (SELECT count(*) FROM learning.exam_responses
                 WHERE session_id = :id AND credit IS NOT NULL) AS graded,
               (SELECT coalesce(sum(evidence - 2), 0)::int FROM learning.topic_mastery) AS evidence,
               (SELECT count(*) FROM activity.xp_logs
                 WHERE reference_id = :id AND source_type = 'EXAM') AS xp,
               (SELECT count(*) FROM activity.user_activities
                 WHERE type = 'exam.submitted'
                   AND metadata ->> 'exam_session_id' = CAST(:id AS uuid)::text) AS activities,
               (SELECT count(*) FROM activity.analytics_events
                 WHERE event_name = 'exam_submitted' AND exam_session_id = :id) AS events
        """,
        id=session["id"],
    )
    return dict(counts._mapping)


ONCE = {"submitted": 1, "graded": 12, "evidence": 12, "xp": 1, "activities": 1, "events": 1}
NOTHING = dict.fromkeys(ONCE, 0)


@pytest.fixture
def answered(learner: Any) -> dict[str, Any]:
    """A short exam with every item answered right, not yet submitted."""
    session = exams.start(learner)
    exams.answer_all(learner, session, right=True)
    return session


def test_an_exam_answered_right_passes_with_the_highest_raw_score(
    learner: Any, answered: dict[str, Any]
) -> None:
    result = exams.finalize(learner, answered)
    assert result["status"] == "REVIEW"
    assert (result["score_raw"], result["score_percent"]) == ("12.0000", "100.00")
    assert result["passed"] is True
    assert result["submitted_by"] == "LEARNER"
    assert result["completed_at"] == result["submitted_at"]


def test_partial_credit_adds_up_to_the_raw_score(learner: Any) -> None:
    session = exams.start(learner, bank.offer_everything())
    expected = 0.0
    for kind, share in (("MULTI_SELECT", 1), ("ORDERING", None), ("CLINICAL_SIM", None)):
        item = next(i for i in session["items"] if i["question"]["type"] == kind)
        content = exams.content_of(item["question_id"])
        answer = exams.right_answer(content)
        if kind == "ORDERING":
            answer["option_ids"] = [*answer["option_ids"][1:], answer["option_ids"][0]]
            share = (len(content.options) - 2) / (len(content.options) - 1)
        elif kind == "CLINICAL_SIM":
            gains = {str(o.id): o.points or 0 for o in content.options if (o.points or 0) > 0}
            answer["option_ids"] = answer["option_ids"][:1]
            share = gains[answer["option_ids"][0]] / sum(gains.values())
        expected += round(share or 0, 4)
        assert exams.save(learner, session, item, answer).status_code == 200
    assert float(exams.finalize(learner, session)["score_raw"]) == pytest.approx(expected)


def test_the_pass_mark_itself_passes_and_less_does_not(learner: Any, other_learner: Any) -> None:
    slug = bank.offer("five", {"intervention": 1}, 5, pass_percent=60)
    for person, right in ((learner, 3), (other_learner, 2)):
        session = exams.start(person, slug)
        for item in session["items"][:right]:
            exams.save(
                person, session, item, exams.right_answer(exams.content_of(item["question_id"]))
            )
        result = exams.finalize(person, session)
        assert result["score_percent"] == f"{right * 20}.00"
        assert result["passed"] is (right == 3)


def test_an_exam_without_a_pass_mark_is_neither_passed_nor_failed(learner: Any) -> None:
    result = exams.finalize(learner, exams.start(learner, bank.offer("x", {"intervention": 1}, 1)))
    assert (result["status"], result["passed"]) == ("REVIEW", None)


def test_a_scaled_exam_waits_for_the_scoring_job(learner: Any) -> None:
    result = exams.finalize(learner, exams.start(learner, "ot-practice-exam"))
    assert result["status"] == "SUBMITTED"
    assert result["score_percent"] == "0.00"
    assert (result["score_scaled"], result["passed"], result["completed_at"]) == (None, None, None)


def test_submitting_again_returns_the_same_and_changes_nothing(
    learner: Any, answered: dict[str, Any]
) -> None:
    first = exams.finalize(learner, answered)
    assert exams.finalize(learner, answered) == first
    assert what_follows(answered) == ONCE


@pytest.mark.usefixtures("wide_pool")
def test_twenty_submissions_at_once_score_once(learner: Any, answered: dict[str, Any]) -> None:
    answers = meeting_at(
        "SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE",
        [lambda: learner.post(f"/api/exams/sessions/{answered['id']}/finalize")] * 20,
        id=answered["id"],
    )
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert what_follows(answered) == ONCE


@contextmanager
def listening(name: str, listener: Callable[..., None]) -> Iterator[None]:
    """Call this at every such event of the engine."""
    engine = get_engine()
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)


def test_a_crash_at_any_statement_leaves_nothing_and_a_retry_ends_the_same(
    learner: Any, answered: dict[str, Any]
) -> None:
    path = f"/api/exams/sessions/{answered['id']}/finalize"
    sent: list[str] = []
    last = 1 + 11

    def crash(_connection: Any, _cursor: Any, sql: str, *_rest: Any) -> None:
        if len(sent) == last:
            raise RuntimeError("the process ends here")
        sent.append(sql)

    for last in range(1 + 11):
        sent.clear()
        with listening("before_cursor_execute", crash):
            assert learner.post(path).status_code == 500
        assert len(sent) == last
        assert what_follows(answered) == NOTHING
    assert exams.finalize(learner, answered)["score_percent"] == "100.00"
    assert what_follows(answered) == ONCE


@pytest.mark.usefixtures("wide_pool")
def test_a_commit_that_fails_is_no_success_and_leaves_nothing(
    learner: Any, answered: dict[str, Any]
) -> None:
    ended: list[bool] = []

    def lose_the_server(_connection: Any) -> None:
        if not ended:
            ended.append(False)  # what follows commits too
            ended[0] = bank.value(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'idle in transaction'"
            )

    with listening("commit", lose_the_server):
        refused = learner.post(f"/api/exams/sessions/{answered['id']}/finalize")
    assert ended == [True]
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert what_follows(answered) == NOTHING
    assert exams.finalize(learner, answered)["score_percent"] == "100.00"
    assert what_follows(answered) == ONCE


def test_a_fault_in_the_last_step_takes_the_submission_back(
    learner: Any, answered: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no events today")

    with monkeypatch.context() as patch:
        patch.setattr(submission.activity, "record_event", fail)
        assert learner.post(f"/api/exams/sessions/{answered['id']}/finalize").status_code == 500
    assert what_follows(answered) == NOTHING
    item = answered["items"][0]
    assert exams.save(learner, answered, item, None, revision=2).status_code == 200
    assert exams.finalize(learner, answered)["score_raw"] == "11.0000"


def test_an_empty_exam_scores_nothing_and_earns_no_xp(learner: Any) -> None:
    session = exams.start(learner)
    result = exams.finalize(learner, session)
    assert (result["score_raw"], result["passed"]) == ("0.0000", False)
    assert what_follows(session) == {**NOTHING, "submitted": 1, "activities": 1, "events": 1}


@pytest.mark.parametrize(("count", "rows"), [(5, 0), (6, 1)])
def test_xp_is_for_who_answered_half(learner: Any, count: int, rows: int) -> None:
    session = exams.start(learner)
    for item in session["items"][:count]:
        exams.save(learner, session, item, exams.any_answer(item))
    for item in session["items"][count:]:
        exams.save(learner, session, item, None, flagged=True)
    exams.finalize(learner, session)
    assert what_follows(session)["xp"] == rows


def test_a_submission_after_the_deadline_counts_as_the_clocks(
    learner: Any, answered: dict[str, Any]
) -> None:
    exams.move_clock(answered["id"], 20 * 60)
    result = exams.finalize(learner, answered)
    assert result["submitted_by"] == "CLOCK"
    stored = bank.row("SELECT submitted_at, deadline_at FROM learning.exam_sessions")
    assert stored.submitted_at == stored.deadline_at
    assert result["score_percent"] == "100.00"


def test_the_submission_is_an_event_with_its_figures(
    learner: Any, answered: dict[str, Any]
) -> None:
    item = answered["items"][0]
    exams.save(learner, answered, item, None, revision=2, time_spent_seconds=33)
    exams.finalize(learner, answered)
    payload = bank.value(
        "SELECT payload FROM activity.analytics_events WHERE event_name = 'exam_submitted'"
    )
    assert payload == {
        "submitted_by": "LEARNER",
        "items": 12,
        "answered": 11,
        "percent": 91.67,
        "seconds": 33,
    }


@pytest.mark.parametrize("slug", ["ot-diagnostic", "ot-practice-exam"])
def test_submitting_costs_the_same_statements_for_twelve_items_and_forty(
    learner: Any, statements: Any, slug: str
) -> None:
    session = exams.start(learner, slug)
    exams.answer_all(learner, session, right=True)
    statements()
    exams.finalize(learner, session)
    assert len(statements()) == 1 + 11, (
        "lock, clock, form, session, credit, mastery, title, xp, activity, event; template"
    )
    exams.finalize(learner, session)
    assert len(statements()) == 1 + 2
