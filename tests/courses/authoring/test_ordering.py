"""Places stay 0 to n - 1, whatever authors do to one order at the same time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.core.database import transaction
from studypack.core.errors import AppError
from studypack.courses.authoring import lessons, modules, topics
from studypack.courses.authoring.ordering import moved
from tests.support import bank
from tests.support.authoring import NOW, a_course, a_lesson, a_module, a_topic
from tests.support.concurrency import at_once

_orders = st.lists(st.uuids(), unique=True, min_size=1, max_size=12)


@given(_orders, st.data())
def test_a_move_keeps_everything_and_the_others_order(order: list[UUID], data: Any) -> None:
    item = data.draw(st.sampled_from(order) | st.uuids())
    position = data.draw(st.integers(-3, 15))

    after = moved(order, item, position)

    others = [each for each in order if each != item]
    assert [each for each in after if each != item] == others
    assert after.index(item) == min(max(position, 0), len(others))
    assert after.count(item) == 1


def positions(table: str, where: str, **given: Any) -> list[int]:
    return [
        row.position
        for row in bank.rows(
            f"SELECT position FROM learning.{table} WHERE {where} ORDER BY position", **given
        )
    ]


def quietly(act: Callable[[Any], Any]) -> str:
    """Do it in a transaction of its own; the code of an expected refusal."""
    try:
        with transaction() as session:
            act(session)
    except AppError as refused:
        return refused.code
    return "done"


def put(what: Any, id: UUID, position: int, **where: Any) -> str:
    return quietly(lambda session: what.move(session, id, position, by=None, **where))


def drop(what: Any, id: UUID) -> str:
    return quietly(lambda session: what.remove(session, id, by=None, now=NOW))


@pytest.mark.usefixtures("database_url", "wide_pool")
@pytest.mark.parametrize("seed", range(4))
def test_modules_moved_made_and_deleted_at_once_leave_no_gap_and_no_double(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    course = a_course()
    there = [a_module(course) for _ in range(6)]
    deleted = chance.sample(there, 2)

    outcomes = at_once(
        *[
            lambda each=each: put(modules, each, chance.randrange(8))
            for each in chance.choices(there, k=8)
        ],
        *[lambda each=each: drop(modules, each) for each in (*deleted, deleted[0])],
        *[lambda: a_module(course)] * 3,
    )

    places = positions("modules", "course_id = :id AND deleted_at IS NULL", id=course)
    assert places == list(range(6 - 2 + 3))
    codes = [each for each in outcomes if isinstance(each, str)]
    assert set(codes) <= {"done", "module_not_found"}
    gone = bank.rows("SELECT position FROM learning.modules WHERE deleted_at IS NOT NULL")
    assert [row.position for row in gone] == [None, None]
    slugs = [
        row.slug
        for row in bank.rows(
            "SELECT slug FROM learning.modules WHERE course_id = :id AND deleted_at IS NULL",
            id=course,
        )
    ]
    assert len(set(slugs)) == len(slugs)


@pytest.mark.usefixtures("database_url", "wide_pool")
@pytest.mark.parametrize("seed", range(4))
def test_lessons_moved_between_modules_at_once_are_each_in_one_place(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    course = a_course()
    here, there = a_module(course), a_module(course)
    written = [a_lesson(here) for _ in range(4)] + [
        a_lesson(there, title=f"There {n}") for n in range(4)
    ]
    deleted = chance.choice(written)

    outcomes = at_once(
        *[
            lambda each=each: put(
                lessons, each, chance.randrange(9), module_id=chance.choice([here, there, None])
            )
            for each in (*written, *written)
        ],
        lambda: drop(lessons, deleted),
        lambda: a_lesson(here, title="New"),
        lambda: a_lesson(there, title="New"),
    )

    codes = {each for each in outcomes if isinstance(each, str)}
    assert codes <= {"done", "lesson_not_found"}
    total = 0
    for module in (here, there):
        places = positions("lessons", "module_id = :id AND deleted_at IS NULL", id=module)
        assert places == list(range(len(places)))
        total += len(places)
    assert total == 8 - 1 + 2


@pytest.mark.usefixtures("database_url", "wide_pool")
@pytest.mark.parametrize("seed", range(4))
def test_topics_hung_elsewhere_at_once_stay_a_tree_with_places(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    course = a_course()
    roots = [a_topic(course) for _ in range(3)]
    all_of_them = roots + [a_topic(course, parent_id=chance.choice(roots)) for _ in range(5)]

    outcomes = at_once(
        *[
            lambda each=each: put(
                topics,
                each,
                chance.randrange(6),
                parent_id=chance.choice([*all_of_them, None, "same"]),
            )
            for each in (*all_of_them, *all_of_them)
        ],
        lambda: a_topic(course, parent_id=roots[0]),
    )

    codes = {each for each in outcomes if isinstance(each, str)}
    assert codes <= {"done", "topic_cycle"}
    rows = bank.rows(
        "SELECT id, parent_id, position FROM learning.topics WHERE course_id = :id", id=course
    )
    assert len(rows) == 9
    above = {row.id: row.parent_id for row in rows}
    for each in above:
        steps, upwards = 0, each
        while (upwards := above[upwards]) is not None:
            steps += 1
            assert steps < len(rows), "a circle"
    for parent in set(above.values()):
        places = sorted(row.position for row in rows if row.parent_id == parent)
        assert places == list(range(len(places)))


@pytest.mark.usefixtures("database_url")
def test_places_with_gaps_from_elsewhere_are_mended_by_the_next_change() -> None:
    course = a_course()
    first, second = a_topic(course), a_topic(course)
    bank.execute("UPDATE learning.topics SET position = 7 WHERE course_id = :id", id=course)

    third = a_topic(course)

    assert positions("topics", "course_id = :id", id=course) == [0, 1, 2]
    with transaction() as session:
        topics.move(session, third, 0, parent_id="same", by=None)
    rows = bank.rows(
        "SELECT id FROM learning.topics WHERE course_id = :id ORDER BY position", id=course
    )
    assert [row.id for row in rows] == [third, *sorted([first, second])]


@pytest.mark.usefixtures("database_url")
def test_who_only_makes_room_is_not_changed() -> None:
    course = a_course()
    kept = [a_module(course) for _ in range(3)]
    before = bank.rows("SELECT id, updated_at FROM learning.modules ORDER BY id")

    assert put(modules, kept[2], 0) == "done"

    assert bank.rows("SELECT id, updated_at FROM learning.modules ORDER BY id") == before


@pytest.mark.usefixtures("database_url")
def test_there_is_room_for_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studypack.courses.authoring.ordering.MOST_SIBLINGS", 2)
    course = a_course()
    here, there = a_module(course), a_module(course)
    for module in (here, there):
        for number in range(2):
            a_lesson(module, title=f"{module} {number}")
    lesson = bank.value("SELECT id FROM learning.lessons WHERE module_id = :id LIMIT 1", id=here)

    assert put(lessons, lesson, 0, module_id=there) == "too_many"
    assert quietly(lambda s: modules.create(s, course, {"title": "Third"}, by=None)) == "too_many"
    assert quietly(lambda s: modules.create(s, uuid4(), {"title": "x"}, by=None)) == (
        "course_not_found"
    )
