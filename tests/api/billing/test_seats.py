"""Seats of a subscription for several people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from studypack.billing.holdings import list_holdings
from studypack.billing.models import ProductKind
from studypack.core.business_settings import set_business_setting
from studypack.core.database import transaction
from tests.support import bank, holdings
from tests.support.concurrency import at_once, meeting_at
from tests.support.people import Person
from tests.support.subscribers import mine, verify_address

SEATS = "/api/billing/seats"
LOCK_OWNER = "SELECT 1 FROM payments.customers FOR UPDATE"


@pytest.fixture
def owner(sign_up: Callable[..., Person]) -> Person:
    """Somebody with an ENTERPRISE subscription of two seats."""
    person = sign_up()
    product = holdings.product(kind=ProductKind.SUBSCRIPTION, seats=True)
    holdings.subscription(person.id, product, quantity=2)
    return person


@pytest.fixture
def member(sign_up: Callable[..., Person]) -> Person:
    """Somebody with a verified address."""
    person = sign_up()
    verify_address(person)
    return person


def invite(owner: Person, email: str) -> Any:
    return owner.post(SEATS, json={"email": email})


def token_mailed_to(email: str) -> str:
    """What the newest invitation to an address carries."""
    link = bank.value(
        "SELECT data->>'link' FROM notifications.email_queue"
        " WHERE template = 'SEAT_INVITATION' AND to_address = :email ORDER BY id DESC LIMIT 1",
        email=email,
    )
    address = urlsplit(link)
    assert f"{address.scheme}://{address.netloc}{address.path}" == (
        "https://app.example.com/accept-seat"
    )
    return parse_qs(address.query)["token"][0]


def accept(person: Person, token: str) -> Any:
    return person.post(f"{SEATS}/accept", json={"token": token})


def seat(owner: Person, member: Person) -> str:
    """The member's seat, taken by invitation."""
    assert invite(owner, member.email).status_code == 201
    answer = accept(member, token_mailed_to(member.email))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def seats_of(owner: Person) -> Any:
    answer = owner.get(SEATS)
    assert answer.status_code == 200, answer.text
    return answer.json()


def closed_because(person: Person) -> list[str | None]:
    with transaction() as session:
        return [
            holding.closed_because for holding in list_holdings(session, person.id, grace_days=14)
        ]


def test_without_such_a_subscription_there_are_none(
    learner: Any, statements: Callable[[], list[str]]
) -> None:
    statements()

    assert seats_of(learner) == {
        "subscription_id": None,
        "total": 0,
        "free": 0,
        "seats": [],
        "invitations": [],
    }
    assert len(statements()) == 2


@pytest.mark.parametrize("kind", ["none", "without seats", "a member's"])
def test_only_the_owner_invites(learner: Any, owner: Person, member: Person, kind: str) -> None:
    caller = learner
    if kind == "without seats":
        holdings.subscription(learner.id, holdings.product(kind=ProductKind.SUBSCRIPTION))
    if kind == "a member's":
        seat(owner, member)
        caller = member

    answer = invite(caller, "new@example.com")

    assert (answer.status_code, answer.json()["code"]) == (404, "seats_not_found")


def test_an_invitation_keeps_a_seat_until_it_is_taken(
    owner: Person, member: Person, statements: Callable[[], list[str]]
) -> None:
    # As its owner writes it; the part after the @ has no case.
    name, _, domain = member.email.partition("@")
    written = f"{name.upper()}@{domain}"
    offered = invite(owner, written).json()
    before = seats_of(owner)

    answer = accept(member, token_mailed_to(written))

    assert (before["total"], before["free"]) == (2, 1)
    assert [offer["id"] for offer in before["invitations"]] == [offered["id"]]
    assert answer.status_code == 200, answer.text
    statements()
    after = seats_of(owner)
    assert len(statements()) == 3
    assert (after["free"], after["invitations"]) == (1, [])
    assert [place["id"] for place in after["seats"]] == [answer.json()["id"]]
    assert after["seats"][0]["email"] == written, "the address that was invited"
    assert mine(member)["seat_id"] == answer.json()["id"]
    assert closed_because(member) == [None]


