"""The signatures of Mux's webhooks. Pure.

Source: Mux, "Verify webhook signatures": `Mux-Signature: t=<Unix seconds>,v1=<hex>`, HMAC-SHA256 of
the time, a dot and the body; five minutes of tolerance.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

HEADER = "Mux-Signature"
TOLERANCE_SECONDS = 300


def sign(body: bytes, secret: str, *, at: int) -> str:
    """The header's value for a body that is sent at a time (Unix seconds)."""
    return f"t={at},v1={_digest(body, secret, str(at))}"


def is_signed(body: bytes, header: object, secrets: Iterable[str], *, now: float) -> bool:
    """Whether a body was signed with one of the secrets within five minutes of `now` (Unix
    seconds), either way.
    """
    if not isinstance(header, str):
        return False
    at: str | None = None
    signatures: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            at = value
        elif name == "v1":
            signatures.append(value)
    if at is None or not (at.isascii() and at.isdigit() and len(at) <= 12):
        return False
    if abs(now - int(at)) > TOLERANCE_SECONDS:
        return False
    expected = [_digest(body, secret, at) for secret in secrets]
    return any(
        hmac.compare_digest(right.encode(), given.encode("utf-8", "replace"))
        for right in expected
        for given in signatures
    )


def _digest(body: bytes, secret: str, at: str) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
