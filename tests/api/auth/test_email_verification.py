from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.accounts import change_setting, execute, fields, value
from tests.support.concurrency import meeting_at
from tests.support.mail import queued, token

VERIFY = "VERIFY_EMAIL"


def _verify(api: TestClient, secret: str) -> Any:
    return api.post("/api/auth/verify-email", json={"token": secret})


def _resend(api: TestClient, email: str) -> Any:
    return api.post("/api/auth/verify-email/resend", json={"email": email})


def test_the_link_in_the_mail_verifies_the_address_once(api: TestClient, learner: Any) -> None:
    secret = token(learner.email, VERIFY)
    answer = _verify(api, secret)
    assert answer.status_code == 200
    assert answer.json() == {"email": learner.email, "email_verified": True}
    assert learner.get("/api/users/me").json()["email_verified"] is True
    again = _verify(api, secret)
    assert again.status_code == 422
    assert fields(again) == [("token", "token_invalid")]


@pytest.mark.usefixtures("wide_pool")
def test_of_two_clicks_at_once_one_is_told_that_it_verified(api: TestClient, learner: Any) -> None:
    secret = token(learner.email, VERIFY)
    answers = meeting_at(
        "SELECT 1 FROM auth.verification_tokens WHERE user_id = :id FOR UPDATE",
        [lambda: _verify(api, secret).status_code, lambda: _verify(api, secret).status_code],
        id=learner.id,
    )
    assert sorted(answers) == [200, 422]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.verification_tokens SET expires_at = now() WHERE user_id = :id",
        "UPDATE auth.verification_tokens SET purpose = 'PASSWORD_RESET' WHERE user_id = :id",
        "UPDATE auth.users SET email = 'other@example.com' WHERE id = :id",
        "UPDATE auth.users SET deleted_at = now() WHERE id = :id",
    ],
)
def test_a_link_that_does_not_hold_any_more_is_refused_alike(
    api: TestClient, learner: Any, change: str
) -> None:
    secret = token(learner.email, VERIFY)
    execute(change, id=learner.id)
    answer = _verify(api, secret)
    assert answer.status_code == 422
    assert fields(answer) == [("token", "token_invalid")]
    assert value("SELECT email_verified_at FROM auth.users WHERE id = :id", id=learner.id) is None


def test_an_unknown_token_is_refused_and_not_echoed(api: TestClient, learner: Any) -> None:
    answer = _verify(api, "canary-" * 5)
    assert answer.status_code == 422
    assert fields(answer) == [("token", "token_invalid")]
    assert "canary" not in answer.text


def test_a_link_lives_as_long_as_the_setting_says(api: TestClient, sign_up: Any) -> None:
    change_setting("verification_hours", 5)
    person = sign_up()
    left = value(
        "SELECT expires_at - created_at FROM auth.verification_tokens WHERE user_id = :id",
        id=person.id,
    )
    assert abs(left.total_seconds() - 5 * 3600) < 60


def test_another_link_is_mailed_on_request_and_both_hold(api: TestClient, learner: Any) -> None:
    first = token(learner.email, VERIFY)
    assert _resend(api, learner.email.upper()).status_code == 202
    mails = queued(learner.email, VERIFY)
    assert len(mails) == 2
    second = token(learner.email, VERIFY)
    assert second != first
    assert _verify(api, second).status_code == 200
    assert _verify(api, first).status_code == 200


def test_the_answer_is_the_same_for_who_waits_for_a_mail_and_who_does_not(
    api: TestClient, learner: Any, other_learner: Any
) -> None:
    assert _verify(api, token(other_learner.email, VERIFY)).status_code == 200
    before = value("SELECT count(*) FROM notifications.email_queue")
    for email in (other_learner.email, "nobody@example.com", learner.email):
        answer = _resend(api, email)
        assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert value("SELECT count(*) FROM notifications.email_queue") == before + 1


def test_an_address_is_mailed_only_so_often_whoever_asks(api: TestClient, learner: Any) -> None:
    change_setting("mails_per_address", 2)
    for email in (learner.email, "nobody@example.com"):
        statuses = [_resend(api, email).status_code for _ in range(3)]
        assert statuses == [202, 202, 429], email
    assert len(queued(learner.email, VERIFY)) == 3


def test_guessing_tokens_is_throttled(api: TestClient, learner: Any) -> None:
    change_setting("links_per_address", 100)
    assert _verify(api, "x" * 43).status_code == 422
    execute("UPDATE auth.throttles SET hits = 100")
    answer = _verify(api, token(learner.email, VERIFY))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 3_000
