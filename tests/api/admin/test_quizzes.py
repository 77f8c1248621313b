"""Making quizzes: what an author may put together, and what learners may see of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from studypack.questions.answers import QuestionType
from tests.support import bank, learning, quizzes
from tests.support.concurrency import at_once
from tests.support.quizzes import QuizMaterial


@pytest.fixture
def quiz(database_url: str) -> QuizMaterial:
    """Unpublished, with three questions."""
    return quizzes.a_quiz({"Loops": 3}, published=False)


def read(admin: Any, quiz: QuizMaterial) -> dict[str, Any]:
    answer = admin.get(quiz.admin_path)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def patch(admin: Any, quiz: QuizMaterial, **changes: Any) -> Any:
    seen = read(admin, quiz)["updated_at"]
    return admin.patch(quiz.admin_path, json={"updated_at": seen, **changes})


def put_questions(admin: Any, quiz: QuizMaterial, questions: list[dict[str, Any]]) -> Any:
    body = {"updated_at": read(admin, quiz)["updated_at"], "questions": questions}
    return admin.put(f"{quiz.admin_path}/questions", json=body)


def publish(admin: Any, quiz: QuizMaterial) -> Any:
    return admin.post(f"{quiz.admin_path}/publish")


def errors(answer: Any) -> list[tuple[str, str]]:
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


def item_of(quiz: QuizMaterial) -> Any:
    return bank.row("SELECT * FROM learning.module_items WHERE item_id = :id", id=quiz.id)


def audited(quiz: QuizMaterial) -> list[str]:
    rows = bank.rows(
        "SELECT action FROM auth.audit_log WHERE subject_id = :id ORDER BY id", id=quiz.id
    )
    return sorted(row.action for row in rows)


def test_a_quiz_is_made_filled_published_and_taken(admin: Any, learner: Any) -> None:
    course = learning.a_course(1)
    topic = quizzes.add_topic(course, "Loops")
    questions = quizzes.add_questions(topic, [quizzes.content(), quizzes.content()])
    made = admin.post(
        "/api/admin/quizzes",
        json={
            "course_id": str(course.id),
            "module_id": str(course.modules[0]),
            "topic_id": str(topic),
            "title": "Über Schleifen",
            "negative_marking": "0.25",
            "time_limit_minutes": 10,
        },
    )
    assert made.status_code == 201, made.text
    document = made.json()
    assert (document["slug"], document["published"], document["questions"]) == (
        "uber-schleifen",
        False,
        [],
    )
    quiz = QuizMaterial(document["id"], course)
    assert learner.get(quiz.path).status_code == 404

    chosen = [{"question_id": str(questions[1]), "points": 3}, {"question_id": str(questions[0])}]
    filled = put_questions(admin, quiz, chosen)
    assert [(each["question_id"], each["points"]) for each in filled.json()["questions"]] == [
        (str(questions[1]), 3),
        (str(questions[0]), 1),
    ]
    assert publish(admin, quiz).json()["published"] is True

    shown = learner.get(quiz.path).json()
    assert (shown["questions"], shown["negative_marking"], shown["time_limit_minutes"]) == (
        2,
        "0.25",
        10,
    )
    assert quizzes.take(learner, quiz)["max_points"] == 4
    assert audited(quiz) == ["quiz.created", "quiz.published", "quiz.questions_chosen"]


def test_a_modules_quiz_has_its_place_among_what_counts_there(
    admin: Any, quiz: QuizMaterial
) -> None:
    row = item_of(quiz)
    assert (row.kind, row.title, row.published, row.position) == ("QUIZ", "A quiz", False, 0)
    second = quizzes.a_quiz({"More": 1}, course=quiz.course)
    assert (item_of(second).position, item_of(second).published) == (1, True)

    patch(admin, quiz, title="Another name", position=5)
    publish(admin, quiz)
    row = item_of(quiz)
    assert (row.title, row.position, row.published) == ("Another name", 5, True)
    assert read(admin, quiz)["position"] == 5
    admin.post(f"{quiz.admin_path}/unpublish")
    assert item_of(quiz).published is False
    publish(admin, quiz)
    admin.delete(quiz.admin_path)
    assert item_of(quiz).published is False


def test_a_quiz_moves_to_another_module_or_out_of_any(admin: Any, quiz: QuizMaterial) -> None:
    second = learning.add_module(quiz.course)
    patch(admin, quiz, module_id=str(second))
    assert item_of(quiz).module_id == second

    nowhere = patch(admin, quiz, module_id=None)
    assert (nowhere.status_code, errors(nowhere)) == (422, [("module_id", "missing")])
    publish(admin, quiz)
    moved = patch(admin, quiz, module_id=None, topic_id=str(quiz.topics["Loops"]))
    assert moved.status_code == 200
    assert item_of(quiz).published is False


@pytest.mark.parametrize("field", ["module_id", "topic_id"])
def test_module_and_topic_are_of_the_same_course(
    admin: Any, quiz: QuizMaterial, field: str
) -> None:
    other = learning.a_course(1)
    others = {"module_id": other.modules[0], "topic_id": quizzes.add_topic(other, "Other")}

    for value in (others[field], uuid4()):
        refused = patch(admin, quiz, **{field: str(value)})
        assert (refused.status_code, errors(refused)) == (422, [(field, "unknown")])


def test_slugs_are_made_of_titles_and_taken_once_in_a_course(
    admin: Any, quiz: QuizMaterial
) -> None:
    body = {
        "course_id": str(quiz.course.id),
        "module_id": str(quiz.course.modules[0]),
        "title": "A quiz",
    }
    second = admin.post("/api/admin/quizzes", json=body).json()
    assert second["slug"] == "a-quiz-2"
    taken = admin.post("/api/admin/quizzes", json={**body, "slug": "a-quiz"})
    assert (taken.status_code, errors(taken)) == (409, [("slug", "slug_taken")])
    renamed = patch(admin, quiz, slug="a-quiz-2")
    assert (renamed.status_code, renamed.json()["code"]) == (409, "slug_taken")
    admin.delete(f"/api/admin/quizzes/{second['id']}")
    assert patch(admin, quiz, slug="a-quiz-2").status_code == 200


@pytest.mark.usefixtures("wide_pool")
def test_quizzes_of_one_title_made_at_once_get_slugs_of_their_own(
    admin: Any, quiz: QuizMaterial
) -> None:
    body = {
        "course_id": str(quiz.course.id),
        "module_id": str(quiz.course.modules[0]),
        "title": "A quiz",
    }
    made = at_once(*[lambda: admin.post("/api/admin/quizzes", json=body)] * 6)

    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["slug"] for answer in made}) == 6
    assert sorted(answer.json()["position"] for answer in made) == [1, 2, 3, 4, 5, 6]


def test_a_state_that_one_has_not_seen_is_not_changed(admin: Any, quiz: QuizMaterial) -> None:
    seen = read(admin, quiz)["updated_at"]
    patch(admin, quiz, title="Faster")

    late = [
        admin.patch(quiz.admin_path, json={"updated_at": seen, "title": "Slower"}),
        admin.put(f"{quiz.admin_path}/questions", json={"updated_at": seen, "questions": []}),
    ]

    now = read(admin, quiz)
    assert [(answer.status_code, answer.json()["code"]) for answer in late] == [
        (409, "changed_meanwhile")
    ] * 2
    newer = datetime.fromisoformat(late[0].json()["updated_at"])
    assert newer == datetime.fromisoformat(now["updated_at"])
    assert (now["title"], len(now["questions"])) == ("Faster", 3)


@pytest.mark.usefixtures("wide_pool")
def test_of_two_authors_at_once_one_wins_and_the_other_learns_of_it(
    admin: Any, quiz: QuizMaterial
) -> None:
    seen = read(admin, quiz)["updated_at"]
    answers = at_once(
        *[
            lambda title=title: admin.patch(
                quiz.admin_path, json={"updated_at": seen, "title": title}
            )
            for title in ("One", "Two", "Three", "Four")
        ]
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


def test_an_empty_quiz_is_not_published(admin: Any, quiz: QuizMaterial) -> None:
    put_questions(admin, quiz, [])

    refused = publish(admin, quiz)

    assert (refused.status_code, refused.json()["code"]) == (422, "nothing_to_publish")
    assert errors(refused) == [("questions", "nothing_to_publish")]


def test_every_question_that_keeps_a_quiz_from_learners_is_listed(admin: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 5}, kinds=quizzes.ALL_TYPES, published=False)
    draft, deleted, _sound, keyless, unsound = quiz.questions
    bank.execute("UPDATE learning.questions SET status = 'DRAFT' WHERE id = :id", id=draft)
    bank.execute("UPDATE learning.questions SET deleted_at = now() WHERE id = :id", id=deleted)
    bank.execute(
        "UPDATE learning.question_versions SET content = jsonb_set(content, '{regions}', '[]')"
        " WHERE question_id = :id",
        id=keyless,
    )
    bank.execute(
        "UPDATE learning.question_versions SET content = jsonb_set(content, '{rationale}', '\"\"')"
        " WHERE question_id = :id",
        id=unsound,
    )
    patch(admin, quiz, question_count=6)

    refused = publish(admin, quiz)

    assert (refused.status_code, refused.json()["code"]) == (422, "not_ready")
    assert errors(refused) == [
        ("questions.0.question_id", "not_active"),
        ("questions.1.question_id", "deleted"),
        ("questions.3.question_id", "no_correct_option"),
        ("questions.4.question_id", "unsound"),
        ("question_count", "too_few_questions"),
    ]
    assert read(admin, quiz)["published"] is False


def test_a_published_quiz_stays_ready_for_learners(admin: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 2})
    draft = quizzes.add_questions(quiz.topics["Loops"], [quizzes.content()])[0]
    bank.execute("UPDATE learning.questions SET status = 'DRAFT' WHERE id = :id", id=draft)
    before = read(admin, quiz)

    refused = [
        (put_questions(admin, quiz, []), "questions"),
        (put_questions(admin, quiz, [{"question_id": str(draft)}]), "questions.0.question_id"),
        (patch(admin, quiz, question_count=3), "question_count"),
    ]

    for answer, field in refused:
        assert (answer.status_code, [name for name, _code in errors(answer)]) == (422, [field])
    assert read(admin, quiz) == before


def test_questions_are_known_of_the_course_and_there_once(admin: Any, quiz: QuizMaterial) -> None:
    elsewhere = quizzes.a_quiz({"Other": 1})
    one = str(quiz.questions[0])

    refused = put_questions(
        admin,
        quiz,
        [
            {"question_id": one},
            {"question_id": str(uuid4())},
            {"question_id": str(elsewhere.questions[0])},
            {"question_id": one},
        ],
    )

    assert refused.status_code == 422
    assert errors(refused) == [
        ("questions.1.question_id", "unknown"),
        ("questions.2.question_id", "unknown"),
        ("questions.3.question_id", "duplicate"),
    ]
    assert len(read(admin, quiz)["questions"]) == 3


def test_the_same_again_changes_nothing(admin: Any, quiz: QuizMaterial) -> None:
    before = read(admin, quiz)
    same = [{"question_id": each["question_id"], "points": 1} for each in before["questions"]]

    put_questions(admin, quiz, same)
    patch(admin, quiz, title=before["title"])
    admin.post(f"{quiz.admin_path}/unpublish")

    assert read(admin, quiz) == before
    assert audited(quiz) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"passing_score": 101}, "passing_score"),
        ({"time_limit_minutes": 0}, "time_limit_minutes"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"negative_marking": "1.01"}, "negative_marking"),
        ({"negative_marking": "0.333"}, "negative_marking"),
        ({"question_count": 0}, "question_count"),
        ({"attempt_policy": "WORST"}, "attempt_policy"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"title": " "}, "title"),
        ({"published": True}, "published"),
    ],
)
def test_what_does_not_fit_names_its_field(
    admin: Any, quiz: QuizMaterial, changes: dict[str, Any], field: str
) -> None:
    refused = patch(admin, quiz, **changes)

    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


def test_a_deleted_quiz_is_gone_and_its_attempts_stay(admin: Any, learner: Any) -> None:
    quiz = quizzes.a_quiz()
    attempt = quizzes.take(learner, quiz)

    assert admin.delete(quiz.admin_path).status_code == 204

    gone = [
        admin.get(quiz.admin_path),
        admin.delete(quiz.admin_path),
        publish(admin, quiz),
        learner.get(quiz.path),
        learner.post(f"{quiz.path}/attempts"),
    ]
    assert {answer.status_code for answer in gone} == {404}
    assert learner.get(f"/api/quiz-attempts/{attempt['id']}").json()["passed"] is True
    assert [each["id"] for each in learner.get(f"{quiz.path}/attempts").json()["items"]] == [
        attempt["id"]
    ]
    assert learning.count("learning.item_completions", learner) == 1


def test_quizzes_are_listed_newest_first_unpublished_ones_too(
    admin: Any, quiz: QuizMaterial, statements: Any
) -> None:
    second = quizzes.a_quiz({"More": 2}, course=quiz.course, in_module=False)
    elsewhere = quizzes.a_quiz({"Other": 1})

    def listed(**query: Any) -> list[str]:
        return [
            each["id"] for each in admin.get("/api/admin/quizzes", params=query).json()["items"]
        ]

    assert set(listed()) >= {str(each.id) for each in (quiz, second, elsewhere)}
    assert listed(course_id=quiz.course.id) == [str(second.id), str(quiz.id)]
    assert listed(module_id=quiz.course.modules[0]) == [str(quiz.id)]
    assert listed(topic_id=second.topics["More"]) == [str(second.id)]
    statements()
    listed(course_id=quiz.course.id)
    assert len(statements()) == 2
    read(admin, quiz)
    assert len(statements()) == 3


def test_learners_and_support_make_no_quizzes(
    learner: Any, support: Any, quiz: QuizMaterial
) -> None:
    for person in (learner, support):
        answers = [
            person.get("/api/admin/quizzes"),
            person.post("/api/admin/quizzes", json={}),
            person.get(quiz.admin_path),
            person.delete(quiz.admin_path),
            person.post(f"{quiz.admin_path}/publish"),
        ]
        assert {answer.status_code for answer in answers} == {403}


def test_an_unknown_course_is_not_there(admin: Any) -> None:
    body = {"course_id": str(uuid4()), "topic_id": str(uuid4()), "title": "x"}

    refused = admin.post("/api/admin/quizzes", json=body)

    assert (refused.status_code, refused.json()["code"]) == (404, "course_not_found")


def test_a_quiz_of_every_type_can_be_published(admin: Any) -> None:
    quiz = quizzes.a_quiz({"Loops": 5}, kinds=list(QuestionType), published=False)

    assert publish(admin, quiz).status_code == 200
