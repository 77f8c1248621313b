"""Saved ways to pay: listed, made the default, taken away; and Stripe's portal, where others are
added.

What changes them waits for Stripe; so those functions open their short transactions themselves and
are never called within one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing import customers
from studypack.billing.events.subscriptions import upsert_subscription
from studypack.billing.models import (
    Customer,
    PaymentMethod,
    Subscription,
    SubscriptionStatus,
)
from studypack.billing.subscriptions import LIVE
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound
from studypack.core.paging import PageParams
from studypack.integrations.stripe import call

_RENEWING: Final = (
    SubscriptionStatus.TRIALING,
    SubscriptionStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE,
)


@dataclass(frozen=True)
class MethodView:
    """A payment method, and whether renewals are paid with it."""

    method: PaymentMethod
    is_default: bool


@dataclass(frozen=True)
class _Mine:
    """One of a user's methods, with what depends on it."""

    method: PaymentMethod
    customer: Customer
    others: int
    subscription: Subscription | None


def list_methods(session: Session, user_id: UUID, paging: PageParams) -> list[MethodView]:
    """A user's saved methods, newest first; one row more than the page holds."""
    query = (
        select(PaymentMethod, Customer.default_payment_method)
        .join(Customer, Customer.id == PaymentMethod.customer_id)
        .where(Customer.user_id == user_id, PaymentMethod.detached_at.is_(None))
    )
    if paging.after is not None:
        query = query.where(PaymentMethod.id < paging.after)
    rows = session.execute(query.order_by(PaymentMethod.id.desc()).limit(paging.limit + 1))
    return [MethodView(method, _is(method, default)) for method, default in rows]


def _is(method: PaymentMethod, default: str | None) -> bool:
    return default is not None and method.stripe_payment_method_id == default


def make_default(user_id: UUID, method_id: UUID) -> MethodView:
    """Pay renewals with this method from now on; a subscription under way too, which may have one
    of its own since its checkout.

    Raises NotFound (`payment_method_not_found`), Conflict (`payment_refused`), Unavailable.
    """
    with transaction() as session:
        mine = _lock(session, user_id, method_id)
        customer_id = customers.at_stripe(mine.customer)
        stripe_id = mine.method.stripe_payment_method_id
        subscription = mine.subscription
    call(
        lambda stripe: stripe.v1.customers.update(
            customer_id, {"invoice_settings": {"default_payment_method": stripe_id}}
        )
    )
    answer = None
    if subscription is not None:
        own_id = subscription.stripe_subscription_id
        answer = call(
            lambda stripe: stripe.v1.subscriptions.update(
                own_id, {"default_payment_method": stripe_id}
            )
        )
    with transaction() as session:
        mine = _lock(session, user_id, method_id)
        mine.customer.default_payment_method = stripe_id
        if answer is not None:
            upsert_subscription(session, answer.to_dict(), version=None)
        return MethodView(mine.method, is_default=True)


def detach(user_id: UUID, method_id: UUID, *, now: datetime) -> None:
    """Forget a method, at Stripe too, for good.

    Raises NotFound (`payment_method_not_found`); Conflict while a subscription will renew:
    `only_payment_method`, and `default_payment_method` when others are there but none of them is
    the one to pay with.
    """
    with transaction() as session:
        mine = _lock(session, user_id, method_id)
        _refuse_needed(mine)
        stripe_id = mine.method.stripe_payment_method_id
    try:
        call(lambda stripe: stripe.v1.payment_methods.detach(stripe_id))
    except Conflict:
        if _is_attached(stripe_id):
            raise
    with transaction() as session:
        customer = customers.find_locked(session, user_id)
        method = session.get_one(PaymentMethod, method_id)
        method.detached_at = method.detached_at or now
        if customer is not None and customer.default_payment_method == stripe_id:
            customer.default_payment_method = None


def _refuse_needed(mine: _Mine) -> None:
    subscription = mine.subscription
    if (
        subscription is None
        or subscription.status not in _RENEWING
        or subscription.cancel_at_period_end
        or subscription.cancel_requested_at is not None
    ):
        return
    if not mine.others:
        raise Conflict(
            "Your subscription renews with this payment method: add another first, or cancel.",
            code="only_payment_method",
        )
    default = mine.customer.default_payment_method
    if default is None or default == mine.method.stripe_payment_method_id:
        raise Conflict(
            "Your subscription may renew with this payment method: make another the default first.",
            code="default_payment_method",
        )


def _is_attached(stripe_id: str) -> bool:
    """Whether Stripe has the method with somebody still."""
    try:
        told = call(lambda stripe: stripe.v1.payment_methods.retrieve(stripe_id))
    except Conflict as refused:
        if refused.extra.get("reason") != "resource_missing":
            raise
        return False
    return told.customer is not None


def _lock(session: Session, user_id: UUID, method_id: UUID) -> _Mine:
    customer = customers.find_locked(session, user_id)
    methods = []
    if customer is not None:
        methods = list(
            session.scalars(
                select(PaymentMethod)
                .where(
                    PaymentMethod.customer_id == customer.id, PaymentMethod.detached_at.is_(None)
                )
                .execution_options(populate_existing=True)
            )
        )
    mine = [method for method in methods if method.id == method_id]
    if customer is None or not mine:
        raise NotFound("There is no such payment method.", code="payment_method_not_found")
    subscription = session.scalars(
        select(Subscription).where(Subscription.user_id == user_id, LIVE)
    ).one_or_none()
    return _Mine(mine[0], customer, len(methods) - 1, subscription)