def test_the_mail_says_who_invites_to_what(owner: Person) -> None:
    bank.execute("UPDATE auth.users SET first_name = 'Ana' WHERE id = :id", id=owner.id)
    invite(owner, "new@example.com")

    mail = bank.row("SELECT * FROM notifications.email_queue WHERE template = 'SEAT_INVITATION'")

    assert (mail.to_address, mail.user_id) == ("new@example.com", owner.id)
    assert (mail.data["inviter_name"], mail.data["product_name"]) == ("Ana", "A product")
    token = token_mailed_to("new@example.com")
    stored = bank.value("SELECT encode(token_hash, 'hex') FROM payments.seat_invitations")
    assert token not in stored


def test_again_a_new_link_takes_the_old_ones_place(owner: Person, member: Person) -> None:
    first = invite(owner, member.email).json()
    old = token_mailed_to(member.email)

    again = invite(owner, member.email)

    assert (again.status_code, again.json()["id"]) == (201, first["id"])
    assert bank.value("SELECT count(*) FROM payments.seat_invitations") == 1
    assert accept(member, old).json()["errors"][0]["code"] == "token_invalid"
    assert accept(member, token_mailed_to(member.email)).status_code == 200


def test_one_address_is_not_mailed_for_ever(owner: Person) -> None:
    with transaction() as session:
        set_business_setting(session, "mails_per_address", 2)

    answers = [invite(owner, "new@example.com") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert (
        bank.value(
            "SELECT count(*) FROM notifications.email_queue WHERE template = 'SEAT_INVITATION'"
        )
        == 2
    )


def test_no_more_are_invited_than_were_paid_for(owner: Person) -> None:
    invite(owner, "one@example.com")
    second = invite(owner, "two@example.com")

    refused = invite(owner, "three@example.com")
    owner.delete(f"{SEATS}/{second.json()['id']}")
    allowed = invite(owner, "three@example.com")

    assert (refused.status_code, refused.json()["code"]) == (409, "no_free_seat")
    assert {name: refused.json()[name] for name in ("total", "taken", "offered")} == {
        "total": 2,
        "taken": 0,
        "offered": 2,
    }
    assert allowed.status_code == 201


def test_a_lapsed_invitation_keeps_nothing_and_takes_its_turn_again(owner: Person) -> None:
    invite(owner, "one@example.com")
    bank.execute("UPDATE payments.seat_invitations SET expires_at = now() - interval '1 second'")
    assert seats_of(owner)["invitations"] == []
    assert [invite(owner, f"{name}@example.com").status_code for name in ("two", "three")] == [
        201,
        201,
    ]

    again = invite(owner, "one@example.com")

    assert (again.status_code, again.json()["code"]) == (409, "no_free_seat")


@pytest.mark.parametrize("email", ["not an address", "", "x" * 300 + "@example.com"])
def test_what_is_no_address_names_the_field(owner: Person, email: str) -> None:
    answer = invite(owner, email)

    assert [error["field"] for error in answer.json()["errors"]] == ["email"]


def test_the_owner_needs_no_seat(owner: Person) -> None:
    answer = invite(owner, owner.email.upper())

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "own_address")


def test_whoever_has_a_seat_is_not_invited_again(owner: Person, member: Person) -> None:
    seat(owner, member)

    answer = invite(owner, member.email)

    assert (answer.status_code, answer.json()["code"]) == (409, "already_seated")


def test_taking_it_again_changes_nothing(owner: Person, member: Person) -> None:
    invite(owner, member.email)
    token = token_mailed_to(member.email)

    first, again = accept(member, token), accept(member, token)

    assert (again.status_code, again.json()) == (200, first.json())
    assert bank.value("SELECT count(*) FROM payments.seats") == 1


def test_the_link_is_for_the_address_that_was_invited(
    owner: Person, member: Person, other_learner: Any
) -> None:
    invite(owner, other_learner.email)
    token = token_mailed_to(other_learner.email)

    strangers = accept(member, token)
    unverified = accept(other_learner, token)
    verify_address(other_learner)

    assert (strangers.status_code, strangers.json()["code"]) == (409, "other_address")
    assert (unverified.status_code, unverified.json()["code"]) == (409, "email_unverified")
    assert accept(other_learner, token).status_code == 200
    assert accept(member, token).json()["errors"][0]["code"] == "token_invalid"


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE payments.seat_invitations SET expires_at = now()",
        "UPDATE payments.seat_invitations SET revoked_at = now()",
        "DELETE FROM payments.seat_invitations",
    ],
)
def test_a_link_that_is_over_says_so_and_not_why(owner: Person, member: Person, spoil: str) -> None:
    invite(owner, member.email)
    token = token_mailed_to(member.email)
    bank.execute(spoil)

    answer = accept(member, token)

    assert answer.status_code == 422
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [
        ("token", "token_invalid")
    ]


