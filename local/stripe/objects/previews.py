"""Previews of invoices: what a change, or the next period, would ask for. Nothing is kept."""

from __future__ import annotations

from local.stripe import money
from local.stripe.account import Account
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.objects import (
    catalogue,
    changes,
    coupons,
    invoices,
    lifecycle,
    prorations,
    subscriptions,
)
from local.stripe.objects.prorations import Wanted
from local.stripe.state import Doc


def preview(account: Account, params: Params) -> Doc:
    """POST /v1/invoices/create_preview: what a change, or the next period, would ask for."""
    details = params.nested("subscription_details")
    if "subscription" not in params:
        return _preview_new(account, params, details)
    subscription = account.named("subscription", params, "subscription")
    customer = account.need("customer", subscription["customer"], "customer")
    change = changes.planned(account, details, subscription, "items")
    pending = subscriptions.pending_lines(account, subscription)
    now = account.now(customer)
    if change is not None and change.invoiced_now:
        return invoices.draft(
            account,
            customer,
            [*pending, *change.lines],
            currency=subscription["currency"],
            reason="upcoming",
            subscription=subscription,
            discounts=_discounts(account, params, subscription, now),
            preview=True,
            proration_date=change.date,
        )
    ends = subscription["cancel_at"] is not None or not lifecycle.lives(subscription)
    start, end = lifecycle.period_of(subscription)
    if ends and not pending and (change is None or not change.lines):
        raise ApiError(
            f"No upcoming invoices for customer: {customer['id']}",
            status=404,
            code="invoice_upcoming_none",
        )
    wanted = change.wanted if change is not None else prorations.current(account, subscription)
    shape = next(each.price["recurring"] for each in wanted if each.price)
    anchor = subscription["billing_cycle_anchor"]
    follows = (end, money.period_end(anchor, shape["interval"], shape["interval_count"], end))
    whole = [] if ends else prorations.full_lines(account, wanted, follows)
    return invoices.draft(
        account,
        customer,
        [*pending, *(change.lines if change else []), *whole],
        currency=subscription["currency"],
        reason="upcoming",
        subscription=subscription,
        period=(start, end),
        discounts=_discounts(account, params, subscription, end),
        preview=True,
        proration_date=change.date if change else None,
    )


def _discounts(account: Account, params: Params, subscription: Doc, at: int) -> list[Doc]:
    if "discounts" in params:
        return _imagined(account, params, subscription["customer"], subscription["currency"])
    return prorations.working_discounts(account, subscription, at)


def _imagined(account: Account, params: Params, customer: str, currency: str) -> list[Doc]:
    imagined = []
    for each in params.many("discounts"):
        coupon, _ = coupons.chosen(account, each, customer=customer, amount=0, currency=currency)
        imagined.append({"id": account.new_id("di"), "~coupon": coupon})
    return imagined


def _preview_new(account: Account, params: Params, details: Params) -> Doc:
    customer = account.named("customer", params, "customer")
    wanted = [
        Wanted(f"si_{at}", catalogue.chosen_price(account, each), each.integer("quantity") or 1)
        for at, each in enumerate(details.many("items"))
    ]
    if not wanted or wanted[0].price is None:
        raise ApiError(
            "Pass a subscription, or subscription_details[items].",
            code="parameter_missing",
            param="subscription",
        )
    now = account.now(customer)
    shape, currency = wanted[0].price["recurring"], wanted[0].price["currency"]
    period = (now, money.after_intervals(now, shape["interval"], shape["interval_count"]))
    return invoices.draft(
        account,
        customer,
        prorations.full_lines(account, wanted, period),
        currency=currency,
        reason="upcoming",
        period=period,
        discounts=_imagined(account, params, customer["id"], currency),
        preview=True,
    )
