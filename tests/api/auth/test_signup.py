from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tests.support.accounts import browser, change_setting, execute, fields, value, values
from tests.support.concurrency import at_once, fail_at_commit, meeting_at
from tests.support.mail import queued

NEW = {"email": "new@example.com", "password": "violet canal lantern"}


def _sign_up(client: TestClient, **details: Any) -> Any:
    return client.post("/api/auth/signup", json={**NEW, **details})


def _accounts(email: str = NEW["email"]) -> int:
    return int(value("SELECT count(*) FROM auth.users WHERE lower(email) = lower(:e)", e=email))


def test_signing_up_signs_in_with_a_cookie_that_scripts_and_other_sites_do_not_get(
    api: TestClient,
) -> None:
    answer = _sign_up(api)
    assert answer.status_code == 201
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name == f"studypack_session={answer.json()['token']}"
    given = {attribute.partition("=")[0].lower() for attribute in attributes}
    assert {"httponly", "secure", "expires"} <= given
    assert "samesite=lax" in [attribute.lower() for attribute in attributes]
    assert "Path=/" in attributes
    assert "domain" not in given


def test_the_cookie_alone_is_enough(api: TestClient) -> None:
    user_id = _sign_up(api).json()["user_id"]
    assert api.get("/api/users/me").json()["id"] == user_id
    assert api.patch("/api/users/me", json={"first_name": "Lea"}).status_code == 200


def test_the_bearer_token_alone_is_enough_and_needs_no_origin(app: Any, database_url: str) -> None:
    token = _sign_up(browser(app)).json()["token"]
    program = browser(app)
    del program.headers["Origin"]
    program.headers["Authorization"] = f"bearer {token}"
    assert program.patch("/api/users/me", json={"first_name": "Lea"}).status_code == 200


def test_the_bearer_token_goes_before_the_cookie(api: TestClient, learner: Any) -> None:
    _sign_up(api)
    headers = {"Authorization": f"Bearer {learner.token}"}
    assert api.get("/api/users/me", headers=headers).json()["id"] == str(learner.id)
    refused = api.get("/api/users/me", headers={"Authorization": "Bearer wrong"})
    assert refused.status_code == 401


def test_the_token_is_nowhere_in_the_database(api: TestClient) -> None:
    token = _sign_up(api).json()["token"]
    for table in ("sessions", "users", "verification_tokens", "throttles", "audit_log"):
        found = value(f"SELECT count(*) FROM auth.{table} t WHERE t::text LIKE :t", t=f"%{token}%")
        assert found == 0, table
        hexed = f"%{token.encode().hex()}%"
        assert value(f"SELECT count(*) FROM auth.{table} t WHERE t::text LIKE :t", t=hexed) == 0


def test_a_session_lasts_as_many_days_as_the_setting_says(api: TestClient) -> None:
    change_setting("session_days", 3)
    expires_at = datetime.fromisoformat(_sign_up(api).json()["expires_at"])
    assert abs(expires_at - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=1)


def test_signing_up_stores_the_account_its_profile_its_zone_and_one_event(api: TestClient) -> None:
    user_id = _sign_up(
        api, first_name=" Lea ", timezone="Europe/Berlin", marketing_opt_out=True
    ).json()["user_id"]
    me = api.get("/api/users/me").json()
    assert me["first_name"] == "Lea"
    assert me["timezone"] == "Europe/Berlin"
    assert me["marketing_opt_out"] is True
    assert me["role"] == "USER"
    assert me["email_verified"] is False
    assert values("SELECT timezone FROM auth.timezone_history WHERE user_id = :u", u=user_id) == [
        "Europe/Berlin"
    ]
    assert values(
        "SELECT event_name FROM activity.analytics_events WHERE user_id = :u", u=user_id
    ) == ["signup_completed"]
    [mail] = queued(NEW["email"], "VERIFY_EMAIL")
    assert len(queued(NEW["email"], "WELCOME")) == 1
    assert mail["template"] == "VERIFY_EMAIL"


@pytest.mark.usefixtures("promised_hashing")
def test_the_password_is_stored_as_argon2id_of_the_promised_cost(api: TestClient) -> None:
    _sign_up(api)
    stored = value("SELECT password_hash FROM auth.users WHERE email = :e", e=NEW["email"])
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("email", ["new@example.com", "NEW@Example.COM"])
def test_a_taken_address_is_a_409_that_names_it(api: TestClient, email: str) -> None:
    _sign_up(api)
    answer = _sign_up(api, email=email)
    assert answer.status_code == 409
    assert answer.json()["code"] == "email_taken"
    assert fields(answer) == [("email", "email_taken")]
    assert "set-cookie" not in answer.headers
    assert _accounts() == 1


@pytest.mark.usefixtures("wide_pool")
def test_of_two_who_take_an_address_at_once_one_gets_it(app: Any, database_url: str) -> None:
    def sign_up(email: str) -> int:
        return int(_sign_up(browser(app), email=email).status_code)

    answers = meeting_at(
        "LOCK TABLE auth.users IN SHARE MODE",
        [lambda: sign_up("new@example.com"), lambda: sign_up("New@example.com")],
    )
    assert sorted(answers) == [201, 409]
    assert _accounts() == 1


