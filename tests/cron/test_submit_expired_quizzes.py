from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from cron import submit_expired_quizzes
from studypack.core.database import transaction
from studypack.core.jobs import STOP_BEFORE_MILLISECONDS, JobFailed
from studypack.quizzes import submission
from tests.support import bank, learning, quizzes
from tests.support.concurrency import at_once, meeting_at
from tests.support.exams import JobContext

LATE = 601


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return submit_expired_quizzes.handler({}, JobContext(milliseconds))


@pytest.fixture
def quiz(database_url: str) -> quizzes.QuizMaterial:
    """With a limit of ten minutes."""
    return quizzes.a_quiz(time_limit_minutes=10)


@pytest.fixture
def people(learner: Any, other_learner: Any, sign_up: Any) -> list[Any]:
    """Three learners."""
    return [learner, other_learner, sign_up()]


@pytest.fixture
def expired(quiz: quizzes.QuizMaterial, people: list[Any]) -> list[dict[str, Any]]:
    """Three attempts whose time is up, each with one right answer of two."""
    return [run_out(person, quiz) for person in people]


def run_out(person: Any, quiz: quizzes.QuizMaterial) -> dict[str, Any]:
    attempt = quizzes.begin(person, quiz)
    item = attempt["items"][0]
    quizzes.save(person, attempt, item, quizzes.right(item))
    quizzes.move_clock(attempt, LATE)
    return attempt


def submitted() -> int:
    count: int = bank.value(
        "SELECT count(*) FROM learning.quiz_attempts WHERE status = 'SUBMITTED'"
    )
    return count


def test_the_job_scores_what_was_saved_in_time_and_says_how_many(
    expired: list[dict[str, Any]], learner: Any
) -> None:
    others = quizzes.a_quiz({"Other": 1}, time_limit_minutes=10)
    running = quizzes.begin(learner, others)
    unlimited = quizzes.begin(learner, quizzes.a_quiz({"Unlimited": 1}))

    report = run()

    assert (report["job"], report["processed"], report["complete"]) == (
        "submit_expired_quizzes",
        3,
        True,
    )
    shown = learner.get(f"/api/quiz-attempts/{expired[0]['id']}").json()
    assert (shown["score_percentage"], shown["submitted_at"]) == ("50.00", shown["deadline_at"])
    for attempt in (running, unlimited):
        still = learner.get(f"/api/quiz-attempts/{attempt['id']}").json()
        assert still["status"] == "IN_PROGRESS"
    assert run()["processed"] == 0
    assert bank.value("SELECT count(*) FROM learning.quiz_analyses") == 3


def test_several_of_one_learner_are_done_in_one_run(learner: Any) -> None:
    made = [quizzes.a_quiz({f"T{n}": 2}, time_limit_minutes=10) for n in range(4)]
    for each in made:
        run_out(learner, each)

    assert run()["processed"] == 4
    assert submitted() == 4


def test_who_passed_gets_what_follows_though_gone(learner: Any, quiz: quizzes.QuizMaterial) -> None:
    attempt = quizzes.begin(learner, quiz)
    quizzes.answer_all(learner, attempt)
    quizzes.move_clock(attempt, LATE)

    run()

    assert learning.feed(learner).count("quiz.passed") == 1
    assert learning.count("learning.certificates", learner) == 1


@pytest.mark.usefixtures("wide_pool")
def test_an_attempt_that_another_job_holds_is_left_to_it(expired: list[dict[str, Any]]) -> None:
    with transaction() as other_job:
        other_job.execute(
            text("SELECT id FROM learning.quiz_attempts WHERE id = :id FOR UPDATE"),
            {"id": expired[0]["id"]},
        )
        assert run()["processed"] == 2
    assert submitted() == 2
    assert run()["processed"] == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_jobs_at_once_do_each_attempt_once(expired: list[dict[str, Any]]) -> None:
    one, other = at_once(run, run)

    assert one["processed"] + other["processed"] == 3
    assert submitted() == 3
    assert bank.value("SELECT count(*) FROM learning.quiz_analyses") == 3


