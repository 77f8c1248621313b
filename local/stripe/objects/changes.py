"""Changing subscriptions: items with prorations, previews of them, pausing, cancelling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from local.stripe import money
from local.stripe.account import Account
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.objects import (
    cards,
    catalogue,
    collection,
    coupons,
    invoices,
    lifecycle,
    prorations,
    subscriptions,
)
from local.stripe.objects.lines import Line
from local.stripe.objects.prorations import Change, Wanted
from local.stripe.state import Doc


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/subscriptions/:id."""
    subscription = account.need("subscription", identifier)
    if not lifecycle.lives(subscription):
        if set(params.values) - {"metadata", "cancellation_details", "expand"}:
            raise ApiError(
                "A canceled subscription can only update its cancellation_details and metadata."
            )
        subscription["metadata"] = params.metadata(subscription["metadata"])
        account.store.changed(subscription)
        return subscription
    customer = account.need("customer", subscription["customer"], "customer")
    change = planned(account, params, subscription, "items")
    if change is not None and params.text("payment_behavior") == "error_if_incomplete":
        _must_be_payable(account, subscription, customer, change)
    invoice = None
    with account.changing(subscription, "customer.subscription.updated"):
        _take(account, params, subscription, customer)
        if change is not None:
            invoice = apply(account, subscription, change)
        if "trial_end" in params:
            ended = _move_trial(account, params, subscription)
            invoice = ended or invoice
    if invoice is not None:
        invoices.finalize(account, invoice)
        if invoice["status"] == "open":
            method = lifecycle.method_for(account, subscription, customer)
            off_session = bool(params.flag("off_session"))
            collection.collect(account, invoice, method, off_session=off_session)
    return subscription


def _must_be_payable(account: Account, subscription: Doc, customer: Doc, change: Change) -> None:
    method = lifecycle.method_for(account, subscription, customer)
    if change.invoiced_now and sum(line.amount for line in change.lines) > 0:
        cards.must_work(method)


def _take(account: Account, params: Params, subscription: Doc, customer: Doc) -> None:
    now = account.now(customer)
    subscription["metadata"] = params.metadata(subscription["metadata"])
    if "description" in params:
        subscription["description"] = params.text("description")
    if "default_payment_method" in params:
        method = cards.method_named(account, params.required("default_payment_method"))
        cards.attach_to(account, method, customer)
        subscription["default_payment_method"] = method["id"]
    details = params.nested("cancellation_details")
    for name in ("comment", "feedback"):
        if name in details:
            subscription["cancellation_details"][name] = details.text(name)
    if "cancel_at_period_end" in params:
        cancelling = bool(params.flag("cancel_at_period_end"))
        end = lifecycle.period_of(subscription)[1]
        _cancel_at(subscription, end if cancelling else None, now)
        subscription["cancel_at_period_end"] = cancelling
    if "cancel_at" in params:
        _cancel_at(subscription, params.integer("cancel_at"), now)
        subscription["cancel_at_period_end"] = False
    if "pause_collection" in params:
        given = params.nested("pause_collection")
        subscription["pause_collection"] = (
            given.values
            and {
                "behavior": given.choice(
                    "behavior", "keep_as_draft", "mark_uncollectible", "void", default="void"
                ),
                "resumes_at": given.integer("resumes_at"),
            }
        ) or None
    if "discounts" in params:
        subscription["discounts"] = []
        for each in params.many("discounts"):
            coupon, promotion = coupons.chosen(
                account, each, customer=customer["id"], amount=0, currency=subscription["currency"]
            )
            discount = coupons.redeem(
                account,
                coupon,
                promotion,
                start=now,
                customer=customer["id"],
                subscription=subscription["id"],
            )
            subscription["discounts"].append(discount["id"])


def _cancel_at(subscription: Doc, moment: int | None, now: int) -> None:
    subscription["cancel_at"] = moment
    subscription["canceled_at"] = now if moment else None
    subscription["cancellation_details"]["reason"] = "cancellation_requested" if moment else None


