"""Subscriptions: beginning, changing, ending."""

from __future__ import annotations

from collections.abc import Sequence

from local.stripe import money
from local.stripe.account import DAY, Account, listed
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.objects import (
    cards,
    catalogue,
    collection,
    coupons,
    invoices,
    lifecycle,
    payments,
    prorations,
)
from local.stripe.objects.lines import Line
from local.stripe.objects.prorations import Wanted
from local.stripe.state import Doc

PRORATIONS = ("create_prorations", "always_invoice", "none")
TRIAL_WARNING = 3 * DAY


def begin(
    account: Account,
    customer: Doc,
    items: Sequence[tuple[Doc, int]],
    *,
    trial_end: int | None = None,
    missing_method: str = "create_invoice",
    default_method: Doc | None = None,
    metadata: dict[str, str] | None = None,
    description: str | None = None,
    chosen: Sequence[tuple[Doc, Doc | None]] = (),
    session: str | None = None,
    cancel_at_period_end: bool = False,
) -> tuple[Doc, Doc]:
    """A subscription and its first invoice, finalized and not yet paid (unless it asks nothing)."""
    now = account.now(customer)
    _check_items(items, customer)
    identifier = account.new_id("sub")
    recurring = items[0][0]["recurring"]
    anchor = trial_end or now
    end = trial_end or money.after_intervals(
        now, recurring["interval"], recurring["interval_count"]
    )
    rows = [new_item(account, identifier, price, quantity, now, end) for price, quantity in items]
    subscription: Doc = {
        "id": identifier,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": anchor,
        "billing_cycle_anchor_config": None,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
        },
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": end if cancel_at_period_end else None,
        "cancel_at_period_end": cancel_at_period_end,
        "canceled_at": now if cancel_at_period_end else None,
        "cancellation_details": {
            "comment": None,
            "feedback": None,
            "feedback_option": None,
            "reason": "cancellation_requested" if cancel_at_period_end else None,
        },
        "collection_method": "charge_automatically",
        "created": now,
        "currency": items[0][0]["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": default_method["id"] if default_method else None,
        "default_source": None,
        "default_tax_rates": [],
        "description": description,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": listed(f"/v1/subscription_items?subscription={identifier}", rows),
        "latest_invoice": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": metadata or {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": now,
        "status": "trialing" if trial_end else "incomplete",
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": trial_end,
        "trial_settings": {
            "end_behavior": {
                "billing_cycle_anchor": None,
                "missing_payment_method": missing_method,
            }
        },
        "trial_start": now if trial_end else None,
    }
    account.store.add(subscription)
    for coupon, promotion in chosen:
        discount = coupons.redeem(
            account,
            coupon,
            promotion,
            start=now,
            customer=customer["id"],
            subscription=identifier,
            session=session,
        )
        subscription["discounts"].append(discount["id"])
    account.emit("customer.subscription.created", subscription)
    invoice = bill(
        account, subscription, reason="subscription_create", period=(now, end), free=bool(trial_end)
    )
    if trial_end and trial_end - now <= TRIAL_WARNING:
        warn_of_trial_end(account, subscription)
    invoices.finalize(account, invoice)
    if not trial_end and invoice["status"] == "paid":
        with account.changing(subscription, "customer.subscription.updated"):
            subscription["status"] = "active"
    return subscription, invoice


def _check_items(items: Sequence[tuple[Doc, int]], customer: Doc) -> None:
    if not items:
        raise ApiError("Missing required param: items.", code="parameter_missing", param="items")
    shapes = set()
    for price, _ in items:
        if price["recurring"] is None:
            raise ApiError(
                f"The price specified is set to `type=one_time` but this field only accepts "
                f"prices with `type=recurring`: {price['id']}",
                param="items[0][price]",
            )
        recurring = price["recurring"]
        shapes.add((price["currency"], recurring["interval"], recurring["interval_count"]))
    if len(shapes) > 1:
        raise ApiError("All prices of a subscription share one currency and one interval here.")
    currency = items[0][0]["currency"]
    if customer["currency"] not in {None, currency}:
        raise ApiError(
            "You cannot combine currencies on a single customer. This customer has had a "
            f"subscription, coupon, or invoice item with currency {customer['currency']}",
        )


