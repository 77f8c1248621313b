"""What is sold, what it opens, what it has cost, and codes that make it cheaper."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from studypack.billing.features import Feature
from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)

_CURRENCY = "currency ~ '^[a-z]{3}$'"


class ProductKind(StrEnum):
    """ONE_TIME is paid once and opens a window of days; SUBSCRIPTION renews."""

    ONE_TIME = "ONE_TIME"
    SUBSCRIPTION = "SUBSCRIPTION"


class Plan(StrEnum):
    """What a subscription is called. FREE is the absence of another and has no row."""

    FREE = "FREE"
    PRO = "PRO"
    ENTERPRISE = "ENTERPRISE"


class Interval(StrEnum):
    """How often a subscription renews."""

    MONTHLY = "MONTHLY"
    ANNUAL = "ANNUAL"


class Product(Timestamps, Base):
    """Something on the price list. One that was sold is never deleted, only taken off it."""

    __tablename__ = "products"
    __table_args__ = (
        UniqueConstraint("sku"),
        UniqueConstraint("stripe_product_id"),
        UniqueConstraint("stripe_price_id"),
        one_of("kind", ProductKind),
        one_of("plan", Plan),
        one_of("interval", Interval),
        CheckConstraint(
            "CASE kind WHEN 'SUBSCRIPTION'"
            " THEN num_nulls(plan, interval) = 0 AND plan <> 'FREE' AND access_window_days IS NULL"
            " ELSE num_nonnulls(plan, interval) = 0 AND trial_days = 0 AND NOT has_seats END",
            name="kind_fits",
        ),
        CheckConstraint("price_amount BETWEEN 1 AND 99999999", name="price_amount"),
        CheckConstraint(_CURRENCY, name="currency"),
        CheckConstraint("access_window_days BETWEEN 1 AND 36500", name="access_window_days"),
        CheckConstraint("trial_days BETWEEN 0 AND 730", name="trial_days"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    sku: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    kind: Mapped[ProductKind] = mapped_column(EnumText(ProductKind))
    plan: Mapped[Plan | None] = mapped_column(EnumText(Plan))
    interval: Mapped[Interval | None] = mapped_column(EnumText(Interval))
    price_amount: Mapped[int] = mapped_column(BigInteger)
    """In the currency's minor units; per seat where there are seats."""
    currency: Mapped[str] = mapped_column(server_default="usd")
    """ISO 4217 in lower case, as Stripe writes it."""
    access_window_days: Mapped[int | None] = mapped_column(Integer)
    """ONE_TIME: for how long it opens; NULL is for good."""
    trial_days: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """SUBSCRIPTION: free days for somebody who never subscribed."""
    has_seats: Mapped[bool] = mapped_column(server_default=text("false"))
    """SUBSCRIPTION: whether it is bought for a number of people, who are invited to seats."""
    is_active: Mapped[bool] = mapped_column(server_default=true())
    """Whether it is on offer. What was bought goes on."""
    sort_order: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    product_metadata: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'")
    )
    stripe_product_id: Mapped[str | None]
    stripe_price_id: Mapped[str | None]
    """The price in force at Stripe; NULL until `sync_products` made it."""


class ProductPrice(Base):
    """A price that a product has or had at Stripe: subscriptions keep the one they began with."""

    __tablename__ = "product_prices"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint(_CURRENCY, name="currency"),
        {"schema": "payments"},
    )

    stripe_price_id: Mapped[str] = mapped_column(primary_key=True)
    product_id: Mapped[UUID] = foreign_key("payments.products.id", ondelete="RESTRICT")
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    archived_at: Mapped[datetime | None]


class ProductGrant(Base):
    """A feature that a product opens: all of it, or one course, exam template or deck."""

    __tablename__ = "product_grants"
    __table_args__ = (
        UniqueConstraint(
            "product_id",
            "feature",
            "course_id",
            "template_id",
            "deck_id",
            postgresql_nulls_not_distinct=True,
            name="uq_product_grants_product_id_feature_scope",
        ),
        one_of("feature", Feature),
        CheckConstraint("num_nonnulls(course_id, template_id, deck_id) <= 1", name="one_scope"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    product_id: Mapped[UUID] = foreign_key("payments.products.id", index=False)
    feature: Mapped[Feature] = mapped_column(EnumText(Feature))
    course_id: Mapped[UUID | None]
    """The three scopes lie on floors above, so they are plain ids."""
    template_id: Mapped[UUID | None]
    deck_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DiscountDuration(StrEnum):
    """How many of a subscription's invoices a code makes cheaper."""

    ONCE = "ONCE"
    REPEATING = "REPEATING"
    FOREVER = "FOREVER"


class PromotionCode(Timestamps, Base):
    """A code that customers type at checkout, and the coupon behind it at Stripe."""

    __tablename__ = "promotion_codes"
    __table_args__ = (
        Index("uq_promotion_codes_code_upper", text("upper(code)"), unique=True),
        UniqueConstraint("stripe_promotion_code_id"),
        one_of("duration", DiscountDuration),
        CheckConstraint("num_nonnulls(percent_off, amount_off) = 1", name="one_discount"),
        CheckConstraint("num_nulls(amount_off, currency) IN (0, 2)", name="amount_has_currency"),
        CheckConstraint("percent_off > 0 AND percent_off <= 100", name="percent_off"),
        CheckConstraint("amount_off > 0", name="amount_off"),
        CheckConstraint(_CURRENCY, name="currency"),
        CheckConstraint(
            "(duration = 'REPEATING') = (duration_months IS NOT NULL)", name="duration_months"
        ),
        CheckConstraint("max_redemptions > 0", name="max_redemptions"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str]
    name: Mapped[str]
    percent_off: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    amount_off: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None]
    duration: Mapped[DiscountDuration] = mapped_column(EnumText(DiscountDuration))
    duration_months: Mapped[int | None] = mapped_column(SmallInteger)
    max_redemptions: Mapped[int | None]
    expires_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(server_default=true())
    product_id: Mapped[UUID | None] = foreign_key("payments.products.id", ondelete="RESTRICT")
    """The only product that it fits; NULL: any."""
    stripe_coupon_id: Mapped[str | None]
    stripe_promotion_code_id: Mapped[str | None]
    created_by: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL")
