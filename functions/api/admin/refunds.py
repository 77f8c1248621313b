"""What somebody bought and paid, and giving it back, for support."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field

from studypack.access.guards import SupportUser
from studypack.admin import money
from studypack.admin.money import MoneyView
from studypack.billing import refunds
from studypack.billing.answers import MoneyOut
from studypack.billing.models import (
    Interval,
    Plan,
    Product,
    Purchase,
    PurchaseStatus,
    Refund,
    RefundOrigin,
    RefundStatus,
    Subscription,
    SubscriptionStatus,
    Transaction,
    TransactionStatus,
)
from studypack.billing.tables.mirror import MONEY_LIMIT
from studypack.core.http import DbSession, In, Out, ShortText, UtcTime

router = APIRouter(prefix="/users/{user_id}")


class RefundIn(In):
    """What to give back: a payment, or a part of it."""

    transaction_id: UUID
    amount: (
        Annotated[int, Field(ge=1, le=MONEY_LIMIT, description="In minor units; null: all")] | None
    ) = None
    reason: ShortText


class AdminRefundOut(Out):
    """A refund as support sees it."""

    id: UUID
    transaction_id: UUID
    money: MoneyOut
    status: RefundStatus
    origin: RefundOrigin
    reason: str | None
    requested_by: UUID | None
    stripe_refund_id: str | None
    error: str | None = Field(description="Stripe's code for why it was refused")
    created_at: UtcTime
    settled_at: UtcTime | None

    @classmethod
    def of(cls, refund: Refund) -> AdminRefundOut:
        columns = {name: getattr(refund, name, None) for name in cls.model_fields}
        money_out = MoneyOut(amount=refund.amount, currency=refund.currency)
        return cls.model_validate({**columns, "money": money_out})


class AdminTransactionOut(Out):
    """A payment as support sees it."""

    id: UUID
    status: TransactionStatus
    total: MoneyOut
    refunded: MoneyOut
    purchase_id: UUID | None
    subscription_id: UUID | None
    payment_method: str | None
    failure_code: str | None
    stripe_payment_intent_id: str
    paid_at: UtcTime | None
    created_at: UtcTime
    refunds: list[AdminRefundOut]

    @classmethod
    def of(cls, row: tuple[Transaction, tuple[Refund, ...]]) -> AdminTransactionOut:
        payment, given_back = row
        columns = {name: getattr(payment, name, None) for name in cls.model_fields}
        return cls.model_validate(
            {
                **columns,
                "total": MoneyOut(amount=payment.amount, currency=payment.currency),
                "refunded": MoneyOut(amount=payment.refunded_amount, currency=payment.currency),
                "refunds": [AdminRefundOut.of(refund) for refund in given_back],
            }
        )


class AdminPurchaseOut(Out):
    """A purchase as support sees it."""

    id: UUID
    sku: str
    product: str
    status: PurchaseStatus
    status_reason: str | None
    is_duplicate: bool
    total: MoneyOut
    refunded: MoneyOut
    access_start: UtcTime | None
    access_end: UtcTime | None
    event_id: str | None
    created_at: UtcTime

    @classmethod
    def of(cls, row: tuple[Purchase, Product]) -> AdminPurchaseOut:
        purchase, product = row
        columns = {name: getattr(purchase, name, None) for name in cls.model_fields}
        currency = purchase.currency
        return cls.model_validate(
            {
                **columns,
                "sku": product.sku,
                "product": product.name,
                "total": MoneyOut(amount=purchase.total_amount, currency=currency),
                "refunded": MoneyOut(amount=purchase.refunded_amount, currency=currency),
            }
        )


class AdminSubscriptionOut(Out):
    """A subscription as support sees it."""

    id: UUID
    sku: str
    product: str
    plan: Plan
    interval: Interval
    price: MoneyOut
    quantity: int
    status: SubscriptionStatus
    is_duplicate: bool
    started_at: UtcTime
    trial_end: UtcTime | None
    current_period_start: UtcTime
    current_period_end: UtcTime
    cancel_at_period_end: bool
    canceled_at: UtcTime | None
    ended_at: UtcTime | None
    payment_failed_at: UtcTime | None
    access_ended_at: UtcTime | None
    stripe_subscription_id: str
    event_id: str | None

    @classmethod
    def of(cls, row: tuple[Subscription, Product]) -> AdminSubscriptionOut:
        subscription, product = row
        columns = {name: getattr(subscription, name, None) for name in cls.model_fields}
        return cls.model_validate(
            {
                **columns,
                "sku": product.sku,
                "product": product.name,
                "price": MoneyOut(amount=subscription.amount, currency=subscription.currency),
            }
        )


class UserMoneyOut(Out):
    """Somebody's purchases, subscriptions and payments: the newest 200 of each."""

    purchases: list[AdminPurchaseOut]
    subscriptions: list[AdminSubscriptionOut]
    transactions: list[AdminTransactionOut]
    server_now: UtcTime

    @classmethod
    def of(cls, view: MoneyView, *, now: datetime) -> UserMoneyOut:
        return cls(
            purchases=[AdminPurchaseOut.of(row) for row in view.purchases],
            subscriptions=[AdminSubscriptionOut.of(row) for row in view.subscriptions],
            transactions=[AdminTransactionOut.of(row) for row in view.transactions],
            server_now=now,
        )


@router.get("/purchases")
def get_user_purchases(user_id: UUID, caller: SupportUser, session: DbSession) -> UserMoneyOut:
    """What somebody bought, subscribed to, paid and got back."""
    return UserMoneyOut.of(money.look(session, user_id), now=caller.now)


@router.post("/refunds", status_code=202)
def refund_user(
    user_id: UUID,
    body: RefundIn,
    caller: SupportUser,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> AdminRefundOut:
    """Give back one of somebody's payments, or a part of it, at any time; audited. All of it ends
    the access that it paid for; more than is left of it is refused (409).
    """
    return AdminRefundOut.of(
        refunds.request_by_support(
            user_id,
            body.transaction_id,
            amount=body.amount,
            reason=body.reason,
            requested_by=caller.id,
            idempotency_key=idempotency_key,
        )
    )
