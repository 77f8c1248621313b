from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.accounts import (
    browser,
    change_setting,
    execute,
    is_signed_in,
    log_in,
    on_another_device,
    value,
    values,
)
from tests.support.people import PASSWORD

NEW = "granite harbour violin"


def _unused_for(person: Any, days: float) -> None:
    execute(
        "UPDATE auth.sessions SET last_seen_at = now() - make_interval(secs => :s)"
        " WHERE user_id = :u",
        s=days * 86_400,
        u=person.id,
    )


def test_a_session_that_nobody_used_for_long_has_ended(learner: Any) -> None:
    _unused_for(learner, 13.9)
    assert is_signed_in(learner)
    _unused_for(learner, 14.1)
    assert learner.get("/api/users/me").status_code == 401


def test_how_long_a_session_may_rest_is_a_setting(learner: Any) -> None:
    change_setting("session_idle_days", 2)
    _unused_for(learner, 2.1)
    assert not is_signed_in(learner)


def test_using_an_idle_session_in_time_keeps_it(learner: Any) -> None:
    _unused_for(learner, 13)
    assert is_signed_in(learner)
    age = value("SELECT now() - last_seen_at FROM auth.sessions WHERE user_id = :u", u=learner.id)
    assert age.total_seconds() < 60


def test_a_session_ends_at_its_time_however_much_it_is_used(learner: Any) -> None:
    execute("UPDATE auth.sessions SET expires_at = now() WHERE user_id = :u", u=learner.id)
    assert not is_signed_in(learner)


def test_a_session_that_rested_too_long_is_not_listed(learner: Any) -> None:
    _unused_for(learner, 15)
    device = on_another_device(learner)
    assert [row["current"] for row in device.get("/api/auth/sessions").json()["items"]] == [True]


def test_authentication_with_all_its_rules_is_one_statement(learner: Any, statements: Any) -> None:
    learner.get("/api/auth/sessions")
    statements()
    learner.get("/api/auth/sessions")
    assert len(statements()) == 2


def test_a_changed_password_makes_the_token_in_use_worthless_and_gives_another(
    api: TestClient, learner: Any
) -> None:
    until = value("SELECT expires_at FROM auth.sessions WHERE user_id = :u", u=learner.id)
    answer = learner.post(
        "/api/auth/password/change", json={"current_password": PASSWORD, "new_password": NEW}
    )
    api.cookies.clear()
    assert answer.status_code == 200
    assert not is_signed_in(learner)
    assert is_signed_in(replace(learner, token=answer.json()["token"]))
    after = value("SELECT expires_at FROM auth.sessions WHERE user_id = :u", u=learner.id)
    assert after == until


def test_a_browser_goes_on_with_the_new_cookie(app: Any, learner: Any) -> None:
    page = browser(app)
    assert log_in(page, learner.email).status_code == 200
    before = page.cookies["studypack_session"]
    body = {"current_password": PASSWORD, "new_password": NEW}
    assert page.post("/api/auth/password/change", json=body).status_code == 200
    assert page.cookies["studypack_session"] != before
    assert page.get("/api/users/me").status_code == 200


def test_signing_out_everywhere_ends_every_session_of_mine_alone(
    app: Any, learner: Any, other_learner: Any
) -> None:
    device = on_another_device(learner)
    page = browser(app)
    log_in(page, learner.email)
    assert page.delete("/api/auth/sessions").status_code == 204
    assert "studypack_session" not in page.cookies
    assert [is_signed_in(person) for person in (learner, device, other_learner)] == [
        False,
        False,
        True,
    ]
    acts = "SELECT action FROM auth.audit_log WHERE subject_id = :id"
    assert values(acts, id=learner.id) == ["account.sessions_closed"]


def test_signing_out_elsewhere_keeps_this_session(learner: Any) -> None:
    device = on_another_device(learner)
    assert learner.delete("/api/auth/sessions?keep_current=true").status_code == 204
    assert is_signed_in(learner)
    assert not is_signed_in(device)


@pytest.mark.parametrize(("before", "after"), [("USER", "SUPPORT"), ("ADMIN", "USER")])
def test_another_role_ends_the_sessions_that_were_opened_for_the_old_one(
    admin: Any, sign_up: Any, before: str, after: str
) -> None:
    person = sign_up(role=before)
    answer = admin.patch(f"/api/admin/users/{person.id}/role", json={"role": after})
    assert answer.status_code == 200
    assert answer.json()["role"] == after
    assert not is_signed_in(person)
    assert log_in(person.api, person.email).status_code == 200
    acts = "SELECT details FROM auth.audit_log WHERE subject_id = :id AND action LIKE '%role%'"
    assert values(acts, id=person.id) == [{"old": before, "new": after}]


def test_the_same_role_again_changes_nothing(admin: Any, learner: Any) -> None:
    answer = admin.patch(f"/api/admin/users/{learner.id}/role", json={"role": "USER"})
    assert answer.status_code == 200
    assert is_signed_in(learner)


def test_only_an_admin_gives_roles_and_not_the_own(admin: Any, support: Any, learner: Any) -> None:
    refused = support.patch(f"/api/admin/users/{learner.id}/role", json={"role": "ADMIN"})
    assert (refused.status_code, refused.json()["code"]) == (403, "role_required")
    refused = admin.patch(f"/api/admin/users/{admin.id}/role", json={"role": "USER"})
    assert (refused.status_code, refused.json()["code"]) == (409, "own_role")
    assert is_signed_in(admin)
