"""Invoices: their lines and totals, and the states from draft to paid, void or uncollectible."""

from __future__ import annotations

from collections.abc import Sequence

from local.stripe.account import Account, listed
from local.stripe.errors import ApiError, unsupported
from local.stripe.form import Params
from local.stripe.objects import customers, lifecycle, payments
from local.stripe.objects.lines import Line, reckon, row, with_balance
from local.stripe.state import Doc


def draft(
    account: Account,
    customer: Doc,
    lines: Sequence[Line],
    *,
    currency: str,
    reason: str,
    subscription: Doc | None = None,
    period: tuple[int, int] | None = None,
    discounts: Sequence[Doc] = (),
    metadata: dict[str, str] | None = None,
    description: str | None = None,
    preview: bool = False,
    proration_date: int | None = None,
) -> Doc:
    """A draft, which is kept unless it is only a preview."""
    now = account.now(customer)
    identifier = account.new_id("upcoming_in" if preview else "in")
    start, end = period or (now, now)
    rows = [row(account, identifier, line, subscription, preview) for line in lines]
    invoice: Doc = {
        "id": identifier,
        "object": "invoice",
        "account_country": "US",
        "account_name": "StudyPack",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": not preview,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": customers.tax_ids_of(account, customer),
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": description,
        "discounts": [each["id"] for each in discounts],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": customer["invoice_settings"]["footer"],
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": listed(f"/v1/invoices/{identifier}/lines", rows),
        "livemode": False,
        "metadata": metadata or {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": _parent(subscription, proration_date),
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": end,
        "period_start": start,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": customer["balance"],
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": customer["test_clock"],
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }
    reckon(invoice, discounts)
    if preview:
        invoice["amount_remaining"] = invoice["amount_due"]
        return invoice
    if customer["currency"] is None:
        customer["currency"] = currency
        account.store.changed(customer)
    account.add(invoice, "invoice.created")
    return invoice


def _parent(subscription: Doc | None, proration_date: int | None) -> Doc | None:
    if subscription is None:
        return None
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    if proration_date is not None:
        details["subscription_proration_date"] = proration_date
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}


def finalize(account: Account, invoice: Doc) -> None:
    """Give it a number and make it due; one that asks for nothing is paid thereby."""
    if invoice["status"] != "draft":
        raise ApiError("This invoice is already finalized.", code="invoice_not_editable")
    customer = account.need("customer", invoice["customer"], "customer")
    now = account.now(invoice)
    invoice["starting_balance"] = customer["balance"]
    owed, balance = with_balance(invoice)
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    customer["next_invoice_sequence"] += 1
    account.store.changed(customer)
    with account.changing(customer, "customer.updated"):
        customer["balance"] = balance
    secret = account.store.ids.letters(invoice["id"], 40)
    invoice.update(
        amount_due=owed,
        amount_remaining=owed,
        automatically_finalizes_at=None,
        effective_at=now,
        ending_balance=balance,
        hosted_invoice_url=account.url(f"/i/{invoice['id']}?s={secret}"),
        invoice_pdf=account.url(f"/i/{invoice['id']}/pdf?s={secret}"),
        number=number,
        status="open",
    )
    invoice["status_transitions"]["finalized_at"] = now
    account.store.changed(invoice)
    account.emit("invoice.finalized", invoice)
    if owed == 0:
        become_paid(account, invoice)


def intent_for(account: Account, invoice: Doc, *, description: str) -> Doc:
    """The payment intent of an open invoice, made at the first asking."""
    payment = default_payment(account, invoice)
    if payment is not None:
        return account.need("payment_intent", payment["payment"]["payment_intent"])
    intent = payments.new_intent(
        account,
        invoice["amount_remaining"],
        invoice["currency"],
        account.need("customer", invoice["customer"], "customer"),
        description=description,
        invoice=invoice["id"],
        setup_future_usage="off_session",
    )
    link_payment(account, invoice, intent)
    return intent


