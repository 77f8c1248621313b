"""What a learner is told of an attempt."""

from __future__ import annotations

from typing import Any

from tests.support import bank, learning, quizzes


def analysis_of(person: Any, attempt: dict[str, Any]) -> dict[str, Any]:
    answer = person.get(f"/api/quiz-attempts/{attempt['id']}/analysis")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def take_by_topic(person: Any, quiz: quizzes.QuizMaterial, right: set[str]) -> dict[str, Any]:
    attempt = quizzes.begin(person, quiz)
    for item in attempt["items"]:
        response = quizzes.right(item) if item["topic"] in right else quizzes.wrong(item)
        quizzes.save(person, attempt, item, response, time_spent_seconds=40)
    return quizzes.submit(person, attempt)


def test_strong_and_weak_topics_time_and_what_to_do_next(learner: Any) -> None:
    course = learning.a_course(0)
    quiz = quizzes.a_quiz({"Loops": 2, "Names": 2}, course=course)
    lesson = learning.add_lesson(course, topic_id=quiz.topics["Names"], title="About names")
    hidden = learning.add_lesson(course, topic_id=quiz.topics["Names"], published=False)
    other = learning.add_lesson(course, topic_id=quiz.topics["Loops"], title="About loops")
    practice = quizzes.a_quiz({"Practice": 1}, course=course, in_module=False, title="More names")
    bank.execute(
        "UPDATE learning.quizzes SET topic_id = :topic WHERE id = :id",
        topic=quiz.topics["Names"],
        id=practice.id,
    )

    found = analysis_of(learner, take_by_topic(learner, quiz, {"loops"}))

    assert found["performance_breakdown"] == {"Loops": 100.0, "Names": 0.0}
    assert (found["strong_topics"], found["weak_topics"]) == (["Loops"], ["Names"])
    assert (found["avg_time_per_question"], found["time_management_rule"]) == (40, "balanced")
    assert found["time_management"]
    assert [(each["kind"], each["reference_id"]) for each in found["recommendations"]] == [
        ("lesson", str(lesson)),
        ("quiz", str(practice.id)),
    ]
    assert "About names" in found["recommendations"][0]["text"]
    assert str(hidden) not in str(found)
    assert str(other) not in str(found)
    assert (found["analysis_type"], found["analyzed_at"]) == ("AI", None)


def test_lessons_not_yet_done_come_first_and_those_of_the_topic_above_last(learner: Any) -> None:
    course = learning.a_course(0)
    quiz = quizzes.a_quiz({"Names": 1}, course=course)
    above = quizzes.add_topic(course, "Above")
    bank.execute(
        "UPDATE learning.topics SET parent_id = :above WHERE id = :id",
        above=above,
        id=quiz.topics["Names"],
    )
    wider = learning.add_lesson(course, topic_id=above, title="Wider")
    done = learning.add_lesson(course, topic_id=quiz.topics["Names"], title="Done")
    learning.complete(learner, done)

    first = analysis_of(learner, quizzes.take(learner, quiz, 0))["recommendations"]
    assert [each["reference_id"] for each in first] == [str(done), str(wider)]
    assert "again" in first[0]["text"]
    fresh = learning.add_lesson(course, topic_id=quiz.topics["Names"], title="Fresh")
    second = analysis_of(learner, quizzes.take(learner, quiz, 0))["recommendations"]
    assert [each["reference_id"] for each in second] == [str(fresh), str(done)]


def test_a_weak_topic_without_lessons_points_at_itself(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Names": 1})
    elsewhere = learning.a_course(0)
    learning.add_lesson(elsewhere, topic_id=quiz.topics["Names"])

    [only] = analysis_of(learner, quizzes.take(learner, quiz, 0))["recommendations"]

    assert (only["kind"], only["reference_id"]) == ("topic", str(quiz.topics["Names"]))


def test_without_a_weak_topic_nothing_is_recommended(learner: Any) -> None:
    found = analysis_of(learner, quizzes.take(learner, quizzes.a_quiz()))

    assert (found["recommendations"], found["weak_topics"]) == ([], [])


def test_fast_and_wrong_answers_are_told(learner: Any) -> None:
    attempt = quizzes.take(learner, quizzes.a_quiz({"Loops": 4}), 1, seconds=3)

    assert analysis_of(learner, attempt)["time_management_rule"] == "too_fast_and_wrong"
