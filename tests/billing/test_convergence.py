"""Whatever order Stripe's events come in, and however often, they end in one state (a sample; many
more orders under `make faults`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from studypack.integrations.stripe import client as client_module
from tests.support import convergence, lifecycle
from tests.support.lifecycle import Lifecycle


@pytest.fixture
def life(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lifecycle]:
    """A life, with the stand-in at its end to ask."""
    found = lifecycle.live()
    monkeypatch.setattr(client_module, "get_stripe", lambda: found.client)
    lifecycle.install_products(found)
    yield found
    found.standin.stop()


def test_any_order_of_a_lifes_events_ends_in_one_state(
    life: Lifecycle, record_property: Callable[[str, object], None]
) -> None:
    assert life.ties() > 20, "several events of one object in one second"

    tried = convergence.converge(life, orders=5)

    assert len(tried.states) == 1
    # A pack and a bundle; two subscriptions, one after the other.
    assert tried.grants == {(2, 2)}
    record_property("figure", f"convergence: {tried.orders} orders, {len(tried.states)} state")
