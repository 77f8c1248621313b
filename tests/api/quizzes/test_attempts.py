"""Beginning attempts and reading them: forms, limits, access."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, learning, quizzes


def seconds_between(earlier: str, later: str) -> float:
    difference: timedelta = datetime.fromisoformat(later) - datetime.fromisoformat(earlier)
    return difference.total_seconds()


def unpublish(quiz: quizzes.QuizMaterial) -> None:
    bank.execute("UPDATE learning.quizzes SET published = false WHERE id = :id", id=quiz.id)


def test_a_quiz_is_begun_answered_submitted_and_explained(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 3, "Names": 2}, kinds=quizzes.ALL_TYPES, points=2)

    attempt = quizzes.begin(learner, quiz)
    assert (attempt["status"], attempt["attempt_number"], attempt["max_points"]) == (
        "IN_PROGRESS",
        1,
        10,
    )
    quizzes.answer_all(learner, attempt)
    result = quizzes.submit(learner, attempt)

    assert (result["status"], result["score_percentage"], result["passed"]) == (
        "SUBMITTED",
        "100.00",
        True,
    )
    assert learner.get(f"/api/quiz-attempts/{attempt['id']}").json()["items"] == result["items"]
    shown = learner.get(quiz.path).json()
    assert shown["result"]["attempt_id"] == attempt["id"]
    assert (shown["attempts"], shown["has_passed"]) == (1, True)


def test_an_attempt_that_is_under_way_is_the_answer_to_another_beginning(learner: Any) -> None:
    quiz = quizzes.a_quiz(max_attempts=3)
    first = quizzes.begin(learner, quiz)

    again = quizzes.begin(learner, quiz, status=200)

    assert again["id"] == first["id"]
    assert [item["question"] for item in again["items"]] == [
        item["question"] for item in first["items"]
    ]
    assert learner.get(quiz.path).json()["attempts_left"] == 2
    assert learner.get(quiz.path).json()["running_attempt_id"] == first["id"]


def test_a_repeated_request_gets_the_attempt_that_it_began_also_when_it_is_over(
    learner: Any,
) -> None:
    quiz = quizzes.a_quiz()
    key = {"Idempotency-Key": "one"}
    first = quizzes.begin(learner, quiz, **key)
    quizzes.submit(learner, first)

    again = quizzes.begin(learner, quiz, status=200, **key)

    assert (again["id"], again["status"]) == (first["id"], "SUBMITTED")
    other = quizzes.a_quiz(course=quiz.course, topics={"Other": 1})
    refused = learner.post(f"{other.path}/attempts", headers=key)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "key_reused")


def test_attempts_are_used_up(learner: Any, other_learner: Any) -> None:
    quiz = quizzes.a_quiz(max_attempts=2)
    for number in (1, 2):
        assert quizzes.take(learner, quiz, 0)["attempt_number"] == number

    refused = learner.post(f"{quiz.path}/attempts")

    assert (refused.status_code, refused.json()["code"]) == (409, "attempts_used_up")
    assert learner.get(quiz.path).json()["attempts_left"] == 0
    assert quizzes.begin(other_learner, quiz)["attempt_number"] == 1


def test_an_attempt_whose_time_ran_out_does_not_stand_in_the_way(learner: Any) -> None:
    quiz = quizzes.a_quiz(time_limit_minutes=10, max_attempts=2)
    first = quizzes.begin(learner, quiz)
    quizzes.move_clock(first, 601)

    second = quizzes.begin(learner, quiz)

    assert (second["attempt_number"], second["status"]) == (2, "IN_PROGRESS")
    over = learner.get(f"/api/quiz-attempts/{first['id']}").json()
    assert (over["status"], over["submitted_at"]) == ("SUBMITTED", over["deadline_at"])


@pytest.mark.parametrize(("factor", "minutes"), [(None, 10), ("1.5", 15)])
def test_the_deadline_is_the_limit_with_the_learners_accommodation(
    sign_up: Any, factor: str | None, minutes: int
) -> None:
    person = sign_up(time_factor=factor)
    attempt = quizzes.begin(person, quizzes.a_quiz(time_limit_minutes=10))

    assert seconds_between(attempt["started_at"], attempt["deadline_at"]) == minutes * 60
    assert minutes * 60 - 30 < attempt["remaining_seconds"] <= minutes * 60


def test_without_a_limit_there_is_no_deadline(learner: Any) -> None:
    attempt = quizzes.begin(learner, quizzes.a_quiz())

    assert (attempt["deadline_at"], attempt["remaining_seconds"]) == (None, None)


def test_questions_are_drawn_and_those_not_yet_seen_come_first(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 6}, question_count=2)
    asked = []
    for _ in range(3):
        attempt = quizzes.begin(learner, quiz)
        asked += [item["question_id"] for item in attempt["items"]]
        quizzes.submit(learner, attempt)

    assert len(set(asked)) == 6
    assert learner.get(quiz.path).json()["questions"] == 2


def test_unshuffled_questions_and_options_keep_the_authors_order(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 6}, shuffle_questions=False, shuffle_options=False)
    attempt = quizzes.begin(learner, quiz)

    assert [item["question_id"] for item in attempt["items"]] == [str(q) for q in quiz.questions]
    assert [item["position"] for item in attempt["items"]] == [1, 2, 3, 4, 5, 6]
    for item in attempt["items"]:
        texts = [option["content"] for option in item["question"]["options"]]
        assert texts == sorted(texts)


def test_shuffled_forms_differ_from_attempt_to_attempt(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 8})
    orders = set()
    for _ in range(3):
        attempt = quizzes.begin(learner, quiz)
        orders.add(tuple(item["question_id"] for item in attempt["items"]))
        quizzes.submit(learner, attempt)

    assert len(orders) > 1


def test_an_edited_question_stays_as_it_was_in_an_attempt_under_way(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 1})
    attempt = quizzes.begin(learner, quiz)
    bank.edit(quiz.questions[0], quizzes.content(mark=" (edited)"))

    [item] = learner.get(f"/api/quiz-attempts/{attempt['id']}").json()["items"]
    assert "edited" not in item["question"]["stem"]
    quizzes.submit(learner, attempt)
    [item] = quizzes.begin(learner, quiz)["items"]
    assert "edited" in item["question"]["stem"]


def test_a_retired_question_is_left_out_and_without_any_nothing_begins(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 2})
    retire = "UPDATE learning.questions SET status = 'RETIRED' WHERE id = :id"
    bank.execute(retire, id=quiz.questions[0])
    attempt = quizzes.begin(learner, quiz)
    assert [item["question_id"] for item in attempt["items"]] == [str(quiz.questions[1])]
    quizzes.submit(learner, attempt)

    bank.execute(retire, id=quiz.questions[1])
    refused = learner.post(f"{quiz.path}/attempts")
    assert (refused.status_code, refused.json()["code"]) == (409, "quiz_without_questions")


def test_who_begins_a_modules_quiz_is_enrolled_by_that(learner: Any) -> None:
    quiz = quizzes.a_quiz()
    quizzes.begin(learner, quiz)

    assert learning.count("learning.enrollments", learner, "status = 'ACTIVE'") == 1


def test_a_quiz_on_a_topic_alone_enrols_nobody_and_counts_nowhere(learner: Any) -> None:
    quiz = quizzes.a_quiz(in_module=False)
    result = quizzes.take(learner, quiz)

    assert (result["passed"], result["xp_awarded"]) == (True, 20)
    assert learning.count("learning.enrollments", learner) == 0
    assert learning.count("learning.item_completions", learner) == 0


@pytest.mark.parametrize(
    ("status", "code"), [("PAUSED", "enrollment_paused"), ("DROPPED", "not_enrolled")]
)
def test_who_paused_or_dropped_the_course_begins_nothing(
    learner: Any, status: str, code: str
) -> None:
    quiz = quizzes.a_quiz()
    assert learner.post(f"{quiz.course.path}/enrollment").status_code in {200, 201}
    bank.execute(
        "UPDATE learning.enrollments SET status = :status WHERE user_id = :user",
        status=status,
        user=learner.id,
    )

    refused = learner.post(f"{quiz.path}/attempts")

    assert (refused.status_code, refused.json()["code"]) == (409, code)


@pytest.mark.parametrize("in_module", [True, False])
def test_without_access_a_quiz_is_locked_and_says_what_opens_it(
    learner: Any, in_module: bool
) -> None:
    quiz = quizzes.a_quiz(in_module=in_module)
    learning.nothing_is_free()

    for answer in (learner.get(quiz.path), learner.post(f"{quiz.path}/attempts")):
        assert (answer.status_code, answer.json()["code"]) == (402, "entitlement_required")
        assert answer.json()["features"] == ["courses"]
    [listed] = learner.get("/api/quizzes", params={"course": quiz.course.slug}).json()["items"]
    assert listed["lock"] == {"reason": "not_entitled", "released_at": None}


def test_a_running_attempt_is_finished_after_access_ended(learner: Any) -> None:
    quiz = quizzes.a_quiz()
    attempt = quizzes.begin(learner, quiz)
    learning.nothing_is_free()
    unpublish(quiz)

    assert quizzes.begin(learner, quiz, status=200)["id"] == attempt["id"]
    quizzes.answer_all(learner, attempt)
    assert quizzes.submit(learner, attempt)["passed"] is True
    assert learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis").status_code == 200
    assert len(learner.get(f"{quiz.path}/attempts").json()["items"]) == 1
    assert learner.post(f"{quiz.path}/attempts").status_code == 404


def test_a_module_that_opens_later_keeps_its_quiz_closed(learner: Any) -> None:
    course = learning.a_course()
    learning.add_module(course, release_after_days=3)
    quiz = quizzes.a_quiz(course=course)

    not_enrolled = learner.post(f"{quiz.path}/attempts")
    assert (not_enrolled.status_code, not_enrolled.json()["code"]) == (403, "not_enrolled")
    learner.post(f"{course.path}/enrollment")
    too_early = learner.get(quiz.path)
    assert (too_early.status_code, too_early.json()["code"]) == (403, "not_released_yet")
    assert too_early.json()["released_at"]
    learning.passed(learner, 3 * 86_400)
    assert learner.get(quiz.path).status_code == 200


@pytest.mark.parametrize(
    "hidden",
    [
        "UPDATE learning.quizzes SET published = false",
        "UPDATE learning.quizzes SET deleted_at = now()",
        "UPDATE learning.modules SET published = false",
        "UPDATE learning.modules SET deleted_at = now(), position = NULL",
        "UPDATE learning.courses SET published = false",
        "UPDATE learning.courses SET is_active = false",
        "UPDATE learning.courses SET deleted_at = now()",
    ],
)
def test_what_is_not_published_is_not_there(learner: Any, hidden: str) -> None:
    quiz = quizzes.a_quiz()
    bank.execute(hidden)

    for answer in (learner.get(quiz.path), learner.post(f"{quiz.path}/attempts")):
        assert (answer.status_code, answer.json()["code"]) == (404, "quiz_not_found")
    listed = learner.get("/api/quizzes", params={"course": quiz.course.slug})
    assert listed.json()["items"] == []


def test_anothers_attempt_is_not_there(learner: Any, other_learner: Any) -> None:
    attempt = quizzes.begin(other_learner, quizzes.a_quiz())
    path = f"/api/quiz-attempts/{attempt['id']}"

    answers = [
        learner.get(path),
        learner.post(f"{path}/submit"),
        learner.get(f"{path}/analysis"),
        quizzes.save(learner, attempt, attempt["items"][0], None),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["code"] for answer in answers} == {"quiz_attempt_not_found"}


def test_my_attempts_come_newest_first_page_by_page(learner: Any, other_learner: Any) -> None:
    quiz = quizzes.a_quiz()
    made = [quizzes.take(learner, quiz, 0)["id"] for _ in range(3)]
    quizzes.take(other_learner, quiz)

    first = learner.get(f"{quiz.path}/attempts", params={"limit": 2}).json()
    rest = learner.get(
        f"{quiz.path}/attempts", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()

    assert [each["id"] for each in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    assert learner.get(f"/api/quizzes/{uuid4()}/attempts").status_code == 404
    other = quizzes.a_quiz(course=quiz.course, topics={"Other": 1})
    assert learner.get(f"{other.path}/attempts").json() == {"items": [], "next_cursor": None}


def test_the_quizzes_of_a_course_come_in_its_order(learner: Any) -> None:
    course = learning.a_course(1, 1)
    second = quizzes.a_quiz({"B": 1}, course=course, title="Second")
    bank.execute(
        "UPDATE learning.quizzes SET module_id = :m WHERE id = :id",
        m=course.modules[1],
        id=second.id,
    )
    first = quizzes.a_quiz({"A": 1}, course=course, title="First")
    practice = quizzes.a_quiz({"C": 1}, course=course, title="Alone", in_module=False)
    hidden = quizzes.a_quiz({"D": 1}, course=course, published=False)

    listed = learner.get("/api/quizzes", params={"course": course.slug}).json()["items"]
    assert [each["id"] for each in listed] == [str(q.id) for q in (first, second, practice)]
    on_topic = learner.get("/api/quizzes", params={"topic": str(practice.topics["C"])}).json()
    assert [each["id"] for each in on_topic["items"]] == [str(practice.id)]
    assert str(hidden.id) not in str(listed)
    assert learner.get("/api/quizzes").status_code == 422


def test_reading_and_beginning_take_few_statements(learner: Any, statements: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 40})
    attempt = quizzes.take(learner, quiz)
    statements()

    learner.get(quiz.path)
    assert len(statements()) == 2  # who calls; the quiz
    learner.get("/api/quizzes", params={"course": quiz.course.slug})
    assert len(statements()) == 2
    learner.get(f"/api/quiz-attempts/{attempt['id']}")
    assert len(statements()) == 2
    learner.get(f"{quiz.path}/attempts")
    assert len(statements()) == 2
    learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis")
    assert len(statements()) == 2
    learner.post(f"{quiz.path}/attempts")
    assert len(statements()) == 5  # who calls; the quiz; its questions; the attempt; its form
