"""Where a subscription stands: its period, whether it lives, how it ends."""

from __future__ import annotations

from local.stripe.account import Account
from local.stripe.state import Doc

ENDED = frozenset({"canceled", "incomplete_expired"})


def lives(subscription: Doc) -> bool:
    """Whether it has not ended for good."""
    return subscription["status"] not in ENDED


def items_of(subscription: Doc) -> list[Doc]:
    """Its items."""
    items: list[Doc] = subscription["items"]["data"]
    return items


def period_of(subscription: Doc) -> tuple[int, int]:
    """When its current period begins and ends; all its items share one."""
    first = items_of(subscription)[0]
    return first["current_period_start"], first["current_period_end"]


def set_period(subscription: Doc, start: int, end: int) -> None:
    """Move all its items to a period."""
    for item in items_of(subscription):
        item["current_period_start"], item["current_period_end"] = start, end


def end(account: Account, subscription: Doc, *, reason: str) -> None:
    """End it now; what its open invoices still ask for is asked no more."""
    now = account.now(subscription)
    subscription["status"] = "canceled"
    subscription["ended_at"] = now
    subscription["canceled_at"] = subscription["canceled_at"] or now
    subscription["cancellation_details"]["reason"] = (
        subscription["cancellation_details"]["reason"] or reason
    )
    account.store.changed(subscription)
    for invoice in account.store.all("invoice"):
        if subscription_of(invoice) == subscription["id"] and invoice["status"] in {
            "draft",
            "open",
        }:
            with account.changing(invoice, "invoice.updated"):
                invoice["auto_advance"] = False
                invoice["next_payment_attempt"] = None
    account.emit("customer.subscription.deleted", subscription)


def expire(account: Account, subscription: Doc) -> None:
    """The first payment was not made in time."""
    with account.changing(subscription, "customer.subscription.updated"):
        subscription["status"] = "incomplete_expired"
        subscription["ended_at"] = account.now(subscription)


def subscription_of(invoice: Doc) -> str | None:
    """The id of the subscription that an invoice is for."""
    parent = invoice["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def method_for(account: Account, subscription: Doc | None, customer: Doc) -> Doc | None:
    """What a subscription, or else its customer, pays with unless told otherwise."""
    own = subscription["default_payment_method"] if subscription else None
    chosen = own or customer["invoice_settings"]["default_payment_method"]
    return account.find("payment_method", chosen)
