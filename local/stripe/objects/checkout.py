"""Checkout sessions as the API makes and shows them; paying one is in checkout_payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.stripe.account import DAY, MINUTE, Account, listed
from local.stripe.errors import ApiError, unsupported
from local.stripe.form import Params
from local.stripe.objects import cards, catalogue, coupons, customers, subscriptions
from local.stripe.state import Doc

SUBMIT = ("auto", "book", "donate", "pay", "subscribe")


def create(account: Account, params: Params) -> Doc:
    """POST /v1/checkout/sessions, in payment or subscription mode, with a page of its own."""
    mode = params.choice("mode", "payment", "setup", "subscription", default="payment")
    if mode == "setup":
        raise unsupported("sessions in setup mode", "mode")
    if (
        params.choice(
            "ui_mode", "hosted_page", "embedded_page", "elements", "form", default="hosted_page"
        )
        != "hosted_page"
    ):
        raise unsupported("pages that are not hosted", "ui_mode")
    params.required("success_url")
    customer = None
    if "customer" in params:
        customer = account.named("customer", params, "customer")
        if "customer_email" in params:
            raise ApiError(
                "You may only specify one of these parameters: customer, customer_email.",
                param="customer",
            )
    items = _items(account, params, mode)
    # A page is open for people, who live by the wall clock whatever their customer lives by.
    now = account.now()
    identifier = account.new_id("cs_test", 58)
    currency = items[0]["price"]["currency"]
    trial_end = _trial_end(account, params, mode, account.now(customer))
    if "discounts" in params and "allow_promotion_codes" in params:
        raise ApiError(
            "You may only specify one of these parameters: allow_promotion_codes, discounts."
        )
    session: Doc = {
        "id": identifier,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": params.flag("allow_promotion_codes"),
        "allowed_payment_method_types": None,
        "amount_subtotal": 0,
        "amount_total": 0,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.text("billing_address_collection"),
        "cancel_url": params.text("cancel_url"),
        "client_reference_id": params.text("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer["id"] if customer else None,
        "customer_account": None,
        "customer_creation": _creation(params, mode, customer),
        "customer_details": _details(account, customer, params.text("customer_email")),
        "customer_email": params.text("customer_email"),
        "discounts": [],
        "expires_at": _expiry(params, now),
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": _invoice_creation(params, mode),
        "livemode": False,
        "locale": params.text("locale"),
        "managed_payments": None,
        "metadata": params.metadata(),
        "mode": mode,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": params.choice(
            "payment_method_collection",
            "always",
            "if_required",
            default="always" if mode == "subscription" else "if_required",
        ),
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card", "sepa_debit"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.choice("submit_type", *SUBMIT, default="auto")
        if "submit_type" in params
        else None,
        "subscription": None,
        "success_url": params.text("success_url"),
        "total_details": None,
        "ui_mode": "hosted_page",
        "url": account.url(f"/c/pay/{identifier}"),
        "wallet_options": None,
        "~items": [
            {"id": each["id"], "price": each["price"]["id"], "quantity": each["quantity"]}
            for each in items
        ],
        "~trial_days": params.nested("subscription_data").integer("trial_period_days"),
        "~trial_end": trial_end,
        "~payment_data": _data(params.nested("payment_intent_data")),
        "~subscription_data": _data(params.nested("subscription_data")),
    }
    for given in params.many("discounts"):
        coupon, promotion = coupons.chosen(
            account,
            given,
            customer=session["customer"],
            amount=sum(_amount(each) for each in items),
            currency=currency,
        )
        use(session, coupon, promotion)
    reckon(account, session)
    account.store.add(session)
    return session


def _items(account: Account, params: Params, mode: str) -> list[Doc]:
    items: list[Doc] = []
    for given in params.many("line_items"):
        price = catalogue.chosen_price(account, given)
        quantity = given.integer("quantity", least=1)
        if quantity is None:
            raise ApiError(
                "Quantity is required. Add `quantity` to `line_items[0]`",
                param=given.path("quantity"),
            )
        items.append({"id": account.new_id("li"), "price": price, "quantity": quantity})
    if not items:
        raise ApiError(
            "Missing required param: line_items.", code="parameter_missing", param="line_items"
        )
    recurring = [each["price"]["recurring"] is not None for each in items]
    if mode == "payment" and any(recurring):
        raise ApiError(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param="line_items",
        )
    if mode == "subscription" and not any(recurring):
        raise ApiError(
            "You must provide at least one recurring price in `subscription` mode when using "
            "prices.",
            param="line_items",
        )
    if mode == "subscription" and not all(recurring):
        raise unsupported("one-time prices beside recurring ones", "line_items")
    if len({each["price"]["currency"] for each in items}) > 1:
        raise ApiError("All prices must have the same currency.", param="line_items")
    return items


def _amount(item: Doc) -> int:
    return int(item["price"]["unit_amount"]) * int(item["quantity"])


def _trial_end(account: Account, params: Params, mode: str, now: int) -> int | None:
    given = params.nested("subscription_data")
    if given.values and mode != "subscription":
        raise ApiError(
            "You can not pass `subscription_data` in `payment` mode.", param="subscription_data"
        )
    if params.nested("payment_intent_data").values and mode != "payment":
        raise ApiError(
            "You can not pass `payment_intent_data` in `subscription` mode.",
            param="payment_intent_data",
        )
    return subscriptions.trial_end_from(account, given, now)


def _creation(params: Params, mode: str, customer: Doc | None) -> str | None:
    if mode == "subscription" or customer is not None:
        if "customer_creation" in params:
            raise ApiError(
                "`customer_creation` can only be used in `payment` and `setup` mode, without a "
                "customer.",
                param="customer_creation",
            )
        return None if customer else "always"
    return params.choice("customer_creation", "always", "if_required", default="if_required")


def _expiry(params: Params, now: int) -> int:
    given = params.integer("expires_at")
    if given is not None and not now + 30 * MINUTE <= given <= now + DAY:
        raise ApiError(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout "
            "Session creation.",
            param="expires_at",
        )
    return given or now + DAY


def _invoice_creation(params: Params, mode: str) -> Doc | None:
    if mode != "payment":
        return None
    given = params.nested("invoice_creation")
    data = given.nested("invoice_data")
    return {
        "enabled": bool(given.flag("enabled")),
        "invoice_data": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": data.text("description"),
            "footer": data.text("footer"),
            "issuer": None,
            "metadata": data.metadata(),
            "rendering_options": None,
        },
    }


def _data(given: Params) -> Doc:
    return {
        "description": given.text("description"),
        "metadata": given.metadata(),
        "missing_payment_method": given.nested("trial_settings")
        .nested("end_behavior")
        .text("missing_payment_method"),
        "setup_future_usage": given.text("setup_future_usage"),
        "receipt_email": given.text("receipt_email"),
    }


def _details(account: Account, customer: Doc | None, email: str | None) -> Doc | None:
    if customer is None and email is None:
        return None
    return {
        "address": customer["address"] if customer else None,
        "business_name": None,
        "email": customer["email"] if customer else email,
        "individual_name": None,
        "name": customer["name"] if customer else None,
        "phone": customer["phone"] if customer else None,
        "tax_exempt": customer["tax_exempt"] if customer else "none",
        "tax_ids": customers.tax_ids_of(account, customer) if customer else [],
    }


@dataclass(frozen=True)
class Totals:
    """What a session asks for, line by line, before and after its coupon."""

    items: list[Doc]
    amounts: list[int]
    off: list[int]


def totals(account: Account, session: Doc) -> Totals:
    """The sums of a session as it is now."""
    items = [
        {**each, "price": account.store.find("price", each["price"])} for each in session["~items"]
    ]
    free = session["~trial_end"] is not None
    amounts = [0 if free else _amount(each) for each in items]
    off = [0 for _ in amounts]
    for discount in session["discounts"]:
        coupon = account.store.find("coupon", discount["coupon"])
        if coupon is not None:
            off = coupons.amounts_off(amounts, coupon)
    return Totals(items, amounts, off)


def reckon(account: Account, session: Doc) -> None:
    """Write the sums into the session."""
    sums = totals(account, session)
    session["amount_subtotal"] = sum(sums.amounts)
    session["amount_total"] = sum(sums.amounts) - sum(sums.off)
    session["total_details"] = {
        "amount_discount": sum(sums.off),
        "amount_shipping": 0,
        "amount_tax": 0,
    }


def use(session: Doc, coupon: Doc, promotion: Doc | None) -> None:
    """Put a coupon, and the code it came by, on a session."""
    session["discounts"] = [
        {"coupon": coupon["id"], "promotion_code": promotion["id"] if promotion else None}
    ]


def apply_code(account: Account, session: Doc, code: str) -> None:
    """A person typed a promotion code on the page."""
    if not session["allow_promotion_codes"]:
        raise ApiError("This session takes no promotion codes.")
    promotion = coupons.find_code(account, code)
    if promotion is None:
        raise ApiError("This code is invalid.", code="promotion_code_invalid")
    coupons.check_code(
        account, promotion, customer=session["customer"], amount=session["amount_subtotal"]
    )
    coupon = account.need("coupon", promotion["promotion"]["coupon"], "coupon")
    coupons.check(account, coupon, currency=session["currency"])
    use(session, coupon, promotion)
    reckon(account, session)
    account.store.changed(session)


def drop_code(account: Account, session: Doc) -> None:
    """A person took the promotion code off again."""
    if session["allow_promotion_codes"]:
        session["discounts"] = []
        reckon(account, session)
        account.store.changed(session)


def line_items(account: Account, session: Doc) -> list[Doc]:
    """The session's lines in the API's shape."""
    sums = totals(account, session)
    return [
        {
            "id": each["id"],
            "object": "item",
            "adjustable_quantity": None,
            "amount_discount": off,
            "amount_subtotal": amount,
            "amount_tax": 0,
            "amount_total": amount - off,
            "currency": session["currency"],
            "description": (account.store.find("product", each["price"]["product"]) or {}).get(
                "name"
            ),
            "metadata": {},
            "price": each["price"],
            "quantity": each["quantity"],
        }
        for each, amount, off in zip(sums.items, sums.amounts, sums.off, strict=True)
    ]


def list_line_items(account: Account, params: Params, identifier: str) -> Sequence[Any]:
    """GET /v1/checkout/sessions/:id/line_items."""
    return line_items(account, account.need("checkout.session", identifier))


def includable_line_items(account: Account, session: Doc) -> Doc:
    """The list that `expand[]=line_items` asks for."""
    return listed(f"/v1/checkout/sessions/{session['id']}/line_items", line_items(account, session))


def expire(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/checkout/sessions/:id/expire."""
    session = account.need("checkout.session", identifier)
    if session["status"] != "open":
        raise ApiError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session['status']}."
        )
    expire_now(account, session)
    return session


def expire_now(account: Account, session: Doc) -> None:
    """Close the page without a payment."""
    session["status"] = "expired"
    session["url"] = None
    account.store.changed(session)
    account.emit("checkout.session.expired", session)


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/checkout/sessions/:id: metadata."""
    session = account.need("checkout.session", identifier)
    session["metadata"] = params.metadata(session["metadata"])
    account.store.changed(session)
    return session


def new_method(account: Account, number: str, *, name: str | None, email: str | None) -> Doc:
    """The card that a person typed on a page."""
    card = cards.card_of(number)
    details = {"name": name, "email": email}
    billing = {
        "address": dict.fromkeys(customers.ADDRESS),
        "email": details["email"],
        "name": details["name"],
        "phone": None,
        "tax_id": None,
    }
    return cards.new_card(account, card, billing=billing)
