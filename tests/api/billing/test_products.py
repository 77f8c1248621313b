from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support import bank


def listed(api: Any) -> list[dict[str, Any]]:
    page = api.get("/api/products").json()
    assert page["next_cursor"] is None
    items: list[dict[str, Any]] = page["items"]
    return items


def test_anybody_reads_the_price_list_and_may_keep_it_for_a_minute(api: Any) -> None:
    answer = api.get("/api/products")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    by_sku = {item["sku"]: item for item in answer.json()["items"]}
    assert by_sku["ot-exam-pack"]["access_window_days"] == 90
    assert by_sku["pro-monthly"]["price"] == {"amount": 4900, "currency": "usd"}
    assert (by_sku["pro-monthly"]["interval"], by_sku["pro-monthly"]["trial_days"]) == (
        "MONTHLY",
        14,
    )
    assert by_sku["pro-annual"]["price"]["amount"] == 39900
    assert by_sku["pro-basic-monthly"]["price"]["amount"] == 999
    assert by_sku["enterprise-monthly"]["has_seats"] is True


def test_a_product_tells_what_it_opens_and_where(api: Any) -> None:
    course = bank.value("SELECT id FROM learning.courses WHERE slug = 'occupational-therapy'")
    [pack] = [item for item in listed(api) if item["sku"] == "ot-exam-pack"]

    assert pack["grants"] == [
        {"feature": "exams", "course_id": str(course), "template_id": None, "deck_id": None}
    ]


def test_what_is_off_the_list_is_not_shown_nor_is_anything_of_stripes(api: Any) -> None:
    bank.execute("UPDATE payments.products SET is_active = false WHERE sku = 'ot-exam-pack'")

    assert "ot-exam-pack" not in {item["sku"] for item in listed(api)}
    assert "stripe" not in api.get("/api/products").text


def test_the_list_keeps_the_order_that_the_owner_gave(api: Any) -> None:
    bank.execute("UPDATE payments.products SET sort_order = -1 WHERE sku = 'pro-annual'")

    assert listed(api)[0]["sku"] == "pro-annual"


def test_the_price_list_is_one_statement(api: Any, statements: Callable[[], list[str]]) -> None:
    statements()
    api.get("/api/products")

    assert len(statements()) == 1
