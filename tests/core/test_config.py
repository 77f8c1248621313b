from __future__ import annotations

import pytest
from pydantic import ValidationError

from studypack.core.config import ConfigurationError, Settings


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = Settings.from_environment({})
    assert settings.stage == "local"
    assert settings.database_url is None
    assert settings.database_pool_size == 1
    assert settings.cookie_secure is True


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_environment({"DATABASE_POOL_SIZE": ""}).database_pool_size == 1


def test_variables_of_others_are_ignored() -> None:
    assert Settings.from_environment({"PATH": "/bin", "stage": "prod"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAGE", "production"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_POOL_SIZE", "many"),
        ("DATABASE_CONNECT_SECONDS", "0"),
        ("MAX_BODY_BYTES", "-1"),
        ("COOKIE_SECURE", "perhaps"),
        ("MAIL_FROM", "StudyPack"),
        ("MAIL_FROM", "hello@"),
        ("MAIL_REPLY_TO", "StudyPack <help>"),
    ],
)
def test_a_variable_that_does_not_fit_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({name: value})


def test_every_variable_that_does_not_fit_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"STAGE": "x", "MAX_BODY_BYTES": "x"})
    assert "STAGE" in str(caught.value)
    assert "MAX_BODY_BYTES" in str(caught.value)


def test_origins_are_the_web_client_and_those_allowed_without_trailing_slashes() -> None:
    settings = Settings.from_environment(
        {
            "WEB_BASE_URL": "https://app.example.com/",
            "ALLOWED_ORIGINS": "https://a.example.com/, https://b.example.com ,,",
        }
    )
    assert settings.origins == {
        "https://app.example.com",
        "https://a.example.com",
        "https://b.example.com",
    }


def test_settings_cannot_be_changed_once_read() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().stage = "prod"  # type: ignore[misc]