def link_payment(account: Account, invoice: Doc, intent: Doc) -> Doc:
    """Say that an intent pays an invoice."""
    intent["payment_details"]["order_reference"] = invoice["id"]
    account.store.changed(intent)
    return account.add(
        {
            "id": account.new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": intent["amount"],
            "created": account.now(invoice),
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def default_payment(account: Account, invoice: Doc) -> Doc | None:
    """The invoice's payment that counts."""
    return next(
        (
            each
            for each in account.store.all("invoice_payment")
            if each["invoice"] == invoice["id"] and each["is_default"]
        ),
        None,
    )


def invoice_of(account: Account, intent: Doc) -> Doc | None:
    """The invoice that an intent pays."""
    return account.find("invoice", intent["payment_details"]["order_reference"])


def become_paid(account: Account, invoice: Doc, *, out_of_band: bool = False) -> None:
    """Close it as paid."""
    now = account.now(invoice)
    payment = default_payment(account, invoice)
    if payment is not None and not out_of_band:
        payment["amount_paid"] = invoice["amount_remaining"]
        payment["status"] = "paid"
        payment["status_transitions"]["paid_at"] = now
        account.store.changed(payment)
    invoice.update(
        amount_paid=invoice["amount_due"],
        amount_remaining=0,
        attempted=True,
        auto_advance=False,
        next_payment_attempt=None,
        status="paid",
    )
    invoice["status_transitions"]["paid_at"] = now
    account.store.changed(invoice)
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)
    if payment is not None and not out_of_band:
        account.emit("invoice_payment.paid", payment)


def void(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/invoices/:id/void."""
    invoice = account.need("invoice", identifier)
    if invoice["status"] not in {"open", "uncollectible"}:
        raise ApiError(
            f"You can only void invoices that are open or uncollectible, not {invoice['status']}."
        )
    _close(account, invoice, "void", "voided_at")
    account.emit("invoice.voided", invoice)
    return invoice


def mark_uncollectible(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/invoices/:id/mark_uncollectible."""
    invoice = account.need("invoice", identifier)
    if invoice["status"] != "open":
        raise ApiError(f"You can only mark open invoices, not one that is {invoice['status']}.")
    _close(account, invoice, "uncollectible", "marked_uncollectible_at")
    account.emit("invoice.marked_uncollectible", invoice)
    return invoice


def _close(account: Account, invoice: Doc, status: str, moment: str) -> None:
    invoice.update(status=status, auto_advance=False, next_payment_attempt=None)
    invoice["status_transitions"][moment] = account.now(invoice)
    payment = default_payment(account, invoice)
    if status == "void" and payment is not None:
        payment["status"] = "canceled"
        payment["status_transitions"]["canceled_at"] = account.now(invoice)
        account.store.changed(payment)
        intent = account.need("payment_intent", payment["payment"]["payment_intent"])
        if intent["status"] not in {"succeeded", "canceled"}:
            payments.abandon(account, intent, "void_invoice")
    account.store.changed(invoice)


def update(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/invoices/:id: description, footer, metadata, auto_advance."""
    invoice = account.need("invoice", identifier)
    with account.changing(invoice, "invoice.updated"):
        for name in ("description", "footer"):
            if name in params:
                if invoice["status"] != "draft":
                    raise unsupported("changing a finalized invoice's texts", name)
                invoice[name] = params.text(name)
        if "auto_advance" in params:
            invoice["auto_advance"] = params.flag("auto_advance")
        invoice["metadata"] = params.metadata(invoice["metadata"])
    return invoice


def delete(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/invoices/:id: a draft that belongs to no subscription."""
    invoice = account.need("invoice", identifier)
    if invoice["status"] != "draft" or lifecycle.subscription_of(invoice):
        raise ApiError("You can only delete draft invoices that no subscription made.")
    account.emit("invoice.deleted", invoice)
    account.store.remove(invoice)
    return {"id": identifier, "object": "invoice", "deleted": True}
