from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from tests.support.accounts import (
    browser,
    fields,
    is_signed_in,
    log_in,
    on_another_device,
    value,
    values,
)
from tests.support.mail import queued, token
from tests.support.mail_queue import NOW, change_mail, mails, row
from tests.support.people import PASSWORD, Person


def _leave(person: Person, password: str = PASSWORD) -> Any:
    return person.request("DELETE", "/api/users/me", json={"password": password})


def test_leaving_signs_out_everywhere_and_takes_the_cookie_back(learner: Person) -> None:
    device = on_another_device(learner)
    answer = _leave(learner)
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not is_signed_in(learner)
    assert not is_signed_in(device)
    assert log_in(learner.api, learner.email).status_code == 401


def test_leaving_asks_for_the_password(learner: Person) -> None:
    answer = _leave(learner, "not the password")
    assert answer.status_code == 422
    assert fields(answer) == [("password", "wrong_password")]
    assert is_signed_in(learner)


def test_pending_mails_are_cancelled_and_their_links_forgotten(
    api: TestClient, learner: Person
) -> None:
    api.post("/api/auth/password/forgot", json={"email": learner.email})
    reset = token(learner.email, "RESET_PASSWORD")
    assert _leave(learner).status_code == 204
    mails = queued(learner.email)
    assert len(mails) == 3
    assert {mail["status"] for mail in mails} == {"CANCELLED"}
    assert all(mail["data"] == {} for mail in mails)
    body = {"token": reset, "password": "saffron glacier pocket"}
    assert api.post("/api/auth/password/reset", json=body).status_code == 422


def test_the_address_is_free_for_a_new_account_that_has_nothing_of_the_old(
    app: Any, learner: Person
) -> None:
    assert _leave(learner).status_code == 204
    newcomer = browser(app)
    answer = newcomer.post(
        "/api/auth/signup",
        json={"email": learner.email.upper(), "password": "saffron glacier pocket"},
    )
    assert answer.status_code == 201
    assert answer.json()["user_id"] != str(learner.id)
    assert log_in(newcomer, learner.email).status_code == 401
    assert log_in(newcomer, learner.email, "saffron glacier pocket").status_code == 200


def test_leaving_is_on_record_and_support_finds_the_account_no_more(
    learner: Person, support: Person
) -> None:
    assert _leave(learner).status_code == 204
    acts = "SELECT action FROM auth.audit_log WHERE subject_id = :id AND actor_id = :id"
    assert values(acts, id=learner.id) == ["account.deleted"]
    assert support.get(f"/api/admin/users/{learner.id}").status_code == 404
    assert support.get("/api/admin/users", params={"q": learner.email}).json()["items"] == []


def test_a_reader_who_leaves_takes_nobody_along(learner: Person, other_learner: Person) -> None:
    assert _leave(learner).status_code == 204
    assert is_signed_in(other_learner)
    assert {mail["status"] for mail in queued(other_learner.email)} == {"PENDING"}
    assert value("SELECT count(*) FROM auth.users WHERE deleted_at IS NOT NULL") == 1


def test_a_mail_on_its_way_is_not_called_cancelled(learner: Person) -> None:
    mail, other = mails(learner.id)
    change_mail(mail["id"], sending_since=NOW)

    assert _leave(learner).status_code == 204

    assert row(mail["id"])["status"] == "PENDING"
    ended = row(other["id"])
    assert (ended["status"], ended["status_reason"]) == ("CANCELLED", "account_closed")
