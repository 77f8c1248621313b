from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support import bank
from tests.support.accounts import fields
from tests.support.authoring import a_course, a_lesson, a_module, a_topic
from tests.support.concurrency import meeting_at

PATH = "/api/admin/topics"


def create(admin: Any, course: UUID, **other: Any) -> dict[str, Any]:
    answer = admin.post(f"/api/admin/courses/{course}/topics", json={"name": "Yarn", **other})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(admin: Any, made: dict[str, Any], **changes: Any) -> Any:
    body = {"updated_at": made["updated_at"], **changes}
    return admin.patch(f"{PATH}/{made['id']}", json=body)


def tree(admin: Any, course: UUID) -> list[str]:
    items = admin.get(f"/api/admin/courses/{course}/topics").json()["items"]
    return ["  " * item["depth"] + f"{item['position']} {item['slug']}" for item in items]


def acts(action: str) -> list[Any]:
    return bank.rows("SELECT details FROM auth.audit_log WHERE action = :a ORDER BY id", a=action)


def test_topics_grow_as_a_tree_and_are_read_as_one(admin: Any) -> None:
    course = a_course()
    yarn = create(admin, course, difficulty_level=3)
    create(admin, course, name="Dye")
    wool = create(admin, course, name="Wool", parent_id=yarn["id"])
    create(admin, course, name="Merino", parent_id=wool["id"])
    create(admin, course, name="Silk", parent_id=yarn["id"])

    assert tree(admin, course) == [
        "0 yarn",
        "  0 wool",
        "    0 merino",
        "  1 silk",
        "1 dye",
    ]
    assert (wool["depth"], wool["parent_id"], yarn["difficulty_level"]) == (1, yarn["id"], 3)
    assert admin.get(f"{PATH}/{wool['id']}").json() == wool
    assert len(acts("topic.created")) == 5


def test_the_tree_is_read_in_pages(admin: Any) -> None:
    course = a_course()
    root = create(admin, course)["id"]
    made = [root, *(create(admin, course, parent_id=root)["id"] for _ in range(4))]

    found, cursor = [], None
    while True:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = admin.get(f"/api/admin/courses/{course}/topics", params=query).json()
        found += [item["id"] for item in page["items"]]
        if not (cursor := page["next_cursor"]):
            break

    assert found == made
    assert admin.get(f"/api/admin/courses/{uuid4()}/topics").status_code == 404


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ({"name": ""}, "name"),
        ({"slug": "A b"}, "slug"),
        ({"difficulty_level": 0}, "difficulty_level"),
        ({"difficulty_level": 6}, "difficulty_level"),
        ({"parent_id": "x"}, "parent_id"),
        ({"parent_id": str(uuid4())}, "parent_id"),
        ({"position": 1}, "position"),
    ],
)
def test_what_does_not_fit_is_named(spoilt: dict[str, Any], named: str, admin: Any) -> None:
    course = a_course()

    answer = admin.post(f"/api/admin/courses/{course}/topics", json={"name": "Yarn", **spoilt})

    assert answer.status_code == 422
    assert [name for name, _code in fields(answer)] == [named]
    assert tree(admin, course) == []


def test_a_slug_is_unique_in_its_course_alone(admin: Any) -> None:
    course, other = a_course(), a_course()
    create(admin, course)

    assert create(admin, course)["slug"] == "yarn-2"
    assert create(admin, other)["slug"] == "yarn"
    taken = admin.post(f"/api/admin/courses/{course}/topics", json={"name": "Yarn", "slug": "yarn"})
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")


def test_a_change_is_of_the_state_that_one_saw(admin: Any) -> None:
    made = create(admin, a_course())

    now = change(admin, made, name="Thread", description="Thin").json()
    late = change(admin, made, name="Cord")

    assert (now["name"], now["slug"], now["description"]) == ("Thread", "yarn", "Thin")
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    assert (
        change(admin, {**made, "updated_at": late.json()["updated_at"]}, name="Cord").json()["name"]
        == "Cord"
    )


