"""Lessons, modules and courses complete once, however many say so at once and wherever it dies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from studypack.access.authentication import Caller, authenticate
from studypack.core.database import transaction
from studypack.courses import completion, progress
from studypack.courses.completion import Completed
from studypack.courses.models import ItemKind
from tests.support import bank, learning
from tests.support.concurrency import at_once, meeting_at
from tests.support.crashes import Died, dying_at

ONCE = {
    "activity.xp_logs": 2,
    "learning.item_completions": 2,
    "learning.certificates": 1,
    "notifications.email_queue": 1,
}


def caller(person: Any) -> Caller:
    found = authenticate(person.token)
    assert found is not None
    return found


def done(person: Any, item: UUID, kind: ItemKind, module: UUID) -> Completed:
    """Complete an item as the floor that owns it does."""
    with transaction() as session:
        return completion.complete_item(
            session, person.id, item, kind, module, now=learning_now(session)
        )


def learning_now(session: Any) -> Any:
    return session.execute(text("SELECT now()")).scalar_one()


def outcome(person: Any) -> dict[str, int]:
    """How often what may happen once has happened."""
    return {
        **{table: learning.count(table, person) for table in ONCE if "email" not in table},
        "notifications.email_queue": learning.count(
            "notifications.email_queue", person, "template = 'CERTIFICATE'"
        ),
        "module_completed": len(learning.events(person, "module_completed")),
        "lesson.completed": learning.feed(person).count("lesson.completed"),
        "module.completed": learning.feed(person).count("module.completed"),
        "course.completed": learning.feed(person).count("course.completed"),
        "MODULE_COMPLETED": learning.count(
            "notifications.notifications", person, "type = 'MODULE_COMPLETED'"
        ),
    }


ALL_ONCE = {
    **ONCE,
    "module_completed": 1,
    "lesson.completed": 2,
    "module.completed": 1,
    "course.completed": 1,
    "MODULE_COMPLETED": 1,
}


@pytest.fixture
def course(learner: Any) -> learning.Material:
    """A course of one module, of which the last lesson is open before the learner."""
    made = learning.a_course(2)
    learning.complete(learner, made.lessons[0][0])
    learning.view(learner, made.lessons[0][1])
    return made


def test_the_last_lesson_completes_module_and_course(
    learner: Any, course: learning.Material
) -> None:
    told = learning.say(learner, course.lessons[0][1], "complete").json()
    assert told["completed_now"]
    assert told["module_completed"]
    assert told["course_completed"]
    assert outcome(learner) == ALL_ONCE
    [event] = learning.events(learner, "module_completed")
    assert event == {
        "module_id": str(course.modules[0]),
        "module_title": "Module 0",
        "course_id": str(course.id),
        "course_title": course.slug.title(),
        "course_slug": course.slug,
        "course_percent": 100,
        "next_module_title": None,
    }
    found = learner.get(course.path).json()
    assert found["enrollment"]["status"] == "COMPLETED"
    code = bank.value("SELECT code FROM learning.certificates")
    assert found["enrollment"]["certificate_code"] == code


def test_completing_again_changes_nothing(learner: Any, course: learning.Material) -> None:
    last = course.lessons[0][1]
    first = learning.say(learner, last, "complete").json()
    again = learning.say(learner, last, "complete").json()
    assert (again["completed"], again["completed_at"]) == (True, first["completed_at"])
    assert not again["completed_now"]
    assert not again["module_completed"]
    assert not again["course_completed"]
    assert outcome(learner) == ALL_ONCE


@pytest.mark.usefixtures("wide_pool")
def test_twenty_at_once_complete_once(learner: Any, course: learning.Material) -> None:
    last = course.lessons[0][1]
    answers = at_once(*[partial(learning.say, learner, last, "complete")] * 20)
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["completed_now"] for answer in answers) == 1
    assert sum(answer.json()["module_completed"] for answer in answers) == 1
    assert outcome(learner) == ALL_ONCE


@pytest.mark.usefixtures("wide_pool")
def test_the_last_items_at_once_complete_the_module_once(learner: Any) -> None:
    course = learning.a_course(1)
    quizzes = [learning.add_quiz(course) for _ in range(3)]
    learning.view(learner, course.lessons[0][0])
    calls: list[Callable[[], Any]] = [
        partial(learning.say, learner, course.lessons[0][0], "complete"),
        *(partial(done, learner, each, ItemKind.QUIZ, course.modules[0]) for each in quizzes),
    ]
    meeting_at(
        "SELECT id FROM learning.enrollments WHERE user_id = :id FOR UPDATE", calls, id=learner.id
    )
    assert len(learning.events(learner, "module_completed")) == 1
    assert learning.count("learning.certificates", learner) == 1
    assert bank.value("SELECT progress_percent FROM learning.module_progress") == 100


@pytest.mark.usefixtures("wide_pool")
def test_learning_everywhere_at_once_waits_for_nobody_for_ever(learner: Any) -> None:
    course = learning.a_course(4, 4)
    video = learning.add_video(course, 0, is_free=True, seconds=20)
    quiz = learning.add_quiz(course, 1)
    calls: list[Callable[[], Any]] = []
    for lesson in [*course.lessons[0][:4], *course.lessons[1]]:
        learning.view(learner, lesson)
        calls += [partial(learning.say, learner, lesson, kind) for kind in ("complete", "view")]
    calls += [
        partial(learning.play, learner, video, (0, 20)),
        partial(learning.play, learner, video, (5, 20)),
        partial(done, learner, quiz, ItemKind.QUIZ, course.modules[1]),
        partial(learner.patch, f"{course.path}/enrollment", json={"status": "ACTIVE"}),
    ]
    answers = at_once(*calls)
    assert {each.status_code for each in answers if hasattr(each, "status_code")} == {200}
    assert len(learning.events(learner, "module_completed")) == 2
    assert learning.count("learning.certificates", learner) == 1
    assert len(learning.events(learner, "video_1_completed")) == 1


def _moments(person: Any, lesson: UUID) -> Iterator[int]:
    """Complete a lesson, dying at each moment of it in turn; each moment at which it died."""
    moment = 0
    while True:
        moment += 1
        who = caller(person)
        try:
            with dying_at(moment), transaction() as session:
                progress.complete(session, who, lesson)
        except Died:
            from studypack.core.database.engine import dispose_engine

            dispose_engine()  # What it held is gone with its connection.
            yield moment
        else:
            return


def test_a_crash_anywhere_leaves_all_of_it_or_nothing(
    learner: Any, course: learning.Material
) -> None:
    before = outcome(learner)
    crashes = 0
    for crashes in _moments(learner, course.lessons[0][1]):
        assert outcome(learner) in (before, ALL_ONCE), f"half of it at moment {crashes}"
    assert crashes > 20
    assert outcome(learner) == ALL_ONCE


def test_what_is_done_is_done_also_by_who_has_no_enrolment(learner: Any) -> None:
    course, first = learning.a_course(0), learning.a_course(1)
    learning.require(course, first)
    quiz = learning.add_quiz(course)
    completed = done(learner, quiz, ItemKind.QUIZ, course.modules[0])
    assert completed == Completed(True, True, True)
    assert learning.count("learning.enrollments", learner, "status = 'COMPLETED'") == 1
    assert done(learner, quiz, ItemKind.QUIZ, course.modules[0]) == Completed(False, False, False)


@pytest.mark.parametrize("status", ["PAUSED", "DROPPED"])
def test_a_quiz_that_ends_after_one_left_counts_and_the_course_waits(
    learner: Any, status: str
) -> None:
    course = learning.a_course(0)
    quiz = learning.add_quiz(course)
    learner.post(f"{course.path}/enrollment")
    path = f"{course.path}/enrollment"
    assert learner.patch(path, json={"status": status}).status_code == 200
    completed = done(learner, quiz, ItemKind.QUIZ, course.modules[0])
    assert completed == Completed(True, True, False)
    assert learning.count("learning.certificates", learner) == 0
    assert learner.patch(path, json={"status": "ACTIVE"}).json()["status"] == "COMPLETED"
    assert learning.count("learning.certificates", learner) == 1


def test_who_enrols_again_with_nothing_left_to_do_completes_the_course(learner: Any) -> None:
    course = learning.a_course(0)
    quiz = learning.add_quiz(course)
    path = f"{course.path}/enrollment"
    learner.post(path)
    assert learner.patch(path, json={"status": "DROPPED"}).status_code == 200
    done(learner, quiz, ItemKind.QUIZ, course.modules[0])
    again = learner.post(path)
    assert (again.status_code, again.json()["status"]) == (201, "COMPLETED")
    assert learning.count("learning.certificates", learner) == 1


def test_a_module_names_the_next_that_is_open(learner: Any) -> None:
    course = learning.a_course(1, 1, 1)
    for module, percent, onward in ((1, 33, "Module 2"), (0, 66, "Module 2"), (2, 100, None)):
        learning.complete(learner, course.lessons[module][0])
        event = learning.events(learner, "module_completed")[-1]
        told = (event["module_title"], event["course_percent"], event["next_module_title"])
        assert told == (f"Module {module}", percent, onward)


def test_an_empty_module_keeps_nobody_from_the_certificate(learner: Any) -> None:
    course = learning.a_course(1)
    learning.add_module(course)
    assert learning.complete(learner, course.lessons[0][0])["course_completed"]


def test_a_completed_course_stays_so_and_its_new_modules_can_be_completed(learner: Any) -> None:
    course = learning.a_course(1)
    learning.complete(learner, course.lessons[0][0])
    learning.add_module(course, 1)
    added = learning.complete(learner, course.lessons[1][0])
    assert added["module_completed"]
    assert not added["course_completed"]
    assert learning.count("learning.certificates", learner) == 1
    assert learner.get(course.path).json()["percent"] == 100


def test_the_percent_written_down_is_that_of_the_page(learner: Any) -> None:
    course = learning.a_course(3)
    for lesson, percent in zip(course.lessons[0], (33, 66, 100), strict=True):
        learning.complete(learner, lesson)
        stored = bank.value("SELECT progress_percent FROM learning.module_progress")
        assert stored == percent == learner.get(course.path).json()["percent"]


def test_mails_about_a_completed_module_find_what_they_need(learner: Any) -> None:
    from cron import enqueue_emails
    from tests.support.exams import JobContext

    course = learning.a_course(1, 1)
    learning.complete(learner, course.lessons[0][0])
    enqueue_emails.handler({}, JobContext())
    mail = bank.row("SELECT data FROM notifications.email_queue WHERE template = 'MODULE_COMPLETE'")
    assert mail.data == {
        "module_title": "Module 0",
        "course_title": course.slug.title(),
        "course_slug": course.slug,
        "course_percent": 50,
        "next_module_title": "Module 1",
    }
