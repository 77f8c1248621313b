"""The environment variables of a local process, set before anything reads the settings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from local.aws import CREDENTIALS

STAGE = "local"
POOL_SIZE = 10
LOCAL_MAIL_TOKEN_KEY = "bG9jYWwgb25seSwgYW55Ym9keSBtYXkgdW5zdWJzY3JpYmU="  # noqa: S105 (no secret)
LOCAL_TOTP_KEY = "bG9jYWwgb25seSwgcHJvdGVjdHMgbm90aGluZyBlbHM="
STRIPE_WEBHOOK_SECRET = "whsec_local_only_and_known_to_everybody"  # noqa: S105 (no secret)
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def variables(
    *,
    database_url: str,
    web_base_url: str,
    aws_endpoint_url: str | None = None,
    stripe_url: str | None = None,
    receipt_signing_key: str | None = None,
    mux_signing_key: str | None = None,
    lesson_files_bucket: str | None = None,
    given: Mapping[str, str],
) -> dict[str, str]:
    """What the functions need here; of what the user has `given`, settings of taste win over ours.

    For a stand-in on this machine the AWS credentials are replaced, so that real ones are never
    sent to it.
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
        "ALLOWED_ORIGINS": given.get("ALLOWED_ORIGINS")
        or web_base_url.replace("//127.0.0.1:", "//localhost:"),
        "COOKIE_SECURE": "false",
        **_sign_in(web_base_url, given),
        "MAIL_TOKEN_KEY": given.get("MAIL_TOKEN_KEY") or LOCAL_MAIL_TOKEN_KEY,
        **_payments(stripe_url, given),
        **_videos(web_base_url, mux_signing_key, given),
    }
    if given.get("LESSON_FILES_BUCKET") or lesson_files_bucket:
        chosen["LESSON_FILES_BUCKET"] = given.get("LESSON_FILES_BUCKET") or str(lesson_files_bucket)
    if receipt_signing_key is not None:
        chosen["RECEIPT_SIGNING_KEY"] = given.get("RECEIPT_SIGNING_KEY") or receipt_signing_key
    if aws_endpoint_url is not None:
        chosen["AWS_ENDPOINT_URL"] = aws_endpoint_url
        if urlsplit(aws_endpoint_url).hostname in _LOOPBACK:
            chosen |= CREDENTIALS
    return chosen


def _sign_in(web_base_url: str, given: Mapping[str, str]) -> dict[str, str]:
    """Providers that are given, else the stand-ins; a key that protects nothing but local data."""
    from local.oauth.standin import CLIENT_ID, CLIENT_SECRET

    chosen = {"TOTP_KEY": given.get("TOTP_KEY") or LOCAL_TOTP_KEY}
    for name in ("GOOGLE", "GITHUB"):
        if not given.get(f"OAUTH_{name}_CLIENT_ID"):
            chosen |= {
                f"OAUTH_{name}_CLIENT_ID": CLIENT_ID,
                f"OAUTH_{name}_CLIENT_SECRET": CLIENT_SECRET,
                f"OAUTH_{name}_BASE_URL": f"{web_base_url}/_local/oauth/{name.lower()}",
            }
    return chosen


def uses_stripe_itself(given: Mapping[str, str]) -> bool:
    """Whether the user named an account at Stripe (a test account, one hopes)."""
    return any(given.get(name) for name in ("STRIPE_API_KEY", "STRIPE_SECRET_ARN"))


def _payments(stripe_url: str | None, given: Mapping[str, str]) -> dict[str, str]:
    """The stand-in, unless an account is named."""
    from local.stripe import API_KEY

    if stripe_url is None or uses_stripe_itself(given):
        return {}
    return {
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_API_BASE": stripe_url,
        "STRIPE_WEBHOOK_SECRETS": STRIPE_WEBHOOK_SECRET,
    }


def uses_mux_itself(given: Mapping[str, str]) -> bool:
    """Whether the user named an account at Mux."""
    return any(given.get(name) for name in ("MUX_TOKEN_ID", "MUX_SECRET_ARN"))


def _videos(web_base_url: str, signing_key: str | None, given: Mapping[str, str]) -> dict[str, str]:
    """The stand-in, unless an account is named."""
    from local import mux

    if signing_key is None or uses_mux_itself(given):
        return {}
    return {
        "MUX_TOKEN_ID": mux.TOKEN_ID,
        "MUX_TOKEN_SECRET": mux.TOKEN_SECRET,
        "MUX_WEBHOOK_SECRETS": mux.WEBHOOK_SECRET,
        "MUX_SIGNING_KEY_ID": mux.SIGNING_KEY_ID,
        "MUX_SIGNING_KEY": signing_key,
        "MUX_API_BASE": f"{web_base_url}{mux.PATH}",
        "MUX_STREAM_BASE": f"{web_base_url}{mux.PATH}/stream",
    }


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


def is_here(url: str) -> bool:
    """Whether a database is on this machine."""
    return urlsplit(url).hostname in (*_LOOPBACK, None)


def forget() -> None:
    """Drop what this process has cached from the environment, its database connections among it."""
    from studypack.core import aws, business_settings, config, secrets, telemetry
    from studypack.core.database import engine
    from studypack.exams import issuing
    from studypack.integrations import mux, storage
    from studypack.integrations.email.ses import forget_ses
    from studypack.integrations.stripe import forget_client

    engine.dispose_engine()
    config.get_settings.cache_clear()
    aws.client.cache_clear()
    forget_ses()
    secrets.forget_secrets()
    business_settings.forget_business_settings()
    issuing.forget_keys()
    forget_client()
    mux.forget_keys()
    storage.forget_storage()
    telemetry.get_metrics.cache_clear()
