"""What an author takes away completes what learners have nothing left to do in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError

from cron import settle_progress
from studypack.core.database import transaction
from studypack.core.ids import uuid7
from studypack.courses import items, settling
from studypack.courses.models import ItemKind
from tests.support import bank, learning
from tests.support.concurrency import meeting_at
from tests.support.crashes import Died, dying_at
from tests.support.exams import JobContext


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return settle_progress.handler({}, JobContext(milliseconds))


def take_away(lesson: Any) -> None:
    """Delete a lesson as its author does."""
    bank.execute(
        "UPDATE learning.lessons SET deleted_at = now(), position = NULL, updated_at = now()"
        " WHERE id = :id",
        id=lesson,
    )


@pytest.fixture
def people(learner: Any, other_learner: Any, sign_up: Callable[..., Any]) -> list[Any]:
    """Three learners."""
    return [learner, other_learner, sign_up()]


@pytest.fixture
def shortened(people: list[Any]) -> learning.Material:
    """A course of which all three did all but a lesson that its author took away."""
    course = learning.a_course(2)
    for person in people:
        learning.complete(person, course.lessons[0][0])
    take_away(course.lessons[0][1])
    return course


def certificates() -> int:
    found: int = bank.value("SELECT count(*) FROM learning.certificates")
    return found


def test_who_has_nothing_left_completes(people: list[Any], shortened: learning.Material) -> None:
    report = run()
    assert (report["processed"], report["complete"], report["unsettled"]) == (3, True, 0)
    for person in people:
        found = person.get(shortened.path).json()
        assert (found["enrollment"]["status"], found["percent"]) == ("COMPLETED", 100)
        assert found["modules"][0]["status"] == "COMPLETED"
        assert len(learning.events(person, "module_completed")) == 1
        assert {"module.completed", "course.completed"} <= set(learning.feed(person))
    assert certificates() == 3
    assert run()["processed"] == 0
    assert certificates() == 3


def test_who_has_something_left_does_not(people: list[Any]) -> None:
    course = learning.a_course(3)
    learning.add_quiz(course)
    for person in people:
        learning.complete(person, course.lessons[0][0])
    take_away(course.lessons[0][1])
    assert run()["processed"] == 0
    assert certificates() == 0


def test_a_quiz_that_is_taken_away_completes_too(learner: Any, session: Any) -> None:
    course = learning.a_course(1)
    quiz = learning.add_quiz(course)
    learning.complete(learner, course.lessons[0][0])
    assert run()["processed"] == 0
    items.remove(session, quiz)
    session.commit()
    assert run()["processed"] == 1
    assert certificates() == 1


def test_a_module_that_is_taken_away_completes_the_course(learner: Any) -> None:
    course = learning.a_course(1, 1)
    learning.complete(learner, course.lessons[0][0])
    bank.execute(
        "UPDATE learning.modules SET published = false, updated_at = now() WHERE id = :id",
        id=course.modules[1],
    )
    assert run()["processed"] == 1
    assert learner.get(course.path).json()["enrollment"]["status"] == "COMPLETED"
    assert len(learning.events(learner, "module_completed")) == 1


def test_a_module_completes_though_the_course_goes_on(learner: Any) -> None:
    course = learning.a_course(2, 1)
    learning.complete(learner, course.lessons[0][0])
    take_away(course.lessons[0][1])
    assert run()["processed"] == 1
    found = learner.get(course.path).json()
    assert [module["status"] for module in found["modules"]] == ["COMPLETED", "NOT_STARTED"]
    assert found["enrollment"]["status"] == "ACTIVE"
    assert run()["processed"] == 0


@pytest.mark.parametrize("status", ["PAUSED", "DROPPED"])
def test_who_left_is_left_alone(learner: Any, status: str) -> None:
    course = learning.a_course(2)
    learning.complete(learner, course.lessons[0][0])
    learner.patch(f"{course.path}/enrollment", json={"status": status})
    take_away(course.lessons[0][1])
    assert run()["processed"] == 0


def test_a_course_left_empty_completes_nobody(learner: Any) -> None:
    course = learning.a_course(1)
    learning.view(learner, course.lessons[0][0])
    take_away(course.lessons[0][0])
    assert run()["processed"] == 0


@pytest.mark.parametrize("column", ["published", "is_active"])
def test_a_course_that_is_withdrawn_waits(
    learner: Any, shortened: learning.Material, column: str
) -> None:
    bank.execute(f"UPDATE learning.courses SET {column} = false WHERE id = :id", id=shortened.id)
    assert run()["processed"] == 0


def test_only_courses_that_changed_lately_are_looked_at(
    people: list[Any], shortened: learning.Material
) -> None:
    for table in ("courses", "modules", "lessons"):
        bank.execute(f"UPDATE learning.{table} SET updated_at = now() - interval '4 days'")
    assert run()["processed"] == 0
    with transaction() as session:
        late = settling.settle_next(
            session, settling.Walk(), passed_over=set(), looks_back=timedelta(days=5)
        )
    assert late == 3


@pytest.mark.parametrize("batch", [1, 2, 50])
@pytest.mark.parametrize("window", [1, 2, 3, 1_000])
def test_windows_and_batches_of_any_size_reach_everybody_who_is_due(
    people: list[Any], shortened: learning.Material, batch: int, window: int
) -> None:
    longer = learning.a_course(2)  # of which nobody has nothing left to do
    for person in people:
        learning.complete(person, longer.lessons[0][0])
    take = {"passed_over": set(), "batch": batch, "window": window}
    walk = settling.Walk()
    settled = []
    while not settled or settled[-1]:
        with transaction() as session:
            settled.append(settling.settle_next(session, walk, **take))
    assert (sum(settled), walk.ended) == (3, True)
    assert certificates() == 3


@pytest.mark.usefixtures("wide_pool")
def test_two_jobs_at_once_complete_each_once(
    people: list[Any], shortened: learning.Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        settling.settle_next,
        "__kwdefaults__",
        {"batch": 1, "window": 2, "looks_back": timedelta(days=3)},
    )
    one, other = meeting_at("LOCK TABLE activity.user_activities IN SHARE MODE", [run, run])
    assert one["processed"] + other["processed"] == 3
    assert min(one["processed"], other["processed"]) > 0
    assert certificates() == 3
    for person in people:
        assert len(learning.events(person, "module_completed")) == 1


@pytest.mark.usefixtures("wide_pool")
def test_the_job_and_the_learner_at_once_complete_once(learner: Any) -> None:
    course = learning.a_course(3)
    for lesson in course.lessons[0][:2]:
        learning.view(learner, lesson)
    learning.complete(learner, course.lessons[0][0])
    take_away(course.lessons[0][2])
    last = course.lessons[0][1]
    meeting_at(
        "LOCK TABLE activity.user_activities IN SHARE MODE",
        [lambda: learning.say(learner, last, "complete")],
    )
    assert run()["processed"] == 0
    assert certificates() == 1
    assert len(learning.events(learner, "module_completed")) == 1


def test_a_job_that_dies_anywhere_leaves_nothing_half(
    people: list[Any], shortened: learning.Material
) -> None:
    from studypack.core.database.engine import dispose_engine

    moment = 0
    while True:
        moment += 1
        try:
            with dying_at(moment), transaction() as session:
                settling.settle_next(session, settling.Walk(), passed_over=set())
        except (Died, InvalidRequestError):  # the latter of a savepoint that it died in
            dispose_engine()
            events = sum(len(learning.events(person, "module_completed")) for person in people)
            assert (certificates(), events) in ((0, 0), (3, 3)), f"half of it at {moment}"
        else:
            break
    assert moment > 30
    assert certificates() == 3


def test_one_that_cannot_be_settled_is_told_and_stops_no_other(
    people: list[Any], shortened: learning.Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = settling.settle_enrollment

    def fail_for_one(session: Any, user_id: Any, *given: Any, **named: Any) -> bool:
        if user_id == people[0].id:
            session.execute(text("INSERT INTO learning.courses (id) VALUES (public.uuid7())"))
        return settle(session, user_id, *given, **named)

    monkeypatch.setattr(settling, "settle_enrollment", fail_for_one)
    report = run()
    assert (report["processed"], report["unsettled"], report["complete"]) == (2, 1, True)
    monkeypatch.undo()
    assert run()["processed"] == 1


def test_an_item_of_another_floor_needs_no_more_than_its_row(learner: Any, session: Any) -> None:
    course = learning.a_course(1)
    assignment = uuid7()
    given = {"module_id": course.modules[0], "kind": ItemKind.ASSIGNMENT, "title": "Build"}
    items.put(session, assignment, **given, position=0, published=True)
    session.commit()
    learning.complete(learner, course.lessons[0][0])
    assert learner.get(course.path).json()["percent"] == 50
    items.put(session, assignment, **given, position=0, published=False)
    session.commit()
    assert run()["processed"] == 1
