"""Promotion codes, for admins."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, StringConstraints

from studypack.access.guards import AdminUser
from studypack.admin import promotion_codes
from studypack.billing import promotions
from studypack.billing.answers import MoneyOut
from studypack.billing.models import DiscountDuration, PromotionCode
from studypack.billing.promotions import CodeSpec
from studypack.billing.tables.mirror import MONEY_LIMIT
from studypack.core.http import DbSession, In, Out, Page, Paging, ShortText, UtcTime, page_of

router = APIRouter(prefix="/promotion-codes")

Currency = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]


class PromotionCodeIn(In):
    """A code: percent or amount off, for one product or any."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", min_length=3, max_length=40)]
    name: Annotated[ShortText, Field(description="What receipts call it")]
    percent_off: Annotated[Decimal, Field(gt=0, le=100, max_digits=5, decimal_places=2)] | None = (
        None
    )
    amount_off: Annotated[int, Field(ge=1, le=MONEY_LIMIT)] | None = None
    currency: Currency | None = None
    duration: DiscountDuration = DiscountDuration.ONCE
    duration_months: Annotated[int, Field(ge=1, le=120)] | None = None
    max_redemptions: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    expires_at: AwareDatetime | None = None
    sku: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None

    def to_service(self) -> CodeSpec:
        return CodeSpec(**{name: getattr(self, name) for name in type(self).model_fields})


class PromotionCodePatch(In):
    """Withdraw a code, or offer it again."""

    is_active: bool


class PromotionCodeOut(Out):
    """A code."""

    id: UUID
    code: str
    name: str
    percent_off: Decimal | None
    amount_off: MoneyOut | None
    duration: DiscountDuration
    duration_months: int | None
    max_redemptions: int | None
    expires_at: UtcTime | None
    sku: str | None = Field(description="The only product that it fits; null: any")
    is_active: bool
    is_known_to_stripe: bool = Field(description="false: half made; send it again")
    created_by: UUID | None
    created_at: UtcTime

    @classmethod
    def of(cls, row: tuple[PromotionCode, str | None]) -> PromotionCodeOut:
        code, sku = row
        off = None
        if code.amount_off is not None and code.currency is not None:
            off = MoneyOut(amount=code.amount_off, currency=code.currency)
        columns = {name: getattr(code, name, None) for name in cls.model_fields}
        return cls.model_validate(
            {
                **columns,
                "amount_off": off,
                "sku": sku,
                "is_known_to_stripe": code.stripe_promotion_code_id is not None,
            }
        )


@router.get("")
def list_promotion_codes(
    _caller: AdminUser, session: DbSession, paging: Paging
) -> Page[PromotionCodeOut]:
    """Codes, newest first."""
    found = promotions.list_codes(session, paging)
    return page_of(found, paging, key=lambda row: row[0].id, out=PromotionCodeOut.of)


@router.post("", status_code=201)
def create_promotion_code(body: PromotionCodeIn, caller: AdminUser) -> PromotionCodeOut:
    """Make a code and its coupon at Stripe. One that was left half made is gone on with when it is
    sent again.
    """
    return PromotionCodeOut.of(
        promotion_codes.create(body.to_service(), created_by=caller.id, now=caller.now)
    )


@router.patch("/{code_id}")
def change_promotion_code(
    code_id: UUID, body: PromotionCodePatch, caller: AdminUser
) -> PromotionCodeOut:
    """Withdraw a code, at once, or offer it again. Who has used it keeps the discount."""
    return PromotionCodeOut.of(
        promotion_codes.set_active(code_id, is_active=body.is_active, changed_by=caller.id)
    )
