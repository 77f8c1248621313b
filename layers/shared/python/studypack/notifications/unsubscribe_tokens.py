"""Tokens of links that unsubscribe: signed, per user and category. Nothing is stored for them, and
they do not expire: whoever wants no more mail may use any mail that they ever got.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final
from uuid import UUID

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.secrets import read_secret
from studypack.notifications.models import Category

MIN_KEY_CHARACTERS: Final = 43
"""Of a generated text: 43 random letters and digits are 256 bits."""
LONGEST: Final = 200
PATH: Final = "/api/email/unsubscribe"
_PURPOSE: Final = b"studypack unsubscribe links\n"
_MAC_BYTES: Final = 32
_ID_BYTES: Final = 16


def signing_key() -> bytes:
    """The key, 32 bytes, derived from MAIL_TOKEN_KEY, else from the secret MAIL_TOKEN_SECRET_ARN,
    whose text Secrets Manager generates.

    Raises ConfigurationError naming the setting when it is missing, unreadable or too short. Ask
    before a transaction begins: reading the secret is a call to another service.
    """
    settings = get_settings()
    if settings.mail_token_key is not None:
        setting, text = "MAIL_TOKEN_KEY", settings.mail_token_key.get_secret_value()
    elif settings.mail_token_secret is not None:
        setting = "MAIL_TOKEN_SECRET_ARN"
        text = read_secret(setting, settings.mail_token_secret)
    else:
        raise ConfigurationError("set MAIL_TOKEN_SECRET_ARN or MAIL_TOKEN_KEY")
    if len(text) < MIN_KEY_CHARACTERS:
        raise ConfigurationError(f"{setting}: at least {MIN_KEY_CHARACTERS} characters are needed")
    return hashlib.sha256(_PURPOSE + text.encode()).digest()


def make_token(user_id: UUID, category: Category, key: bytes) -> str:
    """The token by which this user leaves this category: letters, digits, `-` and `_`."""
    about = user_id.bytes + category.value.encode()
    return base64.urlsafe_b64encode(_mac(about, key) + about).rstrip(b"=").decode()


def read_token(token: str, key: bytes) -> tuple[UUID, Category] | None:
    """Whose token it is and for which category; None unless we made it."""
    if len(token) > LONGEST or not token.isascii():
        return None
    try:
        signed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    mac, about = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
    if len(about) <= _ID_BYTES or not hmac.compare_digest(mac, _mac(about, key)):
        return None
    try:
        return UUID(bytes=about[:_ID_BYTES]), Category(about[_ID_BYTES:].decode("ascii"))
    except ValueError:  # a category that there is no more
        return None


def unsubscribe_url(user_id: UUID, category: Category, key: bytes) -> str:
    """Where a mail's link to unsubscribe leads, and where mail clients post to in one click."""
    settings = get_settings()
    base = (settings.api_base_url or settings.web_base_url).rstrip("/")
    return f"{base}{PATH}?token={make_token(user_id, category, key)}"


def _mac(about: bytes, key: bytes) -> bytes:
    return hmac.digest(key, about, "sha256")
