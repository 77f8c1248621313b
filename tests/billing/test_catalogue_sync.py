"""Our price list at Stripe: made once, whatever happens between."""

from __future__ import annotations

from typing import Any

import pytest

from studypack.billing import catalogue_sync
from studypack.billing.catalogue_sync import price_in_force, sync_products
from studypack.core.errors import Unavailable
from tests.support import bank
from tests.support.billing import LocalStripe
from tests.support.concurrency import at_once


def product(sku: str) -> Any:
    return bank.row("SELECT * FROM payments.products WHERE sku = :sku", sku=sku)


def prices(standin: LocalStripe, sku: str, *, active: bool | None = None) -> list[dict[str, Any]]:
    return [
        each
        for each in standin.standin.all("price")
        if each["metadata"]["studypack_sku"] == sku and active in {None, each["active"]}
    ]


def test_the_whole_price_list_is_made_at_stripe_once(standin: LocalStripe) -> None:
    count = bank.value("SELECT count(*) FROM payments.products")

    first, second = sync_products(), sync_products()

    assert (first.products_created, first.prices_created) == (count, count)
    assert (second.products_unchanged, second.products_created) == (count, 0)
    assert (second.products_updated, second.prices_created, second.prices_archived) == (0, 0, 0)
    assert len(standin.standin.all("product")) == len(standin.standin.all("price")) == count


def test_amount_currency_and_interval_are_those_of_the_list(standin: LocalStripe) -> None:
    sync_products()

    [annual], [pack] = prices(standin, "pro-annual"), prices(standin, "ot-exam-pack")
    assert (annual["unit_amount"], annual["currency"]) == (39900, "usd")
    assert annual["recurring"]["interval"] == "year"
    assert (pack["unit_amount"], pack["recurring"]) == (7900, None)
    assert product("ot-exam-pack").stripe_price_id == pack["id"]


def test_a_changed_price_is_a_new_one_and_the_old_is_archived(standin: LocalStripe) -> None:
    sync_products()
    bank.execute("UPDATE payments.products SET price_amount = 8900 WHERE sku = 'ot-exam-pack'")

    report = sync_products()

    assert (report.prices_created, report.prices_archived) == (1, 1)
    [old, new] = prices(standin, "ot-exam-pack")
    assert (old["unit_amount"], old["active"]) == (7900, False)
    assert (new["unit_amount"], new["active"]) == (8900, True)
    kept = bank.rows(
        "SELECT amount, archived_at IS NULL AS in_force FROM payments.product_prices"
        " WHERE product_id = :id ORDER BY amount",
        id=product("ot-exam-pack").id,
    )
    assert [(row.amount, row.in_force) for row in kept] == [(7900, False), (8900, True)]
    assert sync_products().prices_archived == 0


def test_a_price_that_comes_back_is_on_sale_again(standin: LocalStripe) -> None:
    for amount in (7900, 8900, 7900, 8900):
        bank.execute(
            "UPDATE payments.products SET price_amount = :a WHERE sku = 'pro-annual'", a=amount
        )
        sync_products()

    [current] = prices(standin, "pro-annual", active=True)
    assert current["unit_amount"] == 8900
    assert current["id"] == product("pro-annual").stripe_price_id


def test_a_new_name_and_leaving_the_list_reach_stripe(standin: LocalStripe) -> None:
    sync_products()
    bank.execute(
        "UPDATE payments.products SET name = 'Exams', description = NULL, is_active = false"
        " WHERE sku = 'ot-exam-pack'"
    )

    report = sync_products()

    assert (report.products_updated, report.prices_created) == (1, 0)
    there = standin.standin.find("product", product("ot-exam-pack").stripe_product_id)
    assert there is not None
    assert (there["name"], there["description"], there["active"]) == ("Exams", None, False)


def test_a_product_that_was_never_on_the_list_is_not_told_to_stripe(standin: LocalStripe) -> None:
    bank.execute("UPDATE payments.products SET is_active = false WHERE sku = 'ot-exam-pack'")

    sync_products()

    assert prices(standin, "ot-exam-pack") == []
    assert product("ot-exam-pack").stripe_product_id is None


@pytest.mark.parametrize("lost", ["api_lost_answers", "api_failures"])
def test_a_sync_that_broke_off_is_gone_on_with(standin: LocalStripe, lost: str) -> None:
    count = bank.value("SELECT count(*) FROM payments.products")
    for failures in range(2, 9):
        standin.standin.set_switches({lost: failures})
        try:
            sync_products()
        except Unavailable:
            standin.standin.set_switches({lost: 0})
    sync_products()

    assert len(standin.standin.all("product")) == count
    assert len([each for each in standin.standin.all("price") if each["active"]]) == count


def test_ids_that_were_not_recorded_are_found_again(
    standin: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(catalogue_sync, "_record", crash)
        with pytest.raises(KeyboardInterrupt):
            price_in_force(product("ot-exam-pack").id)
    assert product("ot-exam-pack").stripe_price_id is None

    price_id = price_in_force(product("ot-exam-pack").id)

    [made] = prices(standin, "ot-exam-pack")
    assert made["id"] == price_id


def test_what_stripe_forgot_is_made_again(standin: LocalStripe) -> None:
    bank.execute(
        "UPDATE payments.products SET stripe_product_id = 'prod_gone', stripe_price_id = NULL"
        " WHERE sku = 'ot-exam-pack'"
    )

    price_in_force(product("ot-exam-pack").id)

    assert standin.standin.find("product", "prod_gone") is not None
    assert len(prices(standin, "ot-exam-pack")) == 1


@pytest.mark.usefixtures("wide_pool")
def test_many_who_need_a_price_at_once_make_one(standin: LocalStripe) -> None:
    id = product("pro-monthly").id

    got = at_once(*[lambda: price_in_force(id)] * 8)

    assert len(set(got)) == 1
    assert len(prices(standin, "pro-monthly", active=True)) == 1


def test_a_sync_does_not_look_like_a_change_of_the_product(standin: LocalStripe) -> None:
    before = product("ot-exam-pack").updated_at

    sync_products()

    assert product("ot-exam-pack").updated_at == before
