"""The Stripe stand-in beside the local server: where it listens, what it keeps, whom it tells."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import server
from local.environment import STRIPE_WEBHOOK_SECRET, uses_stripe_itself
from local.stripe import Endpoint, StandIn, application

PREFERRED_PORT = 8100
STATE_FILE = "stripe.sqlite"
WEBHOOK_PATH = "/api/webhooks/stripe"


@contextmanager
def running(state: Path, *, web_base_url: str, fixed_port: bool) -> Iterator[StandIn | None]:
    """A stand-in that keeps its state in `state` and tells the local server of its events once
    `start` was called; None when the environment names an account at Stripe.

    It has a port of its own: it is another company's server, and our requests wait for it.
    """
    if uses_stripe_itself(os.environ):
        yield None
        return
    listener = server.listen(None if fixed_port else 0, preferred=PREFERRED_PORT)
    base_url = f"http://{server.HOST}:{listener.getsockname()[1]}"
    state.mkdir(parents=True, exist_ok=True)
    standin = StandIn(
        base_url,
        endpoints=[Endpoint(f"{web_base_url}{WEBHOOK_PATH}", STRIPE_WEBHOOK_SECRET)],
        path=state / STATE_FILE,
    )
    try:
        with server.serving(application(standin), listener):
            yield standin
    finally:
        standin.stop()
