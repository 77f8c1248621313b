from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.accounts import change_setting, email_of, execute, fields, log_in, value, values
from tests.support.concurrency import meeting_at
from tests.support.mail import queued, token
from tests.support.people import PASSWORD, Person

NEW = "New.Address@example.com"
CONFIRM = "CONFIRM_EMAIL_CHANGE"


def _ask(person: Person, email: str = NEW, password: str = PASSWORD) -> Any:
    return person.post("/api/users/me/email", json={"email": email, "password": password})


def _confirm(api: TestClient, secret: str) -> Any:
    return api.post("/api/auth/verify-email", json={"token": secret})


def _verify(person: Person) -> None:
    execute("UPDATE auth.users SET email_verified_at = now() WHERE id = :i", i=person.id)


@pytest.fixture
def tokens(learner: Person) -> tuple[str, str]:
    """What was mailed to the old, verified address and to the new one."""
    _verify(learner)
    assert _ask(learner).status_code == 202
    return token(learner.email, CONFIRM), token(NEW, CONFIRM)


def test_asking_alone_changes_nothing(learner: Person, tokens: tuple[str, str]) -> None:
    assert email_of(learner.id) == learner.email
    assert tokens[0] != tokens[1]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_address_changes_when_both_have_confirmed_in_either_order(
    api: TestClient, learner: Person, tokens: tuple[str, str], order: tuple[int, int]
) -> None:
    first = _confirm(api, tokens[order[0]])
    assert first.status_code == 200
    assert first.json() == {"email": learner.email, "email_verified": True}
    assert email_of(learner.id) == learner.email
    second = _confirm(api, tokens[order[1]])
    assert second.status_code == 200
    assert second.json() == {"email": NEW, "email_verified": True}
    assert log_in(api, NEW.lower()).status_code == 200
    assert log_in(api, learner.email).status_code == 401


@pytest.mark.usefixtures("wide_pool")
def test_both_confirming_at_the_same_moment_change_it_once(
    api: TestClient, learner: Person, tokens: tuple[str, str]
) -> None:
    answers = meeting_at(
        "SELECT 1 FROM auth.users WHERE id = :id FOR UPDATE",
        [lambda secret=secret: _confirm(api, secret).status_code for secret in tokens],
        id=learner.id,
    )
    assert answers == [200, 200]
    assert email_of(learner.id) == NEW
    assert len(queued(learner.email, "EMAIL_CHANGED")) == 1
    acts = "SELECT action FROM auth.audit_log WHERE subject_id = :id"
    assert values(acts, id=learner.id) == ["account.email_changed"]


def test_confirming_twice_with_one_address_is_not_both(
    api: TestClient, learner: Person, tokens: tuple[str, str]
) -> None:
    assert _confirm(api, tokens[1]).status_code == 200
    assert _confirm(api, tokens[1]).status_code == 422
    assert email_of(learner.id) == learner.email


def test_the_old_address_is_told(api: TestClient, learner: Person, tokens: tuple[str, str]) -> None:
    for secret in tokens:
        _confirm(api, secret)
    [mail] = queued(learner.email, "EMAIL_CHANGED")
    assert mail["status"] == "PENDING"


