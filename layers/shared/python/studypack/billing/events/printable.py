"""What mails about money say: facts as text, taken when the mail is queued, since notifications
lies below billing and cannot look them up. Absent facts are None and left out of the mail.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing.models import CreditNote, Invoice, Product, Purchase, Refund, Subscription
from studypack.billing.money import format_money
from studypack.core.business_settings import get_business_settings

Facts = dict[str, Any]


def of_purchase(session: Session, purchase: Purchase, invoice: Invoice) -> Facts:
    """A receipt for something bought once."""
    return {
        "product_name": _product(session, purchase).name,
        "amount": format_money(purchase.total_amount, purchase.currency),
        "paid_at": _iso(purchase.access_start),
        "number": invoice.number,
        "tax": format_money(invoice.tax, invoice.currency) if invoice.tax else None,
        "access_until": _iso(purchase.access_end),
    }


def of_paid_invoice(session: Session, invoice: Invoice, subscription: Subscription) -> Facts:
    """A receipt for a subscription's period."""
    renews = not subscription.cancel_at_period_end and subscription.ended_at is None
    return {
        "product_name": _product(session, subscription).name,
        "amount": format_money(invoice.amount_paid or invoice.total, invoice.currency),
        "paid_at": _iso(invoice.paid_at or invoice.issued_at),
        "number": invoice.number,
        "tax": format_money(invoice.tax, invoice.currency) if invoice.tax else None,
        "renews_at": _iso(subscription.current_period_end) if renews else None,
    }


def of_failing_invoice(session: Session, invoice: Invoice, subscription: Subscription) -> Facts:
    """A payment that failed, and until when that changes nothing."""
    grace = timedelta(days=get_business_settings(session).grace_days)
    failed_at = subscription.payment_failed_at or invoice.first_failed_at
    return {
        "product_name": _product(session, subscription).name,
        "amount": format_money(invoice.total, invoice.currency),
        "number": invoice.number,
        "next_attempt_at": _iso(invoice.next_attempt_at),
        "access_until": _iso(failed_at + grace) if failed_at else None,
    }


def of_refund(
    session: Session,
    refund: Refund,
    bought: Purchase | Subscription | None,
    note: CreditNote | None,
) -> Facts:
    """Money that went back; of something that was not told yet the seller's name is said."""
    if bought is None:
        name, ended = get_business_settings(session).seller_name, None
    else:
        name = _product(session, bought).name
        ended = _ended(bought)
    return {
        "product_name": name,
        "amount": format_money(refund.amount, refund.currency),
        "refunded_at": _iso(refund.settled_at),
        "number": None if note is None else note.number,
        "access_ended": ended is not None,
    }


def of_trial(session: Session, subscription: Subscription) -> Facts:
    """A trial that ends, and what follows."""
    amount = subscription.amount * max(subscription.quantity, 1)
    return {
        "product_name": _product(session, subscription).name,
        "amount": format_money(amount, subscription.currency),
        "trial_end": _iso(subscription.trial_end),
        "will_cancel": subscription.cancel_at_period_end,
    }


def bought_with(session: Session, purchase_id: Any, subscription_id: Any) -> Any:
    """The purchase or subscription that a payment is for; None if that is not known yet."""
    if purchase_id is not None:
        return session.get_one(Purchase, purchase_id)
    return None if subscription_id is None else session.get_one(Subscription, subscription_id)


def _ended(bought: Purchase | Subscription) -> Any:
    return bought.access_ended_at if isinstance(bought, Subscription) else bought.status_reason


def _product(session: Session, bought: Purchase | Subscription) -> Product:
    return session.scalars(select(Product).where(Product.id == bought.product_id)).one()


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
