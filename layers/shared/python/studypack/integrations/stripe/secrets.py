"""The key that we call Stripe with and the secrets that its webhooks are signed with."""

from __future__ import annotations

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.secrets import read_secret_document


def api_key() -> str:
    """The secret or restricted key.

    Raises ConfigurationError naming the setting.
    """
    settings = get_settings()
    if settings.stripe_api_key is not None:
        return settings.stripe_api_key.get_secret_value()
    if settings.stripe_secret is None:
        raise ConfigurationError("STRIPE_SECRET_ARN: not set")
    key = read_secret_document("STRIPE_SECRET_ARN", settings.stripe_secret).get("api_key")
    if not isinstance(key, str) or not key:
        raise ConfigurationError("STRIPE_SECRET_ARN: the secret has no api_key")
    return key


def webhook_secrets() -> tuple[str, ...]:
    """Every secret that is in force: two while one is being replaced.

    Raises ConfigurationError naming the setting.
    """
    settings = get_settings()
    if settings.stripe_webhook_secrets is not None:
        given = settings.stripe_webhook_secrets.get_secret_value()
        secrets = tuple(part.strip() for part in given.split(",") if part.strip())
    elif settings.stripe_secret is not None:
        document = read_secret_document("STRIPE_SECRET_ARN", settings.stripe_secret)
        listed = document.get("webhook_secrets")
        secrets = tuple(str(each) for each in listed) if isinstance(listed, list) else ()
    else:
        raise ConfigurationError("STRIPE_SECRET_ARN: not set")
    if not secrets:
        raise ConfigurationError("STRIPE_SECRET_ARN: the secret has no webhook_secrets")
    return secrets
