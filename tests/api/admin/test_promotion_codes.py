from __future__ import annotations

from typing import Any

import pytest

from studypack.billing import promotions
from tests.support import bank
from tests.support.accounts import fields
from tests.support.billing import LocalStripe
from tests.support.concurrency import at_once

PATH = "/api/admin/promotion-codes"


def code(**other: Any) -> dict[str, Any]:
    return {"code": "Spring-26", "name": "Spring sale", "percent_off": "20", **other}


def create(admin: Any, **other: Any) -> dict[str, Any]:
    answer = admin.post(PATH, json=code(**other))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_code_is_made_with_its_coupon_at_stripe(admin: Any, standin: LocalStripe) -> None:
    made = create(
        admin,
        percent_off="12.5",
        duration="REPEATING",
        duration_months=3,
        max_redemptions=10,
        expires_at="2027-01-01T00:00:00Z",
        sku="pro-monthly",
    )

    assert (made["code"], made["percent_off"], made["sku"]) == ("SPRING-26", "12.50", "pro-monthly")
    assert (made["is_active"], made["is_known_to_stripe"]) == (True, True)
    [coupon], [promotion] = standin.standin.all("coupon"), standin.standin.all("promotion_code")
    assert (coupon["percent_off"], coupon["duration"], coupon["duration_in_months"]) == (
        12.5,
        "repeating",
        3,
    )
    assert (promotion["code"], promotion["max_redemptions"]) == ("SPRING-26", 10)
    assert promotion["expires_at"] == 1_798_761_600
    assert admin.get(PATH).json()["items"] == [made]
    [act] = bank.rows("SELECT * FROM auth.audit_log WHERE action = 'promotion_code.created'")
    assert (act.actor_id, act.details["code"]) == (admin.id, "SPRING-26")


def test_an_amount_off_has_a_currency(admin: Any, standin: LocalStripe) -> None:
    made = create(admin, percent_off=None, amount_off=500, currency="usd")

    assert made["amount_off"] == {"amount": 500, "currency": "usd"}
    assert standin.standin.all("coupon")[0]["amount_off"] == 500


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ({"code": "a b"}, "code"),
        ({"code": "ab"}, "code"),
        ({"percent_off": None}, "percent_off"),
        ({"amount_off": 5, "currency": "usd"}, "percent_off"),
        ({"percent_off": "0"}, "percent_off"),
        ({"percent_off": "100.01"}, "percent_off"),
        ({"percent_off": None, "amount_off": 5}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"duration": "REPEATING"}, "duration_months"),
        ({"duration_months": 2}, "duration_months"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2999-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "expires_at"),
        ({"max_redemptions": 0}, "max_redemptions"),
        ({"sku": "no-such-thing"}, "sku"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(
    spoilt: dict[str, Any], named: str, admin: Any, standin: LocalStripe
) -> None:
    answer = admin.post(PATH, json=code(**spoilt))

    assert answer.status_code == 422, answer.text
    assert [field for field, _code in fields(answer)] == [named]
    assert standin.standin.all("coupon") == []


def test_a_code_is_taken_once_however_it_is_spelt(admin: Any, standin: LocalStripe) -> None:
    create(admin)

    answer = admin.post(PATH, json=code(code="SPRING-26"))

    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
    assert len(standin.standin.all("coupon")) == 1


def test_a_code_that_stripe_has_already_is_refused_and_leaves_nothing(
    admin: Any, standin: LocalStripe
) -> None:
    coupon = standin.client.v1.coupons.create({"percent_off": 1, "duration": "once"})
    standin.client.v1.promotion_codes.create(
        {"code": "SPRING-26", "promotion": {"type": "coupon", "coupon": coupon.id}}
    )

    answer = admin.post(PATH, json=code())

    assert (answer.status_code, answer.json()["code"]) == (409, "code_taken")
    assert bank.value("SELECT count(*) FROM payments.promotion_codes") == 0
    assert [each["id"] for each in standin.standin.all("coupon")] == [coupon.id]


def test_a_code_left_half_made_is_gone_on_with(
    admin: Any, standin: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> str:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(promotions, "_make_code", crash)
        assert admin.post(PATH, json=code()).status_code == 500
    [half] = admin.get(PATH).json()["items"]
    assert half["is_known_to_stripe"] is False
    other_terms = admin.post(PATH, json=code(percent_off="30"))
    assert (other_terms.status_code, other_terms.json()["code"]) == (409, "code_taken")

    made = create(admin)

    assert made["id"] == half["id"]
    assert len(standin.standin.all("coupon")) == len(standin.standin.all("promotion_code")) == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_admins_who_send_one_code_at_once_make_one(admin: Any, standin: LocalStripe) -> None:
    answers = at_once(*[lambda: admin.post(PATH, json=code())] * 6)

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(standin.standin.all("coupon")) == len(standin.standin.all("promotion_code")) == 1
    assert bank.value("SELECT count(*) FROM payments.promotion_codes") == 1


def test_a_withdrawn_code_is_withdrawn_at_stripe_and_can_come_back(
    admin: Any, standin: LocalStripe
) -> None:
    made = create(admin)

    for is_active in (False, False, True):
        answer = admin.patch(f"{PATH}/{made['id']}", json={"is_active": is_active})
        assert answer.json()["is_active"] is is_active
        assert standin.standin.all("promotion_code")[0]["active"] is is_active

    acts = bank.rows("SELECT action FROM auth.audit_log WHERE subject_id = :id", id=made["id"])
    assert sorted(row.action for row in acts) == [
        "promotion_code.activated",
        "promotion_code.created",
        "promotion_code.deactivated",
    ]


def test_when_stripe_is_down_a_code_is_withdrawn_here_at_once(
    admin: Any, standin: LocalStripe
) -> None:
    made = create(admin)
    standin.standin.set_switches({"api_failures": 10})

    answer = admin.patch(f"{PATH}/{made['id']}", json={"is_active": False})

    assert answer.status_code == 503
    assert admin.get(PATH).json()["items"][0]["is_active"] is False


def test_a_code_of_nobody_is_not_found(admin: Any, standin: LocalStripe) -> None:
    answer = admin.patch(f"{PATH}/00000000-0000-7000-8000-000000000000", json={"is_active": True})

    assert (answer.status_code, answer.json()["code"]) == (404, "promotion_code_not_found")


@pytest.mark.parametrize("who", ["learner", "support"])
def test_codes_are_for_admins(who: str, request: pytest.FixtureRequest) -> None:
    person = request.getfixturevalue(who)

    assert person.get(PATH).status_code == 403
    assert person.post(PATH, json=code()).status_code == 403
