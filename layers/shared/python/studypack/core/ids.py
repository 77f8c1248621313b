"""UUID version 7 (RFC 9562, 5.7): time-ordered, so that primary-key indexes stay dense."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime
from uuid import UUID

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_RANDOM_BELOW_VERSION = (1 << 76) - 1
_RANDOM_BELOW_VARIANT = (1 << 62) - 1
_RAND_A = 0xFFF << 64


def uuid7(at: datetime | None = None) -> UUID:
    """A new id whose first 48 bits are milliseconds since 1970, the other 74 from the system's
    random source.

    Not monotonic within a millisecond: nothing may order rows of one millisecond by id.
    """
    milliseconds = int(at.timestamp() * 1000) if at else time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10)) & _RANDOM_BELOW_VERSION
    return UUID(
        int=milliseconds << 80
        | _VERSION_7
        | (random & _RAND_A)
        | _VARIANT
        | (random & _RANDOM_BELOW_VARIANT)
    )


def derived_uuid7(reference: UUID, name: str) -> UUID:
    """The same id at each call: the time of `reference`, a version 7 id, and 74 bits of a hash of
    both.
    """
    digest = hashlib.sha256(reference.bytes + name.encode()).digest()
    hashed = int.from_bytes(digest[:10])
    return UUID(
        int=reference.int >> 80 << 80
        | _VERSION_7
        | (hashed & _RAND_A)
        | _VARIANT
        | (hashed & _RANDOM_BELOW_VARIANT)
    )


def smallest_uuid7(at: datetime) -> UUID:
    """The lowest id that could have been made at this time: a bound for time ranges over ids."""
    return UUID(int=int(at.timestamp() * 1000) << 80 | _VERSION_7 | _VARIANT)


def time_of(identifier: UUID) -> datetime:
    """When a version 7 id was made (UTC, to the millisecond)."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
