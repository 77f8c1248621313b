"""Mails about courses: what they lead to and say is what the courses' own tables say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from studypack.core.business_settings import BusinessSettings
from studypack.courses.models import VideoStatus
from studypack.notifications.catalogue import missing_facts
from studypack.notifications.models import EmailTemplate
from tests.support import bank, learning
from tests.support import mail_lives as life
from tests.support.learning import Material
from tests.support.mail_lives import NOW, SETTINGS

pytestmark = pytest.mark.usefixtures("database_url")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COSTLY = BusinessSettings()
"""Nothing is free, and no lesson is set."""


@pytest.fixture(autouse=True)
def only_courses_of_the_test(database_url: str) -> None:
    bank.execute("UPDATE learning.courses SET published = false")


def a_free_video(*, position: int = 0, title: str = "Bones", **columns: Any) -> Material:
    """A course that begins with a free video, eight minutes long."""
    course = learning.a_course(0, position=position)
    learning.add_video(course, seconds=8 * 60 - 5, is_free=True, title=title, **columns)
    return course


def enrol(user: UUID, course: Material, status: str = "ACTIVE", days_ago: int = 0) -> None:
    bank.execute(
        "INSERT INTO learning.enrollments (id, user_id, course_id, status, enrolled_at,"
        " completed_at) VALUES (public.uuid7(), :user, :course, :status, :at,"
        " CASE WHEN :status = 'COMPLETED' THEN CAST(:at AS timestamptz) END)",
        user=user,
        course=course.id,
        status=status,
        at=NOW - days_ago * DAY,
    )


def mail(user: UUID, template: str) -> dict[str, Any]:
    """What the one such mail says."""
    [row] = [row for row in life.queue(user) if row.template == template]
    assert not missing_facts(EmailTemplate(template), row.data)
    facts: dict[str, Any] = row.data
    return facts


def journey(user: UUID, settings: BusinessSettings = COSTLY) -> Any:
    """Where START_JOURNEY leads to, or why there is none."""
    life.decide(NOW, settings)
    [(verdict, reason)] = [d[1:] for d in life.decisions(user) if d[0] == "START_JOURNEY"]
    return mail(user, "START_JOURNEY")["lesson_id"] if verdict == "SEND" else reason


def newcomer() -> UUID:
    return life.person(signed_up=NOW - DAY - HOUR)


# START_JOURNEY ----------------------------------------------------------------------------------


def test_a_journey_begins_at_the_first_free_video_of_the_catalogue() -> None:
    a_free_video(position=2)
    course = learning.a_course(1, position=1)  # an article first
    video = learning.add_video(course, seconds=475, is_free=True, title="Bones")
    learning.add_video(course, is_free=True, title="Joints")
    user = newcomer()
    assert journey(user) == str(video)
    title = bank.value("SELECT title FROM learning.courses WHERE id = :id", id=course.id)
    assert mail(user, "START_JOURNEY") == {
        "course_title": title,
        "lesson_title": "Bones",
        "lesson_id": str(video),
        "lesson_minutes": 8,
    }


def test_a_journey_begins_in_the_course_that_one_is_in() -> None:
    a_free_video(position=1)
    later, sooner = a_free_video(position=2), a_free_video(position=3)
    user, other = newcomer(), newcomer()
    enrol(user, later, days_ago=1)
    enrol(user, sooner, days_ago=2)
    assert journey(user) == str(sooner.lessons[0][0])
    assert journey(other) != str(sooner.lessons[0][0])


@pytest.mark.parametrize("status", ["PAUSED", "DROPPED", "COMPLETED"])
def test_nobody_is_led_to_a_course_that_they_left(status: str) -> None:
    left, other = a_free_video(position=1), a_free_video(position=2)
    user = newcomer()
    enrol(user, left, status)
    assert journey(user) == str(other.lessons[0][0])


def test_a_newcomer_is_not_led_to_a_course_that_asks_for_another() -> None:
    first, second = a_free_video(position=1), a_free_video(position=2)
    learning.require(first, second)
    assert journey(newcomer()) == str(second.lessons[0][0])


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE learning.courses SET published = false WHERE id = :course",
        "UPDATE learning.courses SET is_active = false WHERE id = :course",
        "UPDATE learning.modules SET published = false WHERE course_id = :course",
        "UPDATE learning.lessons SET published = false WHERE id = :lesson",
        "UPDATE learning.lessons SET deleted_at = now(), position = NULL WHERE id = :lesson",
        "UPDATE learning.lessons SET is_free = false WHERE id = :lesson",
        "UPDATE learning.lessons SET kind = 'ARTICLE' WHERE id = :lesson",
        "UPDATE learning.lessons SET video_status = 'PROCESSING' WHERE id = :lesson",
    ],
)
def test_without_a_lesson_that_can_be_begun_there_is_no_journey(change: str) -> None:
    course = a_free_video()
    used = {
        name: value
        for name, value in {"course": course.id, "lesson": course.lessons[0][0]}.items()
        if f":{name}" in change
    }
    bank.execute(change, **used)
    assert journey(newcomer()) == "no_lesson"


def test_the_setting_goes_before_the_catalogue() -> None:
    a_free_video()
    assert SETTINGS.journey_lesson is not None
    assert journey(newcomer(), SETTINGS) == str(SETTINGS.journey_lesson.lesson_id)


def test_watching_the_lesson_that_a_journey_leads_to_is_having_begun(
    api: Any, learner: Any
) -> None:
    course = a_free_video()
    user = newcomer()
    lesson = journey(user)
    learning.play(learner, UUID(lesson), (0, 10))
    assert [each["lesson_id"] for each in learning.events(learner, "video_1_started")] == [lesson]
    assert lesson == str(course.lessons[0][0])


# ABANDONMENT ------------------------------------------------------------------------------------


FORGED = {
    "course_title": "Win a car",
    "course_slug": "evil",
    "lesson_title": "Click here",
    "next_lesson_title": "https://evil.example",
    "lesson_count": 1_000_000,
}


def test_a_recall_says_what_the_tables_say_whatever_the_event_says() -> None:
    course = a_free_video()
    learning.add_lesson(course, title="Joints")
    learning.add_lesson(course, title="A draft", published=False)
    learning.add_module(course, 1)
    user = life.person(signed_up=NOW - 3 * HOUR)
    facts = {**FORGED, "lesson_id": str(course.lessons[0][0])}
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **facts)
    life.decide(NOW, COSTLY)
    told = mail(user, "ABANDONMENT_1")
    assert told.pop("price").endswith(" a month")
    assert told == {
        "course_title": course.slug.title(),
        "course_slug": course.slug,
        "lesson_title": "Bones",
        "next_lesson_title": "Joints",
        "lesson_count": 3,
    }


@pytest.mark.parametrize("lesson", [None, "", "l-1", 7, {"a": 1}, "0" * 5_000, str(UUID(int=7))])
def test_a_recall_of_no_lesson_that_there_is_is_withheld(lesson: Any) -> None:
    user = life.person(signed_up=NOW - 3 * HOUR)
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **{**FORGED, "lesson_id": lesson})
    life.decide(NOW, COSTLY)
    assert ("ABANDONMENT_1", "WITHHOLD", "facts_missing") in life.decisions(user)


def test_nobody_is_recalled_to_a_course_that_was_withdrawn() -> None:
    course = a_free_video()
    user = life.person(signed_up=NOW - 3 * HOUR)
    facts = {"lesson_id": str(course.lessons[0][0])}
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **facts)
    bank.execute("UPDATE learning.courses SET is_active = false WHERE id = :id", id=course.id)
    life.decide(NOW, COSTLY)
    assert ("ABANDONMENT_1", "WITHHOLD", "withdrawn") in life.decisions(user)


def test_a_free_video_that_was_really_watched_is_recalled(learner: Any) -> None:
    learning.nothing_is_free()
    course = a_free_video()
    learning.add_lesson(course, title="Joints")
    learning.watch(learner, course.lessons[0][0], 475)
    life.execute(
        "UPDATE auth.users SET email_verified_at = created_at WHERE id = :id", id=learner.id
    )
    life.decide(learning.database_time() + HOUR, COSTLY)
    told = mail(learner.id, "ABANDONMENT_1")
    assert (told["lesson_title"], told["next_lesson_title"]) == ("Bones", "Joints")


# MODULE_COMPLETE --------------------------------------------------------------------------------


def test_a_completed_module_is_told_with_titles_of_its_own_tables() -> None:
    course = learning.a_course(1, 0, 1, 1, title="Anatomy")
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW)
    bank.execute(
        "INSERT INTO learning.module_progress (id, user_id, module_id, status, completed_at)"
        " VALUES (public.uuid7(), :user, :module, 'COMPLETED', now())",
        user=user,
        module=course.modules[2],
    )
    forged = {"module_title": "Win a car", "next_module_title": "https://evil.example", **FORGED}
    facts = {**forged, "module_id": str(course.modules[0]), "course_percent": 33}
    life.event(user, "module_completed", NOW - HOUR, **facts)
    life.decide(NOW, COSTLY)
    assert mail(user, "MODULE_COMPLETE") == {
        "module_title": "Module 0",
        "course_title": "Anatomy",
        "course_slug": course.slug,
        "course_percent": 33,
        "next_module_title": "Module 3",  # 1 is empty, 2 was completed before
    }


@pytest.mark.parametrize(
    ("told", "percent"), [(-5, 0), (33.9, 33), (100, 100), (1e300, 100), ("90", None), (None, None)]
)
def test_a_percentage_is_one_or_none(told: Any, percent: int | None) -> None:
    course = learning.a_course(1)
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW)
    facts = {"module_id": str(course.modules[0]), "course_percent": told}
    life.event(user, "module_completed", NOW - HOUR, **facts)
    life.decide(NOW, COSTLY)
    if percent is None:
        assert life.decisions(user) == [("MODULE_COMPLETE", "WITHHOLD", "facts_missing")]
    else:
        assert mail(user, "MODULE_COMPLETE")["course_percent"] == percent


def test_a_module_that_was_withdrawn_is_not_told_of() -> None:
    course = learning.a_course(1)
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW)
    facts = {"module_id": str(course.modules[0]), "course_percent": 100}
    life.event(user, "module_completed", NOW - HOUR, **facts)
    bank.execute(
        "UPDATE learning.modules SET published = false WHERE id = :id", id=course.modules[0]
    )
    life.decide(NOW, COSTLY)
    assert life.decisions(user) == [("MODULE_COMPLETE", "WITHHOLD", "withdrawn")]


def test_a_module_that_was_really_completed_is_told_of(learner: Any) -> None:
    course = learning.a_course(1, 1)
    learning.complete(learner, course.lessons[0][0])
    life.decide(learning.database_time() + timedelta(minutes=5), COSTLY)
    told = mail(learner.id, "MODULE_COMPLETE")
    assert (told["module_title"], told["course_percent"], told["next_module_title"]) == (
        "Module 0",
        50,
        "Module 1",
    )


# INACTIVE_NUDGE ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("days_ago", "nudged"), [(6, False), (8, True)])
def test_a_lesson_that_was_opened_counts_as_being_here_after_its_session_is_gone(
    days_ago: int, nudged: bool
) -> None:
    lesson = learning.a_course(1).lessons[0][0]
    user = life.person(signed_up=NOW - 60 * DAY, last_login=NOW - 10 * DAY)
    bank.execute(
        "INSERT INTO learning.lesson_progress (id, user_id, lesson_id, last_viewed_at)"
        " VALUES (public.uuid7(), :user, :lesson, :at)",
        user=user,
        lesson=lesson,
        at=NOW - days_ago * DAY,
    )
    life.decide()
    found = [d for d in life.decisions(user) if d[0] == "INACTIVE_NUDGE"]
    assert bool(found) is nudged


def test_a_video_is_led_to_only_once_it_can_be_watched() -> None:
    course = a_free_video()
    lesson = course.lessons[0][0]
    bank.execute(
        "UPDATE learning.lessons SET video_status = :status WHERE id = :id",
        status=VideoStatus.ERRORED.value,
        id=lesson,
    )
    early = newcomer()
    assert journey(early) == "no_lesson"
    bank.execute("UPDATE learning.lessons SET video_status = 'READY' WHERE id = :id", id=lesson)
    assert journey(newcomer()) == str(lesson)
    assert journey(early) == "no_lesson"  # decided once
