"""Time-based one-time codes (RFC 6238: SHA-1, 6 digits, 30 s, as every authenticator app does) and
recovery codes. Pure: the time is an argument.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

STEP_SECONDS = 30
DIGITS = 6
RECOVERY_CODES = 10
_RECOVERY_BYTES = 14
"""112 bits, from which on a plain hash is enough (OWASP ASVS 6.5.2)."""


def step_at(now: datetime) -> int:
    """Which step of 30 seconds since 1970 a time lies in."""
    return int(now.timestamp()) // STEP_SECONDS


def code_of(secret: bytes, step: int) -> str:
    """The six digits of one step (RFC 4226, 5.3)."""
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.hotp import HOTP

    # SHA-1: what authenticator apps know, and as an HMAC unbroken.
    return HOTP(secret, DIGITS, SHA1()).generate(step).decode()  # noqa: S303


def matching_step(secret: bytes, code: str, *, now: datetime, after: int | None) -> int | None:
    """The step whose code this is, of the current one and its neighbours (clocks differ), later
    than `after` (the last one accepted); None when there is none.
    """
    found = None
    for step in range(step_at(now) - 1, step_at(now) + 2):
        same = hmac.compare_digest(code_of(secret, step).encode(), code.encode())
        if same and (after is None or step > after):
            found = step
    return found


def provisioning_uri(secret: bytes, account: str, issuer: str) -> str:
    """The otpauth:// address that an authenticator app reads from a QR code."""
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.twofactor.totp import TOTP

    made = TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303
    return made.get_provisioning_uri(account, issuer)


def readable_secret(secret: bytes) -> str:
    """The secret for typing into an app, in base32."""
    return base64.b32encode(secret).decode()


def new_recovery_codes() -> list[str]:
    """Ten codes of 112 random bits, in groups of four characters (the last one of three)."""
    made = []
    for _ in range(RECOVERY_CODES):
        text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().rstrip("=").lower()
        made.append("-".join(text[start : start + 4] for start in range(0, len(text), 4)))
    return made


def recovery_hash(code: str) -> bytes:
    """What is stored of a recovery code; how it is grouped and capitalised does not matter."""
    plain = "".join(code.split()).replace("-", "").lower()
    return hashlib.sha256(plain.encode()).digest()
