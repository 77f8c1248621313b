"""Secrets that settings name: read from AWS's stand-in, and told by the setting when unusable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from studypack.accounts import totp_secrets
from studypack.core import secrets
from studypack.core.config import ConfigurationError, get_settings
from studypack.integrations.oauth.providers import OAuthProvider, client_of

NO_SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:none-a1b2c3"
TEXT = "k3" * 32


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Store a secret in AWS's stand-in; its ARN."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        secrets.forget_secrets()
        client: Any = boto3.client("secretsmanager")
        yield lambda text: str(client.create_secret(Name="s", SecretString=text)["ARN"])
    secrets.forget_secrets()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set environment variables that the settings are read from; None removes one."""

    def apply(**values: str | None) -> None:
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        get_settings.cache_clear()

    yield apply
    monkeypatch.undo()
    get_settings.cache_clear()


def test_a_secret_is_its_text(stored: Callable[[str], str]) -> None:
    assert secrets.read_secret("SOME_ARN", stored("text")) == "text"


@pytest.mark.parametrize("text", ["not JSON, and private", '["private"]', '"private"', "[" * 9999])
def test_a_document_that_is_none_is_told_by_its_setting_and_not_repeated(
    stored: Callable[[str], str], text: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"^SOME_ARN: ") as raised:
        secrets.read_secret_document("SOME_ARN", stored(text))
    assert "private" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.usefixtures("stored")
def test_a_secret_that_cannot_be_read_is_told_by_its_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"^SOME_ARN: the secret cannot be used"):
        secrets.read_secret("SOME_ARN", NO_SECRET)


def test_the_key_of_authenticator_apps_is_derived_from_what_secrets_manager_generates(
    stored: Callable[[str], str], settings: Callable[..., None]
) -> None:
    settings(TOTP_KEY=None, TOTP_KEY_SECRET_ARN=stored(TEXT))
    key = totp_secrets.key()
    settings(TOTP_KEY=TEXT, TOTP_KEY_SECRET_ARN=None)

    assert len(key) == 32
    assert totp_secrets.key() == key
    settings(TOTP_KEY=TEXT[::-1])
    assert totp_secrets.key() != key


@pytest.mark.usefixtures("stored")
def test_a_key_that_is_missing_short_or_unreadable_is_told_by_its_setting(
    settings: Callable[..., None],
) -> None:
    for given, named in (
        ({"TOTP_KEY": None, "TOTP_KEY_SECRET_ARN": None}, "TOTP_KEY_SECRET_ARN"),
        ({"TOTP_KEY": "k" * 42}, "^TOTP_KEY: "),
        ({"TOTP_KEY": None, "TOTP_KEY_SECRET_ARN": NO_SECRET}, "^TOTP_KEY_SECRET_ARN: "),
    ):
        settings(**given)
        with pytest.raises(ConfigurationError, match=named):
            totp_secrets.key()


def _google(settings: Callable[..., None], arn: str) -> str:
    settings(OAUTH_GOOGLE_CLIENT_ID="id", OAUTH_GOOGLE_CLIENT_SECRET=None, OAUTH_SECRET_ARN=arn)
    return client_of(OAuthProvider.GOOGLE).client_secret.get_secret_value()


def test_a_clients_secret_is_its_member_of_the_document(
    stored: Callable[[str], str], settings: Callable[..., None]
) -> None:
    arn = stored('{"google_client_secret": "g", "github_client_secret": "h"}')

    assert _google(settings, arn) == "g"


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[]", "{}", '{"google_client_secret": 7}', '{"google_client_secret": ""}'],
)
def test_a_document_without_the_clients_secret_is_told_by_its_setting(
    stored: Callable[[str], str], settings: Callable[..., None], text: str
) -> None:
    arn = stored(text)
    with pytest.raises(ConfigurationError, match=r"^OAUTH_SECRET_ARN: "):
        _google(settings, arn)


@pytest.mark.usefixtures("stored")
def test_an_unusable_secret_of_a_provider_is_a_503_that_names_it(
    api: Any, settings: Callable[..., None]
) -> None:
    settings(
        OAUTH_GOOGLE_CLIENT_ID="id", OAUTH_GOOGLE_CLIENT_SECRET=None, OAUTH_SECRET_ARN=NO_SECRET
    )
    answer = api.get("/api/auth/oauth/google/start", follow_redirects=False)

    assert answer.status_code == 503
    assert "OAUTH_SECRET_ARN" in answer.json()["detail"]
