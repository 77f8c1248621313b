"""Verifying a provider's ID token (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from studypack.integrations.oauth.errors import ProviderError, ProviderUntrusted
from studypack.integrations.oauth.fetching import fetch_json
from studypack.integrations.oauth.providers import Client

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

ALGORITHMS = ["RS256"]
"""Named, never taken from the token: that is how `none` and a public key used as an HMAC secret
pass elsewhere.
"""
LEEWAY_SECONDS = 60
KEYS_SECONDS = 3600
REFETCH_SECONDS = 60
"""A key that we do not know is looked for anew, but not for every forged token."""


@dataclass(frozen=True)
class _Keys:
    keys: KeySet
    fetched_at: float


_cache: dict[str, _Keys] = {}


def forget_keys() -> None:
    """Fetch providers' keys anew at the next use."""
    _cache.clear()


def verify(token: str, client: Client, *, nonce: str, now: datetime) -> dict[str, Any]:
    """The claims of an ID token that this provider signed for us, now, in answer to this attempt.

    Raises ProviderUntrusted, and ProviderError when the keys cannot be had.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        claims = _decode(token, client.endpoints.keys_url)
        jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "values": sorted(client.endpoints.issuers)},
            sub={"essential": True},
            aud={"essential": True, "value": client.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        ).validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderUntrusted(type(error).__name__) from None
    # An `aud` or `nonce` that is a list may hold others' beside ours.
    if claims["aud"] != client.client_id or claims["nonce"] != nonce:
        raise ProviderUntrusted("meant for others too")
    return claims


def _decode(token: str, keys_url: str) -> dict[str, Any]:
    from joserfc import jwt
    from joserfc.errors import InvalidKeyIdError, MissingKeyError

    known = _keys(keys_url, at_most=KEYS_SECONDS)
    try:
        return jwt.decode(token, known, algorithms=ALGORITHMS).claims
    except (InvalidKeyIdError, MissingKeyError):
        renewed = _keys(keys_url, at_most=REFETCH_SECONDS)
        if renewed is known:
            raise
        return jwt.decode(token, renewed, algorithms=ALGORITHMS).claims


def _keys(url: str, *, at_most: float) -> KeySet:
    """A provider's keys, not older than `at_most` seconds by the wall clock (a monotonic one may
    stand still while Lambda freezes the environment).
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    cached = _cache.get(url)
    if cached is not None and 0 <= time.time() - cached.fetched_at < at_most:
        return cached.keys
    try:
        keys = KeySet.import_key_set(fetch_json(url))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderError(f"keys: {type(error).__name__}") from None
    _cache[url] = _Keys(keys, time.time())
    return keys
