"""Changing a subscription's plan or its number of seats: first shown by Stripe, then applied as it
was shown.

Both wait for Stripe; so this module opens its short transactions itself and is never called within
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from studypack.billing import catalogue, catalogue_sync, seats
from studypack.billing.events.told import known_time, time
from studypack.billing.models import Product, ProductKind, Subscription, SubscriptionStatus
from studypack.billing.subscriptions import (
    SubscriptionView,
    change_at_stripe,
    lock_live,
    own_view,
    refuse_ending,
)
from studypack.billing.tables.mirror import MONEY_LIMIT
from studypack.core.database import transaction
from studypack.core.errors import Conflict, Unprocessable
from studypack.integrations.stripe import call

PREVIEW_LASTS: Final = timedelta(minutes=15)
"""A change counts from the moment of its preview. An older one is not taken: whoever could choose
the moment would choose the day that gives most back.
"""
_CLOCKS_DIFFER: Final = timedelta(minutes=1)


class Proration(StrEnum):
    """When what the change costs, or gives back, is charged: with the next invoice, at once, or not
    at all.
    """

    CREATE_PRORATIONS = "create_prorations"
    ALWAYS_INVOICE = "always_invoice"
    NONE = "none"


@dataclass(frozen=True)
class Wish:
    """The plan that a subscriber wants; `quantity` None: as many seats as now."""

    sku: str
    quantity: int | None
    proration: Proration


@dataclass(frozen=True)
class PreviewLine:
    """One line of the invoice to come."""

    description: str
    quantity: int
    amount: int
    period_start: datetime
    period_end: datetime
    is_proration: bool


@dataclass(frozen=True)
class Preview:
    """What a change would cost. Amounts are minor units of `currency`."""

    product: Product
    quantity: int
    unit_amount: int
    currency: str
    proration: Proration
    proration_date: datetime
    is_charged_now: bool
    due_now: int
    total: int
    """Of the invoice that the lines are of: the one now, or the next regular one."""
    next_payment_at: datetime | None
    """When that next regular one is due; None: charged now."""
    lines: tuple[PreviewLine, ...]


@dataclass(frozen=True)
class _Plan:
    """A change that may be made, in Stripe's words."""

    subscription: Subscription
    product: Product
    quantity: int
    price_id: str
    unit_amount: int
    currency: str

    @property
    def items(self) -> list[dict[str, Any]]:
        return [
            {
                "id": self.subscription.stripe_item_id,
                "price": self.price_id,
                "quantity": self.quantity,
            }
        ]

    @property
    def is_unchanged(self) -> bool:
        subscription = self.subscription
        return (
            subscription.stripe_price_id == self.price_id and subscription.quantity == self.quantity
        )

    @property
    def begins_new_period(self) -> bool:
        """From monthly to annual or back: Stripe bills a whole period at once."""
        return (
            self.subscription.status is not SubscriptionStatus.TRIALING
            and self.subscription.interval is not self.product.interval
        )


def preview(user_id: UUID, wish: Wish, *, now: datetime) -> Preview:
    """What Stripe would charge for a change that is made at this moment.

    Raises Unprocessable (`sku`, `quantity`); NotFound (`subscription_not_found`); Conflict:
    `unchanged`, `subscription_ending`, `payment_overdue`, `other_currency`, `seats_taken`,
    `payment_refused`; Unavailable.
    """
    plan = _plan(user_id, wish, now=now)
    if plan.is_unchanged:
        raise Conflict("This is your plan already.", code="unchanged")
    date = _present(plan, now).replace(microsecond=0)
    params: Any = {
        "subscription": plan.subscription.stripe_subscription_id,
        "subscription_details": {
            "items": plan.items,
            "proration_behavior": wish.proration.value,
            **_moment(plan, wish, date),
        },
    }
    told = call(lambda stripe: stripe.v1.invoices.create_preview(params)).to_dict()
    charged_now = _is_charged_now(plan, wish)
    lines = tuple(_line(line) for line in told["lines"]["data"])
    return Preview(
        product=plan.product,
        quantity=plan.quantity,
        unit_amount=plan.unit_amount,
        currency=plan.currency,
        proration=wish.proration,
        proration_date=date,
        is_charged_now=charged_now,
        due_now=told["amount_due"] if charged_now else 0,
        total=told["total"],
        next_payment_at=None if charged_now else _next_payment(told, plan),
        lines=lines,
    )


