"""Customers and their tax ids."""

from __future__ import annotations

from local.stripe.account import Account
from local.stripe.errors import ApiError, missing
from local.stripe.form import Params
from local.stripe.objects import cards, lifecycle
from local.stripe.state import Doc

ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
TEXTS = ("business_name", "description", "email", "individual_name", "name", "phone")
EXEMPTIONS = ("none", "exempt", "reverse")


def create(account: Account, params: Params) -> Doc:
    """POST /v1/customers."""
    clock = params.text("test_clock")
    if clock:
        clock = account.named("test_helpers.test_clock", params, "test_clock")["id"]
    elif account.switches.clock_per_customer:
        clock = new_clock(account, account.now(), "made with its customer")["id"]
    customer = new(account, params.text("email"), params.text("name"), test_clock=clock)
    _take(account, customer, params)
    method = params.text("payment_method")
    account.add(customer, "customer.created")
    try:
        if method:
            cards.attach_to(account, cards.method_named(account, method), customer)
    except ApiError:
        account.store.remove(customer)
        raise
    for given in params.many("tax_id_data"):
        create_tax_id(account, given, customer["id"])
    return customer


def new(
    account: Account, email: str | None, name: str | None, *, test_clock: str | None = None
) -> Doc:
    """A customer, not kept yet."""
    identifier = account.new_id("cus", 14)
    clock = account.find("test_helpers.test_clock", test_clock)
    return {
        "id": identifier,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": clock["frozen_time"] if clock else account.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": email,
        "invoice_prefix": account.store.ids.letters(identifier, 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": name,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": test_clock,
    }


def new_clock(account: Account, frozen_time: int, name: str | None) -> Doc:
    """A test clock that stands at a moment."""
    return account.add(
        {
            "id": account.new_id("clock"),
            "object": "test_helpers.test_clock",
            "created": account.wall_clock(),
            "deletes_after": account.wall_clock() + 30 * 86_400,
            "frozen_time": frozen_time,
            "livemode": False,
            "name": name,
            "status": "ready",
            "status_details": {},
        },
        "test_helpers.test_clock.created",
    )


def _take(account: Account, customer: Doc, params: Params) -> None:
    email = params.text("email")
    if email is not None and "@" not in email:
        raise ApiError(f"Invalid email address: {email}", code="email_invalid", param="email")
    for name in TEXTS:
        if name in params:
            customer[name] = params.text(name)
    if "address" in params:
        given = params.nested("address")
        customer["address"] = {name: given.text(name) for name in ADDRESS} if given.values else None
    if "tax_exempt" in params:
        customer["tax_exempt"] = params.choice("tax_exempt", *EXEMPTIONS, default="none")
    if "preferred_locales" in params:
        customer["preferred_locales"] = params.texts("preferred_locales")
    settings = params.nested("invoice_settings")
    if "default_payment_method" in settings:
        method = settings.text("default_payment_method")
        if method is not None:
            found = account.need("payment_method", method, settings.path("default_payment_method"))
            if found["customer"] != customer["id"]:
                raise ApiError(
                    f"The customer does not have a payment method with the ID {method}. The "
                    "payment method must be attached to the customer.",
                    code="resource_missing",
                    param=settings.path("default_payment_method"),
                )
        customer["invoice_settings"]["default_payment_method"] = method
    if "footer" in settings:
        customer["invoice_settings"]["footer"] = settings.text("footer")
    customer["metadata"] = params.metadata(customer["metadata"])


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/customers/:id."""
    customer = account.need("customer", identifier)
    with account.changing(customer, "customer.updated"):
        _take(account, customer, params)
    return customer


def retrieve(account: Account, params: Params, identifier: str) -> Doc:
    """GET /v1/customers/:id: one that was deleted is still known as such."""
    customer = account.store.find("customer", identifier)
    if customer is None:
        raise missing("customer", identifier)
    return _gone(identifier) if customer.get("~deleted") else customer


def _gone(identifier: str) -> Doc:
    return {"id": identifier, "object": "customer", "deleted": True}


def delete(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/customers/:id: its subscriptions end at once."""
    customer = account.need("customer", identifier)
    for subscription in account.store.all("subscription"):
        if subscription["customer"] == identifier and lifecycle.lives(subscription):
            lifecycle.end(account, subscription, reason="cancellation_requested")
    for method in account.store.all("payment_method"):
        if method["customer"] == identifier:
            cards.detach(account, Params({}), method["id"])
    account.emit("customer.deleted", customer)
    customer["~deleted"] = True
    account.store.changed(customer)
    return _gone(identifier)


def create_tax_id(account: Account, params: Params, customer_id: str) -> Doc:
    """POST /v1/customers/:id/tax_ids; none is verified, as nobody is asked."""
    customer = account.need("customer", customer_id)
    value = params.required("value").replace(" ", "")
    kind = params.required("type")
    if kind == "eu_vat" and not (value[:2].isalpha() and len(value) > 6):
        raise ApiError("Invalid value for eu_vat.", code="tax_id_invalid", param="value")
    return account.add(
        {
            "id": account.new_id("txi"),
            "object": "tax_id",
            "country": value[:2].upper() if kind == "eu_vat" else None,
            "created": account.now(customer),
            "customer": customer_id,
            "customer_account": None,
            "livemode": False,
            "owner": {"customer": customer_id, "customer_account": None, "type": "customer"},
            "type": kind,
            "value": value.upper(),
            "verification": {
                "status": "pending" if kind == "eu_vat" else "unavailable",
                "verified_address": None,
                "verified_name": None,
            },
        },
        "customer.tax_id.created",
    )


def delete_tax_id(account: Account, params: Params, customer_id: str, identifier: str) -> Doc:
    """DELETE /v1/customers/:id/tax_ids/:id."""
    found = retrieve_tax_id(account, params, customer_id, identifier)
    account.emit("customer.tax_id.deleted", found)
    account.store.remove(found)
    return {"id": identifier, "object": "tax_id", "deleted": True}


def retrieve_tax_id(account: Account, params: Params, customer_id: str, identifier: str) -> Doc:
    """GET /v1/customers/:id/tax_ids/:id."""
    found = account.need("tax_id", identifier)
    if found["customer"] != customer_id:
        raise missing("tax_id", identifier)
    return found


def tax_ids_of(account: Account, customer: Doc) -> list[Doc]:
    """The customer's tax ids as invoices and sessions quote them."""
    return [
        {"type": each["type"], "value": each["value"]}
        for each in account.store.all("tax_id")
        if each["customer"] == customer["id"]
    ]
