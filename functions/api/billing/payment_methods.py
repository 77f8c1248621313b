"""Saved ways to pay, and Stripe's portal."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from studypack.access.guards import CurrentUser
from studypack.billing import payment_methods, portal
from studypack.billing.models import PaymentMethodType
from studypack.billing.payment_methods import MethodView
from studypack.core.http import DbSession, In, Out, Page, Paging, UtcTime, page_of

router = APIRouter(prefix="/api/billing")


class PaymentMethodOut(Out):
    """What a person needs to recognise a way to pay."""

    id: UUID
    type: PaymentMethodType
    brand: str | None
    last4: str | None
    expiry_month: int | None
    expiry_year: int | None
    paypal_email: str | None
    is_default: bool = Field(description="Whether renewals are paid with it")
    created_at: UtcTime

    @classmethod
    def of(cls, view: MethodView) -> PaymentMethodOut:
        names = cls.model_fields.keys() - {"is_default"}
        values = {name: getattr(view.method, name) for name in names}
        return cls.model_validate({**values, "is_default": view.is_default})


class PortalIn(In):
    """Where the portal leads back to: an address on our own origins."""

    return_url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class PortalOut(Out):
    """A visit to the portal; whoever has the address is in."""

    url: str


@router.get("/payment-methods")
def list_payment_methods(
    caller: CurrentUser, session: DbSession, paging: Paging
) -> Page[PaymentMethodOut]:
    """My saved ways to pay, newest first."""
    found = payment_methods.list_methods(session, caller.id, paging)
    return page_of(found, paging, key=lambda view: view.method.id, out=PaymentMethodOut.of)


@router.put("/payment-methods/{method_id}/default")
def set_default_payment_method(method_id: UUID, caller: CurrentUser) -> PaymentMethodOut:
    """Pay renewals with this one from now on."""
    return PaymentMethodOut.of(payment_methods.make_default(caller.id, method_id))


@router.delete("/payment-methods/{method_id}", status_code=204)
def remove_payment_method(method_id: UUID, caller: CurrentUser) -> None:
    """Forget a way to pay; 409 for the one with which a subscription renews."""
    payment_methods.detach(caller.id, method_id, now=caller.now)


@router.post("/portal-session", status_code=201)
def open_portal(body: PortalIn, caller: CurrentUser) -> PortalOut:
    """Stripe's own page for me: invoices, and where payment methods are added."""
    return PortalOut(url=portal.open_portal(caller.id, body.return_url))
