"""Taking a purchase back."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.billing import refunds
from studypack.billing.answers import MoneyOut
from studypack.billing.models import Refund, RefundOrigin, RefundStatus
from studypack.core.http import Out, UtcTime

router = APIRouter(prefix="/api/purchases")


class RefundOut(Out):
    """Money that goes back to its payer."""

    id: UUID
    status: RefundStatus = Field(description="PENDING: promised; the payment provider sees to it")
    origin: RefundOrigin = Field(description="Who wanted it")
    money: MoneyOut
    created_at: UtcTime
    settled_at: UtcTime | None

    @classmethod
    def of(cls, refund: Refund) -> RefundOut:
        return cls(
            id=refund.id,
            status=refund.status,
            origin=refund.origin,
            money=MoneyOut(amount=refund.amount, currency=refund.currency),
            created_at=refund.created_at,
            settled_at=refund.settled_at,
        )


@router.post("/{purchase_id}/refund", status_code=202)
def refund_purchase(
    purchase_id: UUID,
    caller: CurrentUser,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> RefundOut:
    """Take a purchase back, within the time that `refundable_until` tells: its access ends at once,
    all of its payment goes back.
    """
    return RefundOut.of(
        refunds.request_by_buyer(
            caller.id, purchase_id, idempotency_key=idempotency_key, now=caller.now
        )
    )
