"""The Stripe stand-in beside the local server: where it listens, what it keeps, whom it tells."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from local import server
from local.environment import STRIPE_WEBHOOK_SECRET, uses_stripe_itself
from local.stripe import Endpoint, StandIn, application

PREFERRED_PORT = 8100
WEBHOOK_PATH = "/api/webhooks/stripe"


@dataclass(frozen=True)
class Payments:
    """Where the stand-in is; all None when the environment names an account at Stripe."""

    url: str | None
    standin: StandIn | None
    """None, too, when it is another stack's on the same data, which takes the events as well."""

    def start(self) -> None:
        """Begin to tell the local server of events."""
        if self.standin is not None:
            self.standin.start()


@contextmanager
def running(
    state: Path, *, web_base_url: str, fixed_port: bool, database_url: str | None = None
) -> Iterator[Payments]:
    """A stand-in that keeps what belongs to one database: the embedded one, or the given one.

    It has a port of its own: it is another company's server, and our requests wait for it.
    """
    if uses_stripe_itself(os.environ):
        yield Payments(None, None)
        return
    path = state_file(state, database_url)
    state.mkdir(parents=True, exist_ok=True)
    lock = path.with_suffix(".lock")
    with lock.open("a+", encoding="utf-8") as holder:
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Two that write one file would give the same ids to different things.
            yield Payments(lock.read_text(encoding="utf-8").strip(), None)
            return
        listener = server.listen(None if fixed_port else 0, preferred=PREFERRED_PORT)
        base_url = f"http://{server.HOST}:{listener.getsockname()[1]}"
        lock.write_text(base_url, encoding="utf-8")
        standin = StandIn(
            base_url,
            endpoints=[Endpoint(f"{web_base_url}{WEBHOOK_PATH}", STRIPE_WEBHOOK_SECRET)],
            path=path,
        )
        try:
            with server.serving(application(standin), listener):
                yield Payments(base_url, standin)
        finally:
            standin.stop()


def state_file(state: Path, database_url: str | None = None) -> Path:
    """Where the stand-in keeps what this database knows ids of."""
    if database_url is None:
        return state / "stripe.sqlite"
    url = make_url(database_url)
    named = f"{url.host}:{url.port}/{url.database}".encode()
    return state / f"stripe-{hashlib.sha256(named).hexdigest()[:12]}.sqlite"


def forget(state: Path) -> bool:
    """Delete everything that stand-ins kept here; false if there was nothing."""
    kept = [path for path in state.glob("stripe*") if path.is_file()]
    for path in kept:
        path.unlink()
    return any(path.suffix == ".sqlite" for path in kept)
