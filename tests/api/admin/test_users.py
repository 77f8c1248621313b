from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.support import exams
from tests.support.accounts import execute, fields, value, values
from tests.support.concurrency import meeting_at
from tests.support.people import Person

USERS = "/api/admin/users"


def _grant(person: Person, whom: Any, factor: str = "1.5", reason: str = "certificate") -> Any:
    body = {"time_factor": factor, "reason": reason}
    return person.put(f"{USERS}/{whom}/accommodation", json=body)


def _emails(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["email"] for item in answer.json()["items"]]


def _add_users(number: int) -> None:
    execute(
        "INSERT INTO auth.users (id, email, first_name)"
        " SELECT public.uuid7(now() + make_interval(secs => n)), 'many' || n || '@example.com',"
        " 'Many' FROM generate_series(1, :n) n",
        n=number,
    )


def test_a_learner_sees_nothing_of_the_back_office(learner: Person, other_learner: Person) -> None:
    for answer in (
        learner.get(USERS),
        learner.get(f"{USERS}/{other_learner.id}"),
        learner.get(f"{USERS}/{learner.id}"),
        _grant(learner, learner.id),
    ):
        assert answer.status_code == 403
        assert answer.json()["code"] == "role_required"
        assert other_learner.email not in answer.text
    assert value("SELECT count(*) FROM auth.accommodations WHERE user_id = :i", i=learner.id) == 0


@pytest.mark.parametrize("role", ["SUPPORT", "ADMIN"])
def test_support_and_admins_find_an_account_by_part_of_address_or_name(
    sign_up: Any, role: str
) -> None:
    caller, person = sign_up(role=role), sign_up()
    person.patch("/api/users/me", json={"first_name": "Noémi", "last_name": "Tanaka-Weiß"})
    for words in (person.email[:8].upper(), "noémi", "AKA-W"):
        assert _emails(caller.get(USERS, params={"q": words})) == [person.email], words
    [found] = caller.get(USERS, params={"q": "AKA-W"}).json()["items"]
    assert found == caller.get(f"{USERS}/{person.id}").json()
    assert found["accommodation"] is None
    assert "password" not in str(found)


def test_the_searchs_wildcards_are_plain_characters(support: Person) -> None:
    execute("INSERT INTO auth.users (id, email) VALUES (public.uuid7(now()), 'a_b%@example.com')")
    _add_users(3)
    assert _emails(support.get(USERS, params={"q": "a_b"})) == ["a_b%@example.com"]
    for words in ("%", "b%", "_"):
        assert _emails(support.get(USERS, params={"q": words})) == ["a_b%@example.com"]


def test_pages_show_every_account_once_newest_first_while_others_join(support: Person) -> None:
    _add_users(7)
    query: dict[str, Any] = {"q": "many", "limit": 3}
    first = support.get(USERS, params=query).json()
    execute(
        "INSERT INTO auth.users (id, email) VALUES"
        " (public.uuid7(now() + interval '1 hour'), 'many-late@example.com')"
    )
    seen = [item["email"] for item in first["items"]]
    cursor = first["next_cursor"]
    while cursor:
        page = support.get(USERS, params={**query, "cursor": cursor}).json()
        seen += [item["email"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"many{n}@example.com" for n in range(7, 0, -1)]


@pytest.mark.parametrize("number", [1, 60])
def test_a_page_costs_two_statements_however_long_it_is(
    support: Person, statements: Any, number: int
) -> None:
    _add_users(number)
    statements()
    assert len(_emails(support.get(USERS, params={"q": "many", "limit": 200}))) == number
    assert len(statements()) == 2


def test_an_account_that_is_not_there_is_a_404(support: Person) -> None:
    for answer in (support.get(f"{USERS}/{uuid4()}"), _grant(support, uuid4())):
        assert answer.status_code == 404
        assert answer.json()["code"] == "user_not_found"
    assert value("SELECT count(*) FROM auth.accommodations WHERE reason = 'certificate'") == 0


def test_a_bad_cursor_and_a_nul_in_the_search_are_400(support: Person) -> None:
    assert support.get(f"{USERS}?cursor=x").json()["code"] == "bad_cursor"
    for path in (f"{USERS}?q=%00", f"{USERS}/%00"):
        answer = support.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, "nul_character")


def test_more_time_is_granted_with_who_when_and_why(support: Person, learner: Person) -> None:
    answer = _grant(support, learner.id)
    assert answer.status_code == 200
    granted = answer.json()["accommodation"]
    assert Decimal(granted["time_factor"]) == Decimal("1.5")
    assert granted["reason"] == "certificate"
    assert granted["granted_by"] == str(support.id)
    assert support.get(f"{USERS}/{learner.id}").json() == answer.json()
    assert Decimal(learner.get("/api/users/me").json()["time_factor"]) == Decimal("1.5")
    acts = "SELECT action || ' ' || (details->>'time_factor') FROM auth.audit_log"
    condition = " WHERE actor_id = :a AND subject_id = :s"
    assert values(acts + condition, a=support.id, s=learner.id) == ["accommodation.granted 1.5"]


