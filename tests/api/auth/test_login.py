from __future__ import annotations

from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from tests.support.accounts import (
    browser,
    change_setting,
    execute,
    is_signed_in,
    log_in,
    on_another_device,
    value,
)
from tests.support.concurrency import at_once
from tests.support.people import PASSWORD

WRONG = "not the password"


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that Argon2 verifies."""
    from studypack.accounts import passwords

    passwords._hash_of_nothing()  # made once in a process, whoever comes first
    made: list[int] = []
    verify = PasswordHasher.verify

    def counting(self: PasswordHasher, stored: str, password: str) -> bool:
        made.append(1)
        return bool(verify(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    return made


def test_the_right_password_opens_a_session_of_ones_own(api: TestClient, learner: Any) -> None:
    answer = log_in(api, learner.email)
    assert answer.status_code == 200
    body = answer.json()
    assert body["user_id"] == str(learner.id)
    assert body["token"] != learner.token
    assert f"studypack_session={body['token']}" in answer.headers["set-cookie"]
    assert is_signed_in(learner)


def test_an_address_may_be_written_in_any_case(api: TestClient, learner: Any) -> None:
    assert log_in(api, learner.email.upper()).status_code == 200


@pytest.mark.parametrize("password", [WRONG, PASSWORD.upper(), f"{PASSWORD} ", PASSWORD[:-1]])
def test_a_wrong_password_is_a_401_without_a_cookie(
    api: TestClient, learner: Any, password: str
) -> None:
    answer = log_in(api, learner.email, password)
    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_credentials"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "set-cookie" not in answer.headers


REFUSED = {
    "wrong password": "SELECT CAST(:id AS uuid)",
    "unknown address": "UPDATE auth.users SET email = 'moved@example.com' WHERE id = :id",
    "deactivated": "UPDATE auth.users SET is_active = false WHERE id = :id",
    "deleted": "UPDATE auth.users SET deleted_at = now() WHERE id = :id",
    "without a password": "UPDATE auth.users SET password_hash = NULL WHERE id = :id",
    "hash of another kind": "UPDATE auth.users SET password_hash = 'x' WHERE id = :id",
}


@pytest.mark.parametrize("case", REFUSED)
def test_every_refusal_has_one_answer_for_one_verification_and_as_many_statements(
    api: TestClient, learner: Any, case: str, verifications: list[int], statements: Any
) -> None:
    execute(REFUSED[case], id=learner.id)
    statements()
    password = WRONG if case == "wrong password" else PASSWORD
    answer = log_in(api, learner.email, password)
    assert answer.status_code == 401
    document = answer.json()
    del document["instance"]
    assert document == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The e-mail address or the password is wrong.",
        "code": "invalid_credentials",
        "errors": [],
    }
    assert len(verifications) == 1
    assert len(statements()) == 3, "count the try, look the account up, note the refusal"


@pytest.mark.parametrize("change", ["is_active = false", "deleted_at = now()"])
def test_a_closed_account_is_signed_out_at_once(learner: Any, change: str) -> None:
    execute(f"UPDATE auth.users SET {change} WHERE id = :id", id=learner.id)
    assert not is_signed_in(learner)


def test_too_many_wrong_passwords_close_the_account_even_to_the_right_one(
    api: TestClient, learner: Any
) -> None:
    change_setting("login_attempts", 3)
    statuses = [log_in(api, learner.email, WRONG).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    answer = log_in(api, learner.email.upper())
    assert answer.status_code == 429
    assert 800 < int(answer.headers["Retry-After"]) <= 900


def test_the_right_password_forgives_what_went_before(api: TestClient, learner: Any) -> None:
    change_setting("login_attempts", 3)
    for _ in range(3):
        statuses = [
            log_in(api, learner.email, password).status_code
            for password in (WRONG, WRONG, PASSWORD)
        ]
        assert statuses == [401, 401, 200]


def test_a_refusals_count_is_kept_while_the_request_itself_is_rolled_back(
    api: TestClient, learner: Any
) -> None:
    log_in(api, learner.email, WRONG)
    assert value("SELECT count(*) FROM auth.throttles WHERE hits = 1") == 3


def test_the_table_of_counts_holds_no_address(api: TestClient, learner: Any) -> None:
    log_in(api, learner.email, WRONG)
    hexed = learner.email.encode().hex()
    found = value("SELECT count(*) FROM auth.throttles t WHERE t::text LIKE :e", e=f"%{hexed}%")
    assert found == 0


@pytest.mark.usefixtures("wide_pool")
def test_a_volley_of_wrong_passwords_gets_no_more_tries_than_the_limit(
    app: Any, learner: Any, verifications: list[int]
) -> None:
    change_setting("login_attempts", 4)
    calls = [
        lambda n=n: log_in(browser(app, f"203.0.113.{n}"), learner.email, WRONG).status_code
        for n in range(12)
    ]
    assert sorted(at_once(*calls)) == [401] * 4 + [429] * 8
    assert len(verifications) == 4


def test_one_caller_gets_only_so_many_tries_over_all_accounts(app: Any, database_url: str) -> None:
    change_setting("login_attempts_per_address", 3)
    caller, other = browser(app), browser(app, "203.0.113.8")
    statuses = [log_in(caller, f"p{n}@example.com", WRONG).status_code for n in range(4)]
    assert statuses == [401, 401, 401, 429]
    assert log_in(other, "p9@example.com", WRONG).status_code == 401


def test_a_right_password_takes_back_its_own_try_and_not_the_callers_others(
    app: Any, learner: Any
) -> None:
    change_setting("login_attempts_per_address", 3)
    caller = browser(app)
    statuses = [log_in(caller, learner.email).status_code for _ in range(5)]
    assert statuses == [200] * 5  # a classroom behind one address
    wrong = [log_in(caller, f"x{n}@example.com", WRONG).status_code for n in range(2)]
    assert [*wrong, log_in(caller, learner.email).status_code] == [401, 401, 200]
    assert log_in(caller, "x@example.com", WRONG).status_code == 401
    assert log_in(caller, learner.email).status_code == 429


@pytest.mark.usefixtures("promised_hashing")
def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_sign_in(
    api: TestClient, learner: Any
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    execute("UPDATE auth.users SET password_hash = :h WHERE id = :id", h=weak, id=learner.id)
    assert log_in(api, learner.email).status_code == 200
    stored = value("SELECT password_hash FROM auth.users WHERE id = :id", id=learner.id)
    assert "m=19456,t=2,p=1" in stored
    assert log_in(api, learner.email).status_code == 200


def test_signing_in_notes_when(api: TestClient, learner: Any) -> None:
    execute("UPDATE auth.users SET last_login_at = NULL WHERE id = :id", id=learner.id)
    on_another_device(learner)
    age = value("SELECT now() - last_login_at FROM auth.users WHERE id = :id", id=learner.id)
    assert age.total_seconds() < 60


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://app.example.com"}, 200),
        ({}, 200),
    ],
)
def test_another_site_cannot_sign_a_visitor_in(
    app: Any, learner: Any, headers: dict[str, str], status: int
) -> None:
    visitor = browser(app)
    del visitor.headers["Origin"]
    visitor.headers.update(headers)
    assert log_in(visitor, learner.email).status_code == status


def test_passwords_and_tokens_are_in_no_log_line(
    api: TestClient, learner: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core.telemetry import get_logger

    before = get_logger().log_level
    get_logger().setLevel("DEBUG")
    try:
        token = log_in(api, learner.email).json()["token"]
        log_in(api, learner.email, WRONG)
        api.get(f"/api/users/me?q={WRONG}", headers={"Authorization": f"Bearer {token}"})
    finally:
        get_logger().setLevel(before)
    assert log().count('"message":"request"') == 3
    for secret in (PASSWORD, WRONG, token, learner.email):
        assert secret not in log()
