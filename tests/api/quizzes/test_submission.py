"""Submitting: scores, what follows from passing, once however often."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from studypack.core.database import transaction
from studypack.quizzes import submission
from studypack.quizzes.authoring import ChosenQuestion
from tests.support import bank, learning, quizzes
from tests.support.concurrency import at_once, fail_at_commit
from tests.support.crashes import Died, dying_at


def facts(person: Any) -> dict[str, int]:
    """How often each thing that follows from passing has happened to somebody."""
    return {
        "xp": learning.count("activity.xp_logs", person, "source_type = 'QUIZ'"),
        "feed": learning.feed(person).count("quiz.passed"),
        "event": len(learning.events(person, "quiz_passed")),
        "module_completed": len(learning.events(person, "module_completed")),
        "completions": learning.count("learning.item_completions", person),
        "certificates": learning.count("learning.certificates", person),
        "notices": learning.count(
            "notifications.notifications", person, "type = 'MODULE_COMPLETED'"
        ),
        "analyses": bank.value(
            "SELECT count(*) FROM learning.quiz_analyses n JOIN learning.quiz_attempts a"
            " ON a.id = n.attempt_id WHERE a.user_id = :user",
            user=person.id,
        ),
    }


ONCE = dict.fromkeys(
    (
        "xp",
        "feed",
        "event",
        "module_completed",
        "completions",
        "certificates",
        "notices",
        "analyses",
    ),
    1,
)


def mastery(person: Any, topic: Any) -> tuple[float, float]:
    row = bank.row(
        "SELECT mastery_score, evidence FROM learning.topic_mastery"
        " WHERE user_id = :user AND topic_id = :topic",
        user=person.id,
        topic=topic,
    )
    return float(row.mastery_score), float(row.evidence)


def test_points_are_weighed_and_partial_credit_counts(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 5}, kinds=quizzes.ALL_TYPES, shuffle_questions=False)
    quizzes.choose(quiz, [ChosenQuestion(q, place + 1) for place, q in enumerate(quiz.questions)])
    attempt = quizzes.begin(learner, quiz)
    [single, multi, *_rest] = attempt["items"]
    quizzes.save(learner, attempt, single, quizzes.right(single))
    half = {**quizzes.right(multi), "option_ids": quizzes.right(multi)["option_ids"][:1]}
    quizzes.save(learner, attempt, multi, half)

    result = quizzes.submit(learner, attempt)

    assert [item["points"] for item in result["items"]] == [1, 2, 3, 4, 5]
    earned = [Decimal(item["points_awarded"]) for item in result["items"]]
    assert earned == [1, 1, 0, 0, 0]
    assert [item["is_correct"] for item in result["items"]] == [True, False, False, False, False]
    assert (Decimal(result["score_points"]), result["max_points"]) == (2, 15)
    assert (result["score_percentage"], result["passed"]) == ("13.33", False)


def test_a_wrong_answer_costs_and_no_answer_does_not(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 4}, points=2, negative_marking="0.25", passing_score=40)
    attempt = quizzes.begin(learner, quiz)
    first, second, third, fourth = attempt["items"]
    quizzes.save(learner, attempt, first, quizzes.right(first))
    quizzes.save(learner, attempt, second, quizzes.right(second))
    quizzes.save(learner, attempt, third, quizzes.wrong(third))
    quizzes.save(learner, attempt, fourth, quizzes.wrong(fourth))
    quizzes.save(learner, attempt, fourth, None, revision=2)

    result = quizzes.submit(learner, attempt)

    earned = [Decimal(item["points_awarded"]) for item in result["items"]]
    assert earned == [2, 2, Decimal("-0.5"), 0]
    assert (result["score_percentage"], result["passed"]) == ("43.75", True)


def test_only_wrong_answers_end_at_nothing(learner: Any) -> None:
    result = quizzes.take(learner, quizzes.a_quiz(negative_marking="1.00"), 0)

    assert (Decimal(result["score_points"]), result["score_percentage"]) == (0, "0.00")


def test_an_attempt_is_scored_by_the_rules_that_it_began_with(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 2}, passing_score=50)
    attempt = quizzes.begin(learner, quiz)
    bank.execute("UPDATE learning.quizzes SET passing_score = 100, negative_marking = 1")
    quizzes.answer_all(learner, attempt, 1)

    result = quizzes.submit(learner, attempt)

    assert (result["score_percentage"], result["passed"]) == ("50.00", True)


def test_a_late_submission_is_scored_from_what_was_saved_in_time(learner: Any) -> None:
    attempt = quizzes.begin(learner, quizzes.a_quiz({"Loops": 2}, time_limit_minutes=5))
    quizzes.save(learner, attempt, attempt["items"][0], quizzes.right(attempt["items"][0]))
    quizzes.move_clock(attempt, 301)
    late = quizzes.save(learner, attempt, attempt["items"][1], quizzes.right(attempt["items"][1]))
    assert late.status_code == 409

    result = quizzes.submit(learner, attempt)

    assert (result["score_percentage"], result["submitted_at"]) == ("50.00", result["deadline_at"])
    analysis = learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis").json()
    assert analysis["time_management_rule"] == "ran_out_of_time"


def test_what_follows_from_passing_happens_once(learner: Any) -> None:
    quiz = quizzes.a_quiz()
    first = quizzes.take(learner, quiz)
    assert first["xp_awarded"] == 20
    assert facts(learner) == ONCE
    [event] = learning.events(learner, "quiz_passed")
    assert (event["quiz_id"], event["percent"]) == (str(quiz.id), 100)

    again = quizzes.submit(learner, first)
    assert again["items"] == first["items"]
    assert facts(learner) == ONCE
    second = quizzes.take(learner, quiz)
    assert (second["passed"], second["xp_awarded"]) == (True, 0)
    assert facts(learner) == ONCE | {"analyses": 2}


def test_failing_gives_nothing_but_an_analysis(learner: Any) -> None:
    result = quizzes.take(learner, quizzes.a_quiz(), 0)

    assert (result["passed"], result["xp_awarded"]) == (False, 0)
    assert facts(learner) == dict.fromkeys(ONCE, 0) | {"analyses": 1}


def test_the_best_or_the_last_attempt_is_the_result_and_what_was_passed_stays(
    learner: Any,
) -> None:
    course = learning.a_course(1)
    for policy, shown in (("BEST", "100.00"), ("LAST", "0.00")):
        quiz = quizzes.a_quiz({f"T {policy}": 2}, course=course, attempt_policy=policy)
        for rights in (1, 2, 0):
            quizzes.take(learner, quiz, rights)
        found = learner.get(quiz.path).json()
        assert (found["result"]["score_percentage"], found["has_passed"]) == (shown, True)
        assert found["result"]["attempt_number"] == (2 if policy == "BEST" else 3)
    assert learning.count("learning.item_completions", learner) == 2


def test_answers_count_towards_mastery_of_their_topics(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 2, "Names": 2, "Untouched": 1})
    attempt = quizzes.begin(learner, quiz)
    for item in attempt["items"]:
        if item["topic"] != "untouched":
            response = quizzes.right(item) if item["topic"] == "loops" else quizzes.wrong(item)
            quizzes.save(learner, attempt, item, response)
    quizzes.submit(learner, attempt)

    loops, names = (mastery(learner, quiz.topics[name]) for name in ("Loops", "Names"))
    assert loops[0] > names[0]
    assert loops[1] == names[1]
    assert learning.count("learning.topic_mastery", learner) == 2


def test_a_deleted_quiz_is_scored_and_counts_nowhere(learner: Any, admin: Any) -> None:
    quiz = quizzes.a_quiz()
    attempt = quizzes.begin(learner, quiz)
    quizzes.answer_all(learner, attempt)
    assert admin.delete(quiz.admin_path).status_code == 204

    assert quizzes.submit(learner, attempt)["passed"] is True
    assert learning.count("learning.item_completions", learner) == 0
    assert learner.get(f"/api/quiz-attempts/{attempt['id']}").status_code == 200


@pytest.mark.usefixtures("wide_pool")
def test_of_twenty_submissions_at_once_one_counts(learner: Any) -> None:
    quiz = quizzes.a_quiz()
    attempt = quizzes.begin(learner, quiz)
    quizzes.answer_all(learner, attempt)

    results = at_once(*[lambda: quizzes.submit(learner, attempt)] * 20)

    assert {json.dumps(result["items"]) for result in results} == {json.dumps(results[0]["items"])}
    assert {result["xp_awarded"] for result in results} == {20}
    assert facts(learner) == ONCE
    assert mastery(learner, quiz.topics["Loops"])[1] == mastery_of_two()


def mastery_of_two() -> float:
    from studypack.courses.mastery import PRIOR_EVIDENCE

    return float(PRIOR_EVIDENCE) + 2


@pytest.mark.usefixtures("wide_pool")
def test_of_twenty_beginnings_at_once_all_get_the_same_attempt(learner: Any) -> None:
    quiz = quizzes.a_quiz(max_attempts=1)

    answers = at_once(*[lambda: learner.post(f"{quiz.path}/attempts")] * 20)

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.usefixtures("wide_pool")
def test_tabs_that_begin_and_submit_at_once_do_not_exceed_the_attempts(learner: Any) -> None:
    quiz = quizzes.a_quiz(max_attempts=3)

    def tab() -> list[int]:
        statuses = []
        for _ in range(4):
            begun = learner.post(f"{quiz.path}/attempts")
            statuses.append(begun.status_code)
            if begun.status_code < 300:
                quizzes.submit(learner, begun.json())
        return statuses

    statuses = [status for tab_ in at_once(*[tab] * 6) for status in tab_]

    assert set(statuses) <= {200, 201, 409}
    assert statuses.count(201) == 3
    numbers = bank.rows("SELECT attempt_number FROM learning.quiz_attempts ORDER BY 1")
    assert [row.attempt_number for row in numbers] == [1, 2, 3]


@pytest.mark.usefixtures("wide_pool")
def test_the_last_quizzes_of_a_course_passed_at_once_complete_it_once(learner: Any) -> None:
    course = learning.a_course(0)
    attempts = []
    for number in range(5):
        quiz = quizzes.a_quiz({f"Topic {number}": 2}, course=course)
        attempts.append(quizzes.begin(learner, quiz))
        quizzes.answer_all(learner, attempts[-1])

    at_once(*[lambda attempt=attempt: quizzes.submit(learner, attempt) for attempt in attempts * 4])

    five = dict.fromkeys(("xp", "feed", "event", "completions", "analyses"), 5)
    assert facts(learner) == ONCE | five
    assert bank.value("SELECT status FROM learning.enrollments") == "COMPLETED"


@pytest.mark.usefixtures("wide_pool")
def test_quizzes_of_one_course_failed_at_once_do_not_deadlock(learner: Any) -> None:
    course = learning.a_course(0)
    shared = [quizzes.add_topic(course, f"Topic {number}") for number in range(4)]
    questions = [quizzes.add_questions(topic, [quizzes.content()])[0] for topic in shared]
    attempts = []
    for number in range(6):
        quiz = quizzes.a_quiz({f"Own {number}": 1}, course=course)
        order = questions if number % 2 else questions[::-1]
        quizzes.choose(quiz, [ChosenQuestion(each) for each in [*order, *quiz.questions]])
        attempts.append(quizzes.begin(learner, quiz))
        quizzes.answer_all(learner, attempts[-1], 0 if number % 3 else None)

    results = at_once(
        *[lambda attempt=attempt: quizzes.submit(learner, attempt) for attempt in attempts]
    )

    assert {result["status"] for result in results} == {"SUBMITTED"}
    evidence = {mastery(learner, topic)[1] for topic in shared}
    assert evidence == {mastery_of_two() + 4}


def test_a_submission_that_dies_anywhere_leaves_nothing_half(learner: Any) -> None:
    quiz = quizzes.a_quiz()
    attempt = quizzes.begin(learner, quiz)
    quizzes.answer_all(learner, attempt)
    nothing = facts(learner)

    moment, died = 0, 0
    while True:
        moment += 1
        try:
            with dying_at(moment), transaction() as session:
                submission.submit(session, learner.id, attempt["id"])
            break
        except Died:
            died += 1
            now = facts(learner)
            assert now in (nothing, ONCE), f"half at moment {moment}"
            if now == ONCE:
                break
    assert died > 20
    quizzes.submit(learner, attempt)
    assert facts(learner) == ONCE


def test_a_submission_whose_commit_fails_is_a_fault_and_can_be_repeated(learner: Any) -> None:
    quiz = quizzes.a_quiz()
    attempt = quizzes.begin(learner, quiz)
    quizzes.answer_all(learner, attempt)
    with transaction() as session:
        fail_at_commit(session, "learning.quiz_analyses")

    answer = learner.post(f"/api/quiz-attempts/{attempt['id']}/submit")

    assert answer.status_code == 500
    shown = learner.get(f"/api/quiz-attempts/{attempt['id']}").json()
    assert shown["status"] == "IN_PROGRESS"
    with transaction() as session:
        session.execute(text("DROP TRIGGER refuse_commit ON learning.quiz_analyses"))
    assert quizzes.submit(learner, attempt)["passed"] is True


def test_a_quiz_that_was_moved_into_a_module_counts_when_it_is_passed_again(learner: Any) -> None:
    quiz = quizzes.a_quiz(in_module=False)
    quizzes.take(learner, quiz)
    seen = bank.value("SELECT updated_at FROM learning.quizzes WHERE id = :id", id=quiz.id)
    from studypack.quizzes import authoring

    with transaction() as session:
        changes = {"module_id": quiz.course.modules[0]}
        authoring.change(session, quiz.id, changes, seen_at=seen, by=learner.id)

    quizzes.take(learner, quiz)

    assert learning.count("learning.item_completions", learner) == 1
    assert facts(learner)["xp"] == 1


def test_submitting_takes_a_constant_number_of_statements(learner: Any, statements: Any) -> None:
    counted = []
    for questions in (2, 40):
        quiz = quizzes.a_quiz({f"Topic {questions}": questions}, in_module=False)
        attempt = quizzes.begin(learner, quiz)
        quizzes.answer_all(learner, attempt)
        statements()
        quizzes.submit(learner, attempt)
        counted.append(len(statements()))

    # Who calls; lock; form; close; mastery; XP, feed, event; analysis; the result.
    assert counted == [10, 10]
