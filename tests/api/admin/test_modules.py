from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import bank
from tests.support.accounts import fields
from tests.support.authoring import a_course, a_lesson, a_module, a_published_course, publish
from tests.support.concurrency import at_once

PATH = "/api/admin/modules"


def create(admin: Any, course: UUID, **other: Any) -> dict[str, Any]:
    answer = admin.post(f"/api/admin/courses/{course}/modules", json={"title": "Looms", **other})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(admin: Any, made: dict[str, Any], **changes: Any) -> Any:
    body = {"updated_at": made["updated_at"], **changes}
    return admin.patch(f"{PATH}/{made['id']}", json=body)


def listed(admin: Any, course: UUID) -> list[tuple[str, int]]:
    items = admin.get(f"/api/admin/courses/{course}/modules").json()["items"]
    return [(item["slug"], item["position"]) for item in items]


def acts(action: str) -> list[Any]:
    return bank.rows(
        "SELECT actor_id, subject_id, details FROM auth.audit_log WHERE action = :a", a=action
    )


def test_a_new_module_comes_last_and_unpublished(admin: Any) -> None:
    course = a_course()
    a_module(course, title="First")

    made = create(admin, course, release_after_days=7, syllabus="- warp\n- weft")

    assert (made["course_id"], made["slug"], made["position"]) == (str(course), "looms", 1)
    assert (made["published"], made["release_after_days"]) == (False, 7)
    assert (made["lesson_count"], made["published_lesson_count"]) == (0, 0)
    assert made["published_item_count"] == 0
    assert admin.get(f"{PATH}/{made['id']}").json() == made
    [act] = acts("module.created")
    assert (str(act.actor_id), str(act.subject_id)) == (str(admin.id), made["id"])


def test_a_slug_is_unique_in_its_course_alone(admin: Any) -> None:
    course, other = a_course(), a_course()
    create(admin, course)

    assert create(admin, course)["slug"] == "looms-2"
    assert create(admin, other)["slug"] == "looms"
    taken = admin.post(f"/api/admin/courses/{course}/modules", json={"title": "x", "slug": "looms"})
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    assert listed(admin, course) == [("looms", 0), ("looms-2", 1)]


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ({"title": " "}, "title"),
        ({"release_after_days": 0}, "release_after_days"),
        ({"release_after_days": 3_651}, "release_after_days"),
        ({"slug": "A"}, "slug"),
        ({"description": "x" * 5_001}, "description"),
        ({"position": 1}, "position"),
        ({"course_id": str(uuid4())}, "course_id"),
    ],
)
def test_what_does_not_fit_is_named(spoilt: dict[str, Any], named: str, admin: Any) -> None:
    answer = admin.post(
        f"/api/admin/courses/{a_course()}/modules", json={"title": "Looms", **spoilt}
    )

    assert answer.status_code == 422
    assert [name for name, _code in fields(answer)] == [named]


def test_a_change_is_of_the_state_that_one_saw(admin: Any) -> None:
    made = create(admin, a_course(), release_after_days=3)

    now = change(admin, made, release_after_days=None, title="Bigger looms").json()
    late = change(admin, made, title="Smaller looms")

    assert (now["title"], now["release_after_days"], now["slug"]) == ("Bigger looms", None, "looms")
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    assert change(admin, {**made, **late.json(), "id": made["id"]}, title="x").status_code == 200
    assert acts("module.changed")[0].details["changes"] == {
        "title": {"old": "Looms", "new": "Bigger looms"},
        "release_after_days": {"old": 3, "new": None},
    }


def test_a_module_is_moved_and_the_others_make_room(admin: Any) -> None:
    course = a_course()
    first, _second, third = (a_module(course, title=f"Module {n}") for n in "abc")

    up = admin.post(f"{PATH}/{third}/move", json={"position": 0})
    assert (up.status_code, up.json()["position"]) == (200, 0)
    assert listed(admin, course) == [("module-c", 0), ("module-a", 1), ("module-b", 2)]

    beyond = admin.post(f"{PATH}/{third}/move", json={"position": 99})
    assert beyond.json()["position"] == 2
    assert listed(admin, course) == [("module-a", 0), ("module-b", 1), ("module-c", 2)]

    admin.post(f"{PATH}/{first}/move", json={"position": 0})
    assert [(act.details["old"], act.details["new"]) for act in acts("module.moved")] == [
        (2, 0),
        (0, 2),
    ]


@pytest.mark.parametrize("body", [{}, {"position": -1}, {"position": None}, {"position": "x"}])
def test_a_move_says_where(body: dict[str, Any], admin: Any) -> None:
    answer = admin.post(f"{PATH}/{a_module(a_course())}/move", json=body)

    assert answer.status_code == 422
    assert [name for name, _code in fields(answer)] == ["position"]


