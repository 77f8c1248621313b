"""All triggers and all that takes a mail back, in the order in which they run."""

from __future__ import annotations

from typing import Final

from studypack.lifecycle import (
    abandonment,
    digest,
    inactivity,
    modules,
    onboarding,
    payment,
    renewal,
)
from studypack.lifecycle.cancelling import REFUSED, Cancellation
from studypack.lifecycle.trigger import Trigger

TRIGGERS: Final[tuple[Trigger, ...]] = (
    *onboarding.TRIGGERS,
    *modules.TRIGGERS,
    *abandonment.TRIGGERS,
    *inactivity.TRIGGERS,
    *renewal.TRIGGERS,
    *payment.TRIGGERS,
    *digest.TRIGGERS,
)

CANCELLATIONS: Final[tuple[Cancellation, ...]] = (
    REFUSED,
    *onboarding.CANCELLATIONS,
    *modules.CANCELLATIONS,
    *abandonment.CANCELLATIONS,
    *inactivity.CANCELLATIONS,
    *renewal.CANCELLATIONS,
    *payment.CANCELLATIONS,
    *digest.CANCELLATIONS,
)
