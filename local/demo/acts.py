"""The demo's acts: an exam from start to score, and everything that money can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.demo import buyer, journey
from local.demo.buyer import Buyer
from local.demo.journey import Journey
from local.demo.learner import Learner
from local.demo.steps import Act

COUNT = len(journey.STEPS) + len(buyer.STEPS)


def acts(base_url: str, progress: Callable[[str], None]) -> tuple[Act[Any], ...]:
    """Both, with new accounts."""
    return (
        Act("An exam: Mia", Journey(base_url, Learner(), progress), journey.STEPS),
        Act("The till: Jonas", Buyer(base_url, progress), buyer.STEPS),
    )