def new_item(
    account: Account, subscription: str, price: Doc, quantity: int, start: int, end: int
) -> Doc:
    """An item of a subscription."""
    return {
        "id": account.new_id("si", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": start,
        "current_period_end": end,
        "current_period_start": start,
        "current_trial": None,
        "discounts": [],
        "metadata": {},
        "plan": catalogue.plan_of(price),
        "price": dict(price),
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def bill(
    account: Account,
    subscription: Doc,
    *,
    reason: str,
    period: tuple[int, int],
    free: bool = False,
    lines: Sequence[Line] | None = None,
    proration_date: int | None = None,
) -> Doc:
    """A draft for a period of all items (or for the given lines) and what was pending."""
    customer = account.need("customer", subscription["customer"], "customer")
    at = account.now(customer)
    if lines is None:
        lines = prorations.full_lines(account, prorations.current(account, subscription), period)
        if free:
            lines = [_free(line) for line in lines]
    working = prorations.working_discounts(account, subscription, at)
    invoice = invoices.draft(
        account,
        customer,
        [*pending_lines(account, subscription), *lines],
        currency=subscription["currency"],
        reason=reason,
        subscription=subscription,
        # A renewal's invoice is dated by the period that it closes, as Stripe has it.
        period=(at, at) if reason != "subscription_cycle" else None,
        discounts=[] if free else working,
        proration_date=proration_date,
    )
    take_pending(account, subscription, invoice)
    _remember(account, subscription, invoice)
    if not free and any(each["discountable"] and each["amount"] for each in _rows(invoice)):
        for discount in working:
            discount["~used"] = True
            account.store.changed(discount)
    subscription["latest_invoice"] = invoice["id"]
    account.store.changed(subscription)
    return invoice


def _free(line: Line) -> Line:
    from dataclasses import replace

    return replace(line, amount=0, description=f"Trial period for {line.description}")


def _rows(invoice: Doc) -> list[Doc]:
    rows: list[Doc] = invoice["lines"]["data"]
    return rows


def pending_lines(account: Account, subscription: Doc) -> list[Line]:
    """Prorations that wait for the next invoice."""
    return [
        Line(**{**each["~line"], "price": account.need("price", each["~line"]["price"])})
        for each in account.store.all("invoiceitem")
        if each["invoice"] is None
        and each["parent"]["subscription_details"]["subscription"] == subscription["id"]
    ]


def take_pending(account: Account, subscription: Doc, invoice: Doc) -> None:
    """Put them on this invoice."""
    for each in account.store.all("invoiceitem"):
        of = each["parent"]["subscription_details"]["subscription"]
        if each["invoice"] is None and of == subscription["id"]:
            each["invoice"] = invoice["id"]
            account.store.changed(each)


def _remember(account: Account, subscription: Doc, invoice: Doc) -> None:
    """What each item was billed for its whole period: the base of a later credit."""
    for row in _rows(invoice):
        details = row["parent"]["subscription_item_details"]
        if details is None or details["proration"]:
            continue
        for item in lifecycle.items_of(subscription):
            if item["id"] == details["subscription_item"]:
                off = sum(each["amount"] for each in row["discount_amounts"])
                item["~billed"] = {
                    "net": row["amount"] - off,
                    "invoice": invoice["id"],
                    "line": row["id"],
                }


def warn_of_trial_end(account: Account, subscription: Doc) -> None:
    """Three days before, or at once when the trial is shorter."""
    subscription["~warned"] = True
    account.store.changed(subscription)
    account.emit("customer.subscription.trial_will_end", subscription)


def create(account: Account, params: Params) -> Doc:
    """POST /v1/subscriptions."""
    customer = account.named("customer", params, "customer")
    items = [
        (catalogue.chosen_price(account, each), each.integer("quantity", least=0) or 1)
        for each in params.many("items")
    ]
    method = None
    if "default_payment_method" in params:
        method = cards.method_named(account, params.required("default_payment_method"))
        if method["customer"] is None:
            cards.attach_to(account, method, customer)
    trial_end = trial_end_from(account, params, account.now(customer))
    behaviour = params.choice(
        "payment_behavior",
        "allow_incomplete",
        "default_incomplete",
        "error_if_incomplete",
        default="allow_incomplete",
    )
    paying = method or lifecycle.method_for(account, None, customer)
    if not trial_end and paying is None and behaviour != "default_incomplete":
        raise ApiError(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )
    amount = sum(price["unit_amount"] * quantity for price, quantity in items)
    chosen = [
        coupons.chosen(
            account, each, customer=customer["id"], amount=amount, currency=items[0][0]["currency"]
        )
        for each in params.many("discounts")
        if items
    ]
    end_behaviour = params.nested("trial_settings").nested("end_behavior")
    subscription, invoice = begin(
        account,
        customer,
        items,
        trial_end=trial_end,
        missing_method=end_behaviour.choice(
            "missing_payment_method", "cancel", "create_invoice", "pause", default="create_invoice"
        ),
        default_method=method,
        metadata=params.metadata(),
        description=params.text("description"),
        chosen=chosen,
        cancel_at_period_end=bool(params.flag("cancel_at_period_end")),
    )
    if invoice["status"] == "open" and behaviour != "default_incomplete":
        status = collection.collect(
            account, invoice, paying, off_session=bool(params.flag("off_session"))
        )
        if behaviour == "error_if_incomplete" and status == "requires_payment_method":
            lifecycle.expire(account, subscription)
            raise payments.error_of(collection.intent_of(account, invoice))
    elif invoice["status"] == "open":
        invoices.intent_for(account, invoice, description="Subscription creation")
    return subscription


def trial_end_from(account: Account, params: Params, now: int) -> int | None:
    """When a trial that a request asks for ends."""
    days = params.integer("trial_period_days", least=1)
    if days is not None:
        return now + days * DAY
    if params.text("trial_end") in {None, "now"}:
        return None
    end = params.integer("trial_end")
    if end is not None and end <= now:
        raise ApiError("trial_end must be in the future.", param=params.path("trial_end"))
    return end


def wanted_from(account: Account, params: Params, subscription: Doc, name: str) -> list[Wanted]:
    """The items as a request wants them; those that it doesn't name stay."""
    wanted = {each.item: each for each in prorations.current(account, subscription)}
    for given in params.many(name):
        identifier = given.text("id")
        if identifier is None:
            price = catalogue.chosen_price(account, given)
            quantity = given.integer("quantity", least=0) or 1
            identifier = f"new_{len(wanted)}"
            wanted[identifier] = Wanted(identifier, price, quantity)
            continue
        before = wanted.get(identifier)
        if before is None:
            raise ApiError(
                f"No such subscription_item: '{identifier}'",
                code="resource_missing",
                param=given.path("id"),
            )
        if given.flag("deleted"):
            wanted[identifier] = Wanted(identifier, None, 0)
            continue
        has_price = "price" in given or "price_data" in given
        wanted[identifier] = Wanted(
            identifier,
            catalogue.chosen_price(account, given) if has_price else before.price,
            before.quantity if "quantity" not in given else given.integer("quantity", least=0) or 0,
        )
    kept = [(each.price, each.quantity) for each in wanted.values() if each.price is not None]
    if not kept:
        raise ApiError("A subscription must have at least one active item.", param=name)
    _check_items(kept, account.need("customer", subscription["customer"], "customer"))
    return list(wanted.values())
