"""Our account at Mux: what its API is called with, what webhooks and links are signed with."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.secrets import read_secret_document

API_BASE = "https://api.mux.com"
STREAM_BASE = "https://stream.mux.com"
IMAGE_BASE = "https://image.mux.com"


@dataclass(frozen=True)
class ApiToken:
    """An access token of Mux's API: the two halves of basic authentication."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class SigningKey:
    """The key whose signature lets somebody watch; Mux knows its public half by the id."""

    id: str
    private_pem: str = field(repr=False)


def is_set_up() -> bool:
    """Whether there is an account at Mux at all; without one the product has no videos."""
    settings = get_settings()
    return settings.mux_secret is not None or settings.mux_token_id is not None


def can_sign() -> bool:
    """Whether links to videos can be made."""
    settings = get_settings()
    return settings.mux_secret is not None or settings.mux_signing_key is not None


def api_token() -> ApiToken:
    """What Mux's API is called with.

    Raises ConfigurationError naming the setting.
    """
    settings = get_settings()
    if settings.mux_token_id is not None:
        if settings.mux_token_secret is None:
            raise ConfigurationError("MUX_TOKEN_SECRET: not set")
        return ApiToken(settings.mux_token_id, settings.mux_token_secret.get_secret_value())
    document = _document()
    return ApiToken(_text(document, "token_id"), _text(document, "token_secret"))


def webhook_secrets() -> tuple[str, ...]:
    """Every secret that is in force: two while one is being replaced.

    Raises ConfigurationError naming the setting.
    """
    settings = get_settings()
    if settings.mux_webhook_secrets is not None:
        given = settings.mux_webhook_secrets.get_secret_value()
        secrets = tuple(part.strip() for part in given.split(",") if part.strip())
    else:
        listed = _document().get("webhook_secrets")
        secrets = tuple(str(each) for each in listed if each) if isinstance(listed, list) else ()
    if not secrets:
        raise ConfigurationError("MUX_SECRET_ARN: the secret has no webhook_secrets")
    return secrets


def signing_key() -> SigningKey:
    """What links to videos are signed with.

    Raises ConfigurationError naming the setting.
    """
    settings = get_settings()
    if settings.mux_signing_key is not None:
        if settings.mux_signing_key_id is None:
            raise ConfigurationError("MUX_SIGNING_KEY_ID: not set")
        name, given = "MUX_SIGNING_KEY", settings.mux_signing_key.get_secret_value()
        return SigningKey(settings.mux_signing_key_id, _pem(name, given))
    document = _document()
    pem = _pem("MUX_SECRET_ARN", _text(document, "signing_key"))
    return SigningKey(_text(document, "signing_key_id"), pem)


def _document() -> dict[str, Any]:
    arn = get_settings().mux_secret
    if arn is None:
        raise ConfigurationError("MUX_SECRET_ARN: not set")
    return read_secret_document("MUX_SECRET_ARN", arn)


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"MUX_SECRET_ARN: the secret has no {name}")
    return value


def _pem(name: str, given: str) -> str:
    """Mux hands a private key out as PEM in base64."""
    if given.lstrip().startswith("-----BEGIN"):
        return given
    try:
        pem = base64.b64decode(given, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"{name}: the signing key is neither PEM nor base64") from None
    if not pem.lstrip().startswith("-----BEGIN"):
        raise ConfigurationError(f"{name}: the signing key is no PEM")
    return pem