def test_a_change_of_the_parent_takes_all_that_is_below_along(admin: Any) -> None:
    course = a_course()
    yarn, dye = create(admin, course), create(admin, course, name="Dye")
    wool = create(admin, course, name="Wool", parent_id=yarn["id"])
    create(admin, course, name="Merino", parent_id=wool["id"])

    change(admin, wool, parent_id=dye["id"], name="Fine wool")
    assert tree(admin, course) == ["0 yarn", "1 dye", "  0 wool", "    0 merino"]

    change(admin, admin.get(f"{PATH}/{wool['id']}").json(), parent_id=None)
    assert tree(admin, course) == ["0 yarn", "1 dye", "2 wool", "  0 merino"]
    assert acts("topic.changed")[0].details["changes"]["parent_id"] == {
        "old": yarn["id"],
        "new": dye["id"],
    }


def test_a_circle_of_parents_is_refused_with_its_path(admin: Any) -> None:
    course = a_course()
    yarn = create(admin, course)
    wool = create(admin, course, name="Wool", parent_id=yarn["id"])
    merino = create(admin, course, name="Merino", parent_id=wool["id"])
    before = tree(admin, course)

    changed = change(admin, yarn, parent_id=merino["id"])
    moved = admin.post(f"{PATH}/{wool['id']}/move", json={"position": 0, "parent_id": merino["id"]})
    itself = change(admin, yarn, parent_id=yarn["id"])

    assert (changed.status_code, changed.json()["code"]) == (422, "topic_cycle")
    assert changed.json()["path"] == ["yarn", "wool", "merino", "yarn"]
    assert fields(changed) == [("parent_id", "cycle")]
    assert moved.json()["path"] == ["wool", "merino", "wool"]
    assert itself.json()["path"] == ["yarn", "yarn"]
    assert tree(admin, course) == before


@pytest.mark.usefixtures("wide_pool")
def test_two_moves_at_once_do_not_hang_two_topics_below_each_other(admin: Any) -> None:
    course = a_course()
    one, other = create(admin, course), create(admin, course)

    def below(each: dict[str, Any], parent: dict[str, Any]) -> Any:
        body = {"position": 0, "parent_id": parent["id"]}
        return admin.post(f"{PATH}/{each['id']}/move", json=body)

    answers = meeting_at(
        "SELECT 1 FROM learning.courses WHERE id = :id FOR UPDATE",
        [lambda: below(one, other), lambda: below(other, one)],
        id=course,
    )

    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert len(tree(admin, course)) == 2


def test_a_parent_is_of_the_same_course(admin: Any) -> None:
    course = a_course()
    topic, anothers = a_topic(course), a_topic(a_course())

    for answer in (
        admin.post(f"{PATH}/{topic}/move", json={"position": 0, "parent_id": str(anothers)}),
        admin.post(
            f"/api/admin/courses/{course}/topics", json={"name": "x", "parent_id": str(anothers)}
        ),
    ):
        assert (answer.status_code, fields(answer)) == (422, [("parent_id", "unknown")])


def test_a_topic_moves_among_its_siblings_below_another_and_up(admin: Any) -> None:
    course = a_course()
    a, b, c = (create(admin, course, name=name) for name in "abc")

    admin.post(f"{PATH}/{c['id']}/move", json={"position": 0})
    assert tree(admin, course) == ["0 c", "1 a", "2 b"]
    admin.post(f"{PATH}/{a['id']}/move", json={"position": 5, "parent_id": c["id"]})
    admin.post(f"{PATH}/{b['id']}/move", json={"position": 0, "parent_id": c["id"]})
    assert tree(admin, course) == ["0 c", "  0 b", "  1 a"]
    admin.post(f"{PATH}/{a['id']}/move", json={"position": 0})  # below the same
    assert tree(admin, course) == ["0 c", "  0 a", "  1 b"]
    up = admin.post(f"{PATH}/{a['id']}/move", json={"position": 0, "parent_id": None})
    assert (up.json()["position"], up.json()["depth"]) == (0, 0)
    assert tree(admin, course) == ["0 a", "1 c", "  0 b"]
    assert len(acts("topic.moved")) == 5


