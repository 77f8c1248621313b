"""Timing of alternatives beside each other, so that what disturbs one disturbs the others."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

MINIMUM_PAIRS = 11


def interleaved(
    alternatives: Sequence[Callable[[], object]],
    *,
    rounds: int,
    progress: Callable[[int, int], None] = lambda _done, _rounds: None,
) -> list[list[float]]:
    """The seconds of each alternative in each round; every round begins with the next one.

    Raises ValueError for fewer rounds than a median of ratios is worth.
    """
    if rounds < MINIMUM_PAIRS:
        raise ValueError(f"{rounds} rounds: at least {MINIMUM_PAIRS} make a median")
    seconds: list[list[float]] = [[] for _ in alternatives]
    for number in range(rounds):
        for place in range(len(alternatives)):
            chosen = (number + place) % len(alternatives)
            started = time.perf_counter()
            alternatives[chosen]()
            seconds[chosen].append(time.perf_counter() - started)
        progress(number + 1, rounds)
    return seconds


def median_ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """The median over the rounds of ours / other."""
    return statistics.median(a / b for a, b in zip(ours, other, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of 100 do not exceed, interpolated."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
