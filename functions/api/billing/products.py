"""What is on offer: public."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import Field

from studypack.billing import catalogue
from studypack.billing.answers import GrantOut, MoneyOut
from studypack.billing.catalogue import ProductView
from studypack.billing.models import Interval, Plan, ProductKind
from studypack.core.http import DbSession, Out, Page

router = APIRouter(prefix="/api/products")


class ProductOut(Out):
    """Something that can be bought."""

    sku: str
    name: str
    description: str | None
    kind: ProductKind
    plan: Plan | None
    interval: Interval | None
    price: MoneyOut = Field(
        description="Per interval of a subscription; per seat, where it has any"
    )
    access_window_days: int | None = Field(description="Of what is bought once; null: for good")
    trial_days: int = Field(description="Free, for somebody who never subscribed")
    has_seats: bool
    grants: list[GrantOut]

    @classmethod
    def of(cls, view: ProductView) -> ProductOut:
        product = view.product
        return cls(
            sku=product.sku,
            name=product.name,
            description=product.description,
            kind=product.kind,
            plan=product.plan,
            interval=product.interval,
            price=MoneyOut(amount=product.price_amount, currency=product.currency),
            access_window_days=product.access_window_days,
            trial_days=product.trial_days,
            has_seats=product.has_seats,
            grants=[GrantOut.model_validate(grant) for grant in view.grants],
        )


@router.get("")
def list_products(session: DbSession, response: Response) -> Page[ProductOut]:
    """The price list, on one page: prices, what each product opens, trial days."""
    response.headers["Cache-Control"] = "public, max-age=60"
    found = catalogue.list_on_offer(session)
    return Page(items=[ProductOut.of(view) for view in found], next_cursor=None)
