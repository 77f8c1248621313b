"""Expansion: objects in place of ids, and fields that are only there when asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local.stripe import lists
from local.stripe.account import Account, listed
from local.stripe.errors import ApiError
from local.stripe.objects import checkout, lifecycle
from local.stripe.state import Doc, shown

DEPTH = 4


def _subscriptions(account: Account, customer: Doc) -> Doc:
    rows = [
        each
        for each in account.store.all("subscription")
        if each["customer"] == customer["id"] and lifecycle.lives(each)
    ]
    return listed(f"/v1/customers/{customer['id']}/subscriptions", rows[::-1])


def _tax_ids(account: Account, customer: Doc) -> Doc:
    rows = [each for each in account.store.all("tax_id") if each["customer"] == customer["id"]]
    return listed(f"/v1/customers/{customer['id']}/tax_ids", rows[::-1])


def _sources(account: Account, customer: Doc) -> Doc:
    return listed(f"/v1/customers/{customer['id']}/sources", [])


def _refunds(account: Account, charge: Doc) -> Doc:
    rows = [each for each in account.store.all("refund") if each["charge"] == charge["id"]]
    return listed(f"/v1/charges/{charge['id']}/refunds", rows[::-1])


def _secret(account: Account, invoice: Doc) -> Doc | None:
    payments = lists.payments_of(account, invoice)["data"]
    if not payments:
        return None
    intent = account.need("payment_intent", payments[0]["payment"]["payment_intent"])
    return {"client_secret": intent["client_secret"], "type": "payment_intent"}


INCLUDABLE: dict[tuple[str, str], Callable[[Account, Doc], Any]] = {
    ("checkout.session", "line_items"): checkout.includable_line_items,
    ("customer", "subscriptions"): _subscriptions,
    ("customer", "tax_ids"): _tax_ids,
    ("customer", "sources"): _sources,
    ("charge", "refunds"): _refunds,
    ("invoice", "payments"): lists.payments_of,
    ("invoice", "confirmation_secret"): _secret,
}
"""Fields that Stripe leaves out unless they are expanded."""


def rendered(account: Account, document: Doc, paths: list[str]) -> Doc:
    """The document as it goes out. Raises 400 for a path that can't be expanded."""
    result: Doc = shown(document)
    for path in paths:
        parts = path.split(".")
        if len(parts) > DEPTH:
            raise ApiError(
                f"You cannot expand more than {DEPTH} levels of a property.", param="expand"
            )
        _expand(account, result, parts, path)
    return result


def _expand(account: Account, node: Any, parts: list[str], path: str) -> None:
    if isinstance(node, list):
        for each in node:
            _expand(account, each, parts, path)
        return
    if not isinstance(node, dict):
        return
    name, *rest = parts
    if name not in node:
        include = INCLUDABLE.get((node.get("object", ""), name))
        if include is None:
            if "object" not in node:
                return  # a part that this object doesn't have, as a payment's charge
            raise ApiError(f"This property cannot be expanded ({path}).", param="expand")
        # What the node shows is not all that is known of it.
        whole = account.store.find(node["object"], node["id"]) or node
        node[name] = shown(include(account, whole))
    else:
        node[name] = _resolved(account, node[name], name)
    if rest:
        _expand(account, node[name], rest, path)


def _resolved(account: Account, value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_resolved(account, each, name) for each in value]
    if not isinstance(value, str):
        return value
    found = account.resolve(value, name)
    if found is None:
        return value
    if found.get("~deleted") and found["object"] != "coupon":
        return {"id": value, "object": found["object"], "deleted": True}
    return shown(found)
