"""Our own invoices and credit notes: numbers without gaps, and what they say frozen when they get
one.

Whoever calls holds the lock of the customer's row (payments.customers), so that nothing here meets
another writer of the same invoice. Numbers are shared by all customers: they are drawn last and
held until the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from studypack.billing.models import (
    Checkout,
    CreditNote,
    Customer,
    Invoice,
    InvoiceStatus,
    Product,
    Purchase,
    Refund,
    RefundStatus,
    Subscription,
    Transaction,
)
from studypack.billing.vat import is_reverse_charge
from studypack.core.business_settings import get_business_settings
from studypack.identity.models import User

PAYMENT_FAILED = "invoice.payment_failed"
_STATUSES = {
    "draft": InvoiceStatus.DRAFT,
    "open": InvoiceStatus.SENT,
    "paid": InvoiceStatus.PAID,
    "uncollectible": InvoiceStatus.OVERDUE,
    "void": InvoiceStatus.CANCELED,
}


class Told(Protocol):
    """An event of Stripe's, as far as a mirrored row remembers it."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def occurred_at(self) -> datetime: ...


def mirror_invoice(
    session: Session,
    subscription: Subscription,
    stripe_invoice: Mapping[str, Any],
    *,
    event: Told,
    known: Invoice | None,
    is_truth: bool = False,
) -> Invoice:
    """Bring our row of a subscription's invoice up to this state of it, and give it a number once
    it is finalized.

    `known`: the row, if there is one. An older event than the row's changes nothing but the first
    failure. `is_truth`: the state was fetched from Stripe because two events of one second could
    not decide; it is taken whichever id sorts last.
    """
    invoice = known
    if invoice is None:
        invoice = Invoice(
            stripe_invoice_id=stripe_invoice["id"],
            user_id=subscription.user_id,
            customer_id=subscription.customer_id,
            subscription_id=subscription.id,
            attempts=0,
        )
        session.add(invoice)
    version = (event.occurred_at, event.id)
    shown = (invoice.version_at, invoice.event_id or "") if invoice.version_at is not None else None
    is_newer = shown is None or version > shown
    if is_newer or is_truth:
        _take_over(invoice, stripe_invoice)
        invoice.version_at, invoice.event_id = version if is_newer or shown is None else shown
    if event.type == PAYMENT_FAILED:
        first = invoice.first_failed_at
        invoice.first_failed_at = min(first, event.occurred_at) if first else event.occurred_at
    if invoice.status is InvoiceStatus.SENT and invoice.first_failed_at is not None:
        invoice.status = InvoiceStatus.OVERDUE
    if invoice.status is not InvoiceStatus.DRAFT and invoice.number is None:
        finalized = stripe_invoice["status_transitions"].get("finalized_at")
        at = _time(finalized) or event.occurred_at
        _finalize(session, invoice, at=at, name_at_stripe=stripe_invoice.get("customer_name"))
        session.flush()
        if known is not None:  # no payment is tied to a new one
            issue_missing_credit_notes(session, invoice)
    session.flush()
    return invoice


def issue_for_purchase(
    session: Session,
    purchase: Purchase,
    *,
    at: datetime,
    discount: int | None = None,
    tax: int | None = None,
) -> Invoice:
    """The invoice of a paid purchase, made and numbered at the first call.

    `discount` and `tax`: Stripe's amounts where they are known; else what lies between the price
    list and what was charged.
    """
    found = session.scalars(select(Invoice).where(Invoice.purchase_id == purchase.id)).one_or_none()
    if found is not None:
        return found
    checkout, product = session.execute(
        select(Checkout, Product)
        .join(Product, Product.id == Checkout.product_id)
        .where(Checkout.id == purchase.checkout_id)
    ).one()
    listed = checkout.price_amount * checkout.quantity
    taxed = tax if tax is not None else max(0, purchase.total_amount - listed)
    taken_off = discount if discount is not None else max(0, listed - purchase.total_amount)
    amount = purchase.total_amount - taxed + taken_off
    invoice = Invoice(
        user_id=purchase.user_id,
        customer_id=checkout.customer_id,
        purchase_id=purchase.id,
        status=InvoiceStatus.PAID,
        amount=amount,
        discount=taken_off,
        tax=taxed,
        total=purchase.total_amount,
        amount_paid=purchase.total_amount,
        currency=purchase.currency,
        lines=[
            {
                "description": product.name,
                "quantity": checkout.quantity,
                "amount": amount,
                "period_start": _iso(purchase.access_start),
                "period_end": _iso(purchase.access_end),
            }
        ],
        period_start=purchase.access_start,
        period_end=purchase.access_end,
        paid_at=at,
    )
    session.add(invoice)
    _finalize(session, invoice, at=at, name_at_stripe=None)
    session.flush()
    issue_missing_credit_notes(session, invoice)
    return invoice


