from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from tests.support.accounts import (
    browser,
    execute,
    is_signed_in,
    log_in,
    on_another_device,
    value,
    values,
)
from tests.support.concurrency import meeting_at
from tests.support.people import Person

USERS = "/api/admin/users"


def _change(caller: Person, whom: Person, **changes: Any) -> Any:
    return caller.patch(f"{USERS}/{whom.id}", json=changes)


def _sign_out(caller: Person, whom: Person) -> Any:
    return caller.post(f"{USERS}/{whom.id}/sessions/revoke")


def _acts(actor: Person, subject: Person) -> list[str]:
    return values(
        "SELECT action FROM auth.audit_log WHERE actor_id = :a AND subject_id = :s ORDER BY id",
        a=actor.id,
        s=subject.id,
    )


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def _enrol_directly(person: Person) -> None:
    execute(
        "INSERT INTO auth.totp_credentials (id, user_id, secret, confirmed_at)"
        " VALUES (gen_random_uuid(), :u, 'sealed', now())",
        u=person.id,
    )


# --- Signing out ------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["SUPPORT", "ADMIN"])
def test_support_signs_somebody_out_of_every_device(
    sign_up: Any, learner: Person, other_learner: Person, role: str
) -> None:
    caller, device = sign_up(role=role), on_another_device(learner)
    answer = _sign_out(caller, learner)
    assert (answer.status_code, answer.content) == (204, b"")
    signed_in = [is_signed_in(person) for person in (learner, device, other_learner, caller)]
    assert signed_in == [False, False, True, True]
    assert _acts(caller, learner) == ["account.sessions_revoked"]
    assert log_in(learner.api, learner.email).status_code == 200


def test_it_ends_a_sign_in_that_waits_for_its_code_too(
    app: Any, support: Person, learner: Person
) -> None:
    _enrol_directly(learner)
    page = browser(app)
    challenge = log_in(page, learner.email).json()["challenge"]
    assert _sign_out(support, learner).status_code == 204
    answer = page.post("/api/auth/login/totp", json={"challenge": challenge, "code": "123456"})
    assert _refusal(answer) == (401, "totp_challenge_invalid")


def test_an_admin_is_signed_out_by_admins_alone(
    support: Person, admin: Person, sign_up: Any
) -> None:
    other_admin = sign_up(role="ADMIN")
    assert _refusal(_sign_out(support, admin)) == (403, "staff_account")
    assert is_signed_in(admin)
    assert _acts(support, admin) == []
    assert _sign_out(other_admin, admin).status_code == 204
    assert not is_signed_in(admin)


def test_support_signs_out_colleagues_whose_device_is_lost_and_itself(
    support: Person, sign_up: Any
) -> None:
    colleague = sign_up(role="SUPPORT")
    assert _sign_out(support, colleague).status_code == 204
    assert _sign_out(support, support).status_code == 204
    assert not is_signed_in(colleague)
    assert not is_signed_in(support)


def test_a_learner_signs_nobody_out(learner: Person, other_learner: Person) -> None:
    for whom in (learner, other_learner):
        assert _refusal(_sign_out(learner, whom)) == (403, "role_required")
    assert is_signed_in(other_learner)


def test_another_role_ends_a_sign_in_that_waits_for_its_code(
    app: Any, admin: Person, learner: Person
) -> None:
    _enrol_directly(learner)
    page = browser(app)
    challenge = log_in(page, learner.email).json()["challenge"]
    role = admin.patch(f"{USERS}/{learner.id}/role", json={"role": "SUPPORT"})
    assert role.status_code == 200
    answer = page.post("/api/auth/login/totp", json={"challenge": challenge, "code": "123456"})
    assert _refusal(answer) == (401, "totp_challenge_invalid")


# --- Closing and opening ----------------------------------------------------------------------


def test_closing_an_account_signs_it_out_and_lets_it_in_no_more(
    support: Person, learner: Person
) -> None:
    answer = _change(support, learner, is_active=False)
    assert (answer.status_code, answer.json()["is_active"]) == (200, False)
    assert value("SELECT count(*) FROM auth.sessions WHERE user_id = :u", u=learner.id) == 0
    assert _refusal(log_in(learner.api, learner.email)) == (401, "invalid_credentials")
    assert support.get(f"{USERS}/{learner.id}").json() == answer.json()


def test_opening_it_again_lets_it_in_and_brings_no_old_session_back(
    support: Person, learner: Person
) -> None:
    _change(support, learner, is_active=False)
    execute(
        "INSERT INTO auth.sessions (id, user_id, token_hash, expires_at) VALUES"
        " (gen_random_uuid(), :u, sha256('left over'), now() + interval '1 day')",
        u=learner.id,
    )
    assert _change(support, learner, is_active=True).json()["is_active"] is True
    assert not is_signed_in(replace(learner, token="left over"))
    assert log_in(learner.api, learner.email).status_code == 200
    assert _acts(support, learner) == ["account.deactivated", "account.reactivated"]


