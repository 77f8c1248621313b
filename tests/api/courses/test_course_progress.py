"""How far one is with a course is counted by itself, and says what the course's page says."""

from __future__ import annotations

from typing import Any

from tests.support import learning


def test_progress_says_what_the_page_says(learner: Any) -> None:
    course = learning.a_course(2, 3, 0, 1)
    for lesson in course.lessons[0]:
        learning.complete(learner, lesson)
    learning.complete(learner, course.lessons[1][0])
    learning.add_lesson(course, 0)  # what was completed stays so
    learning.add_lesson(course, 1, published=False)
    learning.add_quiz(course, 1)
    learning.add_quiz(course, 1, published=False)
    learning.add_module(course, 1, published=False)

    page = learner.get(course.path).json()
    told = learner.get(f"{course.path}/progress").json()

    assert [(each["items"], each["done"]) for each in told["modules"]] == [
        (3, 2),
        (4, 1),
        (0, 0),
        (1, 0),
    ]
    for module, shown in zip(told["modules"], page["modules"], strict=True):
        assert module == {name: shown[name] for name in module}
    assert (told["percent"], told["enrollment"]) == (page["percent"], page["enrollment"])
    assert (told["items"], told["done"]) == (8, 3)
    assert (told["course_id"], told["course_slug"]) == (page["id"], page["slug"])


def test_progress_of_a_completed_course_names_its_certificate(learner: Any) -> None:
    course = learning.a_course(1)
    learning.complete(learner, course.lessons[0][0])
    learning.add_module(course, 1)

    told = learner.get(f"{course.path}/progress").json()

    assert told["percent"] == 100
    assert told["enrollment"]["certificate_code"]
    assert told["enrollment"] == learner.get(course.path).json()["enrollment"]


def test_progress_of_a_course_that_is_not_there_is_not_found(learner: Any) -> None:
    hidden = learning.a_course(1, published=False)
    answer = learner.get(f"{hidden.path}/progress")
    assert (answer.status_code, answer.json()["code"]) == (404, "course_not_found")
