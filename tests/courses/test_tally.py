from __future__ import annotations

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from studypack.courses.tally import (
    ModuleTally,
    course_percent,
    is_course_finished,
    module_percent,
)


def module(done: int, items: int, *, completed: bool = False) -> ModuleTally:
    return ModuleTally(uuid4(), "A module", items, done, completed, None)


modules = st.lists(
    st.integers(0, 40).flatmap(
        lambda items: st.builds(
            module, st.integers(0, items), st.just(items), completed=st.booleans()
        )
    ),
    max_size=6,
)


def test_percents_are_rounded_down() -> None:
    assert module_percent(module(2, 3)) == 66
    assert module_percent(module(199, 200)) == 99
    assert course_percent([module(2, 3), module(0, 3)]) == 33


def test_an_empty_module_is_not_finished_and_keeps_no_course_open() -> None:
    assert not module(0, 0).is_finished
    assert module_percent(module(0, 0)) == 0
    assert is_course_finished([module(0, 0), module(3, 3)])
    assert not is_course_finished([module(0, 0)])
    assert not is_course_finished([])


def test_a_completed_module_stays_so_when_something_is_added_to_it() -> None:
    grown = module(3, 4, completed=True)
    assert module_percent(grown) == 100
    assert is_course_finished([grown])
    assert course_percent([grown]) == 100


@given(modules)
def test_a_course_is_at_100_percent_exactly_when_it_is_finished(found: list[ModuleTally]) -> None:
    settled = [module(m.done, m.items, completed=m.is_finished) for m in found]
    assert (course_percent(settled) == 100) == is_course_finished(settled)


@given(modules)
def test_doing_more_never_lowers_a_percent(found: list[ModuleTally]) -> None:
    for place, each in enumerate(found):
        if each.done < each.items:
            more = list(found)
            more[place] = module(each.done + 1, each.items, completed=each.completed)
            assert course_percent(more) >= course_percent(found)
            assert module_percent(more[place]) >= module_percent(each)