@pytest.mark.usefixtures("wide_pool")
def test_moves_at_once_over_the_api_leave_each_in_one_place(admin: Any) -> None:
    course = a_course()
    made = [a_module(course, title=f"Module {n}") for n in range(5)]

    answers = at_once(
        *[
            lambda each=each, to=to: admin.post(f"{PATH}/{each}/move", json={"position": to})
            for to, each in enumerate(reversed(made))
        ],
        *[lambda: create(admin, course)] * 2,
        lambda: admin.delete(f"{PATH}/{made[2]}"),
    )

    codes = {answer.status_code for answer in answers if not isinstance(answer, dict)}
    assert codes <= {200, 204, 404}
    assert [position for _slug, position in listed(admin, course)] == list(range(6))


def test_an_empty_module_is_not_published(admin: Any) -> None:
    module = a_module(a_course())
    lesson = a_lesson(module)

    answer = admin.post(f"{PATH}/{module}/publish")

    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_publish")
    assert fields(answer) == [("lessons", "nothing_to_publish")]
    publish(lesson=lesson)
    assert admin.delete(f"/api/admin/lessons/{lesson}").status_code == 204
    assert admin.post(f"{PATH}/{module}/publish").status_code == 422


def test_a_module_with_a_published_quiz_alone_is_published(admin: Any) -> None:
    module = a_module(a_course())
    item = {"item": uuid4(), "module": module}
    bank.execute(
        "INSERT INTO learning.module_items (item_id, module_id, kind, title)"
        " VALUES (:item, :module, 'QUIZ', 'A quiz')",
        **item,
    )
    assert admin.post(f"{PATH}/{module}/publish").status_code == 422

    bank.execute("UPDATE learning.module_items SET published = true")

    answer = admin.post(f"{PATH}/{module}/publish")
    assert (answer.status_code, answer.json()["published_item_count"]) == (200, 1)


def test_a_module_is_published_and_taken_back_each_once(admin: Any) -> None:
    _course, module, lesson = a_published_course()
    back = admin.post(f"{PATH}/{module}/unpublish").json()
    assert back["published"] is False
    assert admin.post(f"{PATH}/{module}/unpublish").json() == back

    assert admin.post(f"{PATH}/{module}/publish").json()["published"] is True
    assert (len(acts("module.published")), len(acts("module.unpublished"))) == (1, 1)
    # What is published can always be taken back, also the last of it.
    assert admin.post(f"/api/admin/lessons/{lesson}/unpublish").status_code == 200


def test_deleting_a_module_closes_its_gap_and_keeps_what_learners_did(
    admin: Any, learner: Any
) -> None:
    course, module, lesson = a_published_course()
    a_module(course, title="Second")
    bank.execute(
        "INSERT INTO learning.module_progress (id, user_id, module_id, status, progress_percent,"
        " completed_at) VALUES (gen_random_uuid(), :user, :module, 'COMPLETED', 100, now())",
        user=learner.id,
        module=module,
    )
    bank.execute(
        "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)"
        " VALUES (:user, :lesson, 'LESSON', :module)",
        user=learner.id,
        lesson=lesson,
        module=module,
    )

    assert admin.delete(f"{PATH}/{module}").status_code == 204

    assert listed(admin, course) == [("second", 0)]
    assert bank.value("SELECT status FROM learning.module_progress") == "COMPLETED"
    assert bank.value("SELECT count(*) FROM learning.item_completions") == 1
    gone = bank.row("SELECT deleted_at, position FROM learning.modules WHERE id = :id", id=module)
    assert (gone.deleted_at is not None, gone.position) == (True, None)
    assert admin.get(f"{PATH}/{module}").status_code == 404
    assert admin.get(f"/api/admin/lessons/{lesson}").status_code == 404
    assert admin.post(f"{PATH}/{module}/move", json={"position": 0}).status_code == 404
    assert create(admin, course, title="A module")["slug"] == "a-module"


def test_the_list_is_read_in_pages_by_one_statement_each(
    admin: Any, statements: Callable[[], list[str]]
) -> None:
    course = a_course()
    made = [str(a_module(course)) for _ in range(5)]
    admin.post(f"{PATH}/{made[4]}/move", json={"position": 0})
    statements()

    first = admin.get(f"/api/admin/courses/{course}/modules", params={"limit": 3}).json()
    assert len(statements()) == 2
    second = admin.get(
        f"/api/admin/courses/{course}/modules",
        params={"limit": 3, "cursor": first["next_cursor"]},
    ).json()
    assert len(statements()) == 2

    assert [item["id"] for item in (*first["items"], *second["items"])] == [made[4], *made[:4]]
    assert second["next_cursor"] is None


def test_modules_of_no_course_are_not_found(admin: Any) -> None:
    nobody = uuid4()

    assert admin.get(f"/api/admin/courses/{nobody}/modules").json()["code"] == "course_not_found"
    made = admin.post(f"/api/admin/courses/{nobody}/modules", json={"title": "x"})
    assert (made.status_code, made.json()["code"]) == (404, "course_not_found")
    assert admin.get(f"{PATH}/{nobody}").json()["code"] == "module_not_found"
    assert admin.get(f"/api/admin/courses/{a_course()}/modules").json()["items"] == []
