"""Products and prices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from local.stripe.account import Account, currency_of
from local.stripe.errors import ApiError, unsupported
from local.stripe.form import Params
from local.stripe.state import Doc

TAX_BEHAVIORS = ("exclusive", "inclusive", "unspecified")


def create_product(account: Account, params: Params) -> Doc:
    """POST /v1/products."""
    identifier = params.text("id") or account.new_id("prod", 14)
    if account.find("product", identifier) is not None:
        raise ApiError(
            f"Product already exists: {identifier}", code="resource_already_exists", param="id"
        )
    now = account.now()
    product: Doc = {
        "id": identifier,
        "object": "product",
        "active": params.flag("active", True),
        "created": now,
        "default_price": None,
        "description": params.text("description"),
        "images": params.texts("images"),
        "livemode": False,
        "marketing_features": [],
        "metadata": params.metadata(),
        "name": params.required("name"),
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": params.text("statement_descriptor"),
        "tax_code": None,
        "tax_details": None,
        "type": "service",
        "unit_label": params.text("unit_label"),
        "updated": now,
        "url": params.text("url"),
    }
    account.add(product, "product.created")
    if "default_price_data" in params:
        price = _price(account, params.nested("default_price_data"), product)
        with account.changing(product, "product.updated"):
            product["default_price"] = price["id"]
    return product


def update_product(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/products/:id."""
    product = account.need("product", identifier)
    with account.changing(product, "product.updated"):
        for name in ("description", "statement_descriptor", "unit_label", "url"):
            if name in params:
                product[name] = params.text(name)
        if "name" in params:
            product["name"] = params.required("name")
        if "active" in params:
            product["active"] = params.flag("active", True)
        if "images" in params:
            product["images"] = params.texts("images")
        if "default_price" in params:
            product["default_price"] = account.named("price", params, "default_price")["id"]
        product["metadata"] = params.metadata(product["metadata"])
        product["updated"] = account.now()
    return product


def delete_product(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/products/:id: only one without prices can go."""
    product = account.need("product", identifier)
    if any(price["product"] == identifier for price in account.store.all("price")):
        raise ApiError(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    account.emit("product.deleted", product)
    account.store.remove(product)
    return {"id": identifier, "object": "product", "deleted": True}


def create_price(account: Account, params: Params) -> Doc:
    """POST /v1/prices."""
    return price_from(account, params)


def price_from(account: Account, params: Params, *, active: bool = True) -> Doc:
    """A price of a product that exists or is described beside it (`product_data`)."""
    if "product" in params:
        product = account.named("product", params, "product")
    elif "product_data" in params:
        product = create_product(account, params.nested("product_data"))
    else:
        params.required("product")
        raise AssertionError  # the line above has raised
    return _price(account, params, product, active=active)


def _price(account: Account, params: Params, product: Doc, *, active: bool = True) -> Doc:
    if params.text("billing_scheme") == "tiered" or "tiers" in params:
        raise unsupported("tiered prices", params.path("billing_scheme"))
    currency = currency_of(params)
    amount = _unit_amount(params)
    lookup_key = params.text("lookup_key")
    if lookup_key:
        _take_lookup_key(account, lookup_key, transfer=bool(params.flag("transfer_lookup_key")))
    recurring = _recurring(params) if "recurring" in params else None
    price: Doc = {
        "id": account.new_id("price"),
        "object": "price",
        "active": params.flag("active", active),
        "billing_scheme": "per_unit",
        "created": account.now(),
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": lookup_key,
        "metadata": params.metadata(),
        "nickname": params.text("nickname"),
        "product": product["id"],
        "recurring": recurring,
        "tax_behavior": params.choice("tax_behavior", *TAX_BEHAVIORS, default="unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": str(amount),
    }
    account.add(price, "price.created")
    if recurring:
        account.emit("plan.created", plan_of(price))
    return price


def _unit_amount(params: Params) -> int:
    if "unit_amount_decimal" in params:
        try:
            exact = Decimal(params.required("unit_amount_decimal"))
        except InvalidOperation:
            raise ApiError("Invalid decimal", param=params.path("unit_amount_decimal")) from None
        if exact != exact.to_integral_value() or exact < 0:
            raise unsupported("fractions of the smallest unit", params.path("unit_amount_decimal"))
        return int(exact)
    amount = params.integer("unit_amount", least=0)
    if amount is None:
        path = params.path("unit_amount")
        raise ApiError(f"Missing required param: {path}.", code="parameter_missing", param=path)
    return amount


def _recurring(params: Params) -> Doc:
    given = params.nested("recurring")
    given.required("interval")
    if given.text("usage_type") == "metered":
        raise unsupported("metered prices", given.path("usage_type"))
    return {
        "interval": given.choice("interval", "day", "week", "month", "year", default="month"),
        "interval_count": given.integer("interval_count", least=1) or 1,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _take_lookup_key(account: Account, key: str, *, transfer: bool) -> None:
    for other in account.store.all("price"):
        if other["lookup_key"] != key:
            continue
        if not transfer:
            raise ApiError(
                f"A price (`{other['id']}`) already uses that lookup key.",
                param="lookup_key",
            )
        with account.changing(other, "price.updated"):
            other["lookup_key"] = None


def update_price(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/prices/:id: amount and interval can't be changed, as in Stripe."""
    price = account.need("price", identifier)
    lookup_key = params.text("lookup_key")
    if lookup_key and lookup_key != price["lookup_key"]:
        _take_lookup_key(account, lookup_key, transfer=bool(params.flag("transfer_lookup_key")))
    with account.changing(price, "price.updated"):
        if "active" in params:
            price["active"] = params.flag("active", True)
        for name in ("nickname", "lookup_key"):
            if name in params:
                price[name] = params.text(name)
        if "tax_behavior" in params:
            price["tax_behavior"] = params.choice(
                "tax_behavior", *TAX_BEHAVIORS, default="unspecified"
            )
        price["metadata"] = params.metadata(price["metadata"])
    return price


def chosen_price(account: Account, params: Params) -> Doc:
    """The price that an item names, or describes."""
    if "price_data" in params:
        return price_from(account, params.nested("price_data"), active=False)
    price = account.named("price", params, "price")
    if not price["active"]:
        raise ApiError(
            "The price specified is inactive. This field only accepts active prices.",
            param=params.path("price"),
        )
    return price


def plan_of(price: Doc) -> Doc:
    """The older shape of a recurring price, which subscription items still carry."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": dict(price["metadata"]),
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
