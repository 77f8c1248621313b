"""Coupons, promotion codes, and discounts: a coupon at work on something."""

from __future__ import annotations

from local.stripe import money
from local.stripe.account import Account, currency_of
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.state import Doc


def create(account: Account, params: Params) -> Doc:
    """POST /v1/coupons."""
    identifier = params.text("id") or account.new_id("c", 8).removeprefix("c_")
    if account.find("coupon", identifier) is not None:
        raise ApiError("Coupon already exists.", code="resource_already_exists", param="id")
    percent, amount = params.text("percent_off"), params.integer("amount_off", least=1)
    if (percent is None) == (amount is None):
        raise ApiError("You must pass either percent_off or amount_off.", param="percent_off")
    duration = params.choice("duration", "once", "repeating", "forever", default="once")
    months = params.integer("duration_in_months", least=1)
    if (duration == "repeating") != (months is not None):
        raise ApiError(
            "duration_in_months goes with the duration repeating, and with no other.",
            param="duration_in_months",
        )
    coupon: Doc = {
        "id": identifier,
        "object": "coupon",
        "amount_off": amount,
        "created": account.now(),
        "currency": currency_of(params) if amount is not None else None,
        "duration": duration,
        "duration_in_months": months,
        "livemode": False,
        "max_redemptions": params.integer("max_redemptions", least=1),
        "metadata": params.metadata(),
        "name": params.text("name"),
        "percent_off": _percent(percent) if percent is not None else None,
        "redeem_by": params.integer("redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    return account.add(coupon, "coupon.created")


def _percent(value: str) -> float:
    try:
        percent = float(value)
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise ApiError("percent_off is above 0 and up to 100.", param="percent_off")
    return percent


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/coupons/:id: only its name and metadata."""
    coupon = account.need("coupon", identifier)
    with account.changing(coupon, "coupon.updated"):
        if "name" in params:
            coupon["name"] = params.text("name")
        coupon["metadata"] = params.metadata(coupon["metadata"])
    return coupon


def delete(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/coupons/:id: discounts already given stay."""
    coupon = account.need("coupon", identifier)
    account.emit("coupon.deleted", coupon)
    coupon["~deleted"] = True
    account.store.changed(coupon)
    return {"id": identifier, "object": "coupon", "deleted": True}


def create_code(account: Account, params: Params) -> Doc:
    """POST /v1/promotion_codes."""
    promotion = params.nested("promotion")
    promotion.required("type")
    promotion.choice("type", "coupon", default="coupon")
    coupon = account.named("coupon", promotion, "coupon")
    code = (params.text("code") or account.new_id("p", 8).removeprefix("p_")).upper()
    if find_code(account, code) is not None:
        raise ApiError(
            "An active promotion code with this code already exists.",
            code="resource_already_exists",
            param="code",
        )
    customer = params.text("customer")
    if customer:
        account.need("customer", customer, "customer")
    restrictions = params.nested("restrictions")
    return account.add(
        {
            "id": account.new_id("promo"),
            "object": "promotion_code",
            "active": params.flag("active", True) and coupon["valid"],
            "code": code,
            "created": account.now(),
            "customer": customer,
            "customer_account": None,
            "expires_at": params.integer("expires_at"),
            "livemode": False,
            "max_redemptions": params.integer("max_redemptions", least=1),
            "metadata": params.metadata(),
            "promotion": {"coupon": coupon["id"], "type": "coupon"},
            "restrictions": {
                "first_time_transaction": bool(restrictions.flag("first_time_transaction")),
                "minimum_amount": restrictions.integer("minimum_amount"),
                "minimum_amount_currency": restrictions.text("minimum_amount_currency"),
            },
            "times_redeemed": 0,
        },
        "promotion_code.created",
    )


def update_code(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/promotion_codes/:id."""
    code = account.need("promotion_code", identifier)
    with account.changing(code, "promotion_code.updated"):
        if "active" in params:
            code["active"] = params.flag("active", True)
        code["metadata"] = params.metadata(code["metadata"])
    return code


def find_code(account: Account, code: str) -> Doc | None:
    """The active promotion code that a person types, capitals or not."""
    return next(
        (
            each
            for each in account.store.all("promotion_code")
            if each["code"] == code.strip().upper() and each["active"]
        ),
        None,
    )


def chosen(
    account: Account, params: Params, *, customer: str | None, amount: int, currency: str
) -> tuple[Doc, Doc | None]:
    """The coupon of one of a request's `discounts`, and its promotion code if it came by one."""
    code = params.text("promotion_code")
    if code:
        promotion = account.need("promotion_code", code, params.path("promotion_code"))
        check_code(account, promotion, customer=customer, amount=amount)
        coupon = account.need("coupon", promotion["promotion"]["coupon"], "coupon")
    else:
        promotion = None
        coupon = account.named("coupon", params, "coupon")
    check(account, coupon, currency=currency)
    return coupon, promotion


def check(account: Account, coupon: Doc, *, currency: str) -> None:
    """Refuse a coupon that can't be used (any more), or not for this currency."""
    if coupon["redeem_by"] is not None and coupon["redeem_by"] <= account.now():
        coupon["valid"] = False
    if coupon.get("~deleted") or not coupon["valid"]:
        raise ApiError(f"Coupon {coupon['id']} is no longer valid.", code="coupon_expired")
    if coupon["amount_off"] is not None and coupon["currency"] != currency:
        raise ApiError(
            f"The coupon is in {coupon['currency']}, what it is for in {currency}.",
            param="discounts",
        )


def check_code(account: Account, code: Doc, *, customer: str | None, amount: int) -> None:
    """Refuse a promotion code that can't be used (any more), or not by this customer."""
    expired = code["expires_at"] is not None and code["expires_at"] <= account.now()
    foreign = code["customer"] is not None and code["customer"] != customer
    least = code["restrictions"]["minimum_amount"]
    again = code["restrictions"]["first_time_transaction"] and any(
        charge["customer"] == customer and charge["paid"]
        for charge in account.store.all("charge")
        if customer
    )
    if expired or foreign or again or not code["active"] or (least is not None and amount < least):
        raise ApiError("This promotion code cannot be used here.", code="promotion_code_invalid")


def redeem(
    account: Account,
    coupon: Doc,
    promotion: Doc | None,
    *,
    start: int,
    customer: str | None = None,
    subscription: str | None = None,
    session: str | None = None,
    invoice: str | None = None,
) -> Doc:
    """Count the use and put the coupon to work."""
    for used, event in ((coupon, "coupon.updated"), (promotion, "promotion_code.updated")):
        if used is None:
            continue
        with account.changing(used, event):
            used["times_redeemed"] += 1
            if used["max_redemptions"] is not None and (
                used["times_redeemed"] >= used["max_redemptions"]
            ):
                used["valid" if used is coupon else "active"] = False
    months = coupon["duration_in_months"]
    discount: Doc = {
        "id": account.new_id("di"),
        "object": "discount",
        "checkout_session": session,
        "customer": customer,
        "customer_account": None,
        "end": money.after_intervals(start, "month", months) if months else None,
        "invoice": invoice,
        "invoice_item": None,
        "promotion_code": promotion["id"] if promotion else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": start,
        "subscription": subscription,
        "subscription_item": None,
        "~coupon": {key: coupon[key] for key in ("amount_off", "percent_off", "duration")},
    }
    account.add(discount)
    if subscription:
        account.emit("customer.discount.created", discount)
    return discount


def amounts_off(lines: list[int], coupon: Doc) -> list[int]:
    """What a coupon takes off each line; lines are amounts above zero, or zero."""
    if coupon["percent_off"] is not None:
        return [money.percent_of(amount, coupon["percent_off"]) for amount in lines]
    return money.shares(min(coupon["amount_off"], sum(lines)), lines)


def works(discount: Doc, at: int) -> bool:
    """Whether a discount still takes something off at this time."""
    used_up = discount["~coupon"]["duration"] == "once" and discount.get("~used", False)
    return not used_up and (discount["end"] is None or at < discount["end"])