def test_a_new_grant_ends_the_old_one_and_keeps_it_as_history(
    support: Person, admin: Person, learner: Person
) -> None:
    for caller, factor in ((support, "1.5"), (admin, "2"), (support, "1.25")):
        assert _grant(caller, learner.id, factor).status_code == 200
    history = (
        "SELECT time_factor || ' ' || (ended_at IS NULL) FROM auth.accommodations"
        " WHERE user_id = :id ORDER BY granted_at, id"
    )
    assert values(history, id=learner.id) == ["1.5 false", "2 false", "1.25 true"]


def test_factor_one_ends_the_grant(support: Person, learner: Person) -> None:
    _grant(support, learner.id, "2")
    answer = _grant(support, learner.id, "1", "no longer needed")
    assert answer.status_code == 200
    assert answer.json()["accommodation"] is None
    assert Decimal(learner.get("/api/users/me").json()["time_factor"]) == 1
    acts = "SELECT action FROM auth.audit_log WHERE subject_id = :s ORDER BY id"
    assert set(values(acts, s=learner.id)) == {"accommodation.granted", "accommodation.ended"}


@pytest.mark.usefixtures("wide_pool")
def test_two_grants_at_once_leave_one_in_force(support: Person, learner: Person) -> None:
    answers = meeting_at(
        "SELECT 1 FROM auth.users WHERE id = :id FOR UPDATE",
        [lambda f=f: _grant(support, learner.id, f).status_code for f in ("1.5", "2")],
        id=learner.id,
    )
    assert answers == [200, 200]
    in_force = "SELECT count(*) FROM auth.accommodations WHERE user_id = :i AND ended_at IS NULL"
    assert value(in_force, i=learner.id) == 1


def test_a_grant_that_does_not_fit_is_named_and_nothing_is_granted(
    support: Person, learner: Person
) -> None:
    for factor, reason, field in [
        ("0.99", "x", "time_factor"),
        ("4.01", "x", "time_factor"),
        ("1.505", "x", "time_factor"),
        ("NaN", "x", "time_factor"),
        ("Infinity", "x", "time_factor"),
        ("1.5", " ", "reason"),
    ]:
        answer = _grant(support, learner.id, factor, reason)
        assert answer.status_code == 422, factor
        assert [name for name, _ in fields(answer)] == [field]
    assert value("SELECT count(*) FROM auth.accommodations WHERE user_id = :i", i=learner.id) == 0


def test_the_next_exams_deadline_is_stretched_and_the_one_under_way_is_not(
    support: Person, learner: Person
) -> None:
    planned = "SELECT extract(epoch FROM deadline_at - started_at) FROM learning.exam_sessions"
    running = exams.start(learner)
    duration = value(planned + " WHERE id = :i", i=running["id"])
    assert _grant(support, learner.id, "1.5").status_code == 200
    assert value(planned + " WHERE id = :i", i=running["id"]) == duration
    exams.finalize(learner, running)
    stretched = exams.start(learner)
    assert value(planned + " WHERE id = :i", i=stretched["id"]) == duration * Decimal("1.5")


@pytest.mark.usefixtures("wide_pool")
def test_the_last_two_admins_cannot_demote_each_other(sign_up: Any) -> None:
    one, two = sign_up(role="ADMIN"), sign_up(role="ADMIN")
    execute("UPDATE auth.users SET role = 'USER' WHERE id NOT IN (:a, :b)", a=one.id, b=two.id)

    def demote(caller: Person, whom: Person) -> int:
        answer = caller.patch(f"{USERS}/{whom.id}/role", json={"role": "USER"})
        return int(answer.status_code)

    answers = meeting_at(
        "SELECT 1 FROM auth.users WHERE role = 'ADMIN' FOR UPDATE",
        [lambda: demote(one, two), lambda: demote(two, one)],
    )
    assert sorted(answers) == [200, 409]
    assert value("SELECT count(*) FROM auth.users WHERE role = 'ADMIN'") == 1


def test_nobody_grants_exam_time_to_themselves(support: Person, admin: Person) -> None:
    for caller in (support, admin):
        answer = _grant(caller, caller.id)
        assert (answer.status_code, answer.json()["code"]) == (403, "own_account")
    assert value("SELECT count(*) FROM auth.accommodations WHERE reason = 'certificate'") == 0
