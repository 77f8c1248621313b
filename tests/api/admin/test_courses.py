from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank
from tests.support.accounts import fields
from tests.support.authoring import a_course, a_module, a_published_course
from tests.support.concurrency import at_once

PATH = "/api/admin/courses"


def create(admin: Any, **other: Any) -> dict[str, Any]:
    answer = admin.post(PATH, json={"title": "Weaving", **other})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(admin: Any, made: dict[str, Any], **changes: Any) -> Any:
    body = {"updated_at": made["updated_at"], **changes}
    return admin.patch(f"{PATH}/{made['id']}", json=body)


def audited(action: str) -> list[Any]:
    return bank.rows(
        "SELECT actor_id, subject_id, details FROM auth.audit_log WHERE action = :a", a=action
    )


def test_a_new_course_is_there_for_its_authors_alone(admin: Any) -> None:
    made = create(admin, difficulty="ADVANCED", syllabus="# What it covers")

    assert (made["slug"], made["published"], made["is_active"]) == ("weaving", False, True)
    assert (made["difficulty"], made["syllabus"]) == ("ADVANCED", "# What it covers")
    assert (made["module_count"], made["enrollment_count"]) == (0, 0)
    assert admin.get(f"{PATH}/{made['id']}").json() == made
    [act] = audited("course.created")
    assert (str(act.actor_id), str(act.subject_id)) == (str(admin.id), made["id"])


def test_a_slug_is_made_of_the_title_and_of_a_number_when_it_is_taken(admin: Any) -> None:
    assert create(admin, title="Über C++")["slug"] == "uber-c-plus-plus"
    assert create(admin, title="Uber C plus plus")["slug"] == "uber-c-plus-plus-2"
    assert create(admin, title="UBER C PLUS PLUS")["slug"] == "uber-c-plus-plus-3"
    assert create(admin, title="日本語")["slug"] == "course"


def test_a_given_slug_or_a_title_is_taken_once(admin: Any) -> None:
    create(admin, slug="weaving-1")

    taken = admin.post(PATH, json={"title": "Other", "slug": "weaving-1"})
    same = admin.post(PATH, json={"title": "Weaving", "slug": "other"})

    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    assert fields(taken) == [("slug", "slug_taken")]
    assert (same.status_code, same.json()["code"]) == (409, "title_taken")
    assert bank.value("SELECT count(*) FROM learning.courses WHERE title = 'Other'") == 0


def test_the_slug_of_a_deleted_course_is_free_again(admin: Any) -> None:
    made = create(admin)
    assert admin.delete(f"{PATH}/{made['id']}").status_code == 204

    assert create(admin)["slug"] == made["slug"]


