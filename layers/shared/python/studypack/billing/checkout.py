"""Opening Stripe's payment page: one open page per user and product, however often it is asked for.

The page is reserved in our tables, Stripe is asked after that commit, and its answer is recorded; a
crash between leaves the reservation, with which the next request goes on. So this module opens its
short transactions itself and is never called within one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from studypack.accounts import throttles
from studypack.activity.service import record_event
from studypack.billing import catalogue, catalogue_sync, customers, promotions
from studypack.billing.models import (
    LIVE_STATUSES,
    Checkout,
    CheckoutMode,
    CheckoutStatus,
    Product,
    ProductKind,
    ProductPrice,
    PromotionCode,
    Purchase,
    PurchaseStatus,
    Subscription,
    SubscriptionStatus,
)
from studypack.billing.return_urls import check_return_url
from studypack.billing.settling import settle_purchase
from studypack.billing.tables.mirror import MONEY_LIMIT
from studypack.core.business_settings import get_business_settings
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unavailable, Unprocessable
from studypack.core.idempotency import RepeatableRequest, forget, once
from studypack.integrations.stripe import call, call_once

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

CHECKOUT_ID: Final = "studypack_checkout_id"
"""Metadata of sessions, payment intents and subscriptions."""

_SHORTEST, _LONGEST = timedelta(minutes=35), timedelta(hours=23, minutes=55)
"""Stripe takes 30 minutes to 24 hours by its own clock; ours may differ from it a little."""
_LATEST_START = timedelta(minutes=32)
"""With less than this left, Stripe would refuse to open the page that was reserved."""
_WORTH_SHOWING: Final = timedelta(minutes=5)
_TRIES: Final = 4
_MAY_BE_MENDED: Final = {"resource_missing", "idempotency_key_reused", "invalid_request"}
"""Refusals that may come of what we know of Stripe's objects being out of date."""


@dataclass(frozen=True)
class Wish:
    """What a buyer asks for, and where Stripe's page leads back to."""

    sku: str
    success_url: str
    cancel_url: str
    quantity: int = 1
    promotion_code: str | None = None


class _PriceChanged(Exception):
    """An admin changed the product's price at this moment."""


class _InTheWay(Exception):
    """Another page is open at Stripe that has to be closed first."""

    def __init__(self, checkout_id: UUID, stripe_session_id: str) -> None:
        super().__init__(stripe_session_id)
        self.checkout_id = checkout_id
        self.stripe_session_id = stripe_session_id


def open_checkout(
    user_id: UUID, wish: Wish, *, idempotency_key: str | None, now: datetime
) -> Checkout:
    """A page on which this user can pay what they wish: the one that is open already, or a new one
    in place of one with other terms.

    Raises Unprocessable (`sku`, `quantity`, `promotion_code`, `success_url`, `cancel_url`);
    Conflict: `already_owned` with until when, `payment_under_way`, `checkout_replaced`,
    `payment_refused`; TooManyRequests; Unavailable (`payments_unavailable`: the reservation is
    kept).
    """
    check_return_url("success_url", wish.success_url)
    check_return_url("cancel_url", wish.cancel_url)
    _count(user_id)
    request = RepeatableRequest(user_id, "purchases.checkout", idempotency_key, vars(wish))
    for attempt in range(1, _TRIES + 1):
        try:
            checkout = _reserve_in_turn(user_id, wish, request, now=now)
        except _InTheWay as other:
            _close(user_id, other)
            continue
        except _PriceChanged:
            continue
        if checkout.stripe_session_id is not None or checkout.status is not CheckoutStatus.OPEN:
            return checkout
        try:
            return _open_at_stripe(user_id, checkout)
        except Conflict as refused:
            if refused.code != "payment_refused":
                raise
            _release(user_id, checkout.id, request)
            _explain_refusal(checkout)
            if attempt == _TRIES or refused.extra.get("reason") not in _MAY_BE_MENDED:
                raise
            # Deleted there, by hand or with the account: what we know of it is out of date.
            customers.notice_if_gone(user_id)
            catalogue_sync.sync_product(checkout.product_id)
    raise Unavailable("Another payment page is being opened; try again.", code="checkout_busy")


