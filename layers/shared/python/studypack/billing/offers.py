"""What is on the price list that would open something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from studypack.billing.features import Feature
from studypack.billing.models import Interval, Product, ProductGrant, ProductKind


@dataclass(frozen=True)
class Offer:
    """A product on offer, as a refusal names it."""

    sku: str
    name: str
    kind: ProductKind
    interval: Interval | None
    amount: int
    currency: str


def products_opening(
    session: Session,
    feature: Feature,
    *,
    course_id: UUID | None = None,
    template_id: UUID | None = None,
    deck_id: UUID | None = None,
) -> Sequence[Offer]:
    """The active products that open the feature for this thing, those made for it before those that
    open all of it, each in the price list's order; without one: all that open something of it. One
    statement.
    """
    grants = ProductGrant.feature == feature
    made_for_it: list[ColumnElement[bool]] = []  # PostgreSQL sorts by no constant
    if course_id or template_id or deck_id:
        whole = and_(
            ProductGrant.course_id.is_(None),
            ProductGrant.template_id.is_(None),
            ProductGrant.deck_id.is_(None),
        )
        scopes = [
            (ProductGrant.course_id, course_id),
            (ProductGrant.template_id, template_id),
            (ProductGrant.deck_id, deck_id),
        ]
        exactly = or_(*(column == id for column, id in scopes if id))
        made_for_it.append(_has_grant(and_(grants, exactly)).desc())
        grants = and_(grants, or_(whole, exactly))
    found = session.scalars(
        select(Product)
        .where(Product.is_active, _has_grant(grants))
        .order_by(*made_for_it, Product.sort_order, Product.price_amount, Product.sku)
    )
    return [
        Offer(
            sku=product.sku,
            name=product.name,
            kind=product.kind,
            interval=product.interval,
            amount=product.price_amount,
            currency=product.currency,
        )
        for product in found
    ]


def _has_grant(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(ProductGrant.id).where(ProductGrant.product_id == Product.id, condition).exists()