@pytest.mark.parametrize(
    "ended", ["status = 'CANCELED'", "status = 'EXPIRED'", "access_ended_at = now()"]
)
def test_seats_end_with_the_subscription(owner: Person, member: Person, ended: str) -> None:
    seat(owner, member)
    invite(owner, "new@example.com")
    token = token_mailed_to("new@example.com")
    bank.execute(f"UPDATE payments.subscriptions SET {ended}")
    verify_address(member, "new@example.com")

    late = accept(member, token)

    assert (late.status_code, late.json()["code"]) == (409, "subscription_ended")
    assert closed_because(member) != [None]
    assert seats_of(owner)["subscription_id"] is None


def test_two_at_the_last_seat_and_one_gets_it(
    owner: Person, sign_up: Callable[..., Person], wide_pool: Any
) -> None:
    people = [sign_up(), sign_up()]
    for person in people:
        verify_address(person)
        invite(owner, person.email)
    tokens = [token_mailed_to(person.email) for person in people]
    bank.execute("UPDATE payments.subscriptions SET quantity = 1")

    answers = meeting_at(
        LOCK_OWNER,
        [
            lambda: accept(people[0], tokens[0]),
            lambda: accept(people[1], tokens[1]),
        ],
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "no_free_seat"
    assert bank.value("SELECT count(*) FROM payments.seats WHERE removed_at IS NULL") == 1


def test_twenty_invitations_at_once_keep_two_seats(owner: Person, wide_pool: Any) -> None:
    answers = at_once(
        *(lambda number=number: invite(owner, f"{number}@example.com") for number in range(20))
    )

    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 18


def test_one_link_twice_at_once_is_one_seat(owner: Person, member: Person, wide_pool: Any) -> None:
    invite(owner, member.email)
    token = token_mailed_to(member.email)

    answers = meeting_at(LOCK_OWNER, [lambda: accept(member, token) for _ in range(2)])

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len({answer.json()["id"] for answer in answers}) == 1


@pytest.mark.parametrize("who", ["owner", "member"])
def test_a_seat_is_given_up_by_its_member_or_taken_back_by_the_owner(
    owner: Person, member: Person, who: str
) -> None:
    taken = seat(owner, member)
    caller = {"owner": owner, "member": member}[who]

    answer = caller.delete(f"{SEATS}/{taken}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert seats_of(owner)["free"] == 2
    assert mine(member) is None
    assert closed_because(member) == []
    assert caller.delete(f"{SEATS}/{taken}").status_code == 404
    again = accept(member, token_mailed_to(member.email))
    assert again.json()["errors"][0]["code"] == "token_invalid"


def test_a_withdrawn_invitation_is_gone(owner: Person, member: Person) -> None:
    offered = invite(owner, member.email).json()["id"]
    token = token_mailed_to(member.email)

    assert owner.delete(f"{SEATS}/{offered}").status_code == 204
    assert owner.delete(f"{SEATS}/{offered}").status_code == 404
    assert accept(member, token).status_code == 422


def test_others_seats_and_invitations_do_not_exist(
    owner: Person, member: Person, learner: Any
) -> None:
    taken = seat(owner, member)
    offered = invite(owner, "new@example.com").json()["id"]

    for caller, id in [
        (learner, taken),
        (learner, offered),
        (member, offered),
        (learner, str(uuid4())),
    ]:
        answer = caller.delete(f"{SEATS}/{id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "seat_not_found")
    assert len(seats_of(owner)["seats"]) == len(seats_of(owner)["invitations"]) == 1
    assert seats_of(member)["seats"] == []


def test_the_invitation_lasts_as_long_as_the_setting_says(owner: Person) -> None:
    with transaction() as session:
        set_business_setting(session, "seat_invitation_days", 3)
    invite(owner, "new@example.com")

    lasts = bank.value("SELECT expires_at - created_at FROM payments.seat_invitations")

    assert lasts == timedelta(days=3)
