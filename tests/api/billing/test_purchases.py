from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import bank, shop
from tests.support.billing import LocalStripe
from tests.support.holdings import product, purchase
from tests.support.people import Person


def test_my_purchases_come_newest_first_page_by_page(learner: Person) -> None:
    made = [str(purchase(learner.id, product())) for _ in range(3)]

    first = learner.get("/api/purchases?limit=2").json()
    rest = learner.get(f"/api/purchases?limit=2&cursor={first['next_cursor']}").json()

    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None


def test_a_purchase_tells_until_when_it_can_be_taken_back(
    learner: Person, standin: LocalStripe
) -> None:
    bought = shop.buy(learner, standin)

    one = learner.get(f"/api/purchases/{bought['id']}").json()

    assert one == bought
    assert one["refundable_until"] == one["access_end"]  # both are 90 days
    assert one["refunds"] == []


def test_what_is_not_paid_cannot_be_taken_back(learner: Person, standin: LocalStripe) -> None:
    shop.open_page(learner)

    pending = shop.newest(learner)

    assert (pending["status"], pending["refundable_until"]) == ("PENDING", None)
    assert pending["access_start"] is None


def test_anothers_purchase_does_not_exist(learner: Person, other_learner: Person) -> None:
    id = purchase(learner.id, product())

    answer = other_learner.get(f"/api/purchases/{id}")

    assert (answer.status_code, answer.json()["code"]) == (404, "purchase_not_found")
    assert other_learner.get("/api/purchases").json()["items"] == []


@pytest.mark.parametrize("number", [1, 60])
def test_a_page_is_two_statements_however_many_there_are(
    number: int, learner: Person, statements: Callable[[], list[str]]
) -> None:
    sold = product()
    for _ in range(number):
        purchase(learner.id, sold)
    learner.get("/api/purchases")
    statements()

    assert len(learner.get("/api/purchases?limit=200").json()["items"]) == number

    assert len(statements()) == 2  # authentication, the page


def test_one_purchase_is_two_statements(
    learner: Person, statements: Callable[[], list[str]]
) -> None:
    id = purchase(learner.id, product())
    learner.get("/api/purchases")
    statements()

    learner.get(f"/api/purchases/{id}")

    assert len(statements()) == 2


def test_a_purchase_outlives_its_buyers_account(learner: Person, standin: LocalStripe) -> None:
    page = shop.open_page(learner)
    session_id = shop.session_of(page)
    learner.request("DELETE", "/api/users/me", json={"password": "violet canal lantern"})

    standin.standin.pay(session_id)
    standin.deliver_new()

    assert bank.value("SELECT status FROM payments.purchases") == "COMPLETED"
