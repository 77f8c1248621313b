"""Lines of invoices and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local.stripe import money
from local.stripe.account import Account
from local.stripe.objects import coupons
from local.stripe.state import Doc


@dataclass(frozen=True)
class Line:
    """What an invoice asks for, or gives back when the amount is below zero."""

    amount: int
    description: str
    price: Doc
    quantity: int
    start: int
    end: int
    item: str | None = None
    proration: bool = False
    invoice_item: str | None = None
    credited: tuple[str, str] | None = None
    """The invoice and the line whose unused part a credit gives back."""


def described(price: Doc, quantity: int, product: Doc) -> str:
    """A line's text: "1 x PRO monthly (at 49.00 USD / month)"."""
    cost = money.display(price["unit_amount"], price["currency"])
    recurring = price["recurring"]
    if not recurring:
        return str(product["name"])
    count = recurring["interval_count"]
    every = recurring["interval"] if count == 1 else f"{count} {recurring['interval']}s"
    return f"{quantity} × {product['name']} (at {cost} / {every})"  # noqa: RUF001 (as Stripe writes)


def row(account: Account, invoice: str, line: Line, subscription: Doc | None, preview: bool) -> Doc:
    credited = line.credited and {
        "credited_items": {"invoice": line.credited[0], "invoice_line_items": [line.credited[1]]}
    }
    parent: Doc
    if line.item is not None:
        parent = {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": line.invoice_item,
                "proration": line.proration,
                "proration_details": credited or {"credited_items": None},
                "subscription": subscription["id"] if subscription else None,
                "subscription_item": line.item,
            },
            "type": "subscription_item_details",
        }
    else:
        parent = {
            "invoice_item_details": {
                "invoice_item": line.invoice_item or account.new_id("ii"),
                "proration": line.proration,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        }
    return {
        "id": account.new_id("il_tmp" if preview else "il"),
        "object": "line_item",
        "amount": line.amount,
        "currency": line.price["currency"],
        "description": line.description,
        "discount_amounts": [],
        "discountable": not line.proration,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": {},
        "parent": parent,
        "period": {"end": line.end, "start": line.start},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": line.price["id"], "product": line.price["product"]},
            "type": "price_details",
            "unit_amount_decimal": line.price["unit_amount_decimal"],
        },
        "quantity": line.quantity,
        "quantity_decimal": str(line.quantity),
        "subscription": subscription["id"] if subscription else None,
        "subtotal": line.amount,
        "taxes": [],
    }


def reckon(invoice: Doc, discounts: Sequence[Doc]) -> None:
    """Take the discounts off and write the sums into the invoice."""
    rows = invoice["lines"]["data"]
    left = [row["amount"] if row["discountable"] else 0 for row in rows]
    for discount in discounts:
        off = coupons.amounts_off(left, discount["~coupon"])
        left = [was - less for was, less in zip(left, off, strict=True)]
        for row, less in zip(rows, off, strict=True):
            if less:
                row["discount_amounts"].append({"amount": less, "discount": discount["id"]})
        invoice["total_discount_amounts"].append({"amount": sum(off), "discount": discount["id"]})
    for row in rows:
        row["pretax_credit_amounts"] = _pretax(row["discount_amounts"])
    invoice["total_pretax_credit_amounts"] = _pretax(invoice["total_discount_amounts"])
    subtotal = sum(row["amount"] for row in rows)
    total = subtotal - sum(each["amount"] for each in invoice["total_discount_amounts"])
    invoice.update(
        subtotal=subtotal, subtotal_excluding_tax=subtotal, total=total, total_excluding_tax=total
    )
    owed, _ = with_balance(invoice)
    invoice["amount_due"] = invoice["amount_remaining"] = owed


def _pretax(amounts: list[Doc]) -> list[Doc]:
    return [{**each, "type": "discount"} for each in amounts]


def with_balance(invoice: Doc) -> tuple[int, int]:
    """What is asked for, and the customer's balance afterwards (below zero: we owe it)."""
    owed = invoice["total"] + invoice["starting_balance"]
    return (owed, 0) if owed >= 0 else (0, owed)
