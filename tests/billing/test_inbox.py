"""A process that dies at any moment of an event leaves nothing half done; the retry ends alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studypack.billing import inbox, owed
from studypack.core.database.engine import dispose_engine
from studypack.integrations.stripe import client as client_module
from tests.support import crashes, lifecycle
from tests.support.crashes import Died, dying_at
from tests.support.lifecycle import Lifecycle


@pytest.fixture(scope="module")
def lived() -> Iterator[Lifecycle]:
    """A customer's life, lived once."""
    found = lifecycle.live()
    yield found
    found.standin.stop()


@pytest.fixture
def life(database_url: str, lived: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> Lifecycle:
    """The life before its first event, with the stand-in to ask."""
    monkeypatch.setattr(client_module, "get_stripe", lambda: lived.client)
    lifecycle.install_products(lived)
    lifecycle.begin(lived)
    return lived


def test_a_crash_at_any_moment_of_an_event_leaves_all_or_nothing(life: Lifecycle) -> None:
    assert crashes.crash_everywhere(life, ["checkout.session.completed", "invoice.paid"]) > 80


def test_the_retry_after_crashes_ends_as_if_there_had_been_none(
    life: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = life.events[:30]
    lifecycle.tell(events)
    untroubled = lifecycle.state()
    lifecycle.begin(life)

    # What is promised is not asked for: Stripe has done it already, where this life has ended.
    monkeypatch.setattr(owed, "settle_at_once", lambda *_: None)
    for number, event in enumerate(events):
        inbox.record(event)
        with dying_at(3 + number % 9):
            try:
                inbox.process(event["id"])
            except Died:
                dispose_engine()
    report = inbox_sweep()

    assert report["applied"] > 10
    assert lifecycle.differences(untroubled, lifecycle.state()) == []


def inbox_sweep() -> dict[str, int]:
    """The sweep, as its cron runs it."""
    from studypack.core.jobs import Run
    from tests.support.exams import JobContext

    run = Run("test", JobContext())
    inbox.retry_due(run)
    assert run.complete
    return run.counts


def test_an_event_that_needs_too_many_objects_fails_with_words(
    life: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from itertools import count

    from studypack.billing.events import handlers

    numbers = count()
    endless: Callable[..., Any] = lambda work, told: work.truth.get(  # noqa: E731
        "customer", f"cus_{next(numbers)}"
    )
    event = next(each for each in life.events if each["type"] == "invoice.paid")
    monkeypatch.setitem(handlers.HANDLERS, "invoice.paid", endless)  # type: ignore[arg-type]

    done = inbox.process(inbox.record(event))

    assert done.outcome is inbox.Outcome.FAILED
    assert done.error == "It needs more of Stripe's objects than it may ask for."
