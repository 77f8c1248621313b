"""Somebody who buys."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import buyer as buyers
from tests.support.billing import LocalStripe
from tests.support.buyer import Buyer


@pytest.fixture
def buyer(learner: Any, standin: LocalStripe) -> Buyer:
    """A learner who is a customer at the stand-in; time stands still there."""
    return buyers.make(learner, standin, clock_at=standin.wall())
