"""What time does: trials and periods end, drafts are finalized, failed payments tried again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.stripe import money
from local.stripe.account import HOUR, Account
from local.stripe.objects import (
    changes,
    checkout,
    collection,
    invoices,
    lifecycle,
    subscriptions,
)
from local.stripe.state import Doc

FIRST_PAYMENT_SECONDS = 23 * HOUR
RENEWING = frozenset({"active", "past_due", "unpaid"})


@dataclass(frozen=True)
class Due:
    """Something that time brings."""

    at: int
    order: int
    """Which of two things at the same second comes first."""
    act: Callable[[Account, Doc, int], object]
    about: Doc


def next_due(account: Account, clock: str | None, until: int) -> Due | None:
    """The first thing that is due for the customers of a clock (None: of the wall clock)."""
    return min(
        (due for due in _all_due(account, clock) if due.at <= until),
        key=lambda due: (due.at, due.order),
        default=None,
    )


def _all_due(account: Account, clock: str | None) -> Iterator[Due]:
    customers = {
        each["id"] for each in account.store.all("customer") if each["test_clock"] == clock
    }
    for subscription in account.store.all("subscription"):
        if subscription["customer"] in customers and lifecycle.lives(subscription):
            yield from _of_subscription(subscription)
    for invoice in account.store.all("invoice"):
        if invoice["customer"] in customers:
            yield from _of_invoice(invoice)
    for session in account.store.all("checkout.session") if clock is None else ():
        if session["status"] == "open":
            yield Due(session["expires_at"], 0, _expire_session, session)


def _of_subscription(subscription: Doc) -> Iterator[Due]:
    status = subscription["status"]
    end = lifecycle.period_of(subscription)[1]
    if status == "trialing" and not subscription.get("~warned"):
        warning = subscription["trial_end"] - subscriptions.TRIAL_WARNING
        yield Due(warning, 0, _warn, subscription)
    if subscription["cancel_at"] is not None and status != "incomplete":
        yield Due(subscription["cancel_at"], 1, _cancel, subscription)
    if status == "trialing":
        yield Due(subscription["trial_end"], 2, _end_trial, subscription)
    elif status in RENEWING:
        yield Due(end, 2, renew, subscription)
    elif status == "incomplete":
        yield Due(subscription["created"] + FIRST_PAYMENT_SECONDS, 0, _expire, subscription)
    pause = subscription["pause_collection"]
    if pause and pause["resumes_at"]:
        yield Due(pause["resumes_at"], 0, _collect_again, subscription)


def _of_invoice(invoice: Doc) -> Iterator[Due]:
    if invoice["status"] == "draft" and invoice["automatically_finalizes_at"]:
        yield Due(invoice["automatically_finalizes_at"], 3, _finalize, invoice)
    if invoice["status"] == "open" and invoice["next_payment_attempt"]:
        yield Due(invoice["next_payment_attempt"], 4, _try_again, invoice)


def _expire_session(account: Account, session: Doc, at: int) -> None:
    checkout.expire_now(account, session)


def _warn(account: Account, subscription: Doc, at: int) -> None:
    subscriptions.warn_of_trial_end(account, subscription)


def _cancel(account: Account, subscription: Doc, at: int) -> None:
    lifecycle.end(account, subscription, reason="cancellation_requested")


def _expire(account: Account, subscription: Doc, at: int) -> None:
    lifecycle.expire(account, subscription)


def _collect_again(account: Account, subscription: Doc, at: int) -> None:
    with account.changing(subscription, "customer.subscription.updated"):
        subscription["pause_collection"] = None


def _end_trial(account: Account, subscription: Doc, at: int) -> None:
    customer = account.need("customer", subscription["customer"], "customer")
    missing = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if lifecycle.method_for(account, subscription, customer) is None:
        if missing == "cancel":
            lifecycle.end(account, subscription, reason="cancellation_requested")
            return
        if missing == "pause":
            changes.become_paused(account, subscription, "trial_end_without_payment_method")
            return
    with account.changing(subscription, "customer.subscription.updated"):
        invoice = end_trial(account, subscription, at, reason="subscription_cycle")
    _leave_draft(account, subscription, invoice, at)


def end_trial(account: Account, subscription: Doc, at: int, *, reason: str) -> Doc:
    """Begin the first paid period; its draft."""
    subscription["status"] = "active"
    subscription["trial_end"] = subscription["billing_cycle_anchor"] = at
    shape = lifecycle.items_of(subscription)[0]["price"]["recurring"]
    period = (at, money.after_intervals(at, shape["interval"], shape["interval_count"]))
    lifecycle.set_period(subscription, *period)
    return subscriptions.bill(account, subscription, reason=reason, period=period)


def renew(account: Account, subscription: Doc, at: int) -> None:
    """Begin the next period; its invoice stays a draft for an hour, as in Stripe."""
    shape = lifecycle.items_of(subscription)[0]["price"]["recurring"]
    start = lifecycle.period_of(subscription)[1]
    end = money.period_end(
        subscription["billing_cycle_anchor"], shape["interval"], shape["interval_count"], start
    )
    with account.changing(subscription, "customer.subscription.updated"):
        lifecycle.set_period(subscription, start, end)
        invoice = subscriptions.bill(
            account, subscription, reason="subscription_cycle", period=(start, end)
        )
    _leave_draft(account, subscription, invoice, at)


def _leave_draft(account: Account, subscription: Doc, invoice: Doc, at: int) -> None:
    pause = subscription["pause_collection"]
    if (pause and pause["behavior"] == "keep_as_draft") or subscription["status"] == "unpaid":
        invoice["auto_advance"] = False
    else:
        invoice["automatically_finalizes_at"] = at + account.switches.draft_seconds
    account.store.changed(invoice)


def _finalize(account: Account, invoice: Doc, at: int) -> None:
    from local.stripe.form import Params

    invoices.finalize(account, invoice)
    if invoice["status"] != "open":
        return
    subscription = account.find("subscription", lifecycle.subscription_of(invoice))
    pause = subscription["pause_collection"] if subscription else None
    if pause:
        act = invoices.void if pause["behavior"] == "void" else invoices.mark_uncollectible
        act(account, Params({}), invoice["id"])
        return
    _try_again(account, invoice, at)


def _try_again(account: Account, invoice: Doc, at: int) -> None:
    invoice["next_payment_attempt"] = None
    customer = account.need("customer", invoice["customer"], "customer")
    subscription = account.find("subscription", lifecycle.subscription_of(invoice))
    method = lifecycle.method_for(account, subscription, customer)
    collection.collect(account, invoice, method, off_session=True)


def pass_time(account: Account, clock: Doc | None, until: int, *, most: int = 10_000) -> int:
    """Do everything that is due up to a moment, in its order; how much that was."""
    done = 0
    name = clock["id"] if clock else None
    while done < most and (due := next_due(account, name, until)) is not None:
        if clock is not None:
            clock["frozen_time"] = max(clock["frozen_time"], due.at)
            account.store.changed(clock)
        due.act(account, due.about, due.at)
        done += 1
    return done
