"""Everything that the stand-in returns has the fields that the SDK's types of it name."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe._object_classes import get_object_class

from local.stripe.expand import INCLUDABLE
from local.stripe.state import shown
from tests.local.stripe.conftest import NOON, Local

DAY = 86_400


def world(local: Local) -> None:
    """A bit of everything."""
    coupon = local.stripe.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    code = local.stripe.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "TEN"}
    )
    customer = local.customer(clock=True)
    local.stripe.v1.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "DE123456789"})
    subscription = local.subscribe(
        customer,
        local.price(),
        trial_period_days=14,
        discounts=[{"promotion_code": code.id}],
    )
    local.advance(customer, NOON + 15 * DAY)
    better = local.price(9900)
    items = [{"id": subscription["items"]["data"][0]["id"], "price": better}]
    local.stripe.v1.subscriptions.update(subscription.id, {"items": items})
    local.stripe.v1.invoices.create_preview({"subscription": subscription.id})
    local.standin.replace_card(customer, "4000000000000341")
    local.advance(customer, NOON + 50 * DAY)
    for kind, email in (("card", "grace@example.com"), ("sepa_debit", "bo@example.com")):
        session = local.session(
            local.price(2900, None),
            customer_creation="always",
            invoice_creation={"enabled": True},
            allow_promotion_codes=True,
        )
        local.standin.pay(session.id, email=email, kind=kind)
    invoice = local.stripe.v1.invoices.list({"status": "paid"}).data[0]
    local.stripe.v1.credit_notes.create(
        {"invoice": invoice.id, "amount": 100, "refund_amount": 100}
    )
    asked = local.session(local.price(2900, None))
    local.standin.pay(asked.id, "4000002500003155")
    disputed = local.session(local.price(2900, None))
    local.standin.pay(disputed.id, "4000000000000259")
    paused = local.subscribe(local.customer(), local.price(), payment_behavior="allow_incomplete")
    local.stripe.v1.subscriptions.pause(paused.id)
    local.stripe.v1.billing_portal.sessions.create({"customer": customer})
    local.stripe.v1.webhook_endpoints.create(
        {"url": "https://app.example.com", "enabled_events": ["*"]}
    )


KINDS = (
    "billing_portal.session",
    "charge",
    "checkout.session",
    "coupon",
    "credit_note",
    "customer",
    "discount",
    "dispute",
    "event",
    "invoice",
    "invoice_payment",
    "invoiceitem",
    "payment_intent",
    "payment_method",
    "price",
    "product",
    "promotion_code",
    "refund",
    "subscription",
    "tax_id",
    "test_helpers.test_clock",
    "webhook_endpoint",
)


def hints(kind: type) -> dict[str, Any]:
    """A class's fields with their types, names resolved as a type checker does."""
    module = importlib.import_module(kind.__module__)
    names = _names(module)
    result: dict[str, Any] = {}
    outer = _outer(kind, module)
    for base in reversed(kind.__mro__):
        for name, annotation in vars(base).get("__annotations__", {}).items():
            if base.__module__ == kind.__module__:
                scope = {**names, **vars(outer), **vars(kind)}
                result[name] = _evaluated(annotation, scope)
    return {k: v for k, v in result.items() if k != "OBJECT_NAME" and not k.startswith("_")}


@functools.cache
def _names(module: types.ModuleType) -> dict[str, Any]:
    """What a module imports, for its run or for type checkers only."""
    names: dict[str, Any] = dict(vars(module))
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found = importlib.import_module(node.module)
            names.update(
                {each.asname or each.name: getattr(found, each.name) for each in node.names}
            )
    return names


def _outer(kind: type, module: types.ModuleType) -> type:
    found: Any = module
    for name in kind.__qualname__.split(".")[:-1]:
        found = getattr(found, name)
    return found if isinstance(found, type) else kind


def _evaluated(annotation: Any, scope: dict[str, Any]) -> Any:
    if isinstance(annotation, str):
        return _evaluated(eval(annotation, dict(scope)), scope)  # noqa: S307 (the SDK's own)
    if isinstance(annotation, typing.ForwardRef):
        return _evaluated(annotation.__forward_arg__, scope)
    origin = typing.get_origin(annotation)
    if origin is None or origin is typing.Literal:
        return annotation
    inner = tuple(_evaluated(each, scope) for each in typing.get_args(annotation))
    return origin, inner


def optional(annotation: Any) -> bool:
    """Whether None, and so nothing, is allowed."""
    if not isinstance(annotation, tuple):
        return annotation is Any
    origin, inner = annotation
    return origin in (typing.Union, types.UnionType) and type(None) in inner


def classes(annotation: Any) -> Iterator[type]:
    """The SDK's classes that an annotation names."""
    if isinstance(annotation, tuple):
        for each in annotation[1]:
            yield from classes(each)
    elif isinstance(annotation, type) and issubclass(annotation, stripe.StripeObject):
        yield annotation


