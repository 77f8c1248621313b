"""Purchases, subscriptions and seats put into the database as they would be after payment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studypack.billing.features import Feature
from studypack.billing.models import (
    Checkout,
    CheckoutMode,
    CheckoutStatus,
    Customer,
    Interval,
    Plan,
    Product,
    ProductGrant,
    ProductKind,
    Purchase,
    PurchaseStatus,
    Seat,
    Subscription,
    SubscriptionStatus,
)
from studypack.core.database import transaction
from studypack.core.ids import uuid7


def database_time() -> datetime:
    with transaction() as session:
        return session.execute(select(func.now())).scalar_one()


def product(
    *grants: tuple[Feature, dict[str, UUID]] | Feature,
    kind: ProductKind = ProductKind.ONE_TIME,
    seats: bool = False,
    price: int = 4_900,
    active: bool = True,
) -> UUID:
    """A product that opens these features (with a scope: `(feature, {"course_id": ...})`)."""
    subscription = kind is ProductKind.SUBSCRIPTION
    with transaction() as session:
        made = Product(
            sku=f"sku-{uuid4().hex[:8]}",
            name="A product",
            kind=kind,
            plan=(Plan.ENTERPRISE if seats else Plan.PRO) if subscription else None,
            interval=Interval.MONTHLY if subscription else None,
            price_amount=price,
            currency="usd",
            has_seats=seats,
            is_active=active,
            stripe_price_id=f"price_{uuid4().hex[:12]}",
        )
        session.add(made)
        session.flush()
        for grant in grants:
            feature, scope = grant if isinstance(grant, tuple) else (grant, {})
            session.add(ProductGrant(product_id=made.id, feature=feature, **scope))
        return made.id


def customer(session: Session, user_id: UUID) -> Customer:
    found = session.scalars(select(Customer).where(Customer.user_id == user_id)).one_or_none()
    if found is None:
        found = Customer(user_id=user_id, stripe_customer_id=f"cus_{uuid4().hex[:12]}")
        session.add(found)
        session.flush()
    return found


def purchase(
    user_id: UUID,
    product_id: UUID,
    *,
    begun_days_ago: float = 0,
    days: float | None = 90,
    **changes: Any,
) -> UUID:
    """A paid purchase whose window began so many days ago and lasts so many."""
    with transaction() as session:
        now = session.execute(select(func.now())).scalar_one()
        paying = customer(session, user_id)
        checkout = Checkout(
            user_id=user_id,
            customer_id=paying.id,
            product_id=product_id,
            mode=CheckoutMode.PAYMENT,
            status=CheckoutStatus.COMPLETED,
            price_amount=4_900,
            currency="usd",
            stripe_price_id="price_x",
            success_url="https://app.example.com/",
            cancel_url="https://app.example.com/",
            stripe_session_id=f"cs_{uuid4().hex[:12]}",
            expires_at=now,
            is_paid=True,
        )
        session.add(checkout)
        session.flush()
        start = now - timedelta(days=begun_days_ago)
        values: dict[str, Any] = {
            "status": PurchaseStatus.COMPLETED,
            "access_start": start,
            "access_end": None if days is None else start + timedelta(days=days),
            **changes,
        }
        made = Purchase(
            user_id=user_id,
            product_id=product_id,
            checkout_id=checkout.id,
            total_amount=4_900,
            currency="usd",
            **values,
        )
        session.add(made)
        session.flush()
        return made.id


def subscription(user_id: UUID, product_id: UUID, *, days_left: float = 20, **changes: Any) -> UUID:
    """An active subscription whose period ends in so many days."""
    with transaction() as session:
        now = session.execute(select(func.now())).scalar_one()
        end = now + timedelta(days=days_left)
        values: dict[str, Any] = {
            "status": SubscriptionStatus.ACTIVE,
            "current_period_start": end - timedelta(days=30),
            "current_period_end": end,
            "started_at": end - timedelta(days=30),
            **changes,
        }
        made = Subscription(
            id=uuid7(),
            user_id=user_id,
            customer_id=customer(session, user_id).id,
            product_id=product_id,
            stripe_subscription_id=f"sub_{uuid4().hex[:12]}",
            stripe_price_id="price_x",
            plan=Plan.PRO,
            interval=Interval.MONTHLY,
            amount=4_900,
            currency="usd",
            **values,
        )
        session.add(made)
        session.flush()
        return made.id


def seat(subscription_id: UUID, user_id: UUID) -> UUID:
    """A member's place."""
    with transaction() as session:
        made = Seat(id=uuid7(), subscription_id=subscription_id, user_id=user_id)
        session.add(made)
        session.flush()
        return made.id
