from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core import business_settings
from studypack.core.business_settings import (
    BusinessSettings,
    forget_business_settings,
    get_business_settings,
    set_business_setting,
)
from studypack.core.database import transaction
from studypack.core.errors import Unprocessable


def _age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let the settings in memory have been read that long ago."""
    cache = business_settings._cache
    monkeypatch.setattr(cache, "read_at", cache.read_at - seconds)


def _store(key: str, value: str) -> None:
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO auth.settings (key, value) VALUES (:key, CAST(:value AS jsonb))"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            ),
            {"key": key, "value": value},
        )


@pytest.fixture(autouse=True)
def _own_database(database_url: str) -> None:
    """Each test has settings of its own."""


def test_a_setting_without_a_row_has_its_default() -> None:
    assert get_business_settings(None).login_attempts == BusinessSettings().login_attempts


def test_a_setting_just_set_is_in_force_at_once_in_this_process() -> None:
    assert get_business_settings(None).login_attempts == 10
    with transaction() as session:
        set_business_setting(session, "login_attempts", 3)
    assert get_business_settings(None).login_attempts == 3


def test_setting_it_again_replaces_the_value(session: Session) -> None:
    for value in (3, 4):
        set_business_setting(session, "login_attempts", value)
    session.commit()
    assert get_business_settings(None).login_attempts == 4


@pytest.mark.parametrize(("age", "seen"), [(50, 10), (61, 3), (-30, 3)])
def test_a_row_changed_elsewhere_is_seen_within_a_minute_or_when_the_clock_was_set_back(
    monkeypatch: pytest.MonkeyPatch, age: float, seen: int
) -> None:
    get_business_settings(None)
    _store("login_attempts", "3")
    _age(monkeypatch, age)
    assert get_business_settings(None).login_attempts == seen


def test_settings_in_memory_cost_no_statement(statements: Any) -> None:
    get_business_settings(None)
    assert len(statements()) == 1
    get_business_settings(None)
    assert statements() == []


@pytest.mark.parametrize("value", ['"many"', "0", "null", "[]"])
def test_a_row_that_does_not_fit_is_left_out_and_the_others_hold(
    value: str, log: Callable[[], str]
) -> None:
    _store("login_attempts", value)
    _store("session_days", "7")
    forget_business_settings()
    settings = get_business_settings(None)
    assert (settings.login_attempts, settings.session_days) == (10, 7)
    assert '"login_attempts"' in log()


def test_a_row_of_a_setting_that_is_no_more_is_ignored() -> None:
    _store("abolished", "1")
    forget_business_settings()
    assert get_business_settings(None).session_days == 30


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("no_such_setting", 1, "unknown_setting"),
        ("login_attempts", 0, "invalid"),
        ("login_attempts", "many", "invalid"),
    ],
)
def test_setting_what_does_not_fit_is_refused_by_name(
    session: Session, key: str, value: Any, code: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        set_business_setting(session, key, value)
    assert [(error.field, error.code) for error in refused.value.errors] == [(key, code)]


@pytest.mark.parametrize("cold", [True, False])
def test_settings_are_read_by_the_transaction_that_holds_the_only_connection(
    one_connection: None, monkeypatch: pytest.MonkeyPatch, cold: bool
) -> None:
    get_business_settings(None)
    _store("login_attempts", "3")
    _age(monkeypatch, 61)
    if cold:
        forget_business_settings()
    with transaction() as session:
        session.execute(text("SELECT 1"))
        assert get_business_settings(session).login_attempts == 3


def test_reading_settings_begins_no_transaction(one_connection: None) -> None:
    with transaction() as session:
        get_business_settings(session)
        assert not session.in_transaction()


def test_a_feature_that_is_none_opens_nothing_and_stops_nothing(learner: Any) -> None:
    _store("free_plan_features", '["exams", "time-travel"]')
    forget_business_settings()
    assert learner.get("/api/users/me").json()["features"] == ["exams"]
