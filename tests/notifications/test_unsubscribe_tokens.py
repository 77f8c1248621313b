from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from studypack.core.config import ConfigurationError, get_settings
from studypack.notifications.models import Category
from studypack.notifications.unsubscribe_tokens import (
    make_token,
    read_token,
    signing_key,
    unsubscribe_url,
)

KEY = b"k" * 32
USER = uuid4()


@pytest.mark.parametrize("category", list(Category))
def test_a_token_says_who_leaves_which_category(category: Category) -> None:
    assert read_token(make_token(USER, category, KEY), KEY) == (USER, category)


def test_a_token_of_another_key_is_none_of_ours() -> None:
    assert read_token(make_token(USER, Category.MARKETING, b"x" * 32), KEY) is None


def test_no_character_of_a_token_can_be_changed() -> None:
    token = make_token(USER, Category.MARKETING, KEY)
    changed = [
        token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        for at in range(len(token) - 1)  # the last one has bits that mean nothing
    ]

    assert {read_token(each, KEY) for each in changed} == {None}


@pytest.mark.parametrize("text", ["", "a", "ä", "====", "a b", "A" * 43, "A" * 44, "x" * 100_000])
def test_what_is_no_token_is_none(text: str) -> None:
    assert read_token(text, KEY) is None


def test_a_link_leads_to_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_BASE_URL", "https://api.example.com/")
    get_settings.cache_clear()

    link = urlsplit(unsubscribe_url(USER, Category.REMINDERS, KEY))

    get_settings.cache_clear()
    assert link._replace(query="").geturl() == "https://api.example.com/api/email/unsubscribe"
    [token] = parse_qs(link.query)["token"]
    assert read_token(token, KEY) == (USER, Category.REMINDERS)


@pytest.mark.parametrize("text", ["", "too-short"])
def test_a_key_that_is_missing_or_short_is_refused_by_name(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_TOKEN_KEY", text)
    get_settings.cache_clear()

    with pytest.raises(ConfigurationError, match="MAIL_TOKEN"):
        signing_key()
    monkeypatch.undo()
    get_settings.cache_clear()
    assert len(signing_key()) == 32
