"""How fast mails may be handed over: a token bucket that slows down when it is told to. Pure."""

from __future__ import annotations

from typing import Final

SLOWEST: Final = 0.2
"""Mails per second that are always tried."""
SLOWEST_SHARE: Final = 0.1
"""Of what is allowed, likewise: who throttles at random must not bring everything to a stop."""
RECOVERY: Final = 1.05


class Bucket:
    """Grants one mail after the other. Times are seconds of any monotonic clock."""

    def __init__(self, per_second: float, *, at: float) -> None:
        self._allowed = max(per_second, SLOWEST)
        self._slowest = max(SLOWEST, self._allowed * SLOWEST_SHARE)
        self._rate = self._allowed
        self._tokens = max(1.0, self._rate)
        self._filled_at = at

    def wait(self, at: float) -> float:
        """Take a turn; how many seconds from `at` on it begins."""
        self._tokens = min(max(1.0, self._rate), self._tokens + (at - self._filled_at) * self._rate)
        self._filled_at = at
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._rate)

    def slow_down(self) -> None:
        """The provider found it too fast: half of it from now on, and nothing saved up."""
        self._rate = max(self._slowest, self._rate / 2)
        self._tokens = min(self._tokens, 0.0)

    def speed_up(self) -> None:
        """The provider took one: back towards what is allowed, step by step."""
        self._rate = min(self._allowed, self._rate * RECOVERY)
