from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, shop
from tests.support.accounts import fields
from tests.support.billing import LocalStripe
from tests.support.concurrency import at_once

PATH = "/api/admin/products"


def product(**other: Any) -> dict[str, Any]:
    return {
        "sku": "new-thing",
        "name": "A new thing",
        "kind": "ONE_TIME",
        "price_amount": 1500,
        "access_window_days": 30,
        "grants": [{"feature": "exams"}],
        **other,
    }


def create(admin: Any, **other: Any) -> dict[str, Any]:
    answer = admin.post(PATH, json=product(**other))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def change(admin: Any, made: dict[str, Any], **changes: Any) -> Any:
    body = {"updated_at": made["updated_at"], **changes}
    return admin.patch(f"{PATH}/{made['id']}", json=body)


def audited(action: str) -> list[Any]:
    return bank.rows(
        "SELECT actor_id, subject_id, details FROM auth.audit_log WHERE action = :a", a=action
    )


def test_a_new_product_is_on_the_list_at_once(admin: Any) -> None:
    made = create(admin)

    assert made["price"] == {"amount": 1500, "currency": "usd"}
    assert (made["price_in_sync"], made["stripe_price_id"]) == (False, None)
    assert "new-thing" in {item["sku"] for item in admin.get("/api/products").json()["items"]}
    assert admin.get(f"{PATH}/{made['id']}").json() == made
    [act] = audited("product.created")
    assert (str(act.actor_id), str(act.subject_id)) == (str(admin.id), made["id"])


def test_admins_see_what_is_off_the_list_too(admin: Any) -> None:
    create(admin, is_active=False)

    assert "new-thing" in {item["sku"] for item in admin.get(PATH).json()["items"]}
    assert "new-thing" not in {item["sku"] for item in admin.get("/api/products").json()["items"]}


