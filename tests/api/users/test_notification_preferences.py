"""What somebody wants to hear of, by which channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import bank
from tests.support.mail_queue import queue, row, suppress

URL = "/api/users/me/notification-preferences"


def choices(person: Any) -> dict[str, dict[str, bool]]:
    answer = person.get(URL)
    assert answer.status_code == 200
    return {each.pop("category"): each for each in answer.json()["categories"]}


def change(person: Any, **categories: Any) -> Any:
    return person.patch(URL, json={"categories": categories})


def test_at_first_everything_is_told_by_mail_and_push(learner: Any) -> None:
    found = choices(learner)

    assert list(found) == ["ACCOUNT", "BILLING", "LEARNING", "REMINDERS", "SOCIAL", "MARKETING"]
    assert {name: each["email_always_on"] for name, each in found.items() if each["email"]} == {
        "ACCOUNT": True,
        "BILLING": True,
        "LEARNING": False,
        "REMINDERS": False,
        "SOCIAL": False,
        "MARKETING": False,
    }
    assert all(each["push"] and not each["sms"] for each in found.values())
    assert learner.get(URL).json()["undeliverable"] is None


def test_what_is_left_out_stays(learner: Any) -> None:
    change(learner, SOCIAL={"sms": True, "push": False})
    answer = change(learner, SOCIAL={"email": False}, LEARNING={"push": False})

    assert answer.status_code == 200
    found = choices(learner)
    assert {name: found["SOCIAL"][name] for name in ("email", "push", "sms")} == {
        "email": False,
        "push": False,
        "sms": True,
    }
    assert (found["LEARNING"]["email"], found["LEARNING"]["push"]) == (True, False)


@pytest.mark.parametrize("wanted", [True, False])
def test_marketing_mail_is_one_switch_wherever_it_is_turned(learner: Any, wanted: bool) -> None:
    change(learner, MARKETING={"email": not wanted, "push": False})
    assert learner.get("/api/users/me").json()["marketing_opt_out"] is wanted

    change(learner, MARKETING={"email": wanted})
    assert learner.get("/api/users/me").json()["marketing_opt_out"] is not wanted

    learner.patch("/api/users/me", json={"marketing_opt_out": wanted})
    assert choices(learner)["MARKETING"]["email"] is not wanted
    assert choices(learner)["MARKETING"]["push"] is False


@pytest.mark.parametrize("category", ["ACCOUNT", "BILLING"])
def test_mails_of_account_and_billing_cannot_be_switched_off(learner: Any, category: str) -> None:
    answer = change(learner, SOCIAL={"email": False}, **{category: {"email": False}})

    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["field"], error["code"]) == (f"categories.{category}.email", "always_on")
    assert choices(learner)["SOCIAL"]["email"] is True
    assert change(learner, **{category: {"push": False, "email": True}}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"categories": {}},
        {"categories": {"WEATHER": {"email": False}}},
        {"categories": {"SOCIAL": {"email": None}}},
        {"categories": {"SOCIAL": {"fax": True}}},
    ],
)
def test_what_does_not_fit_is_refused(learner: Any, body: dict[str, Any]) -> None:
    assert learner.patch(URL, json=body).status_code == 422
    assert bank.value("SELECT count(*) FROM notifications.notification_preferences") == 0


def test_switching_off_takes_back_what_waits(learner: Any) -> None:
    social, learning = queue(learner.id, "FRIEND_REQUEST"), queue(learner.id, "CERTIFICATE")

    change(learner, SOCIAL={"email": False})

    assert (row(social)["status"], row(social)["status_reason"]) == ("CANCELLED", "category_off")
    assert row(learning)["status"] == "PENDING"


def test_an_address_that_cannot_be_reached_is_said_to_be_so(learner: Any) -> None:
    suppress(learner.email, "COMPLAINT")
    assert learner.get(URL).json()["undeliverable"] == "COMPLAINT"

    suppress(learner.email, "HARD_BOUNCE")
    assert learner.get(URL).json()["undeliverable"] == "HARD_BOUNCE"


def test_anothers_choices_are_not_mine(learner: Any, other_learner: Any) -> None:
    change(other_learner, SOCIAL={"email": False}, MARKETING={"email": False})

    assert all(each["email"] for each in choices(learner).values())


def test_reading_is_one_statement_after_the_sign_in(
    learner: Any, statements: Callable[[], list[str]]
) -> None:
    statements()
    learner.get(URL)
    assert len(statements()) == 2


def test_a_change_is_four_statements_and_one_more_that_lifts_what_a_link_switched_off(
    learner: Any, statements: Callable[[], list[str]]
) -> None:
    change(learner, SOCIAL={"email": False})
    counts = []
    for wanted in (
        {"SOCIAL": {"email": True}},
        {"SOCIAL": {"sms": True}, "LEARNING": {"push": False}},
    ):
        statements()
        change(learner, **wanted)
        counts.append(len(statements()))
    assert counts == [5, 4]
