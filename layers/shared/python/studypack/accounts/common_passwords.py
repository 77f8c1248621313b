"""Passwords that attackers try first, by their fingerprints (docs/decisions/0012)."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("common_passwords.bin")
"""Sorted fingerprints of lower-case passwords; made by local/common_passwords.py."""

FINGERPRINT_BYTES = 6
"""Of 10,000 entries, one in 28 thousand million other passwords is taken for one of them."""


def fingerprint(password: str) -> bytes:
    """The beginning of its SHA-256: the list needs no text, much of which is indecent."""
    return hashlib.sha256(password.encode()).digest()[:FINGERPRINT_BYTES]


@lru_cache(maxsize=1)
def fingerprints() -> frozenset[bytes]:
    """The list, read once."""
    packed = FILE.read_bytes()
    return frozenset(
        packed[start : start + FINGERPRINT_BYTES]
        for start in range(0, len(packed), FINGERPRINT_BYTES)
    )


def is_common(password: str) -> bool:
    """Whether the password is on the list, in any case, with or without digits and signs after
    it.
    """
    lowered = password.lower()
    return any(fingerprint(form) in fingerprints() for form in (lowered, lowered.rstrip(_APPENDED)))


_APPENDED = "0123456789!?.,;:*#$%&@_-+= "
