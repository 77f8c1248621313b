"""The environment variables of a local process, set before anything reads the settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from local.aws import CREDENTIALS

STAGE = "local"
POOL_SIZE = 10


def variables(
    *,
    database_url: str,
    web_base_url: str,
    aws_endpoint_url: str | None = None,
    receipt_signing_key: str | None = None,
    given: Mapping[str, str],
) -> dict[str, str]:
    """What the functions need here; of what the user has `given`, settings of taste win over ours.

    With a stand-in's endpoint the AWS credentials are replaced, so that real ones are never sent.
    """
    ours = {
        "MEDIA_BASE_URL": "/media",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_TRACE_DISABLED": "true",
    }
    chosen = {name: given.get(name) or value for name, value in ours.items()}
    chosen |= {
        "STAGE": STAGE,
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": str(POOL_SIZE),
        "WEB_BASE_URL": web_base_url,
        "COOKIE_SECURE": "false",
    }
    if receipt_signing_key is not None:
        chosen["RECEIPT_SIGNING_KEY"] = given.get("RECEIPT_SIGNING_KEY") or receipt_signing_key
    if aws_endpoint_url is not None:
        chosen |= {"AWS_ENDPOINT_URL": aws_endpoint_url, **CREDENTIALS}
    return chosen


@contextmanager
def applied(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for a while; settings and connections made from others are forgotten."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    forget()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        forget()


def forget() -> None:
    """Drop what this process has cached from the environment, its database connections among it."""
    from studypack.core import aws, business_settings, config, telemetry
    from studypack.core.database import engine
    from studypack.exams import issuing

    engine.dispose_engine()
    config.get_settings.cache_clear()
    aws.client.cache_clear()
    business_settings.forget_business_settings()
    issuing.forget_keys()
    telemetry.get_metrics.cache_clear()
