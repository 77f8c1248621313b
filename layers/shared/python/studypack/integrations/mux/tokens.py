"""Who may watch: tokens that Mux's delivery checks (JSON Web Tokens, RS256).

Source: Mux, "Secure video playback": header `kid`; claims `sub` (playback id), `aud` (what for),
`exp`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from studypack.core.config import ConfigurationError, get_settings
from studypack.integrations.mux.settings import IMAGE_BASE, STREAM_BASE, SigningKey, signing_key

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

ALGORITHM = "RS256"


class Audience(StrEnum):
    """What a token opens, in Mux's letters."""

    VIDEO = "v"
    THUMBNAIL = "t"
    STORYBOARD = "s"


@dataclass(frozen=True)
class SignedLinks:
    """Where a video is played from, and its pictures; each works until `expires_at`."""

    stream_url: str
    """An HLS playlist."""
    thumbnail_url: str
    storyboard_url: str
    """WebVTT: pictures along the time line."""
    tokens: Mapping[str, str]
    """`playback`, `thumbnail`, `storyboard`: for Mux's own player, which wants them bare."""
    expires_at: datetime


def sign_links(playback_id: str, *, expires_at: datetime) -> SignedLinks:
    """Links to a video that work until then; nobody is asked.

    Raises ConfigurationError naming the setting.
    """
    key = signing_key()
    video, thumbnail, storyboard = (
        make_token(key, playback_id, audience, expires_at=expires_at) for audience in Audience
    )
    base = get_settings().mux_stream_base
    stream, image = (base.rstrip("/"),) * 2 if base else (STREAM_BASE, IMAGE_BASE)
    return SignedLinks(
        stream_url=f"{stream}/{playback_id}.m3u8?token={video}",
        thumbnail_url=f"{image}/{playback_id}/thumbnail.jpg?token={thumbnail}",
        storyboard_url=f"{image}/{playback_id}/storyboard.vtt?token={storyboard}",
        tokens={"playback": video, "thumbnail": thumbnail, "storyboard": storyboard},
        expires_at=expires_at,
    )


def make_token(
    key: SigningKey, playback_id: str, audience: Audience, *, expires_at: datetime
) -> str:
    """One token.

    Raises ConfigurationError when the key cannot be used.
    """
    from joserfc import jwt

    header = {"alg": ALGORITHM, "typ": "JWT", "kid": key.id}
    claims = {"sub": playback_id, "aud": audience.value, "exp": int(expires_at.timestamp())}
    return jwt.encode(header, claims, _read_key(key.private_pem), algorithms=[ALGORITHM])


@lru_cache(maxsize=2)
def _read_key(pem: str) -> RSAKey:
    """Reading one takes longer than signing with it."""
    from joserfc.jwk import RSAKey

    try:
        key = RSAKey.import_key(pem)
        is_private = key.is_private
    except Exception as error:  # whatever a library thinks of a text that is no key
        raise ConfigurationError(
            f"MUX_SIGNING_KEY: the signing key cannot be used ({type(error).__name__})"
        ) from None
    if not is_private:
        raise ConfigurationError("MUX_SIGNING_KEY: the signing key is no private one")
    return key


def forget_keys() -> None:
    """Read the signing key anew at the next use."""
    _read_key.cache_clear()
