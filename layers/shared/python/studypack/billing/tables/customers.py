"""Who pays, at Stripe and on an invoice, and with what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from studypack.billing.tables.mirror import Mirror
from studypack.core.database import Base, EnumText, Timestamps, foreign_key, new_id, one_of
from studypack.identity import models as _identity  # noqa: F401 (target of foreign keys)


class Customer(Mirror, Timestamps, Base):
    """A user as Stripe knows them. Locked first by every change of that user's money: events of one
    customer take effect one after the other.
    """

    __tablename__ = "customers"
    __table_args__ = (
        UniqueConstraint("user_id"),
        UniqueConstraint("stripe_customer_id"),
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = foreign_key("auth.users.id", ondelete="SET NULL", index=False)
    """NULL once the account was erased: its payments stay, without the person."""
    stripe_customer_id: Mapped[str | None]
    """NULL between the reservation and Stripe's answer."""
    name: Mapped[str | None]
    """Whom invoices are made out to; NULL: the account's name."""
    address_line1: Mapped[str | None]
    address_line2: Mapped[str | None]
    postal_code: Mapped[str | None]
    city: Mapped[str | None]
    state: Mapped[str | None]
    country: Mapped[str | None]
    """ISO 3166-1 alpha-2."""
    vat_id: Mapped[str | None]
    """Checked for its form and check digits, with the country's prefix."""
    default_payment_method: Mapped[str | None]
    """Stripe's id of the method that renewals are paid with; a payment method is the default one
    when it is this one (seed 001's isDefault).
    """
    gone_at: Mapped[datetime | None]
    """When the customer was deleted at Stripe; the next checkout makes another."""


class PaymentMethodType(StrEnum):
    """What an account pays with."""

    CARD = "CARD"
    PAYPAL = "PAYPAL"
    BANK_TRANSFER = "BANK_TRANSFER"


class PaymentMethod(Mirror, Timestamps, Base):
    """A saved way to pay: what a person needs to recognise it, nothing to pay with."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        UniqueConstraint("stripe_payment_method_id"),
        one_of("type", PaymentMethodType),
        {"schema": "payments"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    customer_id: Mapped[UUID] = foreign_key("payments.customers.id", ondelete="RESTRICT")
    type: Mapped[PaymentMethodType] = mapped_column(EnumText(PaymentMethodType))
    stripe_payment_method_id: Mapped[str]
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    expiry_month: Mapped[int | None] = mapped_column(SmallInteger)
    expiry_year: Mapped[int | None] = mapped_column(SmallInteger)
    paypal_email: Mapped[str | None]
    detached_at: Mapped[datetime | None]