def differences(kind: type | None, value: Any, path: str) -> Iterator[str]:
    """What a returned value has that its type doesn't, and the other way round."""
    if isinstance(value, list):
        for each in value:
            yield from differences(kind, each, path)
        return
    if not isinstance(value, dict):
        return
    named = value.get("object")
    if isinstance(named, str) and named != "list":
        kind = get_object_class("V1", named)  # type: ignore[arg-type]
        path = named
    if named == "list":
        yield from differences(None, value["data"], path)
        return
    fields = hints(kind) if kind is not None else {}
    if not fields:
        return  # untyped, like metadata
    for name in value.keys() - fields.keys():
        yield f"{path}.{name} is not in the SDK's type"
    for name, annotation in fields.items():
        place = f"{path}.{name}"
        if name not in value:
            if not optional(annotation):
                yield f"{place} is missing"
            continue
        if value[name] is None and not optional(annotation):
            yield f"{place} is None and may not be"
        inner = next(classes(annotation), None)
        yield from differences(inner, value[name], place)


SHAPES: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "shapes.json").read_text(encoding="utf-8")
)
"""What Stripe's TypeScript declarations say: see shapes_from_npm.py."""


def gaps(value: Any, shape: str, path: str) -> Iterator[str]:
    """What Stripe would have sent and the stand-in did not, and words that Stripe doesn't know."""
    if isinstance(value, list):
        for each in value:
            yield from gaps(each, shape, path)
        return
    if not isinstance(value, dict):
        return
    if value.get("object") == "list":
        yield from gaps(value["data"], shape, path)
        return
    named = value.get("object")
    if isinstance(named, str) and named in SHAPES:
        shape = path = named
    for name, said in SHAPES.get(shape, {}).items():
        place, below = f"{path}.{name}", said.lstrip("?-")
        if name not in value:
            if not said.startswith("?"):
                yield f"{place} is missing"
            continue
        found = value[name]
        if found is None and "-" not in said[:2]:
            yield f"{place} is null and may not be"
        words = below.split("|") if below and ":" not in below else []
        if words and isinstance(found, str) and found not in words:
            yield f"{place} is {found}, not one of {below}"
        yield from gaps(found, below, place)


@pytest.fixture
def whole(local: Local) -> Local:
    world(local)
    return local


def test_every_object_fits_the_types_of_the_sdk(whole: Local) -> None:
    found: set[str] = set()
    for kind in KINDS:
        documents = whole.standin.all(kind)
        assert documents, f"nothing of the kind {kind} was made"
        for document in documents:
            found.update(differences(None, document, kind))
    assert not found, "\n".join(sorted(found))


def test_every_object_has_what_stripe_always_sends(whole: Local) -> None:
    found: set[str] = set()
    for kind in KINDS:
        for document in whole.standin.all(kind):
            found.update(gaps(document, kind, kind))
    assert not found, "\n".join(sorted(found))


def test_what_is_asked_for_fits_too(whole: Local) -> None:
    found: set[str] = set()
    for (kind, name), include in INCLUDABLE.items():
        for stored in whole.standin._store.all(kind):
            with whole.standin.lock:
                value = shown(include(whole.standin.account, stored))
            document = {"object": kind, "id": stored["id"], name: value}
            fields = hints(get_object_class("V1", kind))  # type: ignore[arg-type]
            assert name in fields
            inner = next(classes(fields[name]), None)
            found.update(differences(inner, document[name], f"{kind}.{name}"))
    assert not found, "\n".join(sorted(found))


def test_a_preview_has_the_shape_of_an_invoice(local: Local) -> None:
    subscription = local.subscribe(local.customer(), local.price())
    preview = local.stripe.v1.invoices.create_preview({"subscription": subscription.id}).to_dict()
    assert preview["object"] == "invoice"
    assert not {*differences(None, preview, "preview"), *gaps(preview, "", "preview")}


def test_an_events_object_is_of_the_kind_that_its_type_says(whole: Local) -> None:
    known = set(typing.get_args(typing.get_type_hints(stripe.Event)["type"]))
    for event in whole.standin.events:
        assert event["type"] in known
        about = event["data"]["object"]
        found = {*differences(None, about, event["type"]), *gaps(about, "", event["type"])}
        assert not found, f"{event['type']}: {found}"


def test_the_walk_finds_what_does_not_fit() -> None:
    price = {"object": "plan", "id": "plan_1", "colour": "red", "metadata": {"any": "thing"}}
    found = set(differences(None, price, "plan"))
    assert "plan.colour is not in the SDK's type" in found
    assert "plan.interval is missing" in found
    assert "plan.nickname is missing" not in found
    found = set(
        differences(
            None,
            {
                "object": "subscription",
                "trial_settings": {"end_behavior": {"missing": "cancel"}},
                "items": {"object": "list", "data": [{"object": "subscription_item", "x": 1}]},
            },
            "subscription",
        )
    )
    below = "subscription.trial_settings.end_behavior"
    assert f"{below}.missing is not in the SDK's type" in found
    assert f"{below}.missing_payment_method is missing" in found
    assert "subscription_item.x is not in the SDK's type" in found
    assert "subscription_item.current_period_end is missing" in found
