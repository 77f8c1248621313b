"""What follows when something was paid, began, ended or went back: derived states, invoices, mails,
figures; each once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from studypack.activity.service import record_event_once
from studypack.billing import invoicing
from studypack.billing.events import duplicates, printable
from studypack.billing.events.printable import Facts
from studypack.billing.events.told import Work
from studypack.billing.models import (
    CreditNote,
    Invoice,
    Purchase,
    Refund,
    RefundStatus,
    Subscription,
    Transaction,
)
from studypack.billing.settling import PAID_PURCHASE, settle_purchase, settle_subscription
from studypack.billing.truth import Document
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email


def settle_of_transaction(work: Work, payment: Transaction) -> None:
    """Bring what this payment is for up to date."""
    session = work.session
    if payment.purchase_id is not None:
        settle_after_purchase(work, session.get_one(Purchase, payment.purchase_id))
    elif payment.subscription_id is not None:
        settle_after_subscription(work, session.get_one(Subscription, payment.subscription_id))


def settle_after_purchase(work: Work, purchase: Purchase) -> None:
    """Bring a purchase up to date; when it is first paid, see to all that follows."""
    was_paid = purchase.status in PAID_PURCHASE
    settle_purchase(work.session, purchase)
    if purchase.status not in PAID_PURCHASE:
        return
    if not was_paid:
        _first_paid(work, purchase)
    if purchase.is_duplicate:
        _pay_back_purchase(work, purchase)


def _first_paid(work: Work, purchase: Purchase) -> None:
    at = purchase.access_start
    if at is None:
        raise RuntimeError("a paid purchase has begun")
    for twice in duplicates.find_purchases_paid_twice(work, purchase):
        _pay_back_purchase(work, twice)
    invoice = invoicing.issue_for_purchase(work.session, purchase, at=at)
    tell(
        work,
        "purchase_completed",
        purchase.id,
        purchase.user_id,
        at=at,
        product=purchase.product_id,
    )
    facts = printable.of_purchase(work.session, purchase, invoice)
    mail(work, purchase.user_id, EmailTemplate.RECEIPT, facts, purchase=purchase.id)


def _pay_back_purchase(work: Work, purchase: Purchase) -> None:
    payments = work.session.scalars(
        select(Transaction).where(Transaction.purchase_id == purchase.id)
    ).all()
    duplicates.pay_back(work, list(payments))
    settle_purchase(work.session, purchase)


def subscription_begins(work: Work, told: Document) -> bool:
    """It is about to be no longer waiting for its first payment: whether it begins while another
    stands.
    """
    is_twice, marked = duplicates.is_begun_twice(work, told)
    for row in marked:
        settle_after_subscription(work, row)
    return is_twice


def subscription_began(work: Work, subscription: Subscription) -> None:
    """It is the first time that it is neither waiting for its first payment nor given up."""
    tell(
        work,
        "subscription_started",
        subscription.id,
        subscription.user_id,
        at=subscription.started_at,
        product=subscription.product_id,
    )


def subscription_canceled(work: Work, subscription: Subscription) -> None:
    """It has ended for good."""
    at = subscription.ended_at or subscription.canceled_at or subscription.current_period_end
    tell(work, "subscription_canceled", subscription.id, subscription.user_id, at=at)


def settle_after_subscription(work: Work, subscription: Subscription) -> None:
    """Bring a subscription up to date; one begun twice is cancelled and its payments go back."""
    if subscription.is_duplicate:
        payments = work.session.scalars(
            select(Transaction).where(Transaction.subscription_id == subscription.id)
        ).all()
        duplicates.pay_back(work, list(payments))
    settle_subscription(work.session, subscription)
    if subscription.cancel_requested_at is not None:
        work.owed_cancellations.add(subscription.id)


def refund_settled(work: Work, refund: Refund, payment: Transaction) -> None:
    """A refund went through: its credit note, its mail, its figure; and what it was paid for."""
    if refund.status is RefundStatus.SUCCEEDED and refund.settled_at is not None:
        at = refund.settled_at
        note = invoicing.issue_credit_note(work.session, refund, at=at)
        tell(work, "refund_completed", refund.id, payment.user_id, at=at, amount=refund.amount)
        settle_of_transaction(work, payment)
        _mail_refund(work, refund, payment, note)
    else:
        settle_of_transaction(work, payment)


def _mail_refund(work: Work, refund: Refund, payment: Transaction, note: CreditNote | None) -> None:
    bought = printable.bought_with(work.session, payment.purchase_id, payment.subscription_id)
    facts = printable.of_refund(work.session, refund, bought, note)
    mail(work, payment.user_id, EmailTemplate.REFUND, facts, refund=refund.id)


def payment_linked(work: Work, payment: Transaction, invoice: Invoice) -> None:
    """It turned out which invoice a payment is of."""
    if payment.invoice_id == invoice.id:
        return
    payment.invoice_id = invoice.id
    payment.subscription_id = invoice.subscription_id
    work.session.flush()
    invoicing.issue_missing_credit_notes(work.session, invoice)


def tell(
    work: Work, name: str, reference: UUID, user_id: UUID | None, *, at: datetime, **facts: Any
) -> None:
    """A figure for analytics, once per object."""
    payload = {key: value if isinstance(value, int) else str(value) for key, value in facts.items()}
    record_event_once(work.session, name, reference, now=at, user_id=user_id, **payload)


def mail(
    work: Work, user_id: UUID | None, template: EmailTemplate, facts: Facts, **about: UUID
) -> None:
    """A mail about one object, once; none to somebody who is gone."""
    if user_id is None:
        return
    [(kind, id)] = about.items()
    enqueue_email(
        work.session,
        user_id,
        template,
        occasion=f"{kind}:{id}",
        **{f"{kind}_id": str(id)},
        **facts,
    )
