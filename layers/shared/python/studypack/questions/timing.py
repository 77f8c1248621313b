"""How long a learner gets for an exam or a quiz: pure."""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_CEILING, Decimal


def duration(minutes: int, time_factor: Decimal = Decimal(1)) -> timedelta:
    """The working time of a learner, in whole seconds rounded up.

    `time_factor` is the learner's accommodation, e.g. 1.5 for time and a half.
    Raises ValueError for a duration that is not positive or a factor below 1.
    """
    if minutes <= 0:
        raise ValueError(f"nothing can take {minutes} minutes")
    if not (time_factor.is_finite() and time_factor >= 1):
        raise ValueError(f"an accommodation lengthens: {time_factor} does not")
    return timedelta(seconds=int((minutes * 60 * time_factor).to_integral_value(ROUND_CEILING)))
