"""The catalogue, a course's page, where one goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from studypack.billing.features import Feature
from studypack.courses import items
from studypack.courses.models import ItemKind
from tests.support import bank, holdings, learning


def page(person: Any, course: learning.Material) -> Any:
    answer = person.get(course.path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def line(found: Any, course: learning.Material) -> Any:
    """The course's line in a catalogue."""
    [its] = [each for each in found.json()["items"] if each["slug"] == course.slug]
    return its


def locks(found: Any) -> list[list[str | None]]:
    """Why each lesson is closed, module by module."""
    return [
        [each["lock"] and each["lock"]["reason"] for each in module["lessons"]]
        for module in found["modules"]
    ]


def test_a_visitor_sees_the_catalogue_without_progress(api: Any) -> None:
    course = learning.a_course(2, 1, description="About it")
    learning.add_video(course, 0, is_free=True, seconds=90)
    its = line(api.get("/api/courses"), course)
    assert (its["modules"], its["lessons"], its["free_lessons"], its["minutes"]) == (2, 4, 1, 2)
    assert (its["description"], its["enrollment"], its["percent"]) == ("About it", None, None)


def test_courses_that_are_not_for_learners_are_not_in_it(api: Any, learner: Any) -> None:
    hidden = [
        learning.a_course(1, published=False),
        learning.a_course(1, is_active=False),
        learning.a_course(1),
    ]
    bank.execute("UPDATE learning.courses SET deleted_at = now() WHERE id = :id", id=hidden[2].id)
    listed = {each["slug"] for each in api.get("/api/courses").json()["items"]}
    for course in hidden:
        assert course.slug not in listed
        for path in ("", "/progress", "/next-lesson"):
            answer = learner.get(course.path + path)
            assert (answer.status_code, answer.json()["code"]) == (404, "course_not_found")


def test_only_ones_own_courses_can_be_asked_for(api: Any, learner: Any) -> None:
    course, other = learning.a_course(3), learning.a_course(1)
    learning.complete(learner, course.lessons[0][0])
    found = learner.get("/api/courses?enrolled=true").json()["items"]
    assert [(each["slug"], each["percent"]) for each in found] == [(course.slug, 33)]
    assert found[0]["enrollment"]["status"] == "ACTIVE"
    assert line(learner.get("/api/courses"), other)["percent"] is None
    assert api.get("/api/courses?enrolled=true").status_code == 401


def test_the_page_shows_everything_in_its_order(learner: Any) -> None:
    course = learning.a_course(2, 1)
    quiz = learning.add_quiz(course, 1)
    learning.complete(learner, course.lessons[0][0])
    found = page(learner, course)
    assert found["syllabus_html"].strip() == "<p>What it <em>covers</em>.</p>"
    assert [module["slug"] for module in found["modules"]] == ["module-0", "module-1"]
    ids = [[each["id"] for each in module["lessons"]] for module in found["modules"]]
    assert ids == [[str(each) for each in lessons] for lessons in course.lessons]
    assert [each["id"] for each in found["modules"][1]["other_items"]] == [str(quiz)]
    first, second = found["modules"]
    assert (first["status"], first["percent"], first["done"], first["items"]) == (
        "IN_PROGRESS",
        50,
        1,
        2,
    )
    assert (second["status"], second["percent"]) == ("NOT_STARTED", 0)
    assert found["percent"] == 25
    assert [each["completed"] for each in first["lessons"]] == [True, False]
    assert first["lessons"][0]["view_count"] == 1
    assert locks(found) == [[None, None], [None]]


def test_order_is_by_position_whatever_was_made_first(learner: Any) -> None:
    course = learning.a_course(3, 1)
    for table in ("modules", "lessons"):
        bank.execute(f"UPDATE learning.{table} SET position = 9 - position WHERE position < 5")
    found = page(learner, course)
    assert [module["slug"] for module in found["modules"]] == ["module-1", "module-0"]
    assert [each["slug"] for each in found["modules"][1]["lessons"]] == [
        "lesson-2",
        "lesson-1",
        "lesson-0",
    ]
    onward = learner.get(f"{course.path}/next-lesson").json()["lesson"]
    assert onward["id"] == str(course.lessons[1][0])


