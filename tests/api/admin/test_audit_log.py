from __future__ import annotations

from typing import Any

import pytest

from tests.support.accounts import execute
from tests.support.people import PASSWORD, Person

LOG = "/api/admin/audit-log"
USERS = "/api/admin/users"


def _entries(person: Person, **query: Any) -> list[dict[str, Any]]:
    answer = person.get(LOG, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def _grant(caller: Person, whom: Person, factor: str = "1.5") -> None:
    body = {"time_factor": factor, "reason": "certificate"}
    assert caller.put(f"{USERS}/{whom.id}/accommodation", json=body).status_code == 200


def test_an_admin_reads_who_did_what_to_whom_and_when(
    admin: Person, support: Person, learner: Person
) -> None:
    _grant(support, learner)
    [entry] = _entries(admin)
    assert (entry["actor_id"], entry["subject_id"]) == (str(support.id), str(learner.id))
    assert entry["action"] == "accommodation.granted"
    assert entry["details"] == {"time_factor": "1.5", "reason": "certificate"}
    assert entry["created_at"].endswith("Z")
    assert set(entry) == {"id", "action", "actor_id", "subject_id", "details", "created_at"}


def test_acts_are_found_by_who_by_whom_and_by_kind(
    admin: Person, support: Person, learner: Person, other_learner: Person
) -> None:
    _grant(support, learner)
    _grant(admin, other_learner)
    assert support.post(f"{USERS}/{other_learner.id}/sessions/revoke").status_code == 204
    body = {"current_password": PASSWORD, "new_password": "granite harbour violin"}
    assert learner.post("/api/auth/password/change", json=body).status_code == 200

    def acts(**query: Any) -> list[str]:
        return [entry["action"] for entry in _entries(admin, **query)]

    granted, revoked, changed = (
        "accommodation.granted",
        "account.sessions_revoked",
        "account.password_changed",
    )
    assert acts() == [changed, revoked, granted, granted]
    assert acts(actor_id=str(support.id)) == [revoked, granted]
    assert acts(subject_id=str(learner.id)) == [changed, granted]
    assert acts(action=granted) == [granted, granted]
    assert acts(action=granted, actor_id=str(admin.id)) == [granted]
    assert acts(actor_id=str(admin.id), subject_id=str(learner.id)) == []


def test_pages_show_every_act_once_newest_first_while_others_are_done(
    admin: Person, support: Person, learner: Person
) -> None:
    for number in range(7):
        _grant(support, learner, f"1.{number + 1}")
    query: dict[str, Any] = {"subject_id": str(learner.id), "limit": 3}
    page = admin.get(LOG, params=query).json()
    seen = page["items"]
    _grant(support, learner, "2")
    while page["next_cursor"]:
        page = admin.get(LOG, params={**query, "cursor": page["next_cursor"]}).json()
        seen += page["items"]
    factors = [entry["details"]["time_factor"] for entry in seen]
    assert factors == [f"1.{number}" for number in range(7, 0, -1)]


@pytest.mark.parametrize("role", ["USER", "SUPPORT"])
def test_nobody_below_an_admin_reads_it(sign_up: Any, role: str) -> None:
    answer = sign_up(role=role).get(LOG)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_required")


@pytest.mark.parametrize(
    "query",
    [{"actor_id": "x"}, {"subject_id": "1"}, {"action": "DROP TABLE"}, {"action": "account"}],
    ids=str,
)
def test_a_filter_that_does_not_fit_is_named(admin: Person, query: dict[str, str]) -> None:
    answer = admin.get(LOG, params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == list(query)


def test_no_route_changes_or_removes_an_act(admin: Person) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert admin.request(method, LOG).status_code == 405


@pytest.mark.parametrize("number", [1, 60])
def test_a_page_costs_two_statements_however_long_it_is(
    admin: Person, statements: Any, number: int
) -> None:
    execute(
        "INSERT INTO auth.audit_log (id, action)"
        " SELECT public.uuid7(), 'account.tested' FROM generate_series(1, :n)",
        n=number,
    )
    statements()
    assert len(_entries(admin, action="account.tested", limit=200)) == number
    assert len(statements()) == 2
