"""What somebody bought once."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.billing.refunds import RefundOut
from studypack.access.guards import CurrentUser
from studypack.billing import purchases
from studypack.billing.answers import MoneyOut
from studypack.billing.models import PurchaseStatus
from studypack.billing.purchases import PurchaseView
from studypack.core.http import DbSession, Out, Page, Paging, UtcTime, page_of

router = APIRouter(prefix="/api/purchases")


class PurchaseOut(Out):
    """A product bought once. PENDING: its payment page is open, or its payment on its way."""

    id: UUID
    sku: str
    product: str
    status: PurchaseStatus
    status_reason: str | None = Field(
        examples=["refunded", "paid_twice", "dispute_lost", "checkout_expired"]
    )
    total: MoneyOut
    refunded: MoneyOut = Field(description="What went back already")
    access_start: UtcTime | None
    access_end: UtcTime | None = Field(description="null, once it was paid: for good")
    refundable_until: UtcTime | None = Field(description="null: it cannot be taken back by oneself")
    refunds: list[RefundOut]
    created_at: UtcTime

    @classmethod
    def of(cls, view: PurchaseView) -> PurchaseOut:
        purchase = view.purchase
        currency = purchase.currency
        return cls(
            id=purchase.id,
            sku=view.product.sku,
            product=view.product.name,
            status=purchase.status,
            status_reason=purchase.status_reason,
            total=MoneyOut(amount=purchase.total_amount, currency=currency),
            refunded=MoneyOut(amount=purchase.refunded_amount, currency=currency),
            access_start=purchase.access_start,
            access_end=purchase.access_end,
            refundable_until=view.refundable_until,
            refunds=[RefundOut.of(refund) for refund in view.refunds],
            created_at=purchase.created_at,
        )


@router.get("")
def list_purchases(caller: CurrentUser, session: DbSession, paging: Paging) -> Page[PurchaseOut]:
    """What I bought once, newest first, with the refunds of each."""
    found = purchases.list_purchases(session, caller.id, paging)
    return page_of(found, paging, key=lambda view: view.purchase.id, out=PurchaseOut.of)


@router.get("/{purchase_id}")
def get_purchase(purchase_id: UUID, caller: CurrentUser, session: DbSession) -> PurchaseOut:
    """One of my purchases."""
    return PurchaseOut.of(purchases.get(session, caller.id, purchase_id))
