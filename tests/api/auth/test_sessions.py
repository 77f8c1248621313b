from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from tests.support.accounts import (
    browser,
    execute,
    is_signed_in,
    log_in,
    on_another_device,
    value,
)

SESSION_OF = "SELECT id FROM auth.sessions WHERE user_id = :u ORDER BY id DESC LIMIT 1"


def _sessions(person: Any) -> list[dict[str, Any]]:
    answer = person.get("/api/auth/sessions")
    assert answer.status_code == 200
    assert answer.json()["next_cursor"] is None
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def _last_seen_age(person: Any) -> float:
    age = value("SELECT now() - last_seen_at FROM auth.sessions WHERE user_id = :u", u=person.id)
    return float(age.total_seconds())


def _seen(person: Any, minutes: float) -> None:
    execute(
        "UPDATE auth.sessions SET last_seen_at = now() - make_interval(secs => :s)"
        " WHERE user_id = :u",
        s=minutes * 60,
        u=person.id,
    )


def test_ones_sessions_are_listed_with_the_one_in_use_marked(app: Any, learner: Any) -> None:
    other = browser(app, "2001:db8:1:2:3::4")
    other.headers["User-Agent"] = "Other Browser " + "x" * 400
    assert log_in(other, learner.email).status_code == 200
    first, second = sorted(_sessions(learner), key=lambda item: bool(item["current"]))
    assert (first["current"], second["current"]) == (False, True)
    assert first["ip"] == "2001:db8:1:2::/64"
    assert first["user_agent"].startswith("Other Browser")
    assert len(first["user_agent"]) == 300
    assert set(first) == {
        "id",
        "current",
        "created_at",
        "last_seen_at",
        "expires_at",
        "ip",
        "user_agent",
    }


def test_the_latest_used_session_comes_first(learner: Any) -> None:
    _seen(learner, 5)
    on_another_device(learner)
    assert [item["current"] for item in _sessions(learner)] == [False, True]


def test_an_expired_session_is_neither_listed_nor_good_for_anything(learner: Any) -> None:
    device = on_another_device(learner)
    execute(
        "UPDATE auth.sessions SET expires_at = now() WHERE id = (" + SESSION_OF + ")", u=learner.id
    )
    assert not is_signed_in(device)
    assert len(_sessions(learner)) == 1


def test_signing_out_closes_this_session_only_and_takes_the_cookie_back(
    app: Any, learner: Any
) -> None:
    device = browser(app)
    log_in(device, learner.email)
    answer = device.post("/api/auth/logout")
    assert answer.status_code == 204
    assert 'studypack_session=""' in answer.headers["set-cookie"]
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert device.get("/api/users/me").status_code == 401
    assert is_signed_in(learner)


def test_signing_out_twice_is_a_401(learner: Any) -> None:
    assert learner.post("/api/auth/logout").status_code == 204
    assert learner.post("/api/auth/logout").status_code == 401


def test_a_device_can_be_signed_out_from_another(learner: Any) -> None:
    device = on_another_device(learner)
    [other] = [item for item in _sessions(learner) if not item["current"]]
    assert learner.delete(f"/api/auth/sessions/{other['id']}").status_code == 204
    assert not is_signed_in(device)
    assert is_signed_in(learner)
    assert learner.delete(f"/api/auth/sessions/{other['id']}").status_code == 404


def test_somebody_elses_session_is_a_404_and_stays_open(learner: Any, other_learner: Any) -> None:
    theirs = value(SESSION_OF, u=other_learner.id)
    answer = learner.delete(f"/api/auth/sessions/{theirs}")
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert is_signed_in(other_learner)
    unknown = learner.delete(f"/api/auth/sessions/{uuid4()}")
    assert unknown.json() == {**answer.json(), "instance": unknown.json()["instance"]}


def test_a_session_id_that_is_none_is_named(learner: Any) -> None:
    answer = learner.delete("/api/auth/sessions/1")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "session_id"


@pytest.mark.parametrize(
    ("minutes", "written"),
    [(9.5, False), (10.5, True), (60 * 24, True)],
)
def test_when_a_session_was_last_seen_is_written_at_most_every_ten_minutes(
    learner: Any, minutes: float, written: bool
) -> None:
    _seen(learner, minutes)
    assert is_signed_in(learner)
    assert (_last_seen_age(learner) < 60) is written


def test_it_is_written_inside_the_authenticating_statement(learner: Any, statements: Any) -> None:
    _seen(learner, 11)
    statements()
    assert is_signed_in(learner)
    sent = statements()
    assert len(sent) == 2
    assert "UPDATE auth.sessions" in sent[0]


def test_a_refused_request_still_counts_as_seen(learner: Any) -> None:
    _seen(learner, 11)
    assert learner.get("/api/admin/users").status_code == 403
    assert _last_seen_age(learner) < 60


def test_a_token_that_is_none_of_ours_is_a_401(api: TestClient) -> None:
    for token in ("", "x", "x" * 5_000, "é", "Bearer", " "):
        headers = {"Authorization": f"Bearer {token}".encode("latin-1")}
        answer = api.get("/api/users/me", headers=headers)
        assert answer.status_code == 401, token
        assert answer.json()["code"] == "unauthenticated"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_whoever_is_not_signed_in_is_told_so_before_the_input_is_looked_at(
    api: TestClient,
) -> None:
    for method, path in [
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/sessions/1"),
        ("POST", "/api/auth/logout"),
        ("GET", "/api/users/me"),
        ("DELETE", "/api/users/me"),
        ("GET", "/api/admin/users"),
    ]:
        assert api.request(method, path).status_code == 401, path


@pytest.mark.parametrize("number", [1, 20])
def test_the_list_of_sessions_costs_two_statements_however_many_there_are(
    learner: Any, statements: Any, number: int
) -> None:
    execute(
        "INSERT INTO auth.sessions (id, user_id, token_hash, expires_at)"
        " SELECT gen_random_uuid(), :u, sha256(n::text::bytea), now() + interval '1 day'"
        " FROM generate_series(2, :n) n",
        u=learner.id,
        n=number,
    )
    statements()
    assert len(_sessions(learner)) == number
    assert len(statements()) == 2


def test_signing_out_costs_two_statements(learner: Any, statements: Any) -> None:
    statements()
    learner.post("/api/auth/logout")
    assert len(statements()) == 2