def planned(account: Account, params: Params, subscription: Doc, name: str) -> Change | None:
    if name not in params:
        return None
    now = account.now(subscription)
    date = params.integer("proration_date")
    start, end = lifecycle.period_of(subscription)
    if date is not None and not start <= date < end:
        raise ApiError(
            "Invalid proration_date: it must lie in the current period.",
            param=params.path("proration_date"),
        )
    behaviour = params.choice(
        "proration_behavior", *subscriptions.PRORATIONS, default="create_prorations"
    )
    wanted = subscriptions.wanted_from(account, params, subscription, name)
    return prorations.plan(
        account, subscription, wanted, date=now if date is None else date, behaviour=behaviour
    )


def apply(account: Account, subscription: Doc, change: Change) -> Doc | None:
    """Change the items; the draft that is to be paid now, if there is one."""
    start, end = change.new_period or lifecycle.period_of(subscription)
    names = _set_items(account, subscription, change.wanted, (start, end))
    lines = [replace(line, item=names[line.item or ""]) for line in change.lines]
    if change.behaviour != "none" and not change.new_period:
        for item in lifecycle.items_of(subscription):
            wanted = Wanted(
                item["id"], account.need("price", item["price"]["id"]), item["quantity"]
            )
            before = item.get("~billed") or {}
            net = prorations.net_of(account, subscription, wanted, change.date)
            if any(line.item == item["id"] for line in lines):
                item["~billed"] = {**before, "net": net}
    if change.new_period:
        subscription["billing_cycle_anchor"] = start
    prorated = [line for line in lines if line.proration]
    whole = [line for line in lines if not line.proration]
    for line in prorated:
        _keep_pending(account, subscription, line)
    account.store.changed(subscription)
    if not change.invoiced_now:
        return None
    return subscriptions.bill(
        account,
        subscription,
        reason="subscription_update",
        period=(start, end),
        lines=whole,
        proration_date=change.date,
    )


def _set_items(
    account: Account, subscription: Doc, wanted: Sequence[Wanted], period: tuple[int, int]
) -> dict[str, str]:
    """The item ids by the names they had in the plan."""
    data = lifecycle.items_of(subscription)
    by_id = {item["id"]: item for item in data}
    names = {each.item: each.item for each in wanted}
    for each in wanted:
        item = by_id.get(each.item)
        if item is None and each.price is not None:
            made = subscriptions.new_item(
                account, subscription["id"], each.price, each.quantity, *period
            )
            made["created"] = account.now(subscription)
            names[each.item] = made["id"]
            data.append(made)
        elif item is not None and each.price is None:
            data.remove(item)
        elif item is not None and each.price is not None:
            item["price"] = dict(each.price)
            item["plan"] = catalogue.plan_of(each.price)
            item["quantity"] = each.quantity
    lifecycle.set_period(subscription, *period)
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = period[1]
    return names


def _keep_pending(account: Account, subscription: Doc, line: Line) -> Doc:
    identifier = account.new_id("ii")
    kept = asdict(replace(line, invoice_item=identifier))
    kept["price"] = line.price["id"]
    pricing = {
        "price_details": {"price": line.price["id"], "product": line.price["product"]},
        "type": "price_details",
        "unit_amount_decimal": line.price["unit_amount_decimal"],
    }
    return account.add(
        {
            "id": identifier,
            "object": "invoiceitem",
            "amount": line.amount,
            "currency": line.price["currency"],
            "customer": subscription["customer"],
            "customer_account": None,
            "date": line.start,
            "description": line.description,
            "discountable": False,
            "discounts": [],
            "invoice": None,
            "livemode": False,
            "metadata": {},
            "net_amount": line.amount,
            "parent": {
                "subscription_details": {
                    "subscription": subscription["id"],
                    "subscription_item": line.item,
                },
                "type": "subscription_details",
            },
            "period": {"end": line.end, "start": line.start},
            "pricing": pricing,
            "proration": True,
            "proration_details": {"credited_items": None, "discount_amounts": []},
            "quantity": line.quantity,
            "quantity_decimal": str(line.quantity),
            "tax_rates": [],
            "test_clock": subscription["test_clock"],
            "~line": kept,
        },
        "invoiceitem.created",
    )


