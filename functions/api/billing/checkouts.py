"""Opening Stripe's payment page for a product."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field, StringConstraints

from studypack.access.guards import CurrentUser
from studypack.billing import checkout
from studypack.billing.models import Checkout, CheckoutMode, CheckoutStatus
from studypack.core.http import In, Out, UtcTime

router = APIRouter(prefix="/api/purchases")

ReturnUrl = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class CheckoutIn(In):
    """What to buy, and where the payment page leads back to: addresses on our own origins."""

    sku: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    quantity: Annotated[int, Field(ge=1, le=1_000, description="Seats; 1 for everything else")] = 1
    promotion_code: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    success_url: Annotated[ReturnUrl, Field(description="Stripe fills in `{CHECKOUT_SESSION_ID}`")]
    cancel_url: ReturnUrl


class CheckoutOut(Out):
    """A payment page."""

    id: UUID
    status: CheckoutStatus
    mode: CheckoutMode
    url: str | None = Field(description="Where to send the buyer; null once it is closed")
    expires_at: UtcTime

    @classmethod
    def of(cls, made: Checkout) -> CheckoutOut:
        return cls(
            id=made.id,
            status=made.status,
            mode=made.mode,
            url=made.url if made.status is CheckoutStatus.OPEN else None,
            expires_at=made.expires_at,
        )


@router.post("/checkout-session", status_code=201)
def open_checkout(
    body: CheckoutIn,
    caller: CurrentUser,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> CheckoutOut:
    """Open a payment page, or get the one that is open for the same wish already. 409
    `already_owned` for what one has, with until when; a subscriber changes their plan instead.
    """
    wish = checkout.Wish(
        sku=body.sku,
        quantity=body.quantity,
        promotion_code=body.promotion_code,
        success_url=body.success_url,
        cancel_url=body.cancel_url,
    )
    made = checkout.open_checkout(caller.id, wish, idempotency_key=idempotency_key, now=caller.now)
    return CheckoutOut.of(made)
