"""Opening a lesson, watching its video, being done with it."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, learning
from tests.support.concurrency import at_once


def stored(person: Any) -> Any:
    return bank.row("SELECT * FROM learning.lesson_progress WHERE user_id = :u", u=person.id)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_views_are_counted_and_reading_is_none(learner: Any) -> None:
    course = learning.a_course(1)
    lesson = course.lessons[0][0]
    for times in (1, 2, 3):
        assert learning.view(learner, lesson)["view_count"] == times
        learner.get(f"/api/lessons/{lesson}")
        learner.get(course.path)
    assert stored(learner).view_count == 3


def test_reading_writes_nothing(learner: Any) -> None:
    course = learning.a_course(1)
    for path in (
        f"/api/lessons/{course.lessons[0][0]}",
        f"/api/lessons/{course.lessons[0][0]}/notes",
        course.path,
        f"{course.path}/progress",
        f"{course.path}/next-lesson",
        "/api/courses?enrolled=true",
    ):
        assert learner.get(path).status_code == 200
    for table in ("lesson_progress", "module_progress", "enrollments"):
        assert learning.count(f"learning.{table}", learner) == 0


def test_the_first_view_begins_the_module_and_enrols(learner: Any) -> None:
    course = learning.a_course(2)
    learning.view(learner, course.lessons[0][0])
    found = learner.get(course.path).json()
    assert found["enrollment"]["status"] == "ACTIVE"
    assert found["modules"][0]["status"] == "IN_PROGRESS"
    assert found["modules"][0]["started_at"] is not None
    assert learning.feed(learner) == ["course.enrolled"]
    learning.view(learner, course.lessons[0][1])
    assert learning.feed(learner) == ["course.enrolled"]


@pytest.mark.usefixtures("wide_pool")
def test_first_views_at_once_enrol_once_and_all_count(learner: Any) -> None:
    course = learning.a_course(1)
    lesson = course.lessons[0][0]
    answers = at_once(*[partial(learning.say, learner, lesson, "view")] * 12)
    assert {answer.status_code for answer in answers} == {200}
    assert stored(learner).view_count == 12
    assert learning.feed(learner) == ["course.enrolled"]


def test_an_article_is_completed_by_saying_so_after_opening_it(learner: Any) -> None:
    course = learning.a_course(2)
    lesson = course.lessons[0][0]
    assert problem(learning.say(learner, lesson, "complete")) == (409, "not_viewed")
    assert learning.count("learning.item_completions", learner) == 0
    assert learning.complete(learner, lesson)["completed_now"]
    [xp] = bank.rows("SELECT * FROM activity.xp_logs WHERE user_id = :u", u=learner.id)
    assert (xp.source_type, xp.reference_id, xp.xp_amount) == ("LESSON", lesson, 10)
    assert learning.feed(learner) == ["course.enrolled", "lesson.completed"]
    assert learner.get(f"/api/lessons/{lesson}").json()["progress"]["completed"]


def test_a_video_is_completed_by_watching_enough_of_it(learner: Any) -> None:
    course = learning.a_course(1)
    video = learning.add_video(course, seconds=600)
    learning.watch(learner, video, 539)
    refused = learning.say(learner, video, "complete")
    assert problem(refused) == (409, "not_watched_enough")
    assert (refused.json()["watched_seconds"], refused.json()["needed_seconds"]) == (539, 540)
    told = learning.play(learner, video, (539, 540))
    assert told["completed_now"]
    assert (told["watched_seconds"], told["needed_seconds"]) == (540, 540)
    again = learning.play(learner, video, (540, 560))
    assert (again["completed"], again["completed_now"], again["watched_seconds"]) == (
        True,
        False,
        560,
    )


def test_a_video_is_not_completed_by_one_late_message(learner: Any) -> None:
    video = learning.add_video(learning.a_course(0), seconds=3600)
    learning.view(learner, video)
    learning.passed(learner, 60)
    told = learning.play(learner, video, (0, 3600))
    assert (told["completed"], told["watched_seconds"]) == (False, 150)
    told = learning.play(learner, video, (3590, 3600))
    assert (told["completed"], told["position_seconds"]) == (False, 3600)
    assert problem(learning.say(learner, video, "complete")) == (409, "not_watched_enough")


def test_how_much_is_enough_is_a_setting(learner: Any) -> None:
    video = learning.add_video(learning.a_course(0), seconds=600)
    learning.watch(learner, video, 300)
    assert problem(learning.say(learner, video, "complete")) == (409, "not_watched_enough")
    learning.setting("video_complete_percent", 50)
    assert learning.say(learner, video, "complete").json()["completed_now"]


def test_messages_before_a_view_count_as_one(learner: Any) -> None:
    video = learning.add_video(learning.a_course(0))
    told = learning.play(learner, video, (0, 20))
    assert (told["view_count"], told["watched_seconds"]) == (1, 20)
    assert learner.get(f"/api/lessons/{video}").json()["progress"]["position_seconds"] == 20


def test_what_has_no_video_cannot_be_watched(learner: Any) -> None:
    course = learning.a_course(1)
    said = partial(learning.say, learner, type="heartbeats", beats=[], position=0)
    assert problem(said(course.lessons[0][0])) == (409, "no_video")
    pending = learning.add_video(course, video_status="PROCESSING", seconds=None)
    assert problem(said(pending)) == (409, "no_video")
    learning.view(learner, pending)
    assert problem(learning.say(learner, pending, "complete")) == (409, "video_not_ready")


def test_an_article_with_a_video_is_not_completed_by_watching(learner: Any) -> None:
    course = learning.a_course(0)
    lesson = learning.add_video(course, kind="ARTICLE", seconds=20)
    told = learning.play(learner, lesson, (0, 20))
    assert (told["completed"], told["needed_seconds"]) == (False, None)
    assert learning.complete(learner, lesson)["completed_now"]


def test_fractions_of_seconds_are_rounded(learner: Any) -> None:
    video = learning.add_video(learning.a_course(0))
    told = learning.play(learner, video, (0.4, 9.6), (9.6, 14.2), position=14.2)
    assert (told["watched_seconds"], told["position_seconds"]) == (14, 14)


def test_what_a_player_sends_is_checked_by_name(learner: Any) -> None:
    video = learning.add_video(learning.a_course(0))
    for beats, field in [
        ([{"from": 10, "to": 5}], "beats.0.to"),
        ([{"from": -1, "to": 5}], "beats.0.from"),
        ([{"from": 0, "to": 1}, {"from": 0}], "beats.1.to"),
        ([{"from": 0, "to": 1, "at": "2026-11-21T10:00:00"}], "beats.0.at"),
        ([{"from": 0, "to": 1, "at": "0001-01-01T00:00:00+14:00"}], "beats.0.at"),
        ([{"from": 0, "to": 1, "at": "9999-12-31T23:59:59-14:00"}], "beats.0.at"),
        ([{"from": 0, "to": 86_401}], "beats.0.to"),
        ([{"from": 0, "to": 1}] * 101, "beats"),
    ]:
        answer = learning.say(learner, video, "heartbeats", beats=beats, position=0)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    for body in ({"type": "finish"}, {"type": "complete", "beats": []}, {}):
        assert learner.post(f"/api/lessons/{video}/progress", json=body).status_code == 422
    assert learning.count("learning.lesson_progress", learner) == 0


def test_a_hundred_ranges_in_one_message_are_taken(learner: Any) -> None:
    video = learning.add_video(learning.a_course(0), seconds=7200)
    learning.view(learner, video)
    learning.passed(learner, 600)
    ranges = [(start, start + 2) for start in range(0, 1000, 10)]
    assert learning.play(learner, video, *ranges)["watched_seconds"] == 200


@pytest.mark.parametrize("kind", ["view", "complete", "heartbeats"])
def test_nothing_is_recorded_of_what_is_locked(learner: Any, kind: str) -> None:
    learning.nothing_is_free()
    course = learning.a_course(0)
    lesson = learning.add_video(course)
    body = {"beats": [], "position": 0} if kind == "heartbeats" else {}
    refused = learning.say(learner, lesson, kind, **body)
    assert problem(refused) == (402, "entitlement_required")
    assert refused.json()["products"] == [] or refused.json()["products"][0]["sku"]
    assert learning.count("learning.enrollments", learner) == 0


def test_a_free_lesson_can_be_completed_by_everyone(learner: Any) -> None:
    learning.nothing_is_free()
    course = learning.a_course(1)
    free = learning.add_lesson(course, is_free=True)
    assert learning.complete(learner, free)["completed_now"]
    found = learner.get(course.path).json()
    assert (found["enrollment"]["status"], found["percent"]) == ("ACTIVE", 50)


def test_prerequisites_refuse_also_who_begins_by_a_lesson(learner: Any) -> None:
    course, first = learning.a_course(1), learning.a_course(1)
    learning.require(course, first)
    refused = learning.say(learner, course.lessons[0][0], "view")
    assert problem(refused) == (409, "prerequisites_missing")
    assert refused.json()["missing"] == [{"slug": first.slug, "title": first.slug.title()}]
    learning.complete(learner, first.lessons[0][0])
    assert learning.complete(learner, course.lessons[0][0])["course_completed"]


@pytest.mark.parametrize(
    ("status", "code"), [("PAUSED", "enrollment_paused"), ("DROPPED", "not_enrolled")]
)
def test_who_left_reads_on_but_nothing_is_recorded(learner: Any, status: str, code: str) -> None:
    course = learning.a_course(2)
    lesson = course.lessons[0][0]
    learning.view(learner, lesson)
    learner.patch(f"{course.path}/enrollment", json={"status": status})
    assert learner.get(f"/api/lessons/{lesson}").status_code == 200
    for kind in ("view", "complete"):
        assert problem(learning.say(learner, lesson, kind)) == (409, code)
    assert stored(learner).view_count == 1
    learner.patch(f"{course.path}/enrollment", json={"status": "ACTIVE"})
    assert learning.complete(learner, lesson)["completed_now"]


def test_a_lesson_that_is_not_there_is_not_found(learner: Any) -> None:
    for answer in (
        learning.say(learner, uuid4(), "view"),
        learner.get(f"/api/lessons/{uuid4()}"),
        learner.post(f"/api/lessons/{uuid4()}/notes", json={"body": "x"}),
    ):
        assert problem(answer) == (404, "lesson_not_found")


def test_the_first_video_is_told_to_the_funnel_once(learner: Any) -> None:
    course, other = learning.a_course(1), learning.a_course(0)
    video = learning.add_video(course, is_free=True, seconds=20, title="Welcome")
    learning.add_lesson(course, title="Onward")
    second = learning.add_video(course, is_free=True, seconds=20)
    elsewhere = learning.add_video(other, is_free=True, seconds=20)
    learning.play(learner, second, (0, 20))
    assert learning.events(learner, "video_1_started") == []
    learning.play(learner, video, (0, 5), session_id="tab-1")
    assert len(learning.events(learner, "video_1_started")) == 1
    assert learning.events(learner, "video_1_completed") == []
    learning.play(learner, video, (5, 20))
    learning.play(learner, elsewhere, (0, 20))
    payload = {
        "course_id": str(course.id),
        "course_title": course.slug.title(),
        "course_slug": course.slug,
        "lesson_id": str(video),
        "lesson_title": "Welcome",
        "next_lesson_title": "Onward",
        "lesson_count": 4,
    }
    assert learning.events(learner, "video_1_started") == [payload]
    assert learning.events(learner, "video_1_completed") == [payload]
    told = bank.value(
        "SELECT client_session_id FROM activity.analytics_events"
        " WHERE event_name = 'video_1_started'"
    )
    assert told == "tab-1"


@pytest.mark.usefixtures("wide_pool")
def test_first_videos_of_two_courses_at_once_are_one_first(learner: Any) -> None:
    videos = [learning.add_video(learning.a_course(0), is_free=True, seconds=20) for _ in range(6)]
    for video in videos:
        learning.view(learner, video)
    at_once(*[partial(learning.play, learner, video, (0, 20)) for video in videos])
    assert len(learning.events(learner, "video_1_started")) == 1
    assert len(learning.events(learner, "video_1_completed")) == 1


def test_somebody_elses_first_video_is_their_own(learner: Any, other_learner: Any) -> None:
    video = learning.add_video(learning.a_course(0), is_free=True, seconds=20)
    for person in (learner, other_learner):
        learning.play(person, video, (0, 20))
        assert len(learning.events(person, "video_1_completed")) == 1
