"""Enrolling, pausing, going on, dropping."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pytest

from tests.support import learning
from tests.support.concurrency import at_once


def change(person: Any, course: learning.Material, status: str) -> Any:
    return person.patch(f"{course.path}/enrollment", json={"status": status})


def test_one_enrols_once(learner: Any) -> None:
    course = learning.a_course(1)
    first = learner.post(f"{course.path}/enrollment")
    assert first.status_code == 201
    body = first.json()
    assert (body["course_id"], body["status"]) == (str(course.id), "ACTIVE")
    again = learner.post(f"{course.path}/enrollment")
    assert (again.status_code, again.json()) == (200, body)
    assert learning.feed(learner) == ["course.enrolled"]


@pytest.mark.usefixtures("wide_pool")
def test_enrolling_twice_at_once_is_once(learner: Any) -> None:
    course = learning.a_course(1)
    answers = at_once(*[partial(learner.post, f"{course.path}/enrollment")] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert learning.count("learning.enrollments", learner) == 1
    assert learning.feed(learner) == ["course.enrolled"]


def test_prerequisites_have_to_be_completed(learner: Any) -> None:
    course, *required = (learning.a_course(1, title=f"Course {name}") for name in "CAB")
    for each in required:
        learning.require(course, each)
    refused = learner.post(f"{course.path}/enrollment")
    assert (refused.status_code, refused.json()["code"]) == (409, "prerequisites_missing")
    assert [each["title"] for each in refused.json()["missing"]] == ["Course A", "Course B"]
    learning.complete(learner, required[0].lessons[0][0])
    refused = learner.post(f"{course.path}/enrollment")
    assert [each["slug"] for each in refused.json()["missing"]] == [required[1].slug]
    learning.complete(learner, required[1].lessons[0][0])
    assert learner.post(f"{course.path}/enrollment").status_code == 201


def test_a_prerequisite_that_is_withdrawn_asks_for_nothing(learner: Any) -> None:
    course, gone = learning.a_course(1), learning.a_course(1, is_active=False)
    learning.require(course, gone)
    assert learner.get(course.path).json()["prerequisites"] == []
    assert learner.post(f"{course.path}/enrollment").status_code == 201


def test_a_dropped_course_is_taken_up_where_it_was(learner: Any) -> None:
    course = learning.a_course(2)
    learning.complete(learner, course.lessons[0][0])
    before = learner.get(course.path).json()["enrollment"]
    dropped = change(learner, course, "DROPPED").json()
    assert (dropped["status"], dropped["dropped_at"] is None) == ("DROPPED", False)
    again = learner.post(f"{course.path}/enrollment")
    assert again.status_code == 201
    body = again.json()
    assert (body["status"], body["dropped_at"]) == ("ACTIVE", None)
    assert body["enrolled_at"] == before["enrolled_at"]
    assert learner.get(course.path).json()["percent"] == 50


_OUTCOMES = {
    ("ACTIVE", "ACTIVE"): 200,
    ("ACTIVE", "PAUSED"): 200,
    ("ACTIVE", "DROPPED"): 200,
    ("PAUSED", "ACTIVE"): 200,
    ("PAUSED", "PAUSED"): 200,
    ("PAUSED", "DROPPED"): 200,
    ("DROPPED", "ACTIVE"): 200,
    ("DROPPED", "PAUSED"): "not_enrolled",
    ("DROPPED", "DROPPED"): 200,
}


@pytest.mark.parametrize(("before", "after"), list(_OUTCOMES))
def test_every_change_of_status(learner: Any, before: str, after: str) -> None:
    course = learning.a_course(1)
    learner.post(f"{course.path}/enrollment")
    change(learner, course, before)
    lines = len(learning.feed(learner))
    answer = change(learner, course, after)
    expected = _OUTCOMES[before, after]
    if expected == 200:
        body = answer.json()
        assert (answer.status_code, body["status"]) == (200, after)
        assert (body["paused_at"] is not None) == (after == "PAUSED")
        assert (body["dropped_at"] is not None) == (after == "DROPPED")
        assert len(learning.feed(learner)) == lines + (before != after)
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, expected)


@pytest.mark.parametrize("status", ["ACTIVE", "PAUSED", "DROPPED"])
def test_a_completed_course_stays_completed(learner: Any, status: str) -> None:
    course = learning.a_course(1)
    learning.complete(learner, course.lessons[0][0])
    refused = change(learner, course, status)
    assert (refused.status_code, refused.json()["code"]) == (409, "course_completed")
    assert learner.post(f"{course.path}/enrollment").json()["status"] == "COMPLETED"


def test_what_nobody_enrolled_in_cannot_be_paused(learner: Any, other_learner: Any) -> None:
    course = learning.a_course(1)
    other_learner.post(f"{course.path}/enrollment")
    refused = change(learner, course, "PAUSED")
    assert (refused.status_code, refused.json()["code"]) == (404, "enrollment_not_found")
    assert other_learner.get(course.path).json()["enrollment"]["status"] == "ACTIVE"


def test_only_these_words_are_taken(learner: Any) -> None:
    course = learning.a_course(1)
    learner.post(f"{course.path}/enrollment")
    for status in ("COMPLETED", "active", "", None):
        answer = change(learner, course, status)  # type: ignore[arg-type]
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "status"


def test_days_of_release_count_from_the_first_enrolment(learner: Any) -> None:
    course = learning.a_course(1)
    learning.add_module(course, 1, release_after_days=5)
    learner.post(f"{course.path}/enrollment")
    learning.passed(learner, 4 * 86_400)
    change(learner, course, "DROPPED")
    learner.post(f"{course.path}/enrollment")
    lock = learner.get(course.path).json()["modules"][1]["lock"]
    left = datetime.fromisoformat(lock["released_at"]) - learning.database_time()
    assert 86_300 < left.total_seconds() <= 86_400
