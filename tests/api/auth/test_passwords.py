from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.accounts import (
    change_setting,
    execute,
    fields,
    is_signed_in,
    log_in,
    on_another_device,
    value,
    values,
)
from tests.support.concurrency import meeting_at
from tests.support.mail import queued, token
from tests.support.people import PASSWORD

NEW = "copper meadow whistle"
RESET = "RESET_PASSWORD"


def _forgot(api: TestClient, email: str) -> Any:
    return api.post("/api/auth/password/forgot", json={"email": email})


def _reset(api: TestClient, secret: str, password: str = NEW) -> Any:
    return api.post("/api/auth/password/reset", json={"token": secret, "password": password})


def _change(person: Any, current: str, new: str) -> Any:
    body = {"current_password": current, "new_password": new}
    return person.post("/api/auth/password/change", json=body)


@pytest.fixture
def reset_token(api: TestClient, learner: Any) -> str:
    """The token of a mailed link to set a new password."""
    assert _forgot(api, learner.email).status_code == 202
    return token(learner.email, RESET)


def test_a_forgotten_password_is_replaced_and_every_session_ends(
    api: TestClient, learner: Any, reset_token: str
) -> None:
    device = on_another_device(learner)
    answer = _reset(api, reset_token)
    assert answer.status_code == 204
    assert answer.content == b""
    assert not is_signed_in(learner)
    assert not is_signed_in(device)
    assert log_in(api, learner.email).status_code == 401
    assert log_in(api, learner.email, NEW).status_code == 200


def test_a_reset_proves_the_address_tells_the_owner_and_is_on_record(
    api: TestClient, learner: Any, reset_token: str
) -> None:
    _reset(api, reset_token)
    proved = "SELECT email_verified_at IS NOT NULL FROM auth.users WHERE id = :id"
    assert value(proved, id=learner.id) is True
    assert len(queued(learner.email, "PASSWORD_CHANGED")) == 1
    acts = "SELECT action FROM auth.audit_log WHERE subject_id = :id"
    assert values(acts, id=learner.id) == ["account.password_changed"]


def test_a_reset_link_works_once_and_voids_the_others(
    api: TestClient, learner: Any, reset_token: str
) -> None:
    _forgot(api, learner.email)
    second = token(learner.email, RESET)
    assert second != reset_token
    assert _reset(api, reset_token).status_code == 204
    for secret in (reset_token, second):
        answer = _reset(api, secret, "saffron glacier pocket")
        assert answer.status_code == 422
        assert fields(answer) == [("token", "token_invalid")]
    assert log_in(api, learner.email, NEW).status_code == 200


@pytest.mark.usefixtures("wide_pool")
def test_of_two_resets_at_once_one_sets_the_password(
    api: TestClient, learner: Any, reset_token: str
) -> None:
    passwords = ["copper meadow whistle", "saffron glacier pocket"]
    answers = meeting_at(
        "SELECT 1 FROM auth.verification_tokens WHERE user_id = :id FOR UPDATE",
        [lambda p=p: _reset(api, reset_token, p).status_code for p in passwords],
        id=learner.id,
    )
    assert sorted(answers) == [204, 422]
    winner = passwords[answers.index(204)]
    assert log_in(api, learner.email, winner).status_code == 200


@pytest.mark.parametrize("weak", ["passwordpassword", "aaaaaaaaaaaa", "canary-9"])
def test_a_refused_password_leaves_the_link_usable_and_the_sessions_open(
    api: TestClient, learner: Any, reset_token: str, weak: str
) -> None:
    answer = _reset(api, reset_token, weak)
    assert answer.status_code == 422
    assert [field for field, _ in fields(answer)] == ["password"]
    assert weak not in answer.text
    assert is_signed_in(learner)
    assert _reset(api, reset_token).status_code == 204


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.verification_tokens SET expires_at = now() WHERE user_id = :id",
        "UPDATE auth.users SET deleted_at = now() WHERE id = :id",
        "UPDATE auth.users SET email = 'other@example.com' WHERE id = :id",
    ],
)
def test_a_reset_link_that_does_not_hold_any_more_is_refused(
    api: TestClient, learner: Any, reset_token: str, change: str
) -> None:
    stored = "SELECT password_hash FROM auth.users WHERE id = :id"
    before = value(stored, id=learner.id)
    execute(change, id=learner.id)
    answer = _reset(api, reset_token)
    assert answer.status_code == 422
    assert fields(answer) == [("token", "token_invalid")]
    assert value(stored, id=learner.id) == before