UNFIT: list[tuple[dict[str, Any], str]] = [
    ({"email": "no-address"}, "email"),
    ({"email": f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 10}.com"}, "email"),
    ({"email": None}, "email"),
    ({"password": "canary-91"}, "password"),
    ({"password": "canary" * 30}, "password"),
    ({"password": "Password1234"}, "password"),
    ({"password": "abababababab"}, "password"),
    ({"password": "canary-new.person-1", "email": "New.Person@example.com"}, "password"),
    ({"password": 1234567890123}, "password"),
    ({"first_name": " "}, "first_name"),
    ({"timezone": "Mars/Olympus"}, "timezone"),
    ({"timezone": "../../etc/passwd"}, "timezone"),
    ({"timezone": ""}, "timezone"),
    ({"role": "ADMIN"}, "role"),
    ({"pasword": "canary-typed-twice"}, "pasword"),
]


def test_input_that_does_not_fit_is_named_is_not_echoed_and_leaves_nothing_behind(
    api: TestClient,
) -> None:
    change_setting("signups_per_address", 100)
    before = value("SELECT count(*) FROM auth.users")
    for details, field in UNFIT:
        answer = _sign_up(api, **details)
        assert answer.status_code == 422, details
        assert [name for name, _ in fields(answer)] == [field], details
        assert "canary" not in answer.text
        assert "set-cookie" not in answer.headers
    assert value("SELECT count(*) FROM auth.users") == before


def test_a_password_has_at_least_ten_characters(api: TestClient) -> None:
    assert _sign_up(api, password="lantern-9").status_code == 422
    assert _sign_up(api, password="lantern-10").status_code == 201


def test_spaces_of_a_password_count(api: TestClient) -> None:
    _sign_up(api, password="  violet canal  ")
    for password, status in [("violet canal", 401), ("  violet canal  ", 200)]:
        answer = api.post("/api/auth/login", json={"email": NEW["email"], "password": password})
        assert answer.status_code == status


def test_an_address_may_sign_up_only_so_often_and_is_told_when_to_come_back(
    app: Any, database_url: str
) -> None:
    change_setting("signups_per_address", 3)
    caller, other = browser(app), browser(app, "203.0.113.8")
    answers = [_sign_up(caller, email=f"p{n}@example.com") for n in range(5)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429]
    assert 3_500 < int(answers[-1].headers["Retry-After"]) <= 3_600
    assert _sign_up(other).status_code == 201


def test_tries_that_are_refused_count_too_and_stay_counted(app: Any, database_url: str) -> None:
    change_setting("signups_per_address", 3)
    caller = browser(app)
    answers = [
        _sign_up(caller),
        _sign_up(caller),
        _sign_up(caller, password="passwordpassword", email="x@example.com"),
        _sign_up(caller, email="y@example.com"),
    ]
    assert [answer.status_code for answer in answers] == [201, 409, 422, 429]
    assert value("SELECT max(hits) FROM auth.throttles") == 4


def test_when_the_hour_is_over_one_may_sign_up_again(app: Any, database_url: str) -> None:
    change_setting("signups_per_address", 1)
    caller = browser(app)
    assert _sign_up(caller, email="a@example.com").status_code == 201
    assert _sign_up(caller, email="b@example.com").status_code == 429
    execute("UPDATE auth.throttles SET resets_at = now()")
    assert _sign_up(caller, email="b@example.com").status_code == 201


@pytest.mark.usefixtures("wide_pool")
def test_a_volley_of_sign_ups_gets_no_more_than_the_limit(app: Any, database_url: str) -> None:
    change_setting("signups_per_address", 3)
    calls = [
        lambda n=n: _sign_up(browser(app), email=f"p{n}@example.com").status_code for n in range(8)
    ]
    answers = at_once(*calls)
    assert sorted(answers) == [201] * 3 + [429] * 5


def test_a_sign_up_whose_commit_fails_is_a_500_and_not_a_201(
    api: TestClient, session: Session, log: Any
) -> None:
    fail_at_commit(session, "auth.users")
    session.commit()
    answer = _sign_up(api)
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal_error"
    assert "set-cookie" not in answer.headers
    assert "refused at commit" not in answer.text
    assert "refused at commit" in log()
    assert NEW["email"] not in log()
    assert _accounts() == 0
    assert queued(NEW["email"]) == []


def test_ids_of_accounts_are_uuids_of_version_7(api: TestClient) -> None:
    assert UUID(_sign_up(api).json()["user_id"]).version == 7


def test_signing_up_costs_at_most_so_many_statements(api: TestClient, statements: Any) -> None:
    _sign_up(api)
    statements()
    _sign_up(api, email="second@example.com")
    assert len(statements()) <= 9  # the throttle, one for each of seven tables, two mails
