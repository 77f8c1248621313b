"""invoice.* and invoice_payment.*: a subscription's invoices and which payment paid them."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from studypack.billing import invoicing
from studypack.billing.events import printable
from studypack.billing.events.consequences import (
    mail,
    payment_linked,
    settle_after_subscription,
    tell,
)
from studypack.billing.events.subscriptions import subscription_of
from studypack.billing.events.told import Told, Unexplained, Work, id_of, stamp
from studypack.billing.events.transaction_rows import transaction_of
from studypack.billing.models import Invoice, InvoiceStatus, Subscription, Transaction
from studypack.billing.truth import INVOICE, INVOICE_PAYMENTS, Document
from studypack.notifications.models import EmailTemplate

_LAST = (InvoiceStatus.PAID, InvoiceStatus.CANCELED)


def invoice_changed(work: Work, told: Told) -> None:
    """invoice.finalized, voided, marked_uncollectible"""
    _, subscription = _mirror(work, told, told.object)
    settle_after_subscription(work, subscription)


def invoice_paid(work: Work, told: Told) -> None:
    """invoice.paid"""
    payments: list[Document] = []
    if told.object["amount_paid"] > 0:
        # Asked for first: what has to be fetched undoes what was done before.
        fetched = work.truth.peek(INVOICE_PAYMENTS, told.object_id) is not None
        if fetched or not _has_payment(work, told.object_id):
            payments = work.truth.items(INVOICE_PAYMENTS, told.object_id)
    invoice, subscription = _mirror(work, told, told.object)
    for payment in payments:
        _link(work, payment, invoice)
    settle_after_subscription(work, subscription)
    if invoice.total > 0:
        facts = printable.of_paid_invoice(work.session, invoice, subscription)
        mail(work, invoice.user_id, EmailTemplate.RECEIPT, facts, invoice=invoice.id)


def invoice_payment_failed(work: Work, told: Told) -> None:
    """invoice.payment_failed"""
    invoice, subscription = _mirror(work, told, told.object)
    settle_after_subscription(work, subscription)
    if invoice.first_failed_at is not None:
        tell(work, "payment_failed", invoice.id, invoice.user_id, at=invoice.first_failed_at)
    if invoice.status in {InvoiceStatus.SENT, InvoiceStatus.OVERDUE}:
        facts = printable.of_failing_invoice(work.session, invoice, subscription)
        mail(work, invoice.user_id, EmailTemplate.PAYMENT_FAILED, facts, invoice=invoice.id)


def invoice_payment_paid(work: Work, told: Told) -> None:
    """invoice_payment.paid: which payment intent paid which invoice"""
    invoice_id = id_of(told.object["invoice"])
    if invoice_id is None:
        raise Unexplained("This payment is of no invoice.")
    invoice = invoicing.find_invoice(work.session, invoice_id)
    if invoice is None:
        document = work.truth.get(INVOICE, invoice_id)
        if document is None:
            raise Unexplained("Stripe has no such invoice.")
        invoice, _ = _mirror(work, told, document)
        # By reference: any event of the invoice itself is newer.
        invoice.version_at = invoice.event_id = None
    _link(work, told.object, invoice)
    if invoice.subscription_id is not None:
        subscription = work.session.get_one(Subscription, invoice.subscription_id)
        settle_after_subscription(work, subscription)


def _mirror(work: Work, told: Told, document: Document) -> tuple[Invoice, Subscription]:
    """Our rows of an invoice and of its subscription."""
    details = (document.get("parent") or {}).get("subscription_details") or {}
    subscription_id = id_of(details.get("subscription"))
    if subscription_id is None:
        raise Unexplained("This invoice is of no subscription.")
    found = work.session.execute(
        _BOTH, {"subscription": subscription_id, "invoice": document["id"]}
    ).one_or_none()
    if found is None:
        subscription = subscription_of(work, subscription_id)
        known = invoicing.find_invoice(work.session, document["id"])
    else:
        subscription, known = found
    is_truth = False
    if known is not None and known.version_at == told.occurred_at and known.event_id != told.id:
        if known.status in _LAST:
            return _of_an_earlier_moment(work, known, told), subscription
        is_truth = document["status"] in {"paid", "void"}
        if not is_truth:
            truth = work.truth.get(INVOICE, document["id"])
            document, is_truth = truth or document, truth is not None
    invoice = invoicing.mirror_invoice(
        work.session, subscription, document, event=told, known=known, is_truth=is_truth
    )
    return invoice, subscription


_BOTH = (
    select(Subscription, Invoice)
    .outerjoin(Invoice, Invoice.stripe_invoice_id == bindparam("invoice"))
    .where(Subscription.stripe_subscription_id == bindparam("subscription"))
)


def _of_an_earlier_moment(work: Work, known: Invoice, told: Told) -> Invoice:
    """Paid or void is the last that becomes of an invoice, whichever id of a second sorts last."""
    if told.type == invoicing.PAYMENT_FAILED:
        known.first_failed_at = min(known.first_failed_at or told.occurred_at, told.occurred_at)
    stamp(known, told.version)
    work.session.flush()
    return known


def _has_payment(work: Work, stripe_invoice_id: str) -> bool:
    found = work.session.scalars(
        select(Transaction.id)
        .join(Invoice, Invoice.id == Transaction.invoice_id)
        .where(Invoice.stripe_invoice_id == stripe_invoice_id)
        .limit(1)
    ).first()
    return found is not None


def _link(work: Work, payment: Document, invoice: Invoice) -> None:
    """Tie the payment intent behind an invoice's payment to it."""
    paid_with = payment["payment"]
    if payment["status"] != "paid" or paid_with["type"] != "payment_intent":
        return
    payment_linked(work, transaction_of(work, id_of(paid_with["payment_intent"])), invoice)