def test_a_change_voids_the_links_that_went_to_the_old_address(
    api: TestClient, learner: Person
) -> None:
    api.post("/api/auth/password/forgot", json={"email": learner.email})
    reset = token(learner.email, "RESET_PASSWORD")
    _verify(learner)
    _ask(learner)
    for secret in (token(learner.email, CONFIRM), token(NEW, CONFIRM)):
        assert _confirm(api, secret).status_code == 200
    answer = api.post(
        "/api/auth/password/reset", json={"token": reset, "password": "saffron glacier pocket"}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_address_taken_in_between_is_a_409_and_nothing_changes(
    api: TestClient, learner: Person, tokens: tuple[str, str], order: tuple[int, int]
) -> None:
    taken = api.post(
        "/api/auth/signup", json={"email": NEW.lower(), "password": "saffron glacier pocket"}
    )
    api.cookies.clear()
    assert taken.status_code == 201
    assert _confirm(api, tokens[order[0]]).status_code == 200
    answer = _confirm(api, tokens[order[1]])
    assert answer.status_code == 409
    assert fields(answer) == [("email", "email_taken")]
    assert email_of(learner.id) == learner.email
    assert queued(learner.email, "EMAIL_CHANGED") == []
    assert value("SELECT count(*) FROM auth.audit_log WHERE subject_id = :i", i=learner.id) == 0
    # The refused click was rolled back whole: it holds when the address is free again.
    execute("UPDATE auth.users SET deleted_at = now() WHERE id = :i", i=taken.json()["user_id"])
    assert _confirm(api, tokens[order[1]]).status_code == 200
    assert email_of(learner.id) == NEW


@pytest.mark.parametrize("case", [str, str.upper])
def test_an_address_that_is_taken_is_refused_at_once(
    learner: Person, other_learner: Person, case: Any
) -> None:
    answer = _ask(learner, case(other_learner.email))
    assert answer.status_code == 409
    assert fields(answer) == [("email", "email_taken")]
    assert queued(other_learner.email, CONFIRM) == []


def test_ones_own_address_is_no_change_in_any_case(learner: Person) -> None:
    answer = _ask(learner, learner.email.upper())
    assert answer.status_code == 422
    assert fields(answer) == [("email", "unchanged")]


def test_the_password_is_asked_for(learner: Person) -> None:
    answer = _ask(learner, password="not the password")
    assert answer.status_code == 422
    assert fields(answer) == [("password", "wrong_password")]
    assert queued(NEW) == []


def test_a_later_request_withdraws_the_earlier_one(
    api: TestClient, learner: Person, tokens: tuple[str, str]
) -> None:
    assert _ask(learner, "third@example.com").status_code == 202
    for secret in tokens:
        assert _confirm(api, secret).status_code == 422
    for address in (learner.email, "third@example.com"):
        assert _confirm(api, token(address, CONFIRM)).status_code == 200
    assert email_of(learner.id) == "third@example.com"


def test_a_deleted_account_changes_no_address(
    api: TestClient, learner: Person, tokens: tuple[str, str]
) -> None:
    gone = learner.request("DELETE", "/api/users/me", json={"password": PASSWORD})
    assert gone.status_code == 204
    for secret in tokens:
        assert _confirm(api, secret).status_code == 422
    assert email_of(learner.id) == learner.email


def test_an_address_mistyped_at_sign_up_is_repaired_by_the_new_one_alone(
    api: TestClient, learner: Person
) -> None:
    assert _ask(learner).status_code == 202
    assert queued(learner.email, CONFIRM) == []
    assert _confirm(api, token(NEW, CONFIRM)).json() == {"email": NEW, "email_verified": True}
    assert email_of(learner.id) == NEW


def test_asking_counts_by_new_address_and_by_account_whatever_the_answer(
    learner: Person, other_learner: Person
) -> None:
    change_setting("mails_per_address", 1)
    assert [_ask(learner, "x@example.com", "wrong one").status_code for _ in range(2)] == [422, 429]
    taken = [_ask(learner, other_learner.email).status_code for _ in range(2)]
    assert taken == [409, 429]
    statuses = [_ask(learner, f"n{n}@example.com").status_code for n in range(7)]
    assert statuses == [202] * 6 + [429]


def test_letters_that_python_and_postgresql_lower_differently_name_the_same_account(
    api: TestClient, learner: Person
) -> None:
    email = "\u0130pek@example.com"
    execute("UPDATE auth.users SET email = :e WHERE id = :i", e=email, i=learner.id)
    assert log_in(api, email).status_code == 200
    assert fields(_ask(learner, email)) == [("email", "unchanged")]
