from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import bank
from tests.support.accounts import fields
from tests.support.authoring import a_course


def path(course: UUID) -> str:
    return f"/api/admin/courses/{course}/prerequisites"


def ask(admin: Any, course: UUID, *required: UUID) -> Any:
    return admin.put(path(course), json={"course_ids": [str(each) for each in required]})


def test_a_course_asks_for_exactly_what_was_said_last(admin: Any) -> None:
    course, first, second = a_course(), a_course(title="First"), a_course(title="Second")

    assert [each["slug"] for each in ask(admin, course, second, first).json()["items"]] == [
        "first",
        "second",
    ]
    assert [each["title"] for each in ask(admin, course, second).json()["items"]] == ["Second"]
    assert admin.get(path(course)).json()["items"] == [
        {"id": str(second), "slug": "second", "title": "Second"}
    ]
    assert ask(admin, course).json() == {"items": []}
    acts = bank.rows(
        "SELECT details FROM auth.audit_log WHERE action = 'course.prerequisites_changed'"
        " ORDER BY id"
    )
    assert [(act.details["old"], act.details["new"]) for act in acts] == [
        ([], ["first", "second"]),
        (["first", "second"], ["second"]),
        (["second"], []),
    ]


def test_the_same_again_changes_nothing(admin: Any) -> None:
    course, first = a_course(), a_course()
    ask(admin, course, first)
    before = admin.get(f"/api/admin/courses/{course}").json()

    assert ask(admin, course, first).status_code == 200
    assert admin.get(f"/api/admin/courses/{course}").json() == before


def test_a_cycle_is_refused_with_its_path(admin: Any) -> None:
    a, b, c = a_course(slug="a"), a_course(slug="b"), a_course(slug="c")
    ask(admin, a, b)
    ask(admin, b, c)

    answer = ask(admin, c, a)

    assert (answer.status_code, answer.json()["code"]) == (422, "prerequisite_cycle")
    assert answer.json()["path"] == ["c", "a", "b", "c"]
    assert "c → a → b → c" in answer.json()["detail"]
    assert fields(answer) == [("course_ids.0", "cycle")]
    assert admin.get(path(c)).json() == {"items": []}


def test_a_course_does_not_ask_for_itself(admin: Any) -> None:
    course = a_course(slug="alone")

    answer = ask(admin, course, course)

    assert (answer.status_code, answer.json()["path"]) == (422, ["alone", "alone"])


def test_what_does_not_fit_is_named_by_its_place(admin: Any) -> None:
    course, first, gone = a_course(), a_course(), a_course()
    admin.delete(f"/api/admin/courses/{gone}")

    answer = ask(admin, course, first, uuid4(), first, gone)

    assert answer.status_code == 422
    assert fields(answer) == [
        ("course_ids.1", "unknown"),
        ("course_ids.2", "duplicate"),
        ("course_ids.3", "unknown"),
    ]
    assert admin.get(path(course)).json() == {"items": []}


@pytest.mark.parametrize("body", [{}, {"course_ids": None}, {"course_ids": ["x"]}, []])
def test_a_body_that_is_none_is_refused(body: Any, admin: Any) -> None:
    assert admin.put(path(a_course()), json=body).status_code == 422


def test_a_course_that_others_ask_for_is_not_deleted(admin: Any) -> None:
    course, first = a_course(slug="second"), a_course()
    ask(admin, course, first)

    answer = admin.delete(f"/api/admin/courses/{first}")

    assert (answer.status_code, answer.json()["code"]) == (409, "course_required")
    assert answer.json()["courses"] == ["second"]
    assert admin.delete(f"/api/admin/courses/{course}").status_code == 204
    assert admin.delete(f"/api/admin/courses/{first}").status_code == 204


def test_what_nobody_made_asks_for_nothing(admin: Any) -> None:
    assert admin.get(path(uuid4())).status_code == 404
    assert ask(admin, uuid4()).status_code == 404
