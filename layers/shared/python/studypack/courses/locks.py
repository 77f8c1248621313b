"""Why something of a course is not open to somebody: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class LockReason(StrEnum):
    """What would have to change."""

    NOT_SIGNED_IN = "not_signed_in"
    NOT_ENTITLED = "not_entitled"
    NOT_ENROLLED = "not_enrolled"
    NOT_RELEASED_YET = "not_released_yet"


@dataclass(frozen=True)
class Lock:
    """Why it is closed, and when that ends by itself."""

    reason: LockReason
    released_at: datetime | None = None


def released_at(release_after_days: int | None, enrolled_at: datetime | None) -> datetime | None:
    """When a module opens for somebody who enrolled then; None when nothing waits, or nothing is
    known because they are not enrolled.
    """
    if release_after_days is None or enrolled_at is None:
        return None
    return enrolled_at + timedelta(days=release_after_days)


def lock_of(
    *,
    is_free: bool = False,
    is_entitled: bool,
    release_after_days: int | None,
    enrolled_at: datetime | None,
    now: datetime,
    is_signed_in: bool = True,
) -> Lock | None:
    """The lock on a lesson or a module's item for somebody, or None when it is open.

    A free lesson is open to everyone who is signed in. `is_entitled`: whether courses are open to
    them for this course (to a visitor: whether they would be by signing in). `enrolled_at` counts
    days of release also when the enrolment is paused or dropped.
    """
    if not is_free and not is_entitled:
        return Lock(LockReason.NOT_ENTITLED)
    if not is_signed_in:
        return Lock(LockReason.NOT_SIGNED_IN)
    if is_free or release_after_days is None:
        return None
    opens = released_at(release_after_days, enrolled_at)
    if opens is None:
        return Lock(LockReason.NOT_ENROLLED)
    return Lock(LockReason.NOT_RELEASED_YET, opens) if now < opens else None
