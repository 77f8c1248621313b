from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.core.database import transaction
from studypack.core.errors import Unprocessable
from studypack.courses.authoring import prerequisites
from studypack.courses.authoring.prerequisites import cycle_through
from tests.support import bank
from tests.support.authoring import a_course
from tests.support.concurrency import at_once, meeting_at

A, B, C, D, E = (UUID(int=number) for number in range(5))


@pytest.mark.parametrize(
    ("required", "asked", "cycle"),
    [
        ([B], {}, []),
        ([B], {B: {C}, C: {D}}, []),
        ([A], {}, [A, A]),
        ([B], {B: {A}}, [A, B, A]),
        ([B, C], {B: {D}, C: {A}}, [A, C, A]),
        ([B], {B: {C, D}, C: {E}, D: {A}, E: {A}}, [A, B, D, A]),
        ([B], {B: {C}, C: {B}}, []),
    ],
)
def test_the_shortest_way_back_is_found(
    required: list[UUID], asked: Mapping[UUID, set[UUID]], cycle: list[UUID]
) -> None:
    found = cycle_through(A, required, asked)

    assert (found[:-1], found[-1:]) == (cycle[:-1], cycle[-1:])


_ids = st.integers(0, 7).map(lambda number: UUID(int=number))


@given(st.dictionaries(_ids, st.frozensets(_ids, max_size=4)), st.frozensets(_ids, max_size=4))
def test_a_cycle_is_found_exactly_when_there_is_a_way_back(
    asked: dict[UUID, frozenset[UUID]], required: frozenset[UUID]
) -> None:
    asked.pop(A, None)
    reached, waiting = set(required), list(required)
    while waiting:
        new = set(asked.get(waiting.pop(), ())) - reached
        reached |= new
        waiting += new

    cycle = cycle_through(A, sorted(required), asked)

    assert bool(cycle) == (A in reached)
    if cycle:
        assert cycle[0] == cycle[-1] == A
        assert all(
            after in (required if before == A else asked[before])
            for before, after in pairwise(cycle)
        )


def ask(course: UUID, *required: UUID) -> str:
    """`done`, or the code of the refusal."""
    try:
        with transaction() as session:
            prerequisites.replace(session, course, required, by=None)
    except Unprocessable as refused:
        return refused.code
    return "done"


def edges() -> set[tuple[Any, Any]]:
    return {
        (row.course_id, row.required_course_id)
        for row in bank.rows("SELECT * FROM learning.course_prerequisites")
    }


@pytest.mark.usefixtures("database_url", "wide_pool")
def test_of_two_edits_at_once_that_close_a_cycle_together_the_second_is_refused() -> None:
    one, other = a_course(), a_course()

    outcomes = meeting_at(
        "SELECT pg_advisory_xact_lock(hashtextextended('courses.prerequisites', 0))",
        [lambda: ask(one, other), lambda: ask(other, one)],
    )

    assert sorted(outcomes) == ["done", "prerequisite_cycle"]
    assert len(edges()) == 1


@pytest.mark.usefixtures("database_url", "wide_pool")
def test_a_ring_of_edits_at_once_never_closes() -> None:
    ring = [a_course() for _ in range(6)]

    outcomes = at_once(
        *[
            lambda here=here, there=there: ask(here, there)
            for here, there in zip(ring, [*ring[1:], ring[0]], strict=True)
        ]
    )

    assert sorted(outcomes) == ["done"] * 5 + ["prerequisite_cycle"]
    assert len(edges()) == 5
