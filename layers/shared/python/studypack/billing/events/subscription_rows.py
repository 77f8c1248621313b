"""Subscriptions as Stripe has them: the rows of `payments.subscriptions`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, case, or_, select
from sqlalchemy.orm import Session

from studypack.billing.events.told import Unexplained, id_of, known_time, time
from studypack.billing.models import (
    Customer,
    Interval,
    Product,
    ProductPrice,
    Subscription,
    SubscriptionStatus,
)
from studypack.billing.truth import Document

_STATUSES: Final = {
    "trialing": SubscriptionStatus.TRIALING,
    "active": SubscriptionStatus.ACTIVE,
    "past_due": SubscriptionStatus.PAST_DUE,
    "paused": SubscriptionStatus.PAUSED,
    "canceled": SubscriptionStatus.CANCELED,
    "unpaid": SubscriptionStatus.EXPIRED,
    "incomplete_expired": SubscriptionStatus.EXPIRED,
    "incomplete": SubscriptionStatus.INCOMPLETE,
}
_INTERVALS: Final = {"month": Interval.MONTHLY, "year": Interval.ANNUAL}
NOT_BEGUN: Final = (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.EXPIRED)
"""A first payment under way, or one that never came (or came no more)."""


def find_subscription(session: Session, stripe_subscription_id: str) -> Subscription | None:
    """Our row of a subscription of Stripe's."""
    return session.scalars(_FIND, {"of": stripe_subscription_id}).one_or_none()


_FIND: Final = select(Subscription).where(Subscription.stripe_subscription_id == bindparam("of"))


def new_subscription(customer: Customer, told: Document) -> Subscription:
    """A row for a subscription of this customer, to be filled by `take_over`."""
    return Subscription(
        stripe_subscription_id=told["id"],
        user_id=customer.user_id,
        customer_id=customer.id,
        is_duplicate=False,
    )


def take_over(session: Session, row: Subscription, told: Document) -> None:
    """Set all that Stripe says of it. Raises Unexplained when its price is none of ours."""
    if row.ended_at is not None and told.get("ended_at") is None:
        return  # what has ended stays so, whatever an older event says
    for name, value in _values(session, row, told).items():
        setattr(row, name, value)
    if row.cancel_requested_at is not None and _recovered(row):
        row.cancel_requested_at = None


def differs(session: Session, row: Subscription, told: Document) -> bool:
    """Whether this state would change the row; only then does it matter which one came last."""
    if row.ended_at is not None:
        return False
    if told.get("ended_at") is not None:
        return False  # the end is the last state, whichever id sorts last
    return any(getattr(row, name) != value for name, value in _values(session, row, told).items())


def _values(session: Session, row: Subscription, told: Document) -> dict[str, Any]:
    """Everything that Stripe says of a subscription, as our columns have it."""
    items = told["items"]["data"]
    if not items:
        raise Unexplained("The subscription has no item.")
    item = items[0]
    price = item["price"]
    recurring = price["recurring"]
    interval = _INTERVALS.get(recurring["interval"])
    if interval is None or recurring.get("interval_count", 1) != 1:
        raise Unexplained("The subscription is neither monthly nor annual.")
    product_id, plan = row.product_id, row.plan
    if row.stripe_price_id != price["id"]:
        product = product_of_price(session, price["id"], id_of(price.get("product")))
        product_id, plan = product.id, product.plan  # type: ignore[assignment] # it has a plan
    start, end = _period(told, item)
    return {
        "product_id": product_id,
        "plan": plan,
        "stripe_item_id": item["id"],
        "stripe_price_id": price["id"],
        "interval": interval,
        "amount": price["unit_amount"] or 0,
        "currency": price["currency"],
        "quantity": item.get("quantity") or 1,
        "status": _status(row, told),
        "started_at": known_time(told["start_date"]),
        "trial_end": time(told.get("trial_end")),
        "current_period_start": start,
        "current_period_end": end,
        "cancel_at_period_end": bool(told["cancel_at_period_end"]),
        "canceled_at": time(told.get("canceled_at")),
        "ended_at": time(told.get("ended_at")),
        "subscription_metadata": dict(told.get("metadata") or {}),
    }


def status_told(told: Document) -> SubscriptionStatus:
    """Stripe's status in our words. Raises Unexplained when it is a new one."""
    status = _STATUSES.get(told["status"])
    if status is None:
        raise Unexplained("The subscription has a status that we do not know.")
    return status


def _status(row: Subscription, told: Document) -> SubscriptionStatus:
    status = status_told(told)
    if status is SubscriptionStatus.PAST_DUE and _gave_up(row):
        return SubscriptionStatus.EXPIRED
    return status


def _gave_up(row: Subscription) -> bool:
    """Whether grace is over and its end is owed to Stripe (the cron expire_access)."""
    return row.cancel_requested_at is not None and not row.is_duplicate and not row.access_ended_at


def _recovered(row: Subscription) -> bool:
    """Whether it was paid after we gave it up and before Stripe ended it."""
    return _gave_up(row) and row.status in {SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING}


def _period(told: Document, item: Document) -> tuple[datetime, datetime]:
    """The current period, which Stripe keeps with the item."""
    start = item.get("current_period_start") or told.get("current_period_start")
    end = item.get("current_period_end") or told.get("current_period_end")
    if start is None or end is None:
        raise Unexplained("The subscription says nothing of its period.")
    return known_time(start), known_time(end)


def product_of_price(
    session: Session, stripe_price_id: str, stripe_product_id: str | None
) -> Product:
    """The product that a price belongs or belonged to.

    Raises Unexplained when there is none.
    """
    exact = or_(
        ProductPrice.stripe_price_id == stripe_price_id, Product.stripe_price_id == stripe_price_id
    )
    made_there = Product.stripe_product_id == stripe_product_id
    product = session.scalars(
        select(Product)
        .outerjoin(
            ProductPrice,
            (ProductPrice.product_id == Product.id)
            & (ProductPrice.stripe_price_id == stripe_price_id),
        )
        .where(or_(exact, made_there), Product.plan.is_not(None))
        .order_by(case((exact, 0), else_=1))
        .limit(1)
    ).first()
    if product is None:
        raise Unexplained("The subscription's price belongs to no product of ours.")
    return product
