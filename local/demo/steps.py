"""What acts are made of: steps, each something a person does with what has to come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from local.demo.client import Device, Exchange, Unexpected

POLL_SECONDS = 0.2


class NotTried(Exception):
    """A step needs something that an earlier one did not get."""


class Player(Protocol):
    """Somebody with devices who plays an act."""

    @property
    def last_exchange(self) -> Exchange | None:
        """What was sent and got last."""

    def close(self) -> None:
        """Give connections back."""


P = TypeVar("P", bound=Player)
T = TypeVar("T")


@dataclass(frozen=True)
class Step(Generic[P]):
    """A step by what its player does."""

    title: str
    play: Callable[[P], str]


@dataclass(frozen=True)
class Act(Generic[P]):
    """Steps of one player, in order."""

    title: str
    player: P
    steps: Sequence[Step[P]]


def check(holds: bool, complaint: str, device: Device) -> None:
    """Raise Unexpected with the device's last exchange unless it holds."""
    if not holds:
        raise Unexpected(complaint, device.last)


def await_answer(
    ask: Callable[[], T],
    *,
    until: Callable[[T], bool],
    seconds: float,
    complaint: str,
    device: Device,
    progress: Callable[[str], None],
    every: float = POLL_SECONDS,
) -> T:
    """Ask until the answer is the awaited one; raises Unexpected when that takes too long."""
    started = time.monotonic()
    answer = ask()
    while not until(answer):
        waited = time.monotonic() - started
        check(waited < seconds, f"{complaint} after {seconds:.0f} s", device)
        progress(f"waiting: {waited:.0f} of {seconds:.0f} s")
        time.sleep(every)
        answer = ask()
    return answer
