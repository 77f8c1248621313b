"""Support's view of what somebody bought, subscribed to and paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from studypack.billing.models import Product, Purchase, Refund, Subscription, Transaction
from studypack.core.errors import NotFound
from studypack.identity.models import User

MAX_ROWS: Final = 200
"""Of each kind, the newest."""


@dataclass(frozen=True)
class MoneyView:
    """Everything that has to do with somebody's money, newest first."""

    purchases: Sequence[tuple[Purchase, Product]]
    subscriptions: Sequence[tuple[Subscription, Product]]
    transactions: Sequence[tuple[Transaction, tuple[Refund, ...]]]


def look(session: Session, user_id: UUID) -> MoneyView:
    """Somebody's purchases, subscriptions, payments and refunds; two statements.

    Raises NotFound (`user_not_found`).
    """
    rows = session.execute(
        select(User.id, Subscription, Product)
        .outerjoin(Subscription, Subscription.user_id == User.id)
        .outerjoin(Product, Product.id == Subscription.product_id)
        .where(User.id == user_id)  # also of a deleted account: its money can be given back
        .order_by(Subscription.id.desc())
        .limit(MAX_ROWS)
        .execution_options(populate_existing=True)
    ).all()
    if not rows:
        raise NotFound("There is no such user.", code="user_not_found")
    purchases, transactions = _purchases_and_payments(session, user_id)
    return MoneyView(
        purchases=purchases,
        subscriptions=[(row[1], row[2]) for row in rows if row[1] is not None],
        transactions=transactions,
    )


def _purchases_and_payments(
    session: Session, user_id: UUID
) -> tuple[Sequence[tuple[Purchase, Product]], Sequence[tuple[Transaction, tuple[Refund, ...]]]]:
    bought = (
        select(Purchase)
        .where(Purchase.user_id == user_id)
        .order_by(Purchase.id.desc())
        .limit(MAX_ROWS)
        .subquery()
    )
    paid = (
        select(Transaction)
        .where(Transaction.user_id == user_id)
        .order_by(Transaction.id.desc())
        .limit(MAX_ROWS)
        .subquery()
    )
    purchase, payment = aliased(Purchase, bought), aliased(Transaction, paid)
    rows = session.execute(
        select(purchase, Product, payment, Refund)
        .select_from(purchase)
        .join(payment, payment.purchase_id == purchase.id, full=True)
        .outerjoin(Product, Product.id == purchase.product_id)
        .outerjoin(Refund, Refund.transaction_id == payment.id)
        .order_by(func.coalesce(purchase.id, payment.id).desc(), payment.id.desc(), Refund.id)
        .execution_options(populate_existing=True)
    ).all()
    purchases: dict[UUID, tuple[Purchase, Product]] = {}
    payments: dict[UUID, Transaction] = {}
    refunds: dict[UUID, list[Refund]] = {}
    for bought_row, product, payment_row, refund in rows:
        if bought_row is not None:
            purchases[bought_row.id] = (bought_row, product)
        if payment_row is not None:
            payments[payment_row.id] = payment_row
            refunds.setdefault(payment_row.id, []).extend([refund] if refund is not None else [])
    return (
        sorted(purchases.values(), key=lambda row: row[0].id, reverse=True),
        [(payments[id], tuple(refunds[id])) for id in sorted(payments, reverse=True)],
    )
