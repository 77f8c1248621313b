"""Credit notes: corrections of finalized invoices."""

from __future__ import annotations

from local.stripe.account import Account, listed
from local.stripe.errors import ApiError, unsupported
from local.stripe.form import Params
from local.stripe.objects import invoices, refunds
from local.stripe.state import Doc

REASONS = ("duplicate", "fraudulent", "order_change", "product_unsatisfactory")


def create(account: Account, params: Params) -> Doc:
    """POST /v1/credit_notes, of an amount or of lines; refunds when `refund_amount` says so."""
    invoice = account.named("invoice", params, "invoice")
    if invoice["status"] not in {"open", "paid"}:
        raise ApiError("You can only create credit notes for open or paid invoices.")
    if invoice["status"] == "open":
        raise unsupported("credit notes of open invoices", "invoice")
    rows = _rows(account, params, invoice)
    amount = sum(row["amount"] for row in rows)
    left = invoice["amount_paid"] - invoice["post_payment_credit_notes_amount"]
    if amount > left:
        raise ApiError(
            f"The sum of credit notes ({amount}) is above what was paid and not credited ({left}).",
            param="amount",
        )
    made_refunds = _refunds(account, params, invoice)
    refunded = sum(each["amount_refunded"] for each in made_refunds)
    outside = params.integer("out_of_band_amount", least=0) or 0
    credited = params.integer("credit_amount", least=0) or 0
    if refunded + outside + credited != amount:
        raise ApiError(
            "The refunds, the credit and what is paid out of band make "
            f"{refunded + outside + credited}, the credit note {amount}.",
        )
    customer = account.need("customer", invoice["customer"], "customer")
    if credited:
        with account.changing(customer, "customer.updated"):
            customer["balance"] -= credited
    count = sum(1 for each in account.store.all("credit_note") if each["invoice"] == invoice["id"])
    reason = params.text("reason")
    if reason:
        params.choice("reason", *REASONS, default=reason)
    identifier = account.new_id("cn")
    note: Doc = {
        "id": identifier,
        "object": "credit_note",
        "amount": amount,
        "amount_shipping": 0,
        "created": account.now(invoice),
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": 0,
        "discount_amounts": [],
        "effective_at": account.now(invoice),
        "invoice": invoice["id"],
        "lines": listed(f"/v1/credit_notes/{identifier}/lines", rows),
        "livemode": False,
        "memo": params.text("memo"),
        "metadata": params.metadata(),
        "number": f"{invoice['number']}-CN-{count + 1:02}",
        "out_of_band_amount": outside or None,
        "pdf": account.url(f"/credit_notes/{identifier}/pdf"),
        "post_payment_amount": amount,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [],
        "reason": reason,
        "refunds": made_refunds,
        "shipping_cost": None,
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "post_payment",
        "voided_at": None,
    }
    with account.changing(invoice, "invoice.updated"):
        invoice["post_payment_credit_notes_amount"] += amount
    return account.add(note, "credit_note.created")


def _rows(account: Account, params: Params, invoice: Doc) -> list[Doc]:
    by_id = {row["id"]: row for row in invoice["lines"]["data"]}
    given = params.many("lines")
    if not given:
        amount = params.integer("amount", least=1)
        if amount is None:
            raise ApiError("Pass an amount, or lines.", code="parameter_missing", param="amount")
        return [_row(account, None, amount, "Credit", 1)]
    rows = []
    for each in given:
        if each.choice("type", "invoice_line_item", "custom_line_item", default="") == (
            "invoice_line_item"
        ):
            line = by_id.get(each.required("invoice_line_item"))
            if line is None:
                raise ApiError("No such invoice line.", param=each.path("invoice_line_item"))
            off = sum(one["amount"] for one in line["discount_amounts"])
            amount = each.integer("amount", least=1) or line["amount"] - off
            if amount > line["amount"] - off:
                raise ApiError("More than the line asked for.", param=each.path("amount"))
            rows.append(_row(account, line["id"], amount, line["description"], line["quantity"]))
        else:
            amount = (each.integer("unit_amount", least=1) or 0) * (each.integer("quantity") or 1)
            rows.append(_row(account, None, amount, each.text("description") or "Credit", 1))
    return rows


def _row(account: Account, line: str | None, amount: int, description: str, quantity: int) -> Doc:
    row: Doc = {
        "id": account.new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": "invoice_line_item" if line else "custom_line_item",
        "unit_amount": amount // quantity if amount % quantity == 0 else None,
        "unit_amount_decimal": str(amount / quantity),
    }
    if line:
        row["invoice_line_item"] = line
    return row


def _refunds(account: Account, params: Params, invoice: Doc) -> list[Doc]:
    made = []
    for each in params.many("refunds"):
        refund = account.named("refund", each, "refund")
        amount = each.integer("amount_refunded", least=1) or refund["amount"]
        made.append(_entry(refund["id"], amount))
    amount = params.integer("refund_amount", least=1)
    if amount is not None:
        payment = invoices.default_payment(account, invoice)
        if payment is None:
            raise ApiError("Nothing was paid that could be refunded.", param="refund_amount")
        intent = account.need("payment_intent", payment["payment"]["payment_intent"])
        charge = account.need("charge", intent["latest_charge"])
        made.append(_entry(refunds.refund(account, charge, amount)["id"], amount))
    return made


def _entry(refund: str, amount: int) -> Doc:
    return {
        "amount_refunded": amount,
        "payment_record_refund": None,
        "refund": refund,
        "type": "refund",
    }
