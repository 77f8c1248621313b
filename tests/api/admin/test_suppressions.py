from __future__ import annotations

import hashlib
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank
from tests.support import mail_lives as life

PATH = "/api/admin/emails/suppressions"


def suppress(
    address: str, reason: str = "HARD_BOUNCE", category: str | None = None, owner: Any = None
) -> str:
    [row] = life.rows(
        "INSERT INTO notifications.email_suppressions"
        " (id, address_hash, reason, category, user_id)"
        " VALUES (public.uuid7(), :hash, :reason, :category, :owner) RETURNING id",
        hash=hashlib.sha256(address.lower().encode()).digest(),
        reason=reason,
        category=category,
        owner=owner,
    )
    return str(row.id)


def listed(admin: Any, **wanted: Any) -> list[str]:
    answer = admin.get(PATH, params=wanted)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


def test_suppressions_are_found_by_account_and_by_the_address_that_it_has(
    admin: Any, learner: Any, other_learner: Any
) -> None:
    by_address = suppress(learner.email.upper(), "COMPLAINT")
    by_account = suppress("a-former-address@example.com", owner=learner.id)
    of_another = suppress(other_learner.email)

    assert listed(admin, user_id=learner.id) == [by_account, by_address]
    assert listed(admin, user_id=learner.id, reason="COMPLAINT") == [by_address]
    assert of_another in listed(admin)


def test_an_address_is_written_to_again_once_its_bounce_was_lifted(
    admin: Any, learner: Any
) -> None:
    bounce = suppress(learner.email)

    assert admin.delete(f"{PATH}/{bounce}").status_code == 204

    told = learner.get("/api/users/me/notification-preferences").json()
    assert told["undeliverable"] is None
    assert listed(admin, user_id=learner.id) == []
    assert listed(admin, user_id=learner.id, lifted=True) == [bounce]
    acts = bank.rows("SELECT * FROM auth.audit_log WHERE action = 'suppression.lifted'")
    assert [(act.actor_id, act.details) for act in acts] == [
        (admin.id, {"suppression_id": bounce, "reason": "HARD_BOUNCE"})
    ]


def test_lifting_it_again_changes_nothing(admin: Any, learner: Any) -> None:
    bounce = suppress(learner.email)
    admin.delete(f"{PATH}/{bounce}")
    [lifted] = bank.rows("SELECT lifted_at FROM notifications.email_suppressions")

    assert admin.delete(f"{PATH}/{bounce}").status_code == 204

    assert bank.rows("SELECT lifted_at FROM notifications.email_suppressions") == [lifted]
    assert bank.value("SELECT count(*) FROM auth.audit_log WHERE action = 'suppression.lifted'")


def test_an_address_that_bounces_again_is_suppressed_again(admin: Any, learner: Any) -> None:
    first = suppress(learner.email)
    admin.delete(f"{PATH}/{first}")

    assert listed(admin, user_id=learner.id) == []
    second = suppress(learner.email)
    assert listed(admin, user_id=learner.id) == [second]


def test_nobody_takes_back_for_readers_what_they_unsubscribed_from(
    admin: Any, learner: Any
) -> None:
    choice = suppress(learner.email, "UNSUBSCRIBE", "MARKETING")

    answer = admin.delete(f"{PATH}/{choice}")

    assert (answer.status_code, answer.json()["code"]) == (409, "readers_choice")
    assert listed(admin, user_id=learner.id) == [choice]


def test_what_was_never_suppressed_is_not_found(admin: Any) -> None:
    assert admin.delete(f"{PATH}/{uuid4()}").status_code == 404


@pytest.mark.parametrize("who", ["learner", "support"])
def test_only_admins_look_and_lift(who: str, request: pytest.FixtureRequest) -> None:
    person = request.getfixturevalue(who)
    bounce = suppress("somebody@example.com")

    assert person.get(PATH).status_code == 403
    assert person.delete(f"{PATH}/{bounce}").status_code == 403


def test_no_answer_has_an_address_or_its_hash(admin: Any, learner: Any) -> None:
    suppress(learner.email, owner=learner.id)

    answer = admin.get(PATH, params={"user_id": str(learner.id)}).text

    assert learner.email not in answer
    assert "hash" not in answer


def test_a_page_is_one_statement_and_lifting_three(
    admin: Any, learner: Any, statements: Any
) -> None:
    bounce = suppress(learner.email)
    statements()
    admin.get(PATH, params={"user_id": str(learner.id)})
    assert len(statements()) == 2
    admin.delete(f"{PATH}/{bounce}")
    assert len(statements()) == 1 + 3