def issue_credit_note(session: Session, refund: Refund, *, at: datetime) -> CreditNote | None:
    """The credit note of a refund that went through, made and numbered at the first call; None
    while its payment has no numbered invoice (which catches up) or it has not gone through.
    """
    if refund.status is not RefundStatus.SUCCEEDED:
        return None
    found = session.scalars(
        select(CreditNote).where(CreditNote.refund_id == refund.id)
    ).one_or_none()
    if found is not None:
        return found
    invoice = session.scalars(
        select(Invoice)
        .join(
            Transaction,
            or_(
                Transaction.invoice_id == Invoice.id,
                Transaction.purchase_id == Invoice.purchase_id,
            ),
        )
        .where(Transaction.id == refund.transaction_id, Invoice.number.is_not(None))
    ).one_or_none()
    if invoice is None:
        return None
    return _credit(session, invoice, refund, at=at)


def issue_missing_credit_notes(session: Session, invoice: Invoice) -> Sequence[CreditNote]:
    """Credit notes of refunds that went through before their invoice was known: after it got its
    number, and after a payment was found to be of this invoice.
    """
    if invoice.number is None:
        return []
    of_this = Transaction.invoice_id == invoice.id
    if invoice.purchase_id is not None:
        of_this = or_(of_this, Transaction.purchase_id == invoice.purchase_id)
    waiting = session.scalars(
        select(Refund)
        .join(Transaction, Transaction.id == Refund.transaction_id)
        .outerjoin(CreditNote, CreditNote.refund_id == Refund.id)
        .where(of_this, Refund.status == RefundStatus.SUCCEEDED, CreditNote.id.is_(None))
        .order_by(Refund.settled_at, Refund.id)
    ).all()
    issued_at = invoice.issued_at
    if issued_at is None:
        raise RuntimeError("a numbered invoice has a date of issue")
    return [
        _credit(session, invoice, refund, at=max(refund.settled_at or issued_at, issued_at))
        for refund in waiting
    ]


def find_invoice(session: Session, stripe_invoice_id: str) -> Invoice | None:
    """Our row of an invoice of Stripe's."""
    return session.scalars(
        select(Invoice).where(Invoice.stripe_invoice_id == stripe_invoice_id)
    ).one_or_none()


_DRAW = text(
    """
    WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtext('payments.number_series')))
    INSERT INTO payments.number_series AS drawn (series, last_number)
    SELECT :series, 1 FROM turn
    ON CONFLICT (series) DO UPDATE SET last_number = drawn.last_number + 1
    RETURNING last_number
    """
)
"""One turn for all series: a transaction that draws from two cannot deadlock with one that draws
from them the other way round.
"""


def draw_number(session: Session, prefix: str, *, at: datetime) -> str:
    """The next number of this prefix in the year (UTC) of `at`, e.g. INV-2026-000001.

    Others wait for it until this transaction ends; what rolls back gives its number back.
    """
    series = f"{prefix}-{at.astimezone(UTC).year}"
    number: int = session.execute(_DRAW, {"series": series}).scalar_one()
    return f"{series}-{number:06d}"


def _credit(session: Session, invoice: Invoice, refund: Refund, *, at: datetime) -> CreditNote:
    note = CreditNote(
        invoice_id=invoice.id,
        refund_id=refund.id,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.reason,
        issued_at=at,
        number=draw_number(session, "CN", at=at),
    )
    session.add(note)
    session.flush()
    return note


