"""The secrets of authenticator apps, sealed with a key that the database does not have.

AES-256-GCM with the user's id as associated data, so that a row copied to another user opens
nothing. Unlike a password the secret cannot be hashed: computing the next code needs it.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from uuid import UUID

from studypack.core.config import ConfigurationError, get_settings

SECRET_BYTES = 20
"""160 bits, as RFC 4226 recommends."""
_KEY_BYTES = 32
_NONCE_BYTES = 12


def new_secret() -> bytes:
    """A random secret for one authenticator."""
    return secrets.token_bytes(SECRET_BYTES)


def key() -> bytes:
    """The key of the settings: TOTP_KEY, else `totp_key` of the secret OAUTH_SECRET_ARN.

    Raises ConfigurationError naming it when it is missing or no 32 bytes in base64. Ask before a
    transaction begins: reading the secret is a call to another service.
    """
    settings = get_settings()
    text = settings.totp_key.get_secret_value() if settings.totp_key else None
    if text is None and settings.oauth_secret:
        from aws_lambda_powertools.utilities import parameters

        stored = json.loads(str(parameters.get_secret(settings.oauth_secret, max_age=600)))
        text = stored.get("totp_key")
    if text is None:
        raise ConfigurationError("set TOTP_KEY or OAUTH_SECRET_ARN: 32 random bytes in base64")
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != _KEY_BYTES:
        raise ConfigurationError("TOTP_KEY: 32 bytes in base64 are needed")
    return found


def seal(secret: bytes, user_id: UUID, sealing_key: bytes) -> bytes:
    """Nonce and sealed secret, as they are stored."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(sealing_key).encrypt(nonce, secret, user_id.bytes)


def unseal(stored: bytes, user_id: UUID, sealing_key: bytes) -> bytes:
    """The secret of what `seal` made.

    Raises ConfigurationError when it was sealed with another key or for another user.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, sealed = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
    try:
        return AESGCM(sealing_key).decrypt(nonce, sealed, user_id.bytes)
    except InvalidTag:
        raise ConfigurationError("TOTP_KEY: not the key that sealed the stored secrets") from None
