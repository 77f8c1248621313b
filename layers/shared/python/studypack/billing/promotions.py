"""Promotion codes: ours first, then the coupon and the code at Stripe.

Making and changing one waits for Stripe; those functions open their short transactions themselves
and are never called within one. A code counts once Stripe knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from studypack.billing.models import DiscountDuration, Product, PromotionCode
from studypack.core import audit
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.core.paging import PageParams
from studypack.integrations.stripe import call, call_once

if TYPE_CHECKING:
    from stripe.params import CouponCreateParams, PromotionCodeCreateParams

CODE_ID: Final = "studypack_promotion_code_id"
_LONGEST: Final = timedelta(days=5 * 365)
_DURATIONS: Final = {
    DiscountDuration.ONCE: "once",
    DiscountDuration.REPEATING: "repeating",
    DiscountDuration.FOREVER: "forever",
}


@dataclass(frozen=True)
class CodeSpec:
    """A promotion code as an admin describes it: percent or amount, not both."""

    code: str
    name: str
    duration: DiscountDuration
    percent_off: Decimal | None = None
    amount_off: int | None = None
    currency: str | None = None
    duration_months: int | None = None
    max_redemptions: int | None = None
    expires_at: datetime | None = None
    sku: str | None = None
    """The only product that it fits; None: any."""


def list_codes(session: Session, page: PageParams) -> Sequence[tuple[PromotionCode, str | None]]:
    """Codes with the SKU that they are for, newest first, one more than the page shows."""
    query = (
        select(PromotionCode, Product.sku)
        .outerjoin(Product, Product.id == PromotionCode.product_id)
        .order_by(PromotionCode.id.desc())
        .limit(page.limit + 1)
    )
    if page.after is not None:
        query = query.where(PromotionCode.id < page.after)
    return [(row[0], row[1]) for row in session.execute(query)]


def find_usable(session: Session, code: str, product: Product, *, now: datetime) -> PromotionCode:
    """The code that a buyer typed, fit for this product.

    Raises Unprocessable (`promotion_code`), which does not tell a wrong one from one for others.
    """
    found = session.scalars(
        select(PromotionCode).where(func.upper(PromotionCode.code) == code.strip().upper())
    ).one_or_none()
    if (
        found is None
        or not found.is_active
        or found.stripe_promotion_code_id is None
        or (found.expires_at is not None and found.expires_at <= now)
        or found.product_id not in {None, product.id}
        or (found.currency is not None and found.currency != product.currency)
    ):
        raise unusable()
    return found


def unusable() -> Unprocessable:
    """The refusal of a code that cannot be used."""
    return Unprocessable.field(
        "promotion_code", "This code cannot be used here.", code="promotion_code_invalid"
    )


def is_spent(stripe_promotion_code_id: str) -> bool:
    """Whether Stripe takes this code no longer. Raises Unavailable."""
    try:
        told = call(lambda stripe: stripe.v1.promotion_codes.retrieve(stripe_promotion_code_id))
    except Conflict:
        return True
    return not told.active


def create(spec: CodeSpec, *, created_by: UUID, now: datetime) -> UUID:
    """Make a code and its coupon at Stripe; one that a crash left half made is gone on with.

    Raises Unprocessable naming the field, Conflict (`code_taken`, `payment_refused`), Unavailable
    (`payments_unavailable`; the code is kept and can be sent again).
    """
    _check(spec, now=now)
    with transaction() as session:
        code = _reserve(session, spec, created_by)
    try:
        coupon_id = _make_coupon(code)
        made_id = _make_code(code, coupon_id)
    except Conflict:
        with transaction() as session:
            session.execute(
                delete(PromotionCode).where(
                    PromotionCode.id == code.id, PromotionCode.stripe_promotion_code_id.is_(None)
                )
            )
        raise
    with transaction() as session:
        kept = _lock(session, code.id)
        if kept.stripe_promotion_code_id is None:
            kept.stripe_coupon_id = coupon_id
            kept.stripe_promotion_code_id = made_id
            audit.record(
                session,
                "promotion_code.created",
                actor_id=created_by,
                subject_id=kept.id,
                code=kept.code,
                percent_off=None if kept.percent_off is None else str(kept.percent_off),
                amount_off=kept.amount_off,
                currency=kept.currency,
            )
    return code.id


def set_active(code_id: UUID, *, is_active: bool, changed_by: UUID) -> None:
    """Withdraw a code, for us at once, or offer it again once Stripe agrees.

    Raises NotFound (`promotion_code_not_found`), Conflict (`payment_refused`), Unavailable
    (`payments_unavailable`: sent again, it is carried on).
    """
    with transaction() as session:
        code = _lock(session, code_id)
        if code.stripe_promotion_code_id is None:
            raise Conflict("This code is half made; send it again.", code="code_unfinished")
        stripe_id = code.stripe_promotion_code_id
        changed = code.is_active is not is_active
        if not is_active:
            code.is_active = False
        if changed and not is_active:
            _note(session, code, "promotion_code.deactivated", changed_by)
    call(lambda stripe: stripe.v1.promotion_codes.update(stripe_id, {"active": is_active}))
    if not is_active:
        return
    with transaction() as session:
        code = _lock(session, code_id)
        if not code.is_active:
            code.is_active = True
            _note(session, code, "promotion_code.activated", changed_by)


def get(session: Session, code_id: UUID) -> tuple[PromotionCode, str | None]:
    """One code with the SKU that it is for.

    Raises NotFound (`promotion_code_not_found`).
    """
    row = session.execute(
        select(PromotionCode, Product.sku)
        .outerjoin(Product, Product.id == PromotionCode.product_id)
        .where(PromotionCode.id == code_id)
    ).one_or_none()
    if row is None:
        raise _not_found()
    return row[0], row[1]


def _check(spec: CodeSpec, *, now: datetime) -> None:
    if (spec.percent_off is None) == (spec.amount_off is None):
        raise Unprocessable.field("percent_off", "Either a percentage or an amount.")
    if (spec.amount_off is None) != (spec.currency is None):
        raise Unprocessable.field("currency", "An amount has a currency, a percentage has none.")
    if (spec.duration is DiscountDuration.REPEATING) != (spec.duration_months is not None):
        raise Unprocessable.field("duration_months", "REPEATING lasts for so many months.")
    if spec.expires_at is not None and spec.expires_at <= now:
        raise Unprocessable.field("expires_at", "This time is over.")
    if spec.expires_at is not None and spec.expires_at > now + _LONGEST:
        raise Unprocessable.field("expires_at", "Five years is the longest.")


def _reserve(session: Session, spec: CodeSpec, created_by: UUID) -> PromotionCode:
    product_id = None
    if spec.sku is not None:
        product_id = session.scalar(select(Product.id).where(Product.sku == spec.sku))
        if product_id is None:
            raise Unprocessable.field("sku", "There is no such product.", code="unknown_sku")
    terms = {
        "name": spec.name,
        "percent_off": spec.percent_off,
        "amount_off": spec.amount_off,
        "currency": spec.currency,
        "duration": spec.duration,
        "duration_months": spec.duration_months,
        "max_redemptions": spec.max_redemptions,
        "expires_at": spec.expires_at,
        "product_id": product_id,
    }
    # One at a time: two admins with one code would both find none.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("payments.promotion_codes"))))
    found = session.scalars(
        select(PromotionCode).where(func.upper(PromotionCode.code) == spec.code.upper())
    ).one_or_none()
    if found is None:
        found = PromotionCode(code=spec.code.upper(), created_by=created_by, **terms)
        session.add(found)
        session.flush()
        return found
    same = all(getattr(found, name) == value for name, value in terms.items())
    if found.stripe_promotion_code_id is not None or not same:
        raise Conflict("This code is there already.", code="code_taken")
    return found


def _make_coupon(code: PromotionCode) -> str:
    params: CouponCreateParams = {
        "id": f"studypack-{code.id}",
        "name": code.name[:40],  # all that Stripe takes
        "duration": _DURATIONS[code.duration],
        "metadata": {CODE_ID: str(code.id)},
    }
    if code.percent_off is not None:
        params["percent_off"] = float(code.percent_off)
    if code.amount_off is not None and code.currency is not None:
        params["amount_off"] = code.amount_off
        params["currency"] = code.currency
    if code.duration_months is not None:
        params["duration_in_months"] = code.duration_months
    try:
        return call(lambda stripe: stripe.v1.coupons.create(params)).id
    except Conflict as refused:
        if refused.extra.get("reason") == "resource_already_exists":
            return f"studypack-{code.id}"  # of a try before this one
        raise


def _make_code(code: PromotionCode, coupon_id: str) -> str:
    params: PromotionCodeCreateParams = {
        "promotion": {"type": "coupon", "coupon": coupon_id},
        "code": code.code,
        "metadata": {CODE_ID: str(code.id)},
    }
    if code.max_redemptions is not None:
        params["max_redemptions"] = code.max_redemptions
    if code.expires_at is not None:
        params["expires_at"] = int(code.expires_at.timestamp())
    try:
        return call_once(
            lambda stripe: stripe.v1.promotion_codes.create(
                params, {"idempotency_key": f"promotion-code-{code.id}"}
            )
        ).id
    except Conflict as refused:
        call(lambda stripe: stripe.v1.coupons.delete(coupon_id))
        if refused.extra.get("reason") == "resource_already_exists":
            raise Conflict("Stripe has another code of this name.", code="code_taken") from None
        raise


def _lock(session: Session, code_id: UUID) -> PromotionCode:
    code = session.scalars(
        select(PromotionCode)
        .where(PromotionCode.id == code_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if code is None:
        raise _not_found()
    return code


def _note(session: Session, code: PromotionCode, action: str, actor_id: UUID) -> None:
    audit.record(session, action, actor_id=actor_id, subject_id=code.id, code=code.code)


def _not_found() -> NotFound:
    return NotFound("There is no such promotion code.", code="promotion_code_not_found")