def _take_over(invoice: Invoice, told: Mapping[str, Any]) -> None:
    """Everything that Stripe says of an invoice."""
    discount = sum(each["amount"] for each in told.get("total_discount_amounts") or ())
    tax = sum(each["amount"] for each in told.get("total_taxes") or ())
    lines = told["lines"]["data"]
    start, end = _period(told, lines)
    invoice.status = _STATUSES[told["status"] or "draft"]
    invoice.amount = told["total"] - tax + discount
    invoice.discount = discount
    invoice.tax = tax
    invoice.total = told["total"]
    invoice.amount_paid = told["amount_paid"]
    invoice.currency = told["currency"]
    invoice.lines = _lines(lines, subtotal=invoice.amount)
    invoice.invoice_url = told.get("hosted_invoice_url")
    invoice.period_start, invoice.period_end = start, end
    invoice.due_at = _time(told.get("due_date"))
    invoice.paid_at = _time(told["status_transitions"].get("paid_at"))
    invoice.next_attempt_at = _time(told.get("next_payment_attempt"))
    invoice.attempts = told["attempt_count"]


def _lines(told: Sequence[Mapping[str, Any]], *, subtotal: int) -> list[dict[str, Any]]:
    """The lines without tax; an invoice of Stripe's brings ten, the others are summed up."""
    lines = [
        {
            "description": line.get("description"),
            "quantity": line.get("quantity") or 1,
            "amount": line["amount"] - _included_tax(line),
            "period_start": _iso(_time(line["period"]["start"])),
            "period_end": _iso(_time(line["period"]["end"])),
        }
        for line in told
    ]
    rest = subtotal - sum(line["amount"] for line in lines)
    if rest:
        further = {"description": "Further items", "quantity": 1, "amount": rest}
        lines.append({**further, "period_start": None, "period_end": None})
    return lines


def _included_tax(line: Mapping[str, Any]) -> int:
    return sum(
        each["amount"]
        for each in line.get("taxes") or ()
        if each.get("tax_behavior") == "inclusive"
    )


def _period(
    told: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]
) -> tuple[datetime | None, datetime | None]:
    """What it is for: the period of the lines that are not prorations. The invoice's own period
    lies before the one it charges.
    """
    charged = [line for line in lines if not _is_proration(line)] or lines
    if not charged:
        return _time(told.get("period_start")), _time(told.get("period_end"))
    return (
        _time(min(line["period"]["start"] for line in charged)),
        _time(max(line["period"]["end"] for line in charged)),
    )


def _is_proration(line: Mapping[str, Any]) -> bool:
    parent = line.get("parent") or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    return bool(details.get("proration"))


def _finalize(
    session: Session, invoice: Invoice, *, at: datetime, name_at_stripe: str | None
) -> None:
    """Freeze who sells and who buys, and draw the number."""
    with session.no_autoflush:
        invoice.bill_to = _bill_to(session, invoice, name_at_stripe)
        invoice.issued_at = at
        invoice.number = draw_number(session, "INV", at=at)


def _bill_to(session: Session, invoice: Invoice, name_at_stripe: str | None) -> dict[str, Any]:
    customer, first_name, last_name = session.execute(
        select(Customer, User.first_name, User.last_name)
        .outerjoin(User, User.id == Customer.user_id)
        .where(Customer.id == invoice.customer_id)
    ).one()
    account_name = " ".join(name for name in (first_name, last_name) if name)
    settings = get_business_settings(session)
    return {
        "customer_number": customer_number(customer),
        "name": customer.name or name_at_stripe or account_name or None,
        "address_line1": customer.address_line1,
        "address_line2": customer.address_line2,
        "postal_code": customer.postal_code,
        "city": customer.city,
        "state": customer.state,
        "country": customer.country,
        "vat_id": customer.vat_id,
        "reverse_charge": is_reverse_charge(
            seller_vat_id=settings.seller_vat_id, buyer_vat_id=customer.vat_id, tax=invoice.tax
        ),
        "seller": {
            "name": settings.seller_name,
            "address": list(settings.seller_address),
            "vat_id": settings.seller_vat_id,
            "email": settings.seller_email,
        },
    }


def customer_number(customer: Customer) -> str:
    """What an invoice calls a customer whose name we may not know: the random half of the id."""
    return customer.id.hex[-12:].upper()


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat()