def test_what_is_unpublished_or_deleted_is_not_on_it(learner: Any) -> None:
    course = learning.a_course(3, 1, 1)
    learning.add_quiz(course, 0, published=False)
    a, b, _ = course.lessons[0]
    bank.execute("UPDATE learning.lessons SET published = false WHERE id = :id", id=a)
    bank.execute(
        "UPDATE learning.lessons SET deleted_at = now(), position = NULL WHERE id = :id", id=b
    )
    bank.execute(
        "UPDATE learning.modules SET published = false WHERE id = :id", id=course.modules[1]
    )
    bank.execute(
        "UPDATE learning.modules SET deleted_at = now(), position = NULL WHERE id = :id",
        id=course.modules[2],
    )
    found = page(learner, course)
    assert [(m["slug"], m["items"]) for m in found["modules"]] == [("module-0", 1)]
    gone = [a, b, course.lessons[1][0], course.lessons[2][0]]
    for lesson in gone:
        answers = [learner.get(f"/api/lessons/{lesson}"), learning.say(learner, lesson, "view")]
        for answer in answers:
            assert (answer.status_code, answer.json()["code"]) == (404, "lesson_not_found")


def test_what_is_not_paid_for_is_locked_but_free_lessons(api: Any, learner: Any) -> None:
    learning.nothing_is_free()
    course = learning.a_course(1)
    learning.add_lesson(course, 0, is_free=True)
    learning.add_quiz(course, 0)
    found = page(learner, course)
    assert not found["is_open"]
    assert locks(found) == [["not_entitled", None]]
    assert found["modules"][0]["other_items"][0]["lock"]["reason"] == "not_entitled"
    assert locks(api.get(course.path).json()) == [["not_entitled", "not_signed_in"]]


def test_a_visitor_is_told_to_sign_in_for_what_that_would_open(api: Any) -> None:
    course = learning.a_course(1)
    found = api.get(course.path).json()
    assert found["is_open"]
    assert locks(found) == [["not_signed_in"]]
    assert found["enrollment"] is None


def test_what_opens_one_course_opens_no_other(learner: Any) -> None:
    learning.nothing_is_free()
    mine, other = learning.a_course(1), learning.a_course(1)
    product = holdings.product((Feature.COURSES, {"course_id": mine.id}))
    holdings.purchase(learner.id, product)
    assert locks(page(learner, mine)) == [[None]]
    assert locks(page(learner, other)) == [["not_entitled"]]
    assert learner.get(f"/api/lessons/{mine.lessons[0][0]}").status_code == 200
    refused = learner.get(f"/api/lessons/{other.lessons[0][0]}")
    assert (refused.status_code, refused.json()["code"]) == (402, "entitlement_required")
    assert refused.json()["features"] == ["courses"]


def test_a_module_that_opens_later_says_when(learner: Any) -> None:
    course = learning.a_course(1)
    learning.add_module(course, 1, release_after_days=3)
    free = learning.add_lesson(course, 1, is_free=True)
    later = course.lessons[1][0]
    assert locks(page(learner, course)) == [[None], ["not_enrolled", None]]
    refused = learner.get(f"/api/lessons/{later}")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_enrolled")

    learner.post(f"{course.path}/enrollment")
    found = page(learner, course)
    lock = found["modules"][1]["lock"]
    enrolled = datetime.fromisoformat(found["enrollment"]["enrolled_at"])
    assert lock["reason"] == "not_released_yet"
    assert datetime.fromisoformat(lock["released_at"]) == enrolled + timedelta(days=3)
    refused = learning.say(learner, later, "view")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_released_yet")
    assert datetime.fromisoformat(refused.json()["released_at"]) == enrolled + timedelta(days=3)
    assert learner.get(f"/api/lessons/{free}").status_code == 200

    learning.passed(learner, 3 * 86_400)
    assert locks(page(learner, course)) == [[None], [None, None]]
    assert learning.say(learner, later, "view").status_code == 200


def test_next_is_the_first_lesson_that_is_not_completed(learner: Any) -> None:
    course = learning.a_course(2, 1)
    flat = [lesson for module in course.lessons for lesson in module]
    path = f"{course.path}/next-lesson"
    for lesson in flat:
        found = learner.get(path).json()["lesson"]
        assert (found["id"], found["lock"]) == (str(lesson), None)
        learning.complete(learner, lesson)
    assert learner.get(path).json() == {"lesson": None}
    added = learning.add_lesson(course, 0)
    assert learner.get(path).json()["lesson"]["id"] == str(added)


