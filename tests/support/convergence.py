"""Any order and any repetition of a life's events, and the states in which they end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import lifecycle
from tests.support.lifecycle import Lifecycle


@dataclass
class Tried:
    """How many orders were tried, and what they ended in."""

    orders: int = 0
    repetitions: int = 0
    fetched: int = 0
    states: set[str] = field(default_factory=set)
    grants: set[tuple[int, int]] = field(default_factory=set)
    """Purchases and subscriptions that ever counted, beside those that were paid twice."""


def converge(life: Lifecycle, *, orders: int) -> Tried:
    """Tell the events in so many orders, with repetitions, and compare every end with that of
    Stripe's own order.
    """
    lifecycle.begin(life)
    lifecycle.tell(life.events)
    expected = lifecycle.state()
    tried = Tried(orders=1, states={repr(expected)})
    numbers = range(len(life.events))

    @settings(
        max_examples=orders,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.permutations(numbers), st.lists(st.sampled_from(numbers), max_size=40))
    def in_any_order(order: Sequence[int], again: Sequence[int]) -> None:
        told = [life.events[number] for number in [*order, *again]]
        _interleave(told, len(order))
        life.requests.clear()
        lifecycle.begin(life)
        lifecycle.tell(told)
        found = lifecycle.state()
        tried.orders += 1
        tried.repetitions += len(again)
        tried.fetched += len(life.requests)
        tried.states.add(repr(found))
        tried.grants.add(_grants(found))
        apart = lifecycle.differences(expected, found)
        assert not apart, "\n".join([*apart, f"told: {[event['id'] for event in told]}"])

    in_any_order()
    return tried


def _interleave(told: list[dict[str, object]], originals: int) -> None:
    """Spread the repetitions over the sequence, each somewhere by its number."""
    for place in range(originals, len(told)):
        told.insert((place * 7919) % (originals + 1), told.pop(place))


def _grants(state: dict[str, list[dict[str, object]]]) -> tuple[int, int]:
    bought = [row for row in state["purchases"] if row["access_start"] is not None]
    return (
        sum(not row["is_duplicate"] for row in bought),
        sum(not row["is_duplicate"] for row in state["subscriptions"]),
    )
