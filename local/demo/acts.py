"""The demo's acts: a course from enrolment to certificate, an exam from start to score, and
everything that money can do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.demo import buyer, journey, student
from local.demo.buyer import Buyer
from local.demo.journey import Journey
from local.demo.learner import Learner, sample_bank
from local.demo.steps import Act
from local.demo.student import Student

COUNT = len(student.STEPS) + len(journey.STEPS) + len(buyer.STEPS)


def acts(base_url: str, progress: Callable[[str], None]) -> tuple[Act[Any], ...]:
    """All three, with new accounts."""
    bank = sample_bank()
    return (
        Act("A course: Amira", Student(base_url, Learner(bank), progress), student.STEPS),
        Act("An exam: Mia", Journey(base_url, Learner(bank), progress), journey.STEPS),
        Act("The till: Jonas", Buyer(base_url, progress), buyer.STEPS),
    )