def test_next_skips_what_was_done_out_of_order_and_says_when_it_is_locked(learner: Any) -> None:
    course = learning.a_course(2)
    learning.add_module(course, 1, release_after_days=1)
    learning.complete(learner, course.lessons[0][1])
    path = f"{course.path}/next-lesson"
    assert learner.get(path).json()["lesson"]["id"] == str(course.lessons[0][0])
    learning.complete(learner, course.lessons[0][0])
    onward = learner.get(path).json()["lesson"]
    assert (onward["id"], onward["module_slug"]) == (str(course.lessons[1][0]), "module-1")
    assert onward["lock"]["reason"] == "not_released_yet"


def test_next_tells_where_the_video_goes_on(learner: Any) -> None:
    course = learning.a_course(0)
    video = learning.add_video(course)
    learning.watch(learner, video, 120)
    onward = learner.get(f"{course.path}/next-lesson").json()["lesson"]
    assert (onward["id"], onward["position_seconds"]) == (str(video), 120)


def test_progress_sums_up_the_page(learner: Any) -> None:
    course = learning.a_course(2, 2)
    for lesson in course.lessons[0]:
        learning.complete(learner, lesson)
    found = learner.get(f"{course.path}/progress").json()
    assert (found["percent"], found["done"], found["items"]) == (50, 2, 4)
    assert [(m["status"], m["percent"]) for m in found["modules"]] == [
        ("COMPLETED", 100),
        ("NOT_STARTED", 0),
    ]
    assert found["enrollment"]["status"] == "ACTIVE"


def test_progress_is_ones_own(learner: Any, other_learner: Any) -> None:
    course = learning.a_course(2)
    learning.complete(learner, course.lessons[0][0])
    found = page(other_learner, course)
    assert (found["percent"], found["enrollment"]) == (0, None)
    assert not found["modules"][0]["lessons"][0]["completed"]
    assert other_learner.get(f"{course.path}/progress").json()["done"] == 0


def test_a_completed_module_stays_so_when_a_lesson_is_added(learner: Any) -> None:
    course = learning.a_course(1, 1)
    learning.complete(learner, course.lessons[0][0])
    learning.add_lesson(course, 0)
    first = page(learner, course)["modules"][0]
    assert (first["status"], first["percent"], first["done"], first["items"]) == (
        "COMPLETED",
        100,
        1,
        2,
    )


def test_prerequisites_say_which_are_done(learner: Any) -> None:
    course, first, second = (learning.a_course(1) for _ in range(3))
    learning.require(course, first)
    learning.require(course, second)
    learning.complete(learner, first.lessons[0][0])
    found = {each["slug"]: each["completed"] for each in page(learner, course)["prerequisites"]}
    assert found == {first.slug: True, second.slug: False}


def test_an_item_follows_its_quiz(learner: Any, session: Any) -> None:
    course = learning.a_course(1, 1)
    quiz = learning.add_quiz(course, 0)

    def state(module: int, title: str) -> None:
        items.put(
            session,
            quiz,
            module_id=course.modules[module],
            kind=ItemKind.QUIZ,
            title=title,
            position=1,
            published=True,
        )
        session.commit()

    def shown() -> list[list[str]]:
        return [
            [each["title"] for each in module["other_items"]]
            for module in page(learner, course)["modules"]
        ]

    state(1, "Renamed")
    assert shown() == [[], ["Renamed"]]
    changed = bank.value("SELECT updated_at FROM learning.module_items WHERE item_id = :i", i=quiz)
    state(1, "Renamed")
    unchanged = bank.value(
        "SELECT updated_at FROM learning.module_items WHERE item_id = :i", i=quiz
    )
    assert changed == unchanged
    items.remove(session, quiz)
    items.remove(session, UUID(int=0))
    session.commit()
    assert shown() == [[], []]


@pytest.mark.parametrize("slug", ["", "%2e%2e", "no-such-course", "a" * 500, "☃"])
def test_a_slug_that_is_nobodys_is_not_found(learner: Any, slug: str) -> None:
    assert learner.get(f"/api/courses/{slug}").status_code == 404
