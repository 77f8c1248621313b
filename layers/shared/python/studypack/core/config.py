"""Infrastructure settings: what differs between deployments, read from the environment at first
use.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError


class ConfigurationError(RuntimeError):
    """A setting is missing or contradicts another; the message names it."""


def _split_commas(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
    return value


class Settings(BaseModel):
    """One frozen picture of the environment. A field's alias is its environment variable."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    stage: Literal["local", "test", "dev", "prod"] = Field("local", alias="STAGE")
    build: str = Field("dev", alias="BUILD")

    database_url: str | None = Field(None, alias="DATABASE_URL")
    database_secret: str | None = Field(None, alias="DATABASE_SECRET_ARN")
    database_host: str | None = Field(None, alias="DATABASE_HOST")
    database_ca_file: str | None = Field(None, alias="DATABASE_CA_FILE")
    database_pool_size: int = Field(1, ge=1, le=100, alias="DATABASE_POOL_SIZE")
    database_connect_seconds: float = Field(20, gt=0, alias="DATABASE_CONNECT_SECONDS")

    web_base_url: str = Field("http://127.0.0.1:8000", alias="WEB_BASE_URL")
    media_base_url: str = Field("/media", alias="MEDIA_BASE_URL")
    allowed_origins: Annotated[tuple[str, ...], BeforeValidator(_split_commas)] = Field(
        (), alias="ALLOWED_ORIGINS"
    )
    cookie_secure: bool = Field(True, alias="COOKIE_SECURE")
    api_base_url: str | None = Field(None, alias="API_BASE_URL")
    """Where browsers reach the API, if not below WEB_BASE_URL; OAuth providers lead back there."""
    edge_keys: SecretStr | None = Field(None, alias="EDGE_KEYS")
    max_body_bytes: int = Field(1024 * 1024, gt=0, alias="MAX_BODY_BYTES")

    receipt_key_secret: str | None = Field(None, alias="RECEIPT_KEY_SECRET_ARN")
    receipt_signing_key: SecretStr | None = Field(None, alias="RECEIPT_SIGNING_KEY")

    oauth_secret: str | None = Field(None, alias="OAUTH_SECRET_ARN")
    """A JSON document with `google_client_secret`, `github_client_secret`."""
    oauth_google_client_id: str | None = Field(None, alias="OAUTH_GOOGLE_CLIENT_ID")
    oauth_google_client_secret: SecretStr | None = Field(None, alias="OAUTH_GOOGLE_CLIENT_SECRET")
    oauth_google_base_url: str | None = Field(None, alias="OAUTH_GOOGLE_BASE_URL")
    oauth_github_client_id: str | None = Field(None, alias="OAUTH_GITHUB_CLIENT_ID")
    oauth_github_client_secret: SecretStr | None = Field(None, alias="OAUTH_GITHUB_CLIENT_SECRET")
    oauth_github_base_url: str | None = Field(None, alias="OAUTH_GITHUB_BASE_URL")
    totp_key_secret: str | None = Field(None, alias="TOTP_KEY_SECRET_ARN")
    """Its text gives the key that seals the secrets of authenticator apps."""
    totp_key: SecretStr | None = Field(None, alias="TOTP_KEY")
    """The same text itself: 43 random letters and digits or more."""

    stripe_secret: str | None = Field(None, alias="STRIPE_SECRET_ARN")
    """A JSON document with `api_key` and the list `webhook_secrets`."""
    stripe_api_key: SecretStr | None = Field(None, alias="STRIPE_API_KEY")
    stripe_webhook_secrets: SecretStr | None = Field(None, alias="STRIPE_WEBHOOK_SECRETS")
    """Separated by commas."""
    stripe_api_base: str | None = Field(None, alias="STRIPE_API_BASE")
    """Where Stripe is, if not at Stripe: the stand-in on one machine."""

    mux_secret: str | None = Field(None, alias="MUX_SECRET_ARN")
    """A JSON document with `token_id`, `token_secret`, `signing_key_id`, `signing_key` and the list
    `webhook_secrets`.
    """
    mux_token_id: str | None = Field(None, alias="MUX_TOKEN_ID")
    mux_token_secret: SecretStr | None = Field(None, alias="MUX_TOKEN_SECRET")
    mux_webhook_secrets: SecretStr | None = Field(None, alias="MUX_WEBHOOK_SECRETS")
    """Separated by commas."""
    mux_signing_key_id: str | None = Field(None, alias="MUX_SIGNING_KEY_ID")
    mux_signing_key: SecretStr | None = Field(None, alias="MUX_SIGNING_KEY")
    """The private key (PEM, or that in base64, as Mux gives it) that signs who may watch."""
    mux_api_base: str | None = Field(None, alias="MUX_API_BASE")
    """Where Mux's API is, if not at Mux: the stand-in on one machine; likewise the next."""
    mux_stream_base: str | None = Field(None, alias="MUX_STREAM_BASE")
    video_link_hours: int = Field(4, ge=1, le=168, alias="VIDEO_LINK_HOURS")
    """How much longer than a video lasts one may watch it by links given once."""

    lesson_files_bucket: str | None = Field(None, alias="LESSON_FILES_BUCKET")
    """The S3 bucket of lessons' files."""

    mail_from: str = Field("StudyPack <hello@studypack.example>", alias="MAIL_FROM")
    mail_reply_to: str | None = Field(None, alias="MAIL_REPLY_TO")
    mail_configuration_set: str | None = Field(None, alias="MAIL_CONFIGURATION_SET")
    """SES reports bounces, complaints and deliveries of what is sent with it."""
    mail_token_secret: str | None = Field(None, alias="MAIL_TOKEN_SECRET_ARN")
    """Its text gives the key that signs links to unsubscribe."""
    mail_token_key: SecretStr | None = Field(None, alias="MAIL_TOKEN_KEY")
    """The same text itself: 43 random letters and digits or more."""
    email_queue_url: str | None = Field(None, alias="EMAIL_QUEUE_URL")
    """Told at once of mails that somebody waits for; without it they wait for the minutely job."""

    aws_endpoint_url: str | None = Field(None, alias="AWS_ENDPOINT_URL")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Build from variables; an empty one counts as not set.

        Raises ConfigurationError naming each variable that does not fit.
        """
        names = {str(field.alias) for field in cls.model_fields.values()}
        given = {name: environment[name] for name in names if environment.get(name)}
        try:
            settings = cls.model_validate(given)
        except ValidationError as error:
            wrong = "; ".join(
                f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors()
            )
            raise ConfigurationError(f"environment does not fit: {wrong}") from None
        contradictions = "; ".join(settings.contradictions())
        if contradictions:
            raise ConfigurationError(f"environment does not fit: {contradictions}")
        return settings

    def contradictions(self) -> Iterator[str]:
        """What fits by itself and not together with the rest, by name."""
        if self.database_url and self.database_secret:
            yield "DATABASE_URL and DATABASE_SECRET_ARN: set one of them"
        for origin in self.allowed_origins:
            parts = urlsplit(origin)
            if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path:
                yield "ALLOWED_ORIGINS: each is a scheme and a host, such as https://example.com"
        for name, given in (("MAIL_FROM", self.mail_from), ("MAIL_REPLY_TO", self.mail_reply_to)):
            local, at, domain = parseaddr(given or "nobody@example.com")[1].rpartition("@")
            if not (local and at and domain):  # else every mail would fail, for good
                yield f"{name}: an address, or a name with one: StudyPack <hello@example.com>"
        if self.stage in {"local", "test"}:
            return
        if not self.cookie_secure:
            yield f"COOKIE_SECURE: may not be false where STAGE is {self.stage}"
        if not self._is_safe(self.web_base_url):
            yield f"WEB_BASE_URL: begins with https:// where STAGE is {self.stage}"
        if not all(self._is_safe(origin) for origin in self.allowed_origins):
            yield f"ALLOWED_ORIGINS: begin with https:// where STAGE is {self.stage}"

    def _is_safe(self, url: str) -> bool:
        """TLS, or in dev a web client on the developer's own machine, which browsers trust too."""
        parts = urlsplit(url)
        return parts.scheme == "https" or (self.stage == "dev" and parts.hostname == "localhost")

    def check_at_start(self) -> None:
        """Raise ConfigurationError naming what a function cannot begin without."""
        if not (self.database_url or self.database_secret):
            raise ConfigurationError("set DATABASE_URL or DATABASE_SECRET_ARN")

    @property
    def origins(self) -> frozenset[str]:
        """Origins whose browsers may write with a cookie: the web client's own and those
        allowed.
        """
        return frozenset({*self.allowed_origins, self.web_base_url.rstrip("/")})


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once. Tests call `get_settings.cache_clear()`."""
    return Settings.from_environment(os.environ)