def test_closing_ends_a_sign_in_that_waits_for_its_code(
    app: Any, support: Person, learner: Person
) -> None:
    _enrol_directly(learner)
    challenge = log_in(browser(app), learner.email).json()["challenge"]
    _change(support, learner, is_active=False)
    _change(support, learner, is_active=True)
    answer = browser(app).post(
        "/api/auth/login/totp", json={"challenge": challenge, "code": "123456"}
    )
    assert _refusal(answer) == (401, "totp_challenge_invalid")


# --- Features without paying ------------------------------------------------------------------


def test_support_gives_every_feature_and_takes_it_back(support: Person, learner: Person) -> None:
    execute("DELETE FROM auth.settings WHERE key = 'free_plan_features'")
    from studypack.core.business_settings import forget_business_settings

    forget_business_settings()
    assert learner.get("/api/exams/templates").status_code == 402
    assert _change(support, learner, access_override=True).json()["access_override"] is True
    assert learner.get("/api/exams/templates").status_code == 200
    assert _change(support, learner, access_override=False).status_code == 200
    assert learner.get("/api/exams/templates").status_code == 402
    assert is_signed_in(learner)
    assert _acts(support, learner) == ["account.access_granted", "account.access_withdrawn"]


def test_what_is_left_out_stays_and_what_is_so_already_is_no_act(
    support: Person, learner: Person
) -> None:
    _change(support, learner, access_override=True)
    for changes in ({}, {"is_active": True}, {"access_override": True}):
        answer = _change(support, learner, **changes)
        assert answer.status_code == 200
        assert (answer.json()["access_override"], answer.json()["is_active"]) == (True, True)
    assert is_signed_in(learner)
    assert _acts(support, learner) == ["account.access_granted"]


@pytest.mark.parametrize("changes", [{"is_active": None}, {"access_override": None}])
def test_null_is_no_value_of_either(
    support: Person, learner: Person, changes: dict[str, None]
) -> None:
    assert _change(support, learner, **changes).status_code == 422


# --- Who may change whom ----------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"access_override": True}, {"is_active": False}])
def test_support_changes_neither_itself_nor_staff(
    support: Person, admin: Person, sign_up: Any, changes: dict[str, bool]
) -> None:
    colleague = sign_up(role="SUPPORT")
    assert _refusal(_change(support, support, **changes)) == (409, "own_account")
    assert _refusal(_change(support, admin, **changes)) == (403, "staff_account")
    assert _refusal(_change(support, colleague, **changes)) == (403, "staff_account")
    changed = "SELECT access_override OR NOT is_active FROM auth.users WHERE id IN (:a, :b, :c)"
    assert values(changed, a=support.id, b=admin.id, c=colleague.id) == [False] * 3
    assert _acts(support, support) == []


def test_admins_change_staff_and_each_other_but_not_themselves(
    admin: Person, support: Person, sign_up: Any
) -> None:
    other_admin = sign_up(role="ADMIN")
    for whom in (support, other_admin):
        assert _change(admin, whom, is_active=False).status_code == 200
        assert not is_signed_in(whom)
    assert _refusal(_change(admin, admin, is_active=False)) == (409, "own_account")
    assert _refusal(_change(admin, admin, access_override=True)) == (409, "own_account")


def test_support_closes_a_learners_account_where_there_is_no_admin_at_all(
    support: Person, learner: Person
) -> None:
    execute("UPDATE auth.users SET role = 'USER' WHERE role = 'ADMIN'")
    assert _change(support, learner, is_active=False).status_code == 200


@pytest.mark.usefixtures("wide_pool")
def test_the_last_two_admins_cannot_close_each_other(sign_up: Any) -> None:
    one, two = sign_up(role="ADMIN"), sign_up(role="ADMIN")
    execute("UPDATE auth.users SET role = 'USER' WHERE id NOT IN (:a, :b)", a=one.id, b=two.id)
    answers = meeting_at(
        "SELECT 1 FROM auth.users WHERE role = 'ADMIN' FOR UPDATE",
        [
            lambda: int(_change(one, two, is_active=False).status_code),
            lambda: int(_change(two, one, is_active=False).status_code),
        ],
    )
    assert sorted(answers) == [200, 409]
    assert value("SELECT count(*) FROM auth.users WHERE role = 'ADMIN' AND is_active") == 1


def test_an_account_that_is_not_there_or_deleted_is_a_404(support: Person, learner: Person) -> None:
    execute("UPDATE auth.users SET deleted_at = now() WHERE id = :id", id=learner.id)
    for whom in (learner, replace(learner, id=uuid4())):
        assert _refusal(_change(support, whom, is_active=True)) == (404, "user_not_found")
        assert _refusal(_sign_out(support, whom)) == (404, "user_not_found")
