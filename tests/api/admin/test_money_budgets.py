"""What the back office of money costs the database, in statements; exactly, since a budget with
room would hide the next one. Authentication is one of them; what asks Stripe takes several short
transactions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import bank, shop
from tests.support.billing import LocalStripe

BUDGETS = {
    "POST /api/admin/products": 6,
    "GET /api/admin/products/{product_id}": 2,
    "PATCH /api/admin/products/{product_id}": 7,
    "DELETE /api/admin/products/{product_id}": 5,
    "POST /api/admin/products/sync (nothing to do)": 43,
    "POST /api/admin/promotion-codes": 8,
    "GET /api/admin/promotion-codes": 2,
    "PATCH /api/admin/promotion-codes/{code_id}": 5,
    "POST /api/admin/stripe-events/{event_id}/replay (done before)": 5,
    "POST /api/admin/users/{user_id}/refunds (a part)": 29,
}


class Counted:
    """Counts what a request sends, and holds it to its budget."""

    def __init__(self, statements: Callable[[], list[str]]) -> None:
        self._statements = statements

    def __call__(self, name: str, status: int, request: Callable[[], Any]) -> Any:
        self._statements()
        answer = request()
        sent = self._statements()
        assert answer.status_code == status, answer.text
        assert len(sent) == BUDGETS[name], f"{name}: {len(sent)}\n" + "\n".join(sent)
        return answer


@pytest.fixture
def costs(statements: Callable[[], list[str]]) -> Counted:
    return Counted(statements)


def test_the_price_list(admin: Any, standin: LocalStripe, costs: Counted) -> None:
    path = "/api/admin/products"
    assert admin.get(path).status_code == 200
    made = costs(
        "POST /api/admin/products",
        201,
        lambda: admin.post(
            path,
            json={
                "sku": "new-thing",
                "name": "A new thing",
                "kind": "ONE_TIME",
                "price_amount": 1_500,
                "grants": [{"feature": "exams"}],
            },
        ),
    ).json()
    one = f"{path}/{made['id']}"
    costs("GET /api/admin/products/{product_id}", 200, lambda: admin.get(one))
    changed = {"updated_at": made["updated_at"], "name": "Another"}
    costs("PATCH /api/admin/products/{product_id}", 200, lambda: admin.patch(one, json=changed))
    costs("DELETE /api/admin/products/{product_id}", 200, lambda: admin.delete(one))
    assert admin.post(f"{path}/sync").status_code == 200
    costs("POST /api/admin/products/sync (nothing to do)", 200, lambda: admin.post(f"{path}/sync"))


def test_promotion_codes(admin: Any, standin: LocalStripe, costs: Counted) -> None:
    path = "/api/admin/promotion-codes"
    assert admin.get(path).status_code == 200
    made = costs(
        "POST /api/admin/promotion-codes",
        201,
        lambda: admin.post(path, json={"code": "SPRING", "name": "Spring", "percent_off": "20"}),
    ).json()
    costs("GET /api/admin/promotion-codes", 200, lambda: admin.get(path))
    costs(
        "PATCH /api/admin/promotion-codes/{code_id}",
        200,
        lambda: admin.patch(f"{path}/{made['id']}", json={"is_active": False}),
    )


def test_a_refund_and_a_replay(
    learner: Any, support: Any, admin: Any, standin: LocalStripe, costs: Counted
) -> None:
    payment = shop.payment_of(shop.buy(learner, standin))
    assert support.get(f"/api/admin/users/{learner.id}/purchases").status_code == 200
    costs(
        "POST /api/admin/users/{user_id}/refunds (a part)",
        202,
        lambda: support.post(
            f"/api/admin/users/{learner.id}/refunds",
            json={"transaction_id": str(payment.id), "amount": 100, "reason": "a kindness"},
        ),
    )
    done = bank.value("SELECT min(id) FROM payments.stripe_events WHERE processed_at IS NOT NULL")
    assert admin.get("/api/admin/stripe-events").status_code == 200
    costs(
        "POST /api/admin/stripe-events/{event_id}/replay (done before)",
        200,
        lambda: admin.post(f"/api/admin/stripe-events/{done}/replay"),
    )
