"""No key, rationale or feedback before submission; everything after it."""

from __future__ import annotations

import json
from typing import Any

from tests.support import exams, quizzes

SECRETS = ("is_correct", "points", "feedback", "sort_order", "rationale", "regions")


def named(value: Any) -> set[str]:
    """Every name in a document, at any depth."""
    match value:
        case dict():
            return set(value) | {name for each in value.values() for name in named(each)}
        case list():
            return {name for each in value for name in named(each)}
        case _:
            return set()


def test_nothing_secret_leaves_before_submission(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 5}, kinds=quizzes.ALL_TYPES)
    attempt = quizzes.begin(learner, quiz)
    texts = [json.dumps(attempt)]
    for item in attempt["items"]:
        texts.append(quizzes.save(learner, attempt, item, quizzes.any_answer(item)).text)
        stale = quizzes.save(learner, attempt, item, None)
        assert stale.status_code == 409
        texts.append(stale.text)
    texts += [
        learner.get(path).text
        for path in (
            quiz.path,
            f"/api/quizzes?course={quiz.course.slug}",
            f"{quiz.path}/attempts",
            f"/api/quiz-attempts/{attempt['id']}",
            f"/api/quiz-attempts/{attempt['id']}/analysis",
        )
    ]

    assert [text for text in texts if "SECRET" in text] == []
    running = learner.get(f"/api/quiz-attempts/{attempt['id']}").json()
    for item in running["items"]:
        assert (item["solution"], item["is_correct"], item["points_awarded"]) == (None, None, None)
        assert named(item["question"]).isdisjoint(SECRETS)
    assert learner.get(f"/api/quiz-attempts/{attempt['id']}/analysis").json()["code"] == (
        "attempt_not_submitted"
    )


def test_after_submission_everything_is_there(learner: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 5}, kinds=quizzes.ALL_TYPES)
    attempt = quizzes.begin(learner, quiz)
    result = quizzes.submit(learner, attempt)

    for before, item in zip(attempt["items"], result["items"], strict=True):
        content = exams.content_of(item["question_id"])
        assert item["solution"]["rationale"] == "SECRET rationale"
        assert item["question"] == before["question"]
        shown = [option["id"] for option in item["question"]["options"]]
        assert [option["id"] for option in item["solution"]["options"]] == shown
        right = quizzes.right(item)
        named_right = right.get("option_ids") or [right.get("option_id")]
        if content.type == "HOT_SPOT":
            assert item["solution"]["regions"]
        else:
            assert set(item["solution"]["key"]) == set(named_right)


def test_an_ordering_never_comes_in_its_right_order(learner: Any) -> None:
    from studypack.questions.answers import QuestionType

    quiz = quizzes.a_quiz({"Loops": 10}, kinds=[QuestionType.ORDERING], shuffle_options=False)
    attempt = quizzes.begin(learner, quiz)

    for item in attempt["items"]:
        shown = [option["id"] for option in item["question"]["options"]]
        assert shown != quizzes.right(item)["option_ids"]