def test_a_verification_link_sets_no_password(api: TestClient, learner: Any) -> None:
    assert _reset(api, token(learner.email, "VERIFY_EMAIL")).status_code == 422


def test_a_reset_link_lives_as_long_as_the_setting_says(api: TestClient, learner: Any) -> None:
    change_setting("password_reset_minutes", 7)
    _forgot(api, learner.email)
    left = value(
        "SELECT expires_at - created_at FROM auth.verification_tokens"
        " WHERE user_id = :id AND purpose = 'PASSWORD_RESET'",
        id=learner.id,
    )
    assert abs(left.total_seconds() - 7 * 60) < 30


@pytest.mark.parametrize(
    "change",
    ["is_active = false", "deleted_at = now()", "email = 'moved@example.com'"],
)
def test_asking_for_a_link_has_one_answer_whether_or_not_there_is_such_an_account(
    api: TestClient, learner: Any, other_learner: Any, change: str
) -> None:
    execute(f"UPDATE auth.users SET {change} WHERE id = :id", id=learner.id)
    refused, given = _forgot(api, learner.email), _forgot(api, other_learner.email)
    assert refused.status_code == given.status_code == 202
    assert refused.json() == given.json() == {"status": "accepted"}
    asked = "SELECT count(*) FROM notifications.email_queue WHERE template = 'RESET_PASSWORD'"
    assert value(asked) == 1


def test_asking_for_a_link_is_throttled_alike_for_every_address(
    api: TestClient, learner: Any
) -> None:
    change_setting("mails_per_address", 2)
    for email in (learner.email, "nobody@example.com"):
        assert [_forgot(api, email).status_code for _ in range(3)] == [202, 202, 429]
    assert len(queued(learner.email, RESET)) == 2


def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(
    api: TestClient, learner: Any, reset_token: str
) -> None:
    device = on_another_device(learner)
    answer = _change(learner, PASSWORD, NEW)
    assert answer.status_code == 200
    api.cookies.clear()
    renewed = replace(learner, token=answer.json()["token"])
    assert is_signed_in(renewed)
    assert not is_signed_in(device)
    assert [row["current"] for row in renewed.get("/api/auth/sessions").json()["items"]] == [True]
    assert log_in(api, learner.email).status_code == 401
    assert log_in(api, learner.email, NEW).status_code == 200
    assert len(queued(learner.email, "PASSWORD_CHANGED")) == 1
    assert _reset(api, reset_token).status_code == 422


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("not the password", NEW, "current_password"),
        (PASSWORD, "passwordpassword", "new_password"),
        (PASSWORD, "too short", "new_password"),
    ],
)
def test_a_refused_change_names_the_field_and_ends_no_session(
    api: TestClient, learner: Any, current: str, new: str, field: str
) -> None:
    device = on_another_device(learner)
    answer = _change(learner, current, new)
    assert answer.status_code == 422
    assert [name for name, _ in fields(answer)] == [field]
    assert current not in answer.text
    assert new not in answer.text
    assert is_signed_in(device)
    assert log_in(api, learner.email).status_code == 200


def test_a_stolen_session_cannot_guess_the_password_for_long(learner: Any) -> None:
    change_setting("login_attempts", 3)
    guesses = [_change(learner, f"guess {n}", NEW).status_code for n in range(4)]
    assert guesses == [422, 422, 422, 429]
    assert _change(learner, PASSWORD, NEW).status_code == 429
    deleting = learner.request("DELETE", "/api/users/me", json={"password": PASSWORD})
    assert deleting.status_code == 429


def test_an_account_without_a_password_cannot_pass_for_its_owner_by_any(learner: Any) -> None:
    execute("UPDATE auth.users SET password_hash = NULL WHERE id = :id", id=learner.id)
    for password in ("no account has this password", PASSWORD):
        answer = _change(learner, password, NEW)
        assert (answer.status_code, answer.json()["code"]) == (409, "set_password_first")
