"""Collecting what invoices ask for, and what that does to their subscriptions."""

from __future__ import annotations

from local.stripe.account import DAY, Account
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.objects import cards, invoices, lifecycle, payments
from local.stripe.state import Doc


def collect(
    account: Account,
    invoice: Doc,
    method: Doc | None,
    *,
    off_session: bool,
    intent: Doc | None = None,
    authenticated: bool = False,
) -> str:
    """Try to have an open invoice paid; the intent's status, or "none" without a method."""
    subscription = account.find("subscription", lifecycle.subscription_of(invoice))
    first = invoice["billing_reason"] == "subscription_create"
    text = "Subscription creation" if first else "Subscription update"
    intent = intent or invoices.intent_for(
        account, invoice, description=text if subscription else "Payment for Invoice"
    )
    if intent["status"] == "processing":
        raise ApiError(
            "This invoice's payment is under way.", code="invoice_payment_intent_requires_action"
        )
    if method is None:
        _failed(account, invoice, subscription, attempted=False)
        return "none"
    status = payments.attempt(
        account,
        intent,
        method,
        off_session=off_session,
        authenticated=authenticated,
        return_url=invoice["hosted_invoice_url"],
    )
    invoice["attempted"] = True
    invoice["attempt_count"] += 1
    account.store.changed(invoice)
    follow(account, invoice, intent)
    return status


def follow(account: Account, invoice: Doc, intent: Doc) -> None:
    """Take over what became of the invoice's payment."""
    subscription = account.find("subscription", lifecycle.subscription_of(invoice))
    match intent["status"]:
        case "succeeded":
            invoices.become_paid(account, invoice)
            _paid(account, subscription)
        case "processing":
            invoice["next_payment_attempt"] = None
            account.store.changed(invoice)
            if subscription and subscription["status"] == "incomplete":
                _set(account, subscription, "active")
        case "requires_action":
            account.emit("invoice.payment_action_required", invoice)
        case _:
            _failed(account, invoice, subscription)


def _set(account: Account, subscription: Doc, status: str) -> None:
    with account.changing(subscription, "customer.subscription.updated"):
        subscription["status"] = status


def _paid(account: Account, subscription: Doc | None) -> None:
    """A subscription is active again when nothing of it is left to pay."""
    if subscription is None or not lifecycle.lives(subscription):
        return
    owing = any(
        lifecycle.subscription_of(other) == subscription["id"]
        and other["status"] == "open"
        and other["amount_remaining"] > 0
        and other["attempted"]
        for other in account.store.all("invoice")
    )
    if subscription["status"] in {"incomplete", "past_due", "unpaid"} and not owing:
        _set(account, subscription, "active")


def _failed(
    account: Account, invoice: Doc, subscription: Doc | None, *, attempted: bool = True
) -> None:
    """Plan the next attempt, or draw the consequences of the last."""
    renewal = subscription is not None and invoice["billing_reason"] != "subscription_create"
    tries = max(invoice["attempt_count"], 1)
    if not attempted:
        invoice["attempted"] = True
        invoice["attempt_count"] += 1
        tries = invoice["attempt_count"]
    days = account.switches.retry_days
    again = renewal and tries <= len(days)
    invoice["next_payment_attempt"] = (
        account.now(invoice) + days[tries - 1] * DAY if again else None
    )
    account.store.changed(invoice)
    account.emit("invoice.payment_failed", invoice)
    if subscription is None or not lifecycle.lives(subscription):
        return
    if subscription["status"] in {"active", "trialing"}:
        _set(account, subscription, "past_due")
    if again or not renewal or subscription["status"] != "past_due":
        return
    if account.switches.after_last_retry == "cancel":
        lifecycle.end(account, subscription, reason="payment_failed")
    elif account.switches.after_last_retry == "unpaid":
        _set(account, subscription, "unpaid")


def settle(account: Account, intent: Doc, *, succeeded: bool) -> None:
    """A delayed payment arrived, or came back; so do its invoice, subscription and session."""
    if intent["status"] != "processing":
        raise ApiError(f"The payment is not under way but {intent['status']}.")
    payments.settle(account, intent, succeeded=succeeded)
    invoice = invoices.invoice_of(account, intent)
    if invoice is not None:
        follow(account, invoice, intent)
    for session in account.store.all("checkout.session"):
        if session.get("~intent") == intent["id"] and session["status"] == "complete":
            if succeeded:
                session["payment_status"] = "paid"
                account.store.changed(session)
            ending = "succeeded" if succeeded else "failed"
            account.emit(f"checkout.session.async_payment_{ending}", session)


def authenticated(account: Account, intent: Doc, *, passed: bool) -> None:
    """The buyer was asked to prove to be the card's owner, on the page for that."""
    if intent["status"] != "requires_action":
        raise ApiError(f"The payment asks for nothing: it is {intent['status']}.")
    if passed:
        method = account.need("payment_method", intent["payment_method"])
        payments.attempt(account, intent, method, off_session=False, authenticated=True)
    else:
        payments.refuse_authentication(account, intent)
    invoice = invoices.invoice_of(account, intent)
    if invoice is not None:
        follow(account, invoice, intent)


def pay(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/invoices/:id/pay."""
    invoice = account.need("invoice", identifier)
    if invoice["status"] == "draft":
        invoices.finalize(account, invoice)
    if invoice["status"] == "paid":
        raise ApiError("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "void":
        raise ApiError("A voided invoice cannot be paid.", code="invoice_not_editable")
    if params.flag("paid_out_of_band"):
        invoices.become_paid(account, invoice, out_of_band=True)
        _paid(account, account.find("subscription", lifecycle.subscription_of(invoice)))
        return invoice
    customer = account.need("customer", invoice["customer"], "customer")
    subscription = account.find("subscription", lifecycle.subscription_of(invoice))
    chosen = params.text("payment_method")
    method = (
        cards.method_named(account, chosen)
        if chosen
        else lifecycle.method_for(account, subscription, customer)
    )
    if method is None:
        raise ApiError(
            "There is no default payment method set on this Customer or Invoice. Please provide a "
            "payment method.",
            code="missing",
        )
    off_session = params.flag("off_session", True)
    status = collect(account, invoice, method, off_session=bool(off_session))
    if status == "requires_payment_method":
        raise payments.error_of(intent_of(account, invoice))
    if status == "requires_action":
        raise ApiError(
            "This payment requires additional user action before it can be completed successfully.",
            status=402,
            kind="card_error",
            code="invoice_payment_intent_requires_action",
        )
    return invoice


def intent_of(account: Account, invoice: Doc) -> Doc:
    """The intent that was tried for an invoice."""
    payment = invoices.default_payment(account, invoice)
    if payment is None:
        raise LookupError(f"nobody tried to pay {invoice['id']}")
    return account.need("payment_intent", payment["payment"]["payment_intent"])


def finalize(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/invoices/:id/finalize: what is due is collected at the next attempt or by pay."""
    invoice = account.need("invoice", identifier)
    invoices.finalize(account, invoice)
    return invoice
