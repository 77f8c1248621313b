"""Refused sign-ins in the audit log: there although the request was rolled back, one row for each
account or network and quarter of an hour, and nothing personal in them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from studypack.core.telemetry import get_logger
from tests.support.accounts import browser, change_setting, execute, log_in, value
from tests.support.concurrency import at_once
from tests.support.people import PASSWORD, Person

WRONG = "not the password"


def _acts() -> list[tuple[str, str | None]]:
    """Act and subject of every refusal, oldest first."""
    found: list[list[str | None]] = (
        value(
            "SELECT jsonb_agg(jsonb_build_array(action, subject_id) ORDER BY id)"
            " FROM auth.audit_log WHERE action LIKE 'sign_in.%'"
        )
        or []
    )
    return [(str(action), subject) for action, subject in found]


def _next_window() -> None:
    execute("UPDATE auth.throttles SET resets_at = now()")


@pytest.fixture
def enrolled(learner: Person) -> Person:
    """Somebody whose sign-in waits for a one-time code after the password."""
    from datetime import UTC, datetime

    from studypack.accounts import one_time_codes

    begun = learner.post("/api/users/me/totp", json={"password": PASSWORD})
    secret = base64.b32decode(begun.json()["secret"])
    code = one_time_codes.code_of(secret, one_time_codes.step_at(datetime.now(UTC)))
    assert learner.post("/api/users/me/totp/confirm", json={"code": code}).status_code == 200
    learner.api.cookies.clear()
    return learner


def _second_step(client: TestClient, person: Person, code: str) -> Any:
    challenge = log_in(client, person.email).json()["challenge"]
    return client.post("/api/auth/login/totp", json={"challenge": challenge, "code": code})


def test_a_refused_sign_in_outlives_its_request(api: TestClient, learner: Person) -> None:
    assert log_in(api, learner.email, WRONG).status_code == 401
    assert _acts() == [("sign_in.refused", str(learner.id))]


def test_a_right_password_is_no_refusal(api: TestClient, learner: Person) -> None:
    assert log_in(api, learner.email).status_code == 200
    assert _acts() == []


def test_an_account_has_one_row_a_window_however_often_and_from_wherever_it_is_tried(
    app: Any, learner: Person
) -> None:
    for number in range(6):
        log_in(browser(app, f"203.0.113.{number}"), learner.email.upper(), WRONG)
    # The owner signs in in between, which ends the count of tries and not the window.
    assert log_in(browser(app), learner.email).status_code == 200
    log_in(browser(app), learner.email, WRONG)
    assert _acts() == [("sign_in.refused", str(learner.id))]
    _next_window()
    log_in(browser(app), learner.email, WRONG)
    assert _acts() == [("sign_in.refused", str(learner.id))] * 2


def test_each_account_tried_has_its_own_row(
    api: TestClient, learner: Person, other_learner: Person
) -> None:
    for person in (learner, other_learner, learner):
        log_in(api, person.email, WRONG)
    subjects = [str(learner.id), str(other_learner.id)]
    assert _acts() == [("sign_in.refused", subject) for subject in subjects]


def test_addresses_that_nobody_has_make_one_row_for_each_network(
    app: Any, database_url: str
) -> None:
    for network in ("203.0.113.7", "203.0.113.8"):
        for number in range(5):
            log_in(browser(app, network), f"nobody{number}@example.com", WRONG)
    assert _acts() == [("sign_in.refused", None)] * 2


@pytest.mark.parametrize("change", ["is_active = false", "password_hash = NULL"])
def test_an_account_that_may_not_sign_in_is_named_all_the_same(
    api: TestClient, learner: Person, change: str
) -> None:
    execute(f"UPDATE auth.users SET {change} WHERE id = :id", id=learner.id)
    log_in(api, learner.email)
    assert _acts() == [("sign_in.refused", str(learner.id))]


@pytest.mark.usefixtures("wide_pool")
def test_a_volley_at_one_account_makes_one_row(app: Any, learner: Person) -> None:
    calls = [
        lambda n=n: log_in(browser(app, f"203.0.113.{n}"), learner.email, WRONG).status_code
        for n in range(8)
    ]
    assert at_once(*calls) == [401] * 8
    assert _acts() == [("sign_in.refused", str(learner.id))]


def test_the_limit_of_an_account_is_noted_when_it_is_reached_and_then_no_more(
    app: Any, learner: Person, statements: Callable[[], list[str]]
) -> None:
    change_setting("login_attempts", 2)
    page = browser(app)
    refused, throttled = [
        (action, str(learner.id)) for action in ("sign_in.refused", "sign_in.throttled")
    ]
    assert [log_in(page, learner.email, WRONG).status_code for _ in range(3)] == [401, 401, 429]
    assert _acts() == [refused, throttled]
    statements()
    assert log_in(page, learner.email).status_code == 429
    assert len(statements()) == 1  # a flood costs nothing but its count
    assert _acts() == [refused, throttled]
    _next_window()
    assert [log_in(page, learner.email, WRONG).status_code for _ in range(3)] == [401, 401, 429]
    assert _acts() == [refused, throttled] * 2


def test_the_limit_of_a_network_is_noted_as_nobodys(app: Any, learner: Person) -> None:
    change_setting("login_attempts_per_address", 2)
    page = browser(app)
    for number in range(2):
        log_in(page, f"nobody{number}@example.com", WRONG)
    # Whoever is tried when it is reached has not been tried too often.
    assert [log_in(page, learner.email, WRONG).status_code for _ in range(3)] == [429] * 3
    assert _acts() == [("sign_in.refused", None), ("sign_in.throttled", None)]


def test_a_wrong_code_after_the_right_password_is_noted_and_leaves_the_challenge_usable(
    app: Any, enrolled: Person
) -> None:
    page = browser(app)
    challenge = log_in(page, enrolled.email).json()["challenge"]
    for code in ("000000", "aaaa-bbbb"):
        answer = page.post("/api/auth/login/totp", json={"challenge": challenge, "code": code})
        assert answer.status_code == 422
    assert _acts() == [("sign_in.code_refused", str(enrolled.id))]
    unused = "SELECT count(*) FROM auth.verification_tokens WHERE used_at IS NULL AND purpose = :p"
    assert value(unused, p="LOGIN_CHALLENGE") == 1


def test_guessing_codes_until_the_limit_is_noted(app: Any, enrolled: Person) -> None:
    change_setting("login_attempts", 2)
    page = browser(app)
    statuses = [_second_step(page, enrolled, "000000").status_code for _ in range(4)]
    assert statuses == [422, 422, 429, 429]
    acts = ["sign_in.code_refused", "sign_in.throttled"]
    assert _acts() == [(action, str(enrolled.id)) for action in acts]


def test_what_is_noted_tells_no_address_and_no_network(
    app: Any, learner: Person, log: Callable[[], str]
) -> None:
    change_setting("login_attempts", 1)
    before = get_logger().log_level
    get_logger().setLevel("DEBUG")
    try:
        for email in (learner.email, learner.email, "nobody@example.com"):
            log_in(browser(app), email, WRONG)
    finally:
        get_logger().setLevel(before)
    stored = value("SELECT string_agg(a::text, ' ') FROM auth.audit_log a")
    for personal in (learner.email, "nobody@example.com", "203.0.113.7", WRONG):
        assert personal not in stored
        assert personal not in log()
    assert f'"subject_id":"{learner.id}"' in log()
    for action in ("sign_in.refused", "sign_in.throttled"):
        assert f'"events":["{action}"]' in log()


def test_signing_in_tells_in_the_log_who_it_was(
    api: TestClient, learner: Person, log: Callable[[], str]
) -> None:
    before = get_logger().log_level
    get_logger().setLevel("INFO")
    try:
        log_in(api, learner.email)
    finally:
        get_logger().setLevel(before)
    assert f'"user_id":"{learner.id}"' in log()


def test_admins_find_them_in_the_audit_log(api: TestClient, admin: Person, learner: Person) -> None:
    log_in(api, learner.email, WRONG)
    api.cookies.clear()
    [entry] = admin.get("/api/admin/audit-log", params={"action": "sign_in.refused"}).json()[
        "items"
    ]
    assert (entry["actor_id"], entry["subject_id"]) == (None, str(learner.id))