def get_checkout(session: Session, user_id: UUID, checkout_id: UUID) -> Checkout:
    """One checkout of this user.

    Raises NotFound (`checkout_not_found`).
    """
    found = session.scalars(
        select(Checkout)
        .where(Checkout.id == checkout_id, Checkout.user_id == user_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such checkout.", code="checkout_not_found")
    return found


def _count(user_id: UUID) -> None:
    with transaction() as session:
        hits = get_business_settings(None).checkouts_per_hour
        throttles.take(session, throttles.Limit("checkout", str(user_id), hits, throttles.HOUR))


def _reserve_in_turn(
    user_id: UUID, wish: Wish, request: RepeatableRequest, *, now: datetime
) -> Checkout:
    """The user's open checkout of these terms, reserved if there was none.

    Raises _InTheWay when one with other terms has to be closed at Stripe first, _PriceChanged.
    """
    with transaction() as session:
        product_id = catalogue.find_on_offer(session, wish.sku).id
    price_id = catalogue_sync.price_in_force(product_id)
    with transaction() as session:
        return once(
            session,
            request,
            lambda: _reserve(session, user_id, wish, price_id, now=now).id,
            lambda reserved: get_checkout(session, user_id, reserved),
        )


def _reserve(
    session: Session, user_id: UUID, wish: Wish, price_id: str, *, now: datetime
) -> Checkout:
    customer = customers.lock(session, user_id)
    product = catalogue.find_on_offer(session, wish.sku)
    code = _check_terms(session, product, wish, now=now)
    _refuse_what_is_owned(session, user_id, product, now=now)
    for other in _open_ones(session, user_id, product):
        if _is_same(other, product, wish, code) and _can_go_on(other, now=now):
            return other
        if other.stripe_session_id is not None and other.expires_at > now:
            raise _InTheWay(other.id, other.stripe_session_id)
        _expire(session, other)
    if not catalogue.is_current(product, session.get(ProductPrice, price_id)):
        raise _PriceChanged
    is_subscription = product.kind is ProductKind.SUBSCRIPTION
    checkout = Checkout(
        user_id=user_id,
        customer_id=customer.id,
        product_id=product.id,
        mode=CheckoutMode.SUBSCRIPTION if is_subscription else CheckoutMode.PAYMENT,
        status=CheckoutStatus.OPEN,
        quantity=wish.quantity,
        price_amount=product.price_amount,
        currency=product.currency,
        stripe_price_id=price_id,
        promotion_code=None if code is None else code.code,
        trial_days=_trial_days(session, user_id, product),
        success_url=wish.success_url,
        cancel_url=wish.cancel_url,
        expires_at=now + _page_lasts(session),
    )
    session.add(checkout)
    session.flush()
    if not is_subscription:
        session.add(
            Purchase(
                user_id=user_id,
                product_id=product.id,
                checkout_id=checkout.id,
                status=PurchaseStatus.PENDING,
                total_amount=product.price_amount * wish.quantity,
                currency=product.currency,
            )
        )
    record_event(session, "checkout_started", now=now, user_id=user_id, sku=product.sku)
    session.flush()
    return checkout


def _check_terms(
    session: Session, product: Product, wish: Wish, *, now: datetime
) -> PromotionCode | None:
    if wish.quantity != 1 and not product.has_seats:
        raise Unprocessable.field("quantity", "Only seats are sold by number.")
    if product.price_amount * wish.quantity > MONEY_LIMIT:
        raise Unprocessable.field("quantity", "More than can be paid at once.")
    if wish.promotion_code is None:
        return None
    return promotions.find_usable(session, wish.promotion_code, product, now=now)


def _refuse_what_is_owned(
    session: Session, user_id: UUID, product: Product, *, now: datetime
) -> None:
    if product.kind is ProductKind.SUBSCRIPTION:
        live = session.scalars(
            select(Subscription).where(
                Subscription.user_id == user_id,
                Subscription.status.in_(LIVE_STATUSES),
                ~Subscription.is_duplicate,
            )
        ).first()
        if live is not None and live.access_ended_at is not None:
            raise Conflict(
                "Your former subscription has not ended yet: cancel it, or wait a minute.",
                code="already_owned",
                until=live.current_period_end,
                change_plan=None,
            )
        if live is not None:
            raise Conflict(
                "You have a subscription: change its plan instead.",
                code="already_owned",
                until=live.current_period_end,
                change_plan="/api/billing/subscription/change-plan",
            )
        return
    held = session.scalars(
        select(Purchase)
        .where(
            Purchase.user_id == user_id,
            Purchase.product_id == product.id,
            Purchase.status == PurchaseStatus.COMPLETED,
            ~Purchase.is_duplicate,
            or_(Purchase.access_end.is_(None), Purchase.access_end > now),
        )
        .order_by(Purchase.access_end.desc().nulls_first())
    ).first()
    if held is not None:
        raise Conflict(
            "You have this already.", code="already_owned", until=held.access_end, change_plan=None
        )
    under_way = session.scalar(
        select(Purchase.id)
        .join(Checkout, Checkout.id == Purchase.checkout_id)
        .where(
            Purchase.user_id == user_id,
            Purchase.product_id == product.id,
            Purchase.status == PurchaseStatus.PENDING,
            Checkout.status == CheckoutStatus.COMPLETED,
        )
        .limit(1)
    )
    if under_way is not None:
        raise _payment_under_way()


def _payment_under_way() -> Conflict:
    return Conflict("A payment for this is on its way.", code="payment_under_way")


def _open_ones(session: Session, user_id: UUID, product: Product) -> list[Checkout]:
    """Open checkouts that this one would be beside: of the product, or of another subscription."""
    beside = Checkout.product_id == product.id
    if product.kind is ProductKind.SUBSCRIPTION:
        beside = or_(beside, Checkout.mode == CheckoutMode.SUBSCRIPTION)
    return list(
        session.scalars(
            select(Checkout)
            .where(Checkout.user_id == user_id, Checkout.status == CheckoutStatus.OPEN, beside)
            .order_by(Checkout.id)
            .execution_options(populate_existing=True)
        )
    )


def _is_same(other: Checkout, product: Product, wish: Wish, code: PromotionCode | None) -> bool:
    """Whether an open page is what is wished for; its price stays what it showed."""
    return (
        other.product_id == product.id
        and other.quantity == wish.quantity
        and other.promotion_code == (None if code is None else code.code)
        and (other.success_url, other.cancel_url) == (wish.success_url, wish.cancel_url)
    )


def _can_go_on(checkout: Checkout, *, now: datetime) -> bool:
    if checkout.stripe_session_id is not None:
        return checkout.expires_at - now > _WORTH_SHOWING
    return checkout.expires_at - now > _LATEST_START


def _expire(session: Session, checkout: Checkout) -> None:
    """Close a reservation of ours, and take its purchase off."""
    checkout.status = CheckoutStatus.EXPIRED
    session.flush()
    purchase = session.scalars(
        select(Purchase).where(Purchase.checkout_id == checkout.id)
    ).one_or_none()
    if purchase is not None:
        settle_purchase(session, purchase)


def _trial_days(session: Session, user_id: UUID, product: Product) -> int:
    """A trial is for somebody who never subscribed."""
    if not product.trial_days:
        return 0
    subscribed = session.scalar(
        select(
            exists().where(
                Subscription.user_id == user_id,
                Subscription.status != SubscriptionStatus.INCOMPLETE,
            )
        )
    )
    return 0 if subscribed else product.trial_days


def _page_lasts(session: Session) -> timedelta:
    minutes = get_business_settings(session).checkout_minutes
    return min(max(timedelta(minutes=minutes), _SHORTEST), _LONGEST)


def _open_at_stripe(user_id: UUID, checkout: Checkout) -> Checkout:
    """Have Stripe make the page that was reserved, and keep its address."""
    customer_id = customers.ensure_at_stripe(user_id)
    params = _session_params(checkout, user_id, customer_id)
    made = call_once(
        lambda stripe: stripe.v1.checkout.sessions.create(
            params, {"idempotency_key": f"checkout-{checkout.id}"}
        )
    )
    with transaction() as session:
        customers.lock(session, user_id)
        kept = get_checkout(session, user_id, checkout.id)
        if kept.stripe_session_id is None:
            kept.stripe_session_id = made.id
            kept.url = made.url
            kept.expires_at = datetime.fromtimestamp(made.expires_at, UTC)
        if kept.status is not CheckoutStatus.EXPIRED:
            return kept
    # Another request has put one with other terms in its place meanwhile.
    _expire_at_stripe(made.id)
    raise Conflict("Another payment page was opened since.", code="checkout_replaced")


def _session_params(checkout: Checkout, user_id: UUID, customer_id: str) -> SessionCreateParams:
    """What Stripe is asked for: the same for the same reservation, whenever it is asked."""
    metadata = {CHECKOUT_ID: str(checkout.id), customers.USER_ID: str(user_id)}
    params: SessionCreateParams = {
        "mode": "payment",
        "customer": customer_id,
        "client_reference_id": str(user_id),
        "line_items": [{"price": checkout.stripe_price_id, "quantity": checkout.quantity}],
        "success_url": checkout.success_url,
        "cancel_url": checkout.cancel_url,
        "expires_at": int(checkout.expires_at.timestamp()),
        "metadata": metadata,
    }
    if checkout.mode is CheckoutMode.SUBSCRIPTION:
        params["mode"] = "subscription"
        params["subscription_data"] = {"metadata": metadata}
        if checkout.trial_days:
            params["subscription_data"]["trial_period_days"] = checkout.trial_days
    else:
        params["payment_intent_data"] = {"metadata": metadata}
    if checkout.promotion_code is not None:
        params["discounts"] = [{"promotion_code": _code_at_stripe(checkout.promotion_code)}]
    return params


def _code_at_stripe(code: str) -> str:
    with transaction() as session:
        known = session.scalar(
            select(PromotionCode.stripe_promotion_code_id).where(
                func.upper(PromotionCode.code) == code.upper()
            )
        )
    if known is None:
        raise promotions.unusable()
    return known


def _explain_refusal(checkout: Checkout) -> None:
    """Raise Unprocessable (`promotion_code`) when it is the code that Stripe does not take."""
    if checkout.promotion_code is not None and promotions.is_spent(
        _code_at_stripe(checkout.promotion_code)
    ):
        raise promotions.unusable()


def _release(user_id: UUID, checkout_id: UUID, request: RepeatableRequest) -> None:
    """Give a reservation up that Stripe refused, so that the next request begins anew."""
    with transaction() as session:
        customers.lock(session, user_id)
        checkout = get_checkout(session, user_id, checkout_id)
        if checkout.stripe_session_id is None and checkout.status is CheckoutStatus.OPEN:
            _expire(session, checkout)
        forget(session, request)


def _close(user_id: UUID, other: _InTheWay) -> None:
    """Close another open page, at Stripe and here.

    Raises Conflict (`payment_under_way`) when it was paid meanwhile.
    """
    _expire_at_stripe(other.stripe_session_id)
    with transaction() as session:
        customers.lock(session, user_id)
        checkout = get_checkout(session, user_id, other.checkout_id)
        if checkout.status is CheckoutStatus.OPEN:
            _expire(session, checkout)


def _expire_at_stripe(stripe_session_id: str) -> None:
    try:
        call(lambda stripe: stripe.v1.checkout.sessions.expire(stripe_session_id))
    except Conflict as refused:
        if refused.extra.get("reason") == "resource_missing":
            return
        told = call(lambda stripe: stripe.v1.checkout.sessions.retrieve(stripe_session_id))
        if told.status == "complete":
            raise _payment_under_way() from None
        if told.status != "expired":
            raise