@pytest.mark.usefixtures("wide_pool")
def test_a_job_and_a_learner_at_once_submit_once(
    learner: Any, expired: list[dict[str, Any]]
) -> None:
    report, answer = meeting_at(
        "LOCK TABLE learning.quiz_analyses IN SHARE MODE",
        [run, lambda: quizzes.submit(learner, expired[0])],
    )

    assert report["processed"] == 3
    assert answer["submitted_at"] == answer["deadline_at"]
    assert bank.value("SELECT count(*) FROM learning.quiz_analyses") == 3


@pytest.mark.usefixtures("wide_pool")
def test_two_jobs_share_the_attempts_of_the_same_learners_without_deadlock(
    people: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "CLAIMED", 3)
    course = learning.a_course(0)
    made = [
        quizzes.a_quiz({f"T{number}": 1}, course=course, time_limit_minutes=10)
        for number in range(2)
    ]
    for quiz in made:
        for person in people:
            run_out(person, quiz)

    # The first has claimed three, the second the other three, each in its own transaction.
    one, other = meeting_at("LOCK TABLE learning.topic_mastery IN SHARE MODE", [run, run])

    assert one["processed"] + other["processed"] == 6
    assert min(one["processed"], other["processed"]) > 0
    assert submitted() == 6


@pytest.mark.parametrize(
    "spoil",
    [
        'UPDATE learning.quiz_answers SET response = \'{"type": "ESSAY"}\' WHERE attempt_id = :id',
        "UPDATE learning.quiz_attempts SET rules = '{}' WHERE id = :id",
        (
            "UPDATE learning.quiz_attempts"
            " SET form = jsonb_set(form, '{0,points}', '1000000000'), max_points = 1000000000"
            " WHERE id = :id"
        ),
    ],
    ids=["answer", "rules", "points"],
)
def test_an_attempt_that_cannot_be_graded_is_tried_again_and_stops_nobody(
    expired: list[dict[str, Any]], spoil: str
) -> None:
    before = bank.rows(
        "SELECT rules, form, max_points FROM learning.quiz_attempts WHERE id = :id",
        id=expired[0]["id"],
    )[0]
    bank.execute(spoil, id=expired[0]["id"])

    report = run()

    assert (report["processed"], report["skipped"], report["complete"]) == (2, 1, True)
    bank.execute("DELETE FROM learning.quiz_answers WHERE attempt_id = :id", id=expired[0]["id"])
    bank.execute(
        "UPDATE learning.quiz_attempts SET rules = CAST(:rules AS jsonb),"
        " form = CAST(:form AS jsonb), max_points = :max_points WHERE id = :id",
        id=expired[0]["id"],
        rules=json.dumps(before.rules),
        form=json.dumps(before.form),
        max_points=before.max_points,
    )
    assert run()["processed"] == 1


def test_a_job_without_time_begins_nothing(expired: list[dict[str, Any]]) -> None:
    report = run(STOP_BEFORE_MILLISECONDS)

    assert (report["processed"], report["complete"]) == (0, False)
    assert submitted() == 0


def test_a_job_that_dies_leaves_its_batch_undone_and_the_next_does_it(
    expired: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def fail_the_second(*arguments: Any, **details: Any) -> None:
        made.append(arguments)
        if len(made) == 2:
            raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(submission.analyses, "make", fail_the_second)
        with pytest.raises(JobFailed):
            run()
    assert submitted() == 0
    assert run()["processed"] == 3


@pytest.mark.usefixtures("database_url")
def test_claiming_reads_by_the_index_on_running_deadlines() -> None:
    with transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(
            session.scalars(
                text("EXPLAIN " + str(submission._CLAIM.text)), {"passed_over": [], "size": 50}
            )
        )

    assert "ix_quiz_attempts_deadline_at" in plan