@pytest.mark.parametrize(
    ("spoilt", "named"),
    [
        ({"sku": "Not A Sku"}, "sku"),
        ({"sku": ""}, "sku"),
        ({"price_amount": 0}, "price_amount"),
        ({"price_amount": 100_000_000}, "price_amount"),
        ({"price_amount": 1234, "currency": "kwd"}, "price_amount"),
        ({"currency": "USD"}, "currency"),
        ({"access_window_days": 0}, "access_window_days"),
        ({"plan": "PRO"}, "plan"),
        ({"interval": "MONTHLY"}, "interval"),
        ({"trial_days": 7}, "trial_days"),
        ({"has_seats": True}, "has_seats"),
        ({"kind": "SUBSCRIPTION", "plan": "PRO", "interval": "MONTHLY"}, "access_window_days"),
        ({"kind": "SUBSCRIPTION", "access_window_days": None, "plan": "PRO"}, "interval"),
        (
            {
                "kind": "SUBSCRIPTION",
                "access_window_days": None,
                "plan": "FREE",
                "interval": "ANNUAL",
            },
            "plan",
        ),
        ({"grants": [{"feature": "exams"}, {"feature": "exams"}]}, "grants.1"),
        ({"grants": [{"feature": "flying"}]}, "grants.0.feature"),
        ({"grants": [{"feature": "exams", "course_id": str(uuid4())}]}, "grants.0.course_id"),
        ({"grants": [{"feature": "exams", "template_id": str(uuid4())}]}, "grants.0.template_id"),
        (
            {"grants": [{"feature": "flashcards", "deck_id": str(uuid4()), "course_id": None}] * 2},
            "grants.1",
        ),
        ({"metadata": {"a": "x" * 20_000}}, "metadata"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_made(
    spoilt: dict[str, Any], named: str, admin: Any
) -> None:
    answer = admin.post(PATH, json=product(**spoilt))

    assert answer.status_code == 422, answer.text
    assert named in [field for field, _code in fields(answer)]
    assert bank.value("SELECT count(*) FROM payments.products WHERE sku = 'new-thing'") == 0


def test_a_sku_is_taken_once(admin: Any) -> None:
    create(admin)

    answer = admin.post(PATH, json=product())

    assert (answer.status_code, answer.json()["code"]) == (409, "sku_taken")


def test_a_change_of_what_one_looked_at_is_made_and_written_down(admin: Any) -> None:
    made = create(admin)

    answer = change(admin, made, price_amount=1700, name="Another name")

    assert answer.status_code == 200
    now = answer.json()
    assert (now["price"]["amount"], now["name"]) == (1700, "Another name")
    assert now["access_window_days"] == 30
    assert now["updated_at"] > made["updated_at"]
    [act] = audited("product.changed")
    assert act.details["changes"]["price_amount"] == {"old": 1500, "new": 1700}


def test_a_change_of_what_somebody_changed_since_is_refused(admin: Any) -> None:
    made = create(admin)
    change(admin, made, name="First")

    answer = change(admin, made, name="Second")

    assert (answer.status_code, answer.json()["code"]) == (409, "product_changed")
    assert admin.get(f"{PATH}/{made['id']}").json()["name"] == "First"


@pytest.mark.usefixtures("wide_pool")
def test_of_two_changes_at_once_one_is_refused(admin: Any) -> None:
    made = create(admin)

    answers = at_once(*[lambda: change(admin, made, grants=[{"feature": "tutor"}])] * 4)

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


def test_new_grants_take_the_place_of_the_old(admin: Any) -> None:
    made = create(admin)

    now = change(admin, made, grants=[{"feature": "courses"}, {"feature": "tutor"}]).json()

    assert [grant["feature"] for grant in now["grants"]] == ["courses", "tutor"]
    assert change(admin, now, grants=[]).json()["grants"] == []


def test_a_change_that_does_not_fit_is_refused_whole(admin: Any) -> None:
    made = create(admin)

    answer = change(admin, made, name="Another", trial_days=7)

    assert answer.status_code == 422
    assert fields(answer) == [("trial_days", "does_not_fit")]
    assert admin.get(f"{PATH}/{made['id']}").json() == made


@pytest.mark.parametrize(
    "body", [{"name": "x"}, {"updated_at": "2026-01-01T00:00:00"}, {"sku": "other"}]
)
def test_a_change_says_of_which_state(body: dict[str, Any], admin: Any) -> None:
    made = create(admin)

    assert admin.patch(f"{PATH}/{made['id']}", json=body).status_code == 422


def test_a_product_that_was_never_sold_is_deleted(admin: Any) -> None:
    made = create(admin)

    answer = admin.delete(f"{PATH}/{made['id']}")

    assert answer.json() == {"deleted": True}
    assert admin.get(f"{PATH}/{made['id']}").status_code == 404
    assert len(audited("product.deleted")) == 1


def test_a_product_that_was_sold_only_leaves_the_list(
    admin: Any, learner: Any, standin: LocalStripe
) -> None:
    made = create(admin)
    purchase = shop.buy(learner, standin, "new-thing")

    answer = admin.delete(f"{PATH}/{made['id']}")

    assert answer.json() == {"deleted": False}
    assert admin.get(f"{PATH}/{made['id']}").json()["is_active"] is False
    assert shop.newest(learner) == purchase
    assert shop.ask(learner, "new-thing").status_code == 422


def test_a_purchase_keeps_its_window_when_the_product_changes(
    admin: Any, learner: Any, standin: LocalStripe
) -> None:
    made = create(admin)
    purchase = shop.buy(learner, standin, "new-thing")
    current = admin.get(f"{PATH}/{made['id']}").json()

    change(admin, current, access_window_days=1, price_amount=1)

    assert shop.newest(learner) == purchase


def test_a_sync_tells_what_it_did_and_the_product_is_in_sync(
    admin: Any, standin: LocalStripe
) -> None:
    made = create(admin)

    report = admin.post(f"{PATH}/sync")

    assert report.status_code == 200
    assert report.json()["products_created"] == report.json()["prices_created"] > 1
    current = admin.get(f"{PATH}/{made['id']}").json()
    assert current["price_in_sync"] is True
    # What one looked at before the sync is still what one changes.
    assert change(admin, made, price_amount=1600).json()["price_in_sync"] is False
    assert len(audited("products.synced")) == 1


def test_a_sync_without_stripe_can_be_asked_again(admin: Any, standin: LocalStripe) -> None:
    standin.standin.set_switches({"api_failures": 3})

    refused = admin.post(f"{PATH}/sync")

    assert (refused.status_code, refused.json()["code"]) == (503, "payments_unavailable")
    standin.standin.set_switches({"api_failures": 0})
    assert admin.post(f"{PATH}/sync").status_code == 200


@pytest.mark.parametrize("who", ["learner", "support"])
def test_the_price_list_is_for_admins(who: str, request: pytest.FixtureRequest) -> None:
    person = request.getfixturevalue(who)

    for method, path in (("GET", PATH), ("POST", PATH), ("POST", f"{PATH}/sync")):
        assert person.request(method, path, json={}).status_code == 403


def test_the_list_is_two_statements(admin: Any, statements: Callable[[], list[str]]) -> None:
    admin.get(PATH)
    statements()

    admin.get(PATH)

    assert len(statements()) == 2  # authentication, the list
