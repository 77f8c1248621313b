"""One open payment page per user and product, whatever happens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from studypack.billing import checkout as checkout_service
from studypack.billing.catalogue_sync import sync_products
from studypack.core.errors import Unavailable
from studypack.integrations import stripe as stripe_integration
from tests.support import bank, shop
from tests.support.accounts import change_setting, fields
from tests.support.billing import LocalStripe
from tests.support.concurrency import at_once


def count(table: str, where: str = "true") -> int:
    return int(bank.value(f"SELECT count(*) FROM payments.{table} WHERE {where}"))


# Opening


def test_a_page_is_opened_for_the_price_on_the_list(learner: Any, standin: LocalStripe) -> None:
    page = shop.open_page(learner)

    [session] = shop.sessions(standin)
    assert page["url"] == session["url"]
    assert (page["mode"], page["status"]) == ("PAYMENT", "OPEN")
    assert (session["amount_total"], session["currency"]) == (7900, "usd")
    assert session["success_url"] == shop.SUCCESS
    ours = {"studypack_checkout_id": page["id"], "studypack_user_id": str(learner.id)}
    assert session["metadata"] == ours
    [customer] = standin.standin.all("customer")
    assert (customer["email"], session["customer"]) == (learner.email, customer["id"])


def test_paying_makes_the_purchase_complete_and_opens_its_window(
    learner: Any, standin: LocalStripe
) -> None:
    purchase = shop.buy(learner, standin)

    assert (purchase["sku"], purchase["status"]) == (shop.EXAM_PACK, "COMPLETED")
    assert purchase["total"] == {"amount": 7900, "currency": "usd"}
    window = bank.value(
        "SELECT access_end - access_start FROM payments.purchases WHERE id = :id",
        id=purchase["id"],
    )
    assert window.days == 90


def test_the_same_wish_again_is_the_same_page(learner: Any, standin: LocalStripe) -> None:
    first, second = shop.open_page(learner), shop.open_page(learner)

    assert first == second
    assert len(shop.sessions(standin)) == count("checkouts") == count("purchases") == 1


def test_two_products_have_a_page_each(learner: Any, standin: LocalStripe) -> None:
    shop.open_page(learner)
    shop.open_page(learner, "flashcard-bundle")

    assert len(shop.sessions(standin, "open")) == 2
    assert len(standin.standin.all("customer")) == 1


def test_other_terms_close_the_open_page(learner: Any, standin: LocalStripe) -> None:
    first = shop.open_page(learner, "enterprise-monthly", quantity=3)
    second = shop.open_page(learner, "enterprise-monthly", quantity=5)

    assert first["id"] != second["id"]
    assert [each["status"] for each in shop.sessions(standin)] == ["expired", "open"]
    assert count("checkouts", "status = 'OPEN'") == 1


def test_only_one_subscription_is_being_bought(learner: Any, standin: LocalStripe) -> None:
    shop.open_page(learner, "pro-monthly")
    shop.open_page(learner, "pro-annual")

    [still_open] = shop.sessions(standin, "open")
    assert still_open["amount_total"] == 39900


def test_a_closed_page_takes_its_purchase_off(learner: Any, standin: LocalStripe) -> None:
    shop.open_page(learner)
    shop.open_page(learner, cancel_url="https://app.example.com/elsewhere")

    statuses = bank.rows("SELECT status, status_reason FROM payments.purchases ORDER BY id")
    assert [tuple(row) for row in statuses] == [
        ("CANCELED", "checkout_expired"),
        ("PENDING", None),
    ]


def test_a_page_whose_time_is_over_is_replaced(learner: Any, standin: LocalStripe) -> None:
    first = shop.open_page(learner)
    bank.execute("UPDATE payments.checkouts SET expires_at = now() - interval '1 minute'")

    second = shop.open_page(learner)

    assert second["id"] != first["id"]
    assert count("checkouts", "status = 'OPEN'") == 1


def test_a_page_stays_open_for_as_long_as_the_setting_says(
    learner: Any, standin: LocalStripe
) -> None:
    for minutes, least, most in ((1440, 23.8, 23.95), (60, 0.99, 1.01), (30, 0.57, 0.6)):
        change_setting("checkout_minutes", minutes)
        bank.execute("UPDATE payments.checkouts SET status = 'EXPIRED'")
        shop.open_page(learner)
        hours = bank.value(
            "SELECT extract(epoch FROM expires_at - created_at) / 3600 FROM payments.checkouts"
            " WHERE status = 'OPEN'"
        )
        assert least < float(hours) < most


# What one has already


def test_what_one_has_is_refused_with_until_when(learner: Any, standin: LocalStripe) -> None:
    purchase = shop.buy(learner, standin)

    answer = shop.ask(learner)

    assert (answer.status_code, answer.json()["code"]) == (409, "already_owned")
    assert answer.json()["until"].rstrip("Z+0:") == purchase["access_end"].rstrip("Z+0:")


def test_a_window_that_is_over_can_be_bought_again(learner: Any, standin: LocalStripe) -> None:
    shop.buy(learner, standin)
    bank.execute(
        "UPDATE payments.purchases SET access_start = access_start - interval '91 days',"
        " access_end = access_end - interval '91 days'"
    )

    assert shop.ask(learner).status_code == 201


def test_a_subscriber_is_sent_to_the_change_of_plan(learner: Any, standin: LocalStripe) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-monthly"))

    answer = shop.ask(learner, "pro-annual")

    assert (answer.status_code, answer.json()["code"]) == (409, "already_owned")
    assert answer.json()["change_plan"] == "/api/billing/subscription/change-plan"
    assert shop.ask(learner, shop.EXAM_PACK).status_code == 201


def test_while_a_slow_payment_is_on_its_way_nobody_pays_again(
    learner: Any, standin: LocalStripe
) -> None:
    shop.pay(standin, shop.open_page(learner), kind="sepa_debit")
    assert shop.newest(learner)["status"] == "PENDING"

    answer = shop.ask(learner)

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_under_way")


def test_a_slow_payment_that_fails_leaves_the_way_free(learner: Any, standin: LocalStripe) -> None:
    shop.pay(standin, shop.open_page(learner), kind="sepa_debit")
    [intent] = standin.standin.all("payment_intent")
    standin.standin.settle(intent["id"], succeeded=False)
    standin.deliver_new()

    assert shop.newest(learner)["status"] == "FAILED"
    assert shop.ask(learner).status_code == 201


# Subscriptions


def test_a_trial_is_for_somebody_who_never_subscribed(learner: Any, standin: LocalStripe) -> None:
    shop.pay(standin, shop.open_page(learner, "pro-monthly"))
    [subscription] = standin.standin.all("subscription")
    assert subscription["status"] == "trialing"
    standin.client.v1.subscriptions.cancel(subscription["id"])
    standin.deliver_new()

    page = shop.open_page(learner, "pro-monthly")

    trial = bank.value("SELECT trial_days FROM payments.checkouts WHERE id = :id", id=page["id"])
    assert trial == 0
    assert shop.sessions(standin, "open")[0]["amount_total"] == 4900


def test_seats_are_bought_by_number_and_nothing_else_is(learner: Any, standin: LocalStripe) -> None:
    shop.open_page(learner, "enterprise-monthly", quantity=5)
    [session] = shop.sessions(standin)
    assert session["amount_total"] == 5 * 3900

    refused = shop.ask(learner, quantity=2)
    assert refused.status_code == 422
    assert fields(refused) == [("quantity", "invalid")]


# Promotion codes


@pytest.fixture
def half_off(admin: Any, standin: LocalStripe) -> dict[str, Any]:
    answer = admin.post(
        "/api/admin/promotion-codes",
        json={"code": "HALF", "name": "Half off", "percent_off": 50, "max_redemptions": 1},
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_code_makes_the_page_cheaper_and_the_purchase_costs_what_was_charged(
    learner: Any, standin: LocalStripe, half_off: dict[str, Any]
) -> None:
    purchase = shop.buy(learner, standin, promotion_code="half")

    assert purchase["total"] == {"amount": 3950, "currency": "usd"}


def test_everything_off_is_a_purchase_without_a_payment(
    learner: Any, admin: Any, standin: LocalStripe
) -> None:
    admin.post(
        "/api/admin/promotion-codes",
        json={"code": "FREE-OF-IT", "name": "All off", "percent_off": 100},
    )

    purchase = shop.buy(learner, standin, promotion_code="FREE-OF-IT")

    assert (purchase["status"], purchase["total"]["amount"]) == ("COMPLETED", 0)
    assert purchase["refundable_until"] is None
    refused = learner.post(f"/api/purchases/{purchase['id']}/refund")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_refundable")


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM payments.promotion_codes",
        "UPDATE payments.promotion_codes SET is_active = false",
        "UPDATE payments.promotion_codes SET expires_at = now() - interval '1 second'",
        "UPDATE payments.promotion_codes SET stripe_promotion_code_id = NULL",
        "UPDATE payments.promotion_codes c SET product_id = p.id FROM payments.products p"  # noqa: ISC004
        " WHERE p.sku = 'pro-annual'",
        "UPDATE payments.promotion_codes"  # noqa: ISC004
        " SET percent_off = NULL, amount_off = 100, currency = 'eur'",
    ],
)
def test_a_code_that_cannot_be_used_is_named_and_nothing_is_reserved(
    learner: Any, standin: LocalStripe, half_off: dict[str, Any], spoil: str
) -> None:
    bank.execute(spoil)

    answer = shop.ask(learner, promotion_code="HALF")

    assert answer.status_code == 422
    assert fields(answer) == [("promotion_code", "promotion_code_invalid")]
    assert count("checkouts") == 0


def test_a_code_that_stripe_takes_no_more_is_named_and_the_way_is_free(
    learner: Any, other_learner: Any, standin: LocalStripe, half_off: dict[str, Any]
) -> None:
    shop.buy(other_learner, standin, promotion_code="HALF")  # it could be used once

    for _ in range(2):
        answer = shop.ask(learner, promotion_code="HALF", key="a")
        assert answer.status_code == 422
        assert fields(answer) == [("promotion_code", "promotion_code_invalid")]
    assert shop.ask(learner).status_code == 201


# Bad input


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/",
        "https://app.example.com.evil.com/",
        "https://app.example.com@evil.com/",
        "https://user@app.example.com/",
        "http://app.example.com/",
        "//app.example.com/",
        "/thanks",
        "https://app.example.com\\@evil.com/",
        "https://[::1/",
        "javascript:alert(1)",
        "https://app.example.com:444/",
    ],
)
@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
def test_nobody_is_sent_from_our_payment_to_a_foreign_page(
    field: str, url: str, learner: Any, standin: LocalStripe
) -> None:
    answer = shop.ask(learner, **{field: url})

    assert answer.status_code == 422
    assert fields(answer) == [(field, "foreign_address")]


def test_what_is_not_on_offer_is_named(learner: Any, standin: LocalStripe) -> None:
    bank.execute("UPDATE payments.products SET is_active = false WHERE sku = 'pro-annual'")

    for sku in ("no-such-thing", "pro-annual"):
        answer = shop.ask(learner, sku)
        assert answer.status_code == 422
        assert fields(answer) == [("sku", "unknown_sku")]


def test_pages_are_throttled_by_account(learner: Any, standin: LocalStripe) -> None:
    change_setting("checkouts_per_hour", 2)

    assert [shop.ask(learner).status_code for _ in range(3)] == [201, 201, 429]


# Idempotency keys


def test_a_key_that_comes_again_gets_its_page(learner: Any, standin: LocalStripe) -> None:
    first, again = (shop.ask(learner, key="k").json() for _ in range(2))

    assert first == again


def test_a_key_with_another_wish_is_refused(learner: Any, standin: LocalStripe) -> None:
    shop.ask(learner, key="k")

    answer = shop.ask(learner, "flashcard-bundle", key="k")

    assert answer.status_code == 422
    assert fields(answer) == [("Idempotency-Key", "key_reused")]


def test_a_key_whose_page_was_paid_tells_so_instead_of_another_page(
    learner: Any, standin: LocalStripe
) -> None:
    page = shop.ask(learner, key="k").json()
    shop.pay(standin, page)

    again = shop.ask(learner, key="k")

    assert again.status_code == 201
    assert (again.json()["id"], again.json()["status"]) == (page["id"], "COMPLETED")
    assert again.json()["url"] is None


# Faults


def test_when_stripe_is_down_the_reservation_is_kept_and_used(
    learner: Any, standin: LocalStripe
) -> None:
    sync_products()
    standin.standin.set_switches({"api_failures": 1_000})
    refused = shop.ask(learner, key="x")
    standin.standin.set_switches({"api_failures": 0})

    page = shop.ask(learner, key="x")

    assert (refused.status_code, refused.json()["code"]) == (503, "payments_unavailable")
    assert refused.headers["Retry-After"]
    assert page.status_code == 201
    assert count("checkouts") == count("purchases") == len(shop.sessions(standin)) == 1


def test_a_reservation_without_an_answer_is_gone_on_with(
    learner: Any, standin: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any) -> Any:
        raise Unavailable("down", code="payments_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(checkout_service, "_open_at_stripe", unreachable)
        assert shop.ask(learner).status_code == 503
    [reserved] = bank.rows("SELECT id FROM payments.checkouts")

    page = shop.open_page(learner)

    assert page["id"] == str(reserved.id)
    assert len(shop.sessions(standin)) == count("checkouts") == count("purchases") == 1


def test_a_crash_after_stripe_made_the_page_ends_in_one_page(
    learner: Any, standin: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_and_crashed(request: Any) -> Any:
        stripe_integration.call(request)
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(checkout_service, "call_once", made_and_crashed)
        assert shop.ask(learner).status_code == 500
    assert bank.value("SELECT stripe_session_id FROM payments.checkouts") is None

    page = shop.open_page(learner)

    [session] = shop.sessions(standin)
    assert page["url"] == session["url"]
    assert shop.session_of(page) == session["id"]


def test_an_answer_that_was_lost_on_the_way_is_asked_for_again(
    learner: Any, standin: LocalStripe
) -> None:
    standin.standin.set_switches({"api_lost_answers": 1})

    shop.open_page(learner)

    assert len(shop.sessions(standin)) == len(standin.standin.all("customer")) == 1


def test_a_reservation_too_old_for_stripe_is_replaced(
    learner: Any, standin: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any) -> Any:
        raise Unavailable("down", code="payments_unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(checkout_service, "_open_at_stripe", unreachable)
        shop.ask(learner)
    bank.execute("UPDATE payments.checkouts SET expires_at = now() + interval '10 minutes'")

    shop.open_page(learner)

    assert [
        row.status for row in bank.rows("SELECT status FROM payments.checkouts ORDER BY id")
    ] == [
        "EXPIRED",
        "OPEN",
    ]


def test_a_page_that_was_replaced_while_stripe_made_it_is_closed_again(
    learner: Any, standin: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_and_replaced(request: Any) -> Any:
        made = stripe_integration.call(request)
        bank.execute("UPDATE payments.checkouts SET status = 'EXPIRED'")
        return made

    monkeypatch.setattr(checkout_service, "call_once", made_and_replaced)

    answer = shop.ask(learner)

    assert (answer.status_code, answer.json()["code"]) == (409, "checkout_replaced")
    assert [each["status"] for each in shop.sessions(standin)] == ["expired"]


def test_a_customer_deleted_at_stripe_is_made_anew(learner: Any, standin: LocalStripe) -> None:
    shop.open_page(learner, "flashcard-bundle")
    [customer] = standin.standin.all("customer")
    standin.client.v1.customers.delete(customer["id"])  # and no event told us yet

    page = shop.open_page(learner)

    [anew] = standin.standin.all("customer")
    assert anew["id"] != customer["id"]
    assert shop.sessions(standin)[-1]["customer"] == anew["id"]
    assert page["status"] == "OPEN"


def test_a_page_that_was_paid_cannot_be_replaced(learner: Any, standin: LocalStripe) -> None:
    page = shop.open_page(learner)
    standin.standin.pay(shop.session_of(page))  # and no event told us yet

    answer = shop.ask(learner, cancel_url=shop.SUCCESS)

    assert (answer.status_code, answer.json()["code"]) == (409, "payment_under_way")
    standin.deliver_new()
    assert shop.newest(learner)["status"] == "COMPLETED"


def test_a_price_that_changes_keeps_the_open_page_and_meets_the_next_one(
    learner: Any, other_learner: Any, standin: LocalStripe
) -> None:
    before = shop.open_page(learner)
    bank.execute("UPDATE payments.products SET price_amount = 9900 WHERE sku = 'ot-exam-pack'")

    assert shop.open_page(learner)["id"] == before["id"]
    shop.open_page(other_learner)

    assert [each["amount_total"] for each in shop.sessions(standin)] == [7900, 9900]
    shop.pay(standin, before)
    assert shop.newest(learner)["total"]["amount"] == 7900


def test_a_currency_without_decimals_goes_all_the_way(learner: Any, standin: LocalStripe) -> None:
    bank.execute(
        "UPDATE payments.products SET price_amount = 9800, currency = 'jpy'"
        " WHERE sku = 'ot-exam-pack'"
    )

    purchase = shop.buy(learner, standin)

    assert purchase["total"] == {"amount": 9800, "currency": "jpy"}
    [session] = shop.sessions(standin)
    assert (session["amount_total"], session["currency"]) == (9800, "jpy")
    assert ",9800,0,JPY" in learner.get("/api/billing/transactions.csv").text
    back = learner.post(f"/api/purchases/{purchase['id']}/refund").json()
    assert back["money"] == {"amount": 9800, "currency": "jpy"}


# At once


@pytest.mark.usefixtures("wide_pool")
def test_fifty_who_ask_at_once_get_one_page(learner: Any, standin: LocalStripe) -> None:
    change_setting("checkouts_per_hour", 100)
    barrier = Barrier(50)

    def ask(_number: int) -> Any:
        barrier.wait(10)
        return shop.ask(learner)

    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(ask, range(50)))

    assert {answer.status_code for answer in answers} == {201}, [a.text for a in answers]
    assert len({answer.json()["url"] for answer in answers}) == 1
    assert len(shop.sessions(standin)) == len(standin.standin.all("customer")) == 1
    assert count("checkouts") == count("purchases") == count("customers") == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_different_wishes_at_once_leave_one_page_open(
    learner: Any, standin: LocalStripe
) -> None:
    def monthly() -> Any:
        return shop.ask(learner, "pro-monthly")

    def annual() -> Any:
        return shop.ask(learner, "pro-annual")

    answers = at_once(*[monthly, annual] * 4)

    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    assert len(shop.sessions(standin, "open")) <= 1
    assert count("checkouts", "status = 'OPEN'") <= 1
    shop.open_page(learner, "pro-annual")
    assert len(shop.sessions(standin, "open")) == count("checkouts", "status = 'OPEN'") == 1


def test_paying_twice_is_paid_back_by_itself(learner: Any, standin: LocalStripe) -> None:
    first = shop.open_page(learner)
    bank.execute("UPDATE payments.checkouts SET status = 'EXPIRED'")  # but not at Stripe
    second = shop.open_page(learner)
    standin.standin.pay(shop.session_of(first))
    standin.standin.pay(shop.session_of(second))

    standin.deliver_new()

    rows = bank.rows(
        "SELECT status, status_reason, is_duplicate FROM payments.purchases"
        " ORDER BY is_duplicate, id"
    )
    assert [tuple(row) for row in rows] == [
        ("COMPLETED", None, False),
        ("REFUNDED", "paid_twice", True),
    ]
    [refund] = standin.standin.all("refund")
    assert (refund["amount"], refund["reason"]) == (7900, "duplicate")