def change(
    user_id: UUID,
    wish: Wish,
    *,
    proration_date: datetime,
    unit_amount: int | None,
    now: datetime,
) -> SubscriptionView:
    """Change the plan as it was previewed at `proration_date`; to what it is already: nothing. When
    the payment due now is declined, the plan stays.

    `unit_amount`: the price that the preview showed. Raises what `preview` raises, and Conflict
    `preview_outdated`, `price_changed`, `payment_refused`.
    """
    plan = _plan(user_id, wish, now=now)
    if plan.is_unchanged:
        return own_view(user_id)
    present = _present(plan, now)
    if not present - PREVIEW_LASTS <= proration_date <= present + _CLOCKS_DIFFER:
        raise Conflict("This preview is too old; ask for a new one.", code="preview_outdated")
    if unit_amount is not None and unit_amount != plan.unit_amount:
        raise Conflict("The price has changed; look at the preview again.", code="price_changed")
    params: Any = {
        "items": plan.items,
        "proration_behavior": wish.proration.value,
        # Declined, it leaves everything as it was, and the subscriber is told.
        "payment_behavior": "error_if_incomplete",
        **_moment(plan, wish, proration_date),
    }
    stripe_id = plan.subscription.stripe_subscription_id
    change_at_stripe(user_id, lambda stripe: stripe.v1.subscriptions.update(stripe_id, params))
    return own_view(user_id)


def _plan(user_id: UUID, wish: Wish, *, now: datetime) -> _Plan:
    """The change in Stripe's words, if it may be made."""
    with transaction() as session:
        subscription = lock_live(session, user_id)
        _refuse_state(subscription)
        current = session.get_one(Product, subscription.product_id)
        product = current if current.sku == wish.sku else catalogue.find_on_offer(session, wish.sku)
        if product.kind is not ProductKind.SUBSCRIPTION:
            raise Unprocessable.field("sku", "This is no subscription.", code="no_subscription")
        quantity = _quantity(session, subscription, product, wish, now)
    if product is current:
        # Seats come and go at the price that the subscription began with.
        price_id, amount = subscription.stripe_price_id, subscription.amount
        currency = subscription.currency
    else:
        price_id = catalogue_sync.price_in_force(product.id)
        amount, currency = product.price_amount, product.currency
    if currency != subscription.currency:
        raise Conflict(
            "This plan is sold in another currency; cancel first and subscribe anew.",
            code="other_currency",
            currency=currency,
        )
    if amount * quantity > MONEY_LIMIT:
        raise Unprocessable.field("quantity", "More than can be paid at once.")
    return _Plan(subscription, product, quantity, price_id, amount, currency)


def _refuse_state(subscription: Subscription) -> None:
    refuse_ending(subscription)
    if subscription.cancel_at_period_end:
        raise Conflict(
            "This subscription ends with its period; resume it first.", code="subscription_ending"
        )
    if subscription.status not in {SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING}:
        raise Conflict(
            "A payment is outstanding; pay it first.",
            code="payment_overdue",
            status=subscription.status.value,
        )


def _quantity(
    session: Session, subscription: Subscription, product: Product, wish: Wish, now: datetime
) -> int:
    """How many seats it will be. Raises Unprocessable (`quantity`), Conflict (`seats_taken`)."""
    if not product.has_seats:
        if wish.quantity not in {None, 1}:
            raise Unprocessable.field("quantity", "Only seats are sold by number.")
        quantity = 1
    else:
        quantity = subscription.quantity if wish.quantity is None else wish.quantity
    held = seats.count_held(session, subscription.id, now=now)
    if held > (quantity if product.has_seats else 0):
        raise Conflict(
            "More seats are taken or offered than this; free some first.",
            code="seats_taken",
            held=held,
        )
    return quantity


def _present(plan: _Plan, now: datetime) -> datetime:
    """Now, in the period under way: Stripe's clock may be ahead of ours."""
    return max(now, plan.subscription.current_period_start)


def _moment(plan: _Plan, wish: Wish, date: datetime) -> dict[str, int]:
    """The moment from which the change counts, where it makes a difference."""
    if wish.proration is Proration.NONE or plan.subscription.status is SubscriptionStatus.TRIALING:
        return {}
    return {"proration_date": int(date.timestamp())}


def _is_charged_now(plan: _Plan, wish: Wish) -> bool:
    if plan.subscription.status is SubscriptionStatus.TRIALING:
        return False
    return plan.begins_new_period or wish.proration is Proration.ALWAYS_INVOICE


def _next_payment(told: Mapping[str, Any], plan: _Plan) -> datetime:
    return time(told.get("next_payment_attempt")) or plan.subscription.current_period_end


def _line(line: Mapping[str, Any]) -> PreviewLine:
    parent = line.get("parent") or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    return PreviewLine(
        description=line.get("description") or "",
        quantity=line.get("quantity") or 1,
        amount=line["amount"],
        period_start=known_time(line["period"]["start"]),
        period_end=known_time(line["period"]["end"]),
        is_proration=bool(details.get("proration")),
    )
