"""Lists as the API gives them: newest first, in pages, filtered."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from local.stripe.account import Account, listed
from local.stripe.errors import ApiError, missing
from local.stripe.form import Params
from local.stripe.objects import invoices, lifecycle
from local.stripe.state import Doc

PAGE = {"limit", "starting_after", "ending_before"}
Filter = Callable[[Doc, str], bool]


def _same(*path: str) -> Filter:
    def fits(document: Doc, value: str) -> bool:
        found: Any = document
        for name in path:
            found = (found or {}).get(name)
        if isinstance(found, bool):
            return bool(found == (value == "true"))
        return bool(found == value)

    return fits


def _subscription_status(document: Doc, value: str) -> bool:
    if value == "all":
        return True
    if value == "ended":
        return not lifecycle.lives(document)
    return bool(document["status"] == value)


FILTERS: dict[str, dict[str, Filter]] = {
    "product": {"active": _same("active"), "url": _same("url")},
    "price": {
        "active": _same("active"),
        "product": _same("product"),
        "currency": _same("currency"),
        "type": _same("type"),
    },
    "customer": {"email": _same("email"), "test_clock": _same("test_clock")},
    "checkout.session": {
        "customer": _same("customer"),
        "payment_intent": _same("payment_intent"),
        "subscription": _same("subscription"),
        "status": _same("status"),
    },
    "subscription": {
        "customer": _same("customer"),
        "status": _subscription_status,
        "price": lambda doc, value: any(
            each["price"]["id"] == value for each in lifecycle.items_of(doc)
        ),
        "test_clock": _same("test_clock"),
    },
    "invoice": {
        "customer": _same("customer"),
        "status": _same("status"),
        "subscription": lambda doc, value: lifecycle.subscription_of(doc) == value,
        "collection_method": _same("collection_method"),
    },
    "invoiceitem": {"customer": _same("customer"), "invoice": _same("invoice")},
    "invoice_payment": {"invoice": _same("invoice"), "status": _same("status")},
    "payment_intent": {"customer": _same("customer")},
    "charge": {"customer": _same("customer"), "payment_intent": _same("payment_intent")},
    "refund": {"charge": _same("charge"), "payment_intent": _same("payment_intent")},
    "dispute": {"charge": _same("charge"), "payment_intent": _same("payment_intent")},
    "payment_method": {"customer": _same("customer"), "type": _same("type")},
    "promotion_code": {
        "active": _same("active"),
        "code": lambda doc, value: doc["code"] == value.upper(),
        "coupon": _same("promotion", "coupon"),
        "customer": _same("customer"),
    },
    "coupon": {},
    "credit_note": {"customer": _same("customer"), "invoice": _same("invoice")},
    "event": {"type": lambda doc, value: fnmatchcase(doc["type"], value)},
    "webhook_endpoint": {},
    "test_helpers.test_clock": {},
}
"""Parameters that narrow a list, by the kind of what is listed."""


def of(account: Account, kind: str, url: str, params: Params) -> Doc:
    """GET of a list."""
    rows = [each for each in account.store.all(kind) if not each.get("~deleted")]
    for name, fits in FILTERS[kind].items():
        value = params.text(name)
        if value is not None:
            rows = [each for each in rows if fits(each, value)]
    if kind == "subscription" and "status" not in params:
        rows = [each for each in rows if each["status"] != "canceled"]
    if kind == "event" and "types" in params:
        types = params.texts("types")
        rows = [each for each in rows if any(fnmatchcase(each["type"], one) for one in types)]
    if kind == "price" and "lookup_keys" in params:
        keys = params.texts("lookup_keys")
        rows = [each for each in rows if each["lookup_key"] in keys]
    if kind == "price" and "recurring" in params:
        interval = params.nested("recurring").text("interval")
        rows = [each for each in rows if (each["recurring"] or {}).get("interval") == interval]
    if "ids" in params:
        rows = [each for each in rows if each["id"] in params.texts("ids")]
    if kind == "invoice_payment" and "payment" in params:
        intent = params.nested("payment").text("payment_intent")
        rows = [each for each in rows if each["payment"].get("payment_intent") == intent]
    return page(_created(rows, params)[::-1], url, params)


def _created(rows: list[Doc], params: Params) -> list[Doc]:
    if "created" not in params:
        return rows
    if isinstance(params.values["created"], str):
        exact = params.integer("created")
        return [each for each in rows if each["created"] == exact]
    given = params.nested("created")
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": operator.gt,
        "gte": operator.ge,
        "lt": operator.lt,
        "lte": operator.le,
    }
    for name, fits in tests.items():
        bound = given.integer(name)
        if bound is not None:
            rows = [each for each in rows if fits(each["created"], bound)]
    return rows


def page(rows: Sequence[Doc], url: str, params: Params) -> Doc:
    """A page of rows that are in the list's order."""
    limit = params.integer("limit", least=1, most=100) or 10
    after, before = params.text("starting_after"), params.text("ending_before")
    if after and before:
        raise ApiError(
            "You may only specify one of these parameters: starting_after, ending_before."
        )
    ids = [each["id"] for each in rows]
    if after:
        start = _place(ids, after, "starting_after") + 1
        return listed(url, list(rows[start : start + limit]), len(rows) > start + limit)
    if before:
        end = _place(ids, before, "ending_before")
        start = max(end - limit, 0)
        return listed(url, list(rows[start:end]), start > 0)
    return listed(url, list(rows[:limit]), len(rows) > limit)


def _place(ids: list[str], identifier: str, param: str) -> int:
    try:
        return ids.index(identifier)
    except ValueError:
        error = missing("object", identifier, param)
        error.status = 400
        raise error from None


def payments_of(account: Account, invoice: Doc) -> Doc:
    """An invoice's payments, for `expand[]=payments`."""
    payment = invoices.default_payment(account, invoice)
    return listed(f"/v1/invoice_payments?invoice={invoice['id']}", [payment] if payment else [])
