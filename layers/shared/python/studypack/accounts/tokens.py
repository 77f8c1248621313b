"""Random tokens that only their holder has; the database keeps hashes."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_BYTES = 32


def new_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """What is stored and looked up. A plain SHA-256 suffices, because the token itself cannot be
    guessed.
    """
    return hashlib.sha256(token.encode()).digest()