def test_a_topic_that_nothing_is_of_is_deleted_and_its_gap_closed(admin: Any) -> None:
    course = a_course()
    first, _second = create(admin, course), create(admin, course)
    lesson = a_lesson(a_module(course), topic_id=UUID(first["id"]))

    assert admin.delete(f"{PATH}/{first['id']}").status_code == 204

    assert tree(admin, course) == ["0 yarn-2"]
    assert admin.get(f"{PATH}/{first['id']}").status_code == 404
    assert admin.get(f"/api/admin/lessons/{lesson}").json()["topic_id"] is None
    [act] = acts("topic.deleted")
    assert act.details["slug"] == "yarn"


def test_a_topic_with_others_below_is_not_deleted(admin: Any) -> None:
    course = a_course()
    yarn = create(admin, course)
    for _ in range(2):
        create(admin, course, parent_id=yarn["id"])

    answer = admin.delete(f"{PATH}/{yarn['id']}")

    assert (answer.status_code, answer.json()["code"]) == (409, "topic_has_children")
    assert answer.json()["topics"] == 2
    assert len(tree(admin, course)) == 3


def test_a_topic_in_use_is_not_deleted_and_the_refusal_says_by_how_many(admin: Any) -> None:
    topic = bank.row(
        "SELECT t.id, count(q.id) AS questions FROM learning.topics t"
        " JOIN learning.questions q ON q.topic_id = t.id"
        " WHERE NOT EXISTS (SELECT FROM learning.topics b WHERE b.parent_id = t.id)"
        " GROUP BY t.id ORDER BY 2 DESC LIMIT 1"
    )

    answer = admin.delete(f"{PATH}/{topic.id}")

    assert (answer.status_code, answer.json()["code"]) == (409, "topic_in_use")
    assert answer.json()["uses"]["questions"] == topic.questions
    assert f"{topic.questions} questions" in answer.json()["detail"]
    assert bank.value("SELECT count(*) FROM learning.topics WHERE id = :id", id=topic.id) == 1


def test_a_quiz_of_a_topic_holds_it(admin: Any) -> None:
    topic = create(admin, a_course())["id"]
    bank.execute(
        "INSERT INTO learning.quizzes (id, course_id, topic_id, slug, title)"
        " SELECT gen_random_uuid(), course_id, id, 'q', 'Q' FROM learning.topics WHERE id = :id",
        id=topic,
    )

    answer = admin.delete(f"{PATH}/{topic}")

    assert (answer.status_code, answer.json().get("uses")) == (409, {"quizzes": 1})


def test_an_exam_template_that_names_a_topic_holds_it(admin: Any) -> None:
    course = bank.value("SELECT id FROM learning.courses WHERE slug = :slug", slug=bank.OT)
    topic = create(admin, course)["id"]
    bank.offer("of-yarn", {"yarn": 1}, 1)

    answer = admin.delete(f"{PATH}/{topic}")

    assert (answer.status_code, answer.json().get("uses")) == (409, {"exam_templates": 1})


@pytest.mark.usefixtures("wide_pool")
def test_a_question_that_comes_while_its_topic_is_deleted_is_counted_or_refused(
    admin: Any,
) -> None:
    topic = create(admin, a_course())["id"]

    [answer] = meeting_at(
        "INSERT INTO learning.questions (id, type, topic_id, stem, rationale)"
        " VALUES (gen_random_uuid(), 'SINGLE_BEST', :id, 'Why?', 'So.')",
        [lambda: admin.delete(f"{PATH}/{topic}")],
        id=topic,
    )

    assert (answer.status_code, answer.json()["uses"]) == (409, {"questions": 1})
