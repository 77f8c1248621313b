from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from studypack.courses.locks import LockReason, lock_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def reason(**given: Any) -> str | None:
    """Why it is closed to somebody entitled, who has just enrolled, unless told otherwise."""
    usual = {
        "is_entitled": True,
        "release_after_days": None,
        "enrolled_at": NOW,
        "now": NOW,
    }
    lock = lock_of(**{**usual, **given})
    return None if lock is None else lock.reason.value


def test_what_is_paid_for_and_waits_for_nothing_is_open() -> None:
    assert reason() is None
    assert reason(enrolled_at=None) is None


def test_what_is_not_paid_for_says_so_before_anything_else() -> None:
    assert reason(is_entitled=False) == "not_entitled"
    assert reason(is_entitled=False, release_after_days=3, enrolled_at=None) == "not_entitled"
    assert reason(is_entitled=False, is_signed_in=False) == "not_entitled"


def test_a_free_lesson_is_open_to_whoever_is_signed_in() -> None:
    closed = {"is_entitled": False, "release_after_days": 30, "enrolled_at": None}
    assert reason(is_free=True, **closed) is None
    assert reason(is_free=True, is_signed_in=False, **closed) == "not_signed_in"


def test_a_module_that_opens_later_waits_for_enrolment_and_then_for_its_day() -> None:
    assert reason(release_after_days=3, enrolled_at=None) == "not_enrolled"
    lock = lock_of(is_entitled=True, release_after_days=3, enrolled_at=NOW - 2 * DAY, now=NOW)
    assert lock is not None
    assert (lock.reason, lock.released_at) == (LockReason.NOT_RELEASED_YET, NOW + DAY)


@pytest.mark.parametrize(
    ("since", "open_"),
    [(3 * DAY - timedelta(microseconds=1), False), (3 * DAY, True), (30 * DAY, True)],
)
def test_it_opens_at_the_moment_and_stays_open(since: timedelta, open_: bool) -> None:
    assert (reason(release_after_days=3, enrolled_at=NOW - since) is None) is open_
