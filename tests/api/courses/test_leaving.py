"""What becomes of somebody's courses when they close their account, and when it is erased."""

from __future__ import annotations

from typing import Any

from tests.support import bank, learning, quizzes
from tests.support.people import PASSWORD, Person

BROWSER = {"Accept": "text/html"}
OWN = [
    "certificates",
    "enrollments",
    "item_completions",
    "lesson_progress",
    "module_progress",
    "notes",
    "quiz_attempts",
    "topic_mastery",
]
"""The tables of schema learning that this learner has rows in."""


def study(person: Person) -> str:
    """Complete a course with a quiz, and write a note; the certificate's code."""
    course = learning.a_course(1)
    quiz = quizzes.a_quiz(course=course)
    learning.complete(person, course.lessons[0][0])
    note = {"kind": "NOTE", "body": "Mine"}
    path = f"/api/lessons/{course.lessons[0][0]}/notes"
    assert person.post(path, json=note).status_code == 201
    assert quizzes.take(person, quiz)["passed"]
    [certificate] = person.get("/api/certificates").json()["items"]
    return str(certificate["code"])


def leave(person: Person) -> None:
    answer = person.request("DELETE", "/api/users/me", json={"password": PASSWORD})
    assert answer.status_code == 204


def counts(person: Person) -> dict[str, int]:
    return {table: learning.count(f"learning.{table}", person) for table in OWN}


def test_the_public_page_of_a_certificate_ends_with_the_account(
    api: Any, learner: Person, other_learner: Person
) -> None:
    code, others = study(learner), study(other_learner)
    assert api.get(f"/api/certificates/{code}").status_code == 200

    leave(learner)

    for headers in ({}, BROWSER):
        shown = api.get(f"/api/certificates/{code}", headers=headers)
        assert shown.status_code == 404
        never = api.get("/api/certificates/AAAA-AAAA-AAAA-AAAA", headers=headers)
        assert shown.status_code == never.status_code
    assert api.get(f"/api/certificates/{others}").status_code == 200


def test_an_account_that_only_rests_keeps_its_certificate(api: Any, learner: Person) -> None:
    code = study(learner)
    bank.execute("UPDATE auth.users SET is_active = false WHERE id = :id", id=learner.id)
    assert api.get(f"/api/certificates/{code}").status_code == 200


def test_erasing_an_account_takes_all_that_it_learned_along(
    api: Any, learner: Person, other_learner: Person
) -> None:
    code, _ = study(learner), study(other_learner)
    assert min(counts(learner).values()) > 0
    others = counts(other_learner)
    leave(learner)

    bank.execute("DELETE FROM auth.users WHERE id = :id", id=learner.id)

    assert set(counts(learner).values()) == {0}
    assert counts(other_learner) == others
    assert api.get(f"/api/certificates/{code}").status_code == 404


def test_whatever_a_learner_has_in_learning_goes_with_the_account(database_url: str) -> None:
    """Also what is not in the list above: every reference to a user cascades."""
    found = bank.rows(
        "SELECT c.conrelid::regclass::text AS name, c.confdeltype AS does"
        "  FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid"
        "  JOIN pg_namespace n ON n.oid = t.relnamespace"
        " WHERE c.contype = 'f' AND c.confrelid = CAST('auth.users' AS regclass)"
        "   AND n.nspname = 'learning'"
    )
    assert {f"learning.{table}" for table in OWN} <= {row.name for row in found}
    assert {row.does for row in found} == {"c"}
