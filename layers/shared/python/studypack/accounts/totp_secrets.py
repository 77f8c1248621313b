"""The secrets of authenticator apps, sealed with a key that the database does not have.

AES-256-GCM with the user's id as associated data, so that a row copied to another user opens
nothing. Unlike a password the secret cannot be hashed: computing the next code needs it.
"""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.secrets import read_secret

SECRET_BYTES = 20
"""160 bits, as RFC 4226 recommends."""
MIN_KEY_CHARACTERS = 43
"""Of a generated text: 43 random letters and digits are 256 bits."""
_PURPOSE = b"studypack totp key\n"
_NONCE_BYTES = 12


def new_secret() -> bytes:
    """A random secret for one authenticator."""
    return secrets.token_bytes(SECRET_BYTES)


def key() -> bytes:
    """The key, 32 bytes, derived from TOTP_KEY, else from the secret TOTP_KEY_SECRET_ARN, whose
    text Secrets Manager generates.

    Raises ConfigurationError naming the setting when it is missing, unreadable or too short. Ask
    before a transaction begins: reading the secret is a call to another service.
    """
    settings = get_settings()
    if settings.totp_key is not None:
        setting, text = "TOTP_KEY", settings.totp_key.get_secret_value()
    elif settings.totp_key_secret is not None:
        setting = "TOTP_KEY_SECRET_ARN"
        text = read_secret(setting, settings.totp_key_secret)
    else:
        raise ConfigurationError("set TOTP_KEY_SECRET_ARN or TOTP_KEY")
    if len(text) < MIN_KEY_CHARACTERS:
        raise ConfigurationError(f"{setting}: at least {MIN_KEY_CHARACTERS} characters are needed")
    return hashlib.sha256(_PURPOSE + text.encode()).digest()


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
        raise ConfigurationError(
            "TOTP_KEY_SECRET_ARN or TOTP_KEY: not the key that sealed the stored secrets"
        ) from None