@pytest.mark.usefixtures("wide_pool")
def test_courses_of_one_title_made_at_once_have_a_slug_each_or_are_refused(admin: Any) -> None:
    same_title = [lambda: admin.post(PATH, json={"title": "Pottery"})] * 4
    same_words = [
        lambda title=title: admin.post(PATH, json={"title": title})
        for title in ("Glass art", "Glass-art", "Glass, art", "GLASS ART")
    ]

    assert sorted(a.status_code for a in at_once(*same_title)) == [201, 409, 409, 409]
    assert sorted(a.json()["slug"] for a in at_once(*same_words)) == [
        "glass-art",
        "glass-art-2",
        "glass-art-3",
        "glass-art-4",
    ]


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": None}, "title"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "-a"}, "slug"),
        ({"slug": "a--b"}, "slug"),
        ({"slug": "x" * 81}, "slug"),
        ({"difficulty": "HARD"}, "difficulty"),
        ({"position": -1}, "position"),
        ({"position": 32_768}, "position"),
        ({"syllabus": "x" * 50_001}, "syllabus"),
        ({"published": True}, "published"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(
    spoilt: dict[str, Any], named: str, admin: Any
) -> None:
    before = bank.value("SELECT count(*) FROM learning.courses")

    answer = admin.post(PATH, json={"title": "Weaving", **spoilt})

    assert answer.status_code == 422
    assert [name for name, _code in fields(answer)] == [named]
    assert bank.value("SELECT count(*) FROM learning.courses") == before


def test_a_change_of_what_one_looked_at_is_made_and_written_down(admin: Any) -> None:
    made = create(admin)

    now = change(admin, made, description="Of threads", position=4, syllabus="x" * 300).json()

    assert (now["description"], now["position"], now["title"]) == ("Of threads", 4, "Weaving")
    assert now["updated_at"] > made["updated_at"]
    [act] = audited("course.changed")
    assert act.details["changes"] == {
        "description": {"old": None, "new": "Of threads"},
        "position": {"old": 0, "new": 4},
        "syllabus": "changed",
    }


def test_a_change_to_what_it_is_already_is_none(admin: Any) -> None:
    made = create(admin)

    assert change(admin, made, title="Weaving").json() == made
    assert audited("course.changed") == []


def test_a_change_of_what_somebody_changed_since_is_refused_with_the_newer_time(
    admin: Any,
) -> None:
    made = create(admin)
    newer = change(admin, made, description="First").json()

    answer = change(admin, made, description="Second")

    assert (answer.status_code, answer.json()["code"]) == (409, "changed_meanwhile")
    again = admin.patch(
        f"{PATH}/{made['id']}",
        json={"updated_at": answer.json()["updated_at"], "description": "Third"},
    )
    assert (again.status_code, again.json()["description"]) == (200, "Third")
    assert newer["description"] == "First"


@pytest.mark.usefixtures("wide_pool")
def test_of_changes_at_once_one_is_made(admin: Any) -> None:
    made = create(admin)

    answers = at_once(
        *[lambda n=n: change(admin, made, description=f"Version {n}") for n in range(5)]
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert len(audited("course.changed")) == 1


def test_a_title_or_slug_of_another_is_refused_in_a_change_too(admin: Any) -> None:
    create(admin, title="Knitting")
    made = create(admin)

    assert change(admin, made, title="Knitting").json()["code"] == "title_taken"
    assert change(admin, made, slug="knitting").json()["code"] == "slug_taken"
    assert admin.get(f"{PATH}/{made['id']}").json() == made


@pytest.mark.parametrize(
    "body",
    [
        {"title": "x"},
        {"updated_at": "2026-01-01T00:00:00", "title": "x"},
        {"updated_at": "2026-01-01T00:00:00Z", "title": None},
        {"updated_at": "2026-01-01T00:00:00Z", "slug": None},
        {"updated_at": "2026-01-01T00:00:00Z", "published": True},
    ],
)
def test_a_change_says_of_which_state_and_what(body: dict[str, Any], admin: Any) -> None:
    assert admin.patch(f"{PATH}/{create(admin)['id']}", json=body).status_code == 422


def test_the_list_has_every_course_in_pages(admin: Any) -> None:
    a_course(title="Zebra", position=0)
    a_course(title="Apes", position=0)
    a_published_course(title="First", position=0)
    a_course(title="Far behind", position=30_000)
    whole = admin.get(PATH).json()
    assert whole["next_cursor"] is None

    paged, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = admin.get(PATH, params=query).json()
        paged += page["items"]
        if not (cursor := page["next_cursor"]):
            break

    assert paged == whole["items"]
    places = [(each["position"], each["title"]) for each in paged]
    assert places == sorted(places)
    assert {"Zebra", "Apes", "First", "Far behind"} <= {each["title"] for each in paged}


def test_a_course_without_a_published_module_is_not_published(admin: Any) -> None:
    course = a_course()
    a_module(course)

    answer = admin.post(f"{PATH}/{course}/publish")

    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_publish")
    assert fields(answer) == [("modules", "nothing_to_publish")]
    assert admin.get(f"{PATH}/{course}").json()["published"] is False


def test_a_course_is_published_and_taken_back_each_once(admin: Any) -> None:
    course, _module, _lesson = a_published_course()

    back = admin.post(f"{PATH}/{course}/unpublish").json()
    assert (back["published"], len(audited("course.unpublished"))) == (False, 1)
    assert admin.post(f"{PATH}/{course}/unpublish").json() == back

    again = admin.post(f"{PATH}/{course}/publish").json()
    assert (again["published"], again["updated_at"] > back["updated_at"]) == (True, True)
    assert admin.post(f"{PATH}/{course}/publish").json() == again
    assert len(audited("course.published")) == 1


def test_deleting_a_course_keeps_what_learners_did_in_it(admin: Any, learner: Any) -> None:
    course, module, lesson = a_published_course()
    bank.execute(
        "INSERT INTO learning.enrollments (id, user_id, course_id)"
        " VALUES (gen_random_uuid(), :user, :course)",
        user=learner.id,
        course=course,
    )
    bank.execute(
        "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)"
        " VALUES (:user, :lesson, 'LESSON', :module)",
        user=learner.id,
        lesson=lesson,
        module=module,
    )
    assert admin.get(f"{PATH}/{course}").json()["enrollment_count"] == 1

    assert admin.delete(f"{PATH}/{course}").status_code == 204

    assert bank.value("SELECT count(*) FROM learning.enrollments") == 1
    assert bank.value("SELECT count(*) FROM learning.item_completions") == 1
    for path in (
        f"{PATH}/{course}",
        f"{PATH}/{course}/modules",
        f"{PATH}/{course}/topics",
        f"{PATH}/{course}/prerequisites",
        f"/api/admin/modules/{module}",
        f"/api/admin/modules/{module}/lessons",
        f"/api/admin/lessons/{lesson}",
    ):
        assert admin.get(path).status_code == 404, path
    assert admin.delete(f"{PATH}/{course}").status_code == 404
    assert admin.post(f"/api/admin/lessons/{lesson}/publish").status_code == 404
    assert admin.post(f"/api/admin/modules/{module}/lessons", json={}).status_code == 422
    [act] = audited("course.deleted")
    assert str(act.subject_id) == str(course)


@pytest.mark.parametrize("role", ["USER", "SUPPORT"])
def test_only_admins_write_courses(role: str, sign_up: Callable[..., Any], api: Any) -> None:
    course, module, lesson = a_published_course()
    caller = sign_up(role=role)
    nobody = str(uuid4())

    for method, path in (
        ("GET", PATH),
        ("POST", PATH),
        ("GET", f"{PATH}/{course}"),
        ("PATCH", f"{PATH}/{course}"),
        ("DELETE", f"{PATH}/{course}"),
        ("POST", f"{PATH}/{course}/unpublish"),
        ("PUT", f"{PATH}/{course}/prerequisites"),
        ("POST", f"{PATH}/{course}/modules"),
        ("GET", f"/api/admin/modules/{module}"),
        ("POST", f"/api/admin/modules/{module}/move"),
        ("DELETE", f"/api/admin/modules/{module}"),
        ("GET", f"/api/admin/lessons/{lesson}"),
        ("PATCH", f"/api/admin/lessons/{lesson}"),
        ("DELETE", f"/api/admin/lessons/{lesson}"),
        ("DELETE", f"/api/admin/topics/{nobody}"),
    ):
        answer = caller.request(method, path, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "role_required"), path
        assert api.request(method, path, json={}).status_code == 401, path
    assert bank.value("SELECT count(*) FROM learning.courses WHERE deleted_at IS NOT NULL") == 0


def test_a_page_of_courses_is_one_statement(
    admin: Any, statements: Callable[[], list[str]]
) -> None:
    for _ in range(5):
        a_published_course()
    statements()

    admin.get(PATH)

    assert len(statements()) == 2  # the caller, the page
