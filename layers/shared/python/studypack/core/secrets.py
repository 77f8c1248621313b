"""Secrets of AWS Secrets Manager, as settings name them.

Ask before a transaction begins: reading one is a call to another service, 6 s at worst.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from studypack.core.config import ConfigurationError

SECRET_SECONDS = 600
"""A changed secret is in use everywhere after so long."""


def read_secret(setting: str, arn: str) -> str:
    """The text of the secret that a setting names, not older than ten minutes.

    Raises ConfigurationError naming the setting, never the text.
    """
    try:
        return str(_provider().get(arn, max_age=SECRET_SECONDS))
    except Exception as error:  # no such secret, no right to it, no way there: all the operator's
        raise _unusable(setting, error) from None


def read_secret_document(setting: str, arn: str) -> dict[str, Any]:
    """The JSON object that the secret of a setting is.

    Raises ConfigurationError naming the setting, never the text.
    """
    text = read_secret(setting, arn)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unusable(setting, error) from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{setting}: the secret is no JSON object")
    return document


def forget_secrets() -> None:
    """Read every secret anew at the next use."""
    _provider.cache_clear()


def _unusable(setting: str, error: Exception) -> ConfigurationError:
    return ConfigurationError(f"{setting}: the secret cannot be used ({type(error).__name__})")


@lru_cache(maxsize=1)
def _provider() -> Any:
    """Powertools' secrets, with waits that somebody who signs in can bear."""
    from aws_lambda_powertools.utilities.parameters import SecretsProvider
    from botocore.config import Config

    config = Config(
        connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"}
    )
    return SecretsProvider(boto_config=config)