def _move_trial(account: Account, params: Params, subscription: Doc) -> Doc | None:
    from local.stripe.objects import renewals  # it imports us

    now = account.now(subscription)
    end = subscriptions.trial_end_from(account, params, now)
    if end is not None:
        subscription["trial_end"] = subscription["billing_cycle_anchor"] = end
        subscription["trial_start"] = subscription["trial_start"] or now
        subscription["status"] = "trialing"
        lifecycle.set_period(subscription, lifecycle.period_of(subscription)[0], end)
        return None
    if subscription["status"] != "trialing":
        return None
    return renewals.end_trial(account, subscription, now, reason="subscription_update")


def cancel(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/subscriptions/:id: at once."""
    subscription = account.need("subscription", identifier)
    if not lifecycle.lives(subscription):
        raise ApiError(
            f"No such subscription: '{identifier}'", status=404, code="resource_missing", param="id"
        )
    details = params.nested("cancellation_details")
    for name in ("comment", "feedback"):
        if name in details:
            subscription["cancellation_details"][name] = details.text(name)
    invoice = None
    if params.flag("prorate"):
        _credit_unused(account, subscription)
    if params.flag("invoice_now") and subscriptions.pending_lines(account, subscription):
        period = lifecycle.period_of(subscription)
        invoice = subscriptions.bill(
            account, subscription, reason="subscription_update", period=period, lines=[]
        )
    if subscription["status"] == "incomplete":
        lifecycle.expire(account, subscription)
    else:
        lifecycle.end(account, subscription, reason="cancellation_requested")
    if invoice is not None:
        invoices.finalize(account, invoice)
    return subscription


def _credit_unused(account: Account, subscription: Doc) -> None:
    gone = [Wanted(each["id"], None, 0) for each in lifecycle.items_of(subscription)]
    now = account.now(subscription)
    for line in prorations.credits_for(account, subscription, gone, now):
        _keep_pending(account, subscription, line)


def pause(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/subscriptions/:id/pause."""
    subscription = account.need("subscription", identifier)
    if subscription["status"] not in {"active", "trialing", "past_due"}:
        raise ApiError(f"A subscription that is {subscription['status']} cannot be paused.")
    unused = params.nested("bill_for").nested("unused_time_from")
    if unused.choice("type", "none", "now", default="now") == "now":
        _credit_unused(account, subscription)
    become_paused(account, subscription, "pause_requested")
    return subscription


def become_paused(account: Account, subscription: Doc, why: str) -> None:
    """Stop billing until it is resumed."""
    with account.changing(subscription, "customer.subscription.updated"):
        subscription["status"] = "paused"
        subscription["status_details"] = {
            "paused": {
                "subscription": {"type": why},
                "transitioned_at": account.now(subscription),
                "type": "subscription",
            }
        }
    account.emit("customer.subscription.paused", subscription)


def resume(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/subscriptions/:id/resume: a new period from now on, paid at once."""
    subscription = account.need("subscription", identifier)
    if subscription["status"] != "paused":
        raise ApiError("Only a paused subscription can be resumed.")
    customer = account.need("customer", subscription["customer"], "customer")
    method = lifecycle.method_for(account, subscription, customer)
    now = account.now(customer)
    shape = lifecycle.items_of(subscription)[0]["price"]["recurring"]
    period = (now, money.after_intervals(now, shape["interval"], shape["interval_count"]))
    with account.changing(subscription, "customer.subscription.updated"):
        subscription["status"] = "active"
        subscription.pop("status_details", None)
        subscription["billing_cycle_anchor"] = now
        lifecycle.set_period(subscription, *period)
        invoice = subscriptions.bill(
            account, subscription, reason="subscription_cycle", period=period
        )
    account.emit("customer.subscription.resumed", subscription)
    invoices.finalize(account, invoice)
    if invoice["status"] == "open":
        collection.collect(account, invoice, method, off_session=True)
    return subscription
