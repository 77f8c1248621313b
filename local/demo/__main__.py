"""Play three learners' journeys over HTTP, on the stack that runs here or on one of its own."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.status import Status

from local import stack
from local.demo import acts
from local.demo.client import Unexpected
from local.demo.display import act_title, exchange_block, make_console, panel, step_line
from local.demo.steps import NotTried, Player, Step
from local.template import ROOT

# Where `make run` listens: its usual port, or the next free one.
_PORTS = range(stack.PREFERRED_PORT, stack.PREFERRED_PORT + 20)
_PROBE_SECONDS = 1


class NotStarted(Exception):
    """There is nothing to play on; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Play, print, and return 0 when every step passed."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--base-url", help="play against the stack at this address")
    parser.add_argument("--state", type=Path, help="start an own stack, with its data here")
    given = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # so that an own stack is stopped too
    console = make_console()
    passed: list[Step[Any]] = []
    try:
        with _somewhere(given.base_url, given.state, console) as base_url:
            play(base_url, console, passed)
    except KeyboardInterrupt:
        console.print("Interrupted; data stays.", style="dim")
    except NotStarted as reason:
        console.print(f"Not started: {reason}", style="red", markup=False, soft_wrap=True)
    failed = acts.COUNT - len(passed)
    print(f"demo: {len(passed)} steps passed, {failed} failed", flush=True)
    return 1 if failed else 0


def play(base_url: str, console: Console, passed: list[Step[Any]]) -> None:
    """Play every step, go on where one fails, and note those that passed."""
    with console.status("Reading the sample content") as status:
        number = 0
        for act in acts.acts(base_url, status.update):
            console.print(act_title(act.title))
            for step in act.steps:
                number += 1
                status.update(f"{number:2} {step.title}")
                if _play_step(act.player, number, step, console):
                    passed.append(step)
            act.player.close()
            came_to = panel(act.player)
            console.print(*([] if came_to is None else ["", came_to]))


def _play_step(player: Player, number: int, step: Step[Any], console: Console) -> bool:
    started = time.perf_counter()
    exchange = None
    try:
        outcome, passed = step.play(player), True
    except Unexpected as unexpected:
        outcome, passed, exchange = str(unexpected), False, unexpected.exchange
    except NotTried as reason:
        outcome, passed = f"not tried: {reason}", False
    except (httpx2.HTTPError, OSError) as error:
        outcome, passed = f"no answer: {error or type(error).__name__}", False
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # A document that is not made as a client expects it, such as one without a field.
        outcome, passed = f"not understood: {type(error).__name__}: {error}", False
        exchange = player.last_exchange
    seconds = time.perf_counter() - started
    console.print(step_line(number, step.title, outcome, seconds, passed=passed))
    if exchange is not None:
        console.print(exchange_block(exchange))
    return passed


@contextmanager
def _somewhere(base_url: str | None, state: Path | None, console: Console) -> Iterator[str]:
    """The address to play against: the given one, one that runs here, or an own one."""
    if base_url is not None:
        if _status(base_url) is None:
            raise NotStarted(f"no StudyPack answers at {base_url}")
        console.print(f"Playing on {base_url}\n")
        yield base_url.rstrip("/")
    elif state is None and (running := _running_here()) is not None:
        console.print(f"Playing on the stack that runs at {running}\n")
        yield running
    else:
        started = time.monotonic()
        with ExitStack() as parts:
            with console.status("Starting a stack") as status:
                try:
                    local = parts.enter_context(
                        stack.running(state=state or stack.STATE, step=partial(_shown, status))
                    )
                except (OSError, RuntimeError) as error:
                    raise NotStarted(str(error)) from error
            seconds = time.monotonic() - started
            console.print(f"Playing on an own stack, up in {seconds:.1f} s at {local.base_url}\n")
            yield local.base_url


@contextmanager
def _shown(status: Status, title: str) -> Iterator[Callable[[str], None]]:
    status.update(f"Starting a stack (the first time takes longer): {title}")
    yield lambda _detail: None


def _running_here() -> str | None:
    """The address of a stack of this checkout that runs already."""
    for port in _PORTS:
        base_url = f"http://127.0.0.1:{port}"
        found = _status(base_url)
        if found is not None and found.get("checkout") == str(ROOT):
            return base_url
    return None


def _status(base_url: str) -> dict[str, Any] | None:
    """What a local stack tells about itself; None when there is none."""
    try:
        answer = httpx2.get(f"{base_url.rstrip('/')}/_local/status.json", timeout=_PROBE_SECONDS)
        found = answer.json()
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError):
        return None
    return found if isinstance(found, dict) and "crons" in found else None


if __name__ == "__main__":
    sys.exit(main())
