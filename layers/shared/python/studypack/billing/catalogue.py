"""The price list: what is sold, what it opens, and how admins change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from studypack.billing.features import Feature
from studypack.billing.models import (
    Checkout,
    Interval,
    Plan,
    Product,
    ProductGrant,
    ProductKind,
    ProductPrice,
    PromotionCode,
    Subscription,
)
from studypack.billing.money import is_chargeable
from studypack.core import audit
from studypack.core.errors import Conflict, FieldError, NotFound, Unprocessable


@dataclass(frozen=True)
class GrantSpec:
    """A feature that a product opens: all of it, or one course, exam template or deck."""

    feature: Feature
    course_id: UUID | None = None
    template_id: UUID | None = None
    deck_id: UUID | None = None


@dataclass(frozen=True)
class ProductSpec:
    """A product as an admin describes it."""

    sku: str
    name: str
    kind: ProductKind
    price_amount: int
    currency: str
    grants: Sequence[GrantSpec]
    description: str | None = None
    plan: Plan | None = None
    interval: Interval | None = None
    access_window_days: int | None = None
    trial_days: int = 0
    has_seats: bool = False
    is_active: bool = True
    sort_order: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProductView:
    """A product with what it opens."""

    product: Product
    grants: tuple[ProductGrant, ...]
    is_in_sync: bool
    """Whether Stripe has the price that our list shows."""


def list_on_offer(session: Session) -> list[ProductView]:
    """What anybody may buy now, in the price list's order; one statement."""
    return _views(session, _products().where(Product.is_active))


def list_all(session: Session) -> list[ProductView]:
    """Every product, those off the list too; one statement."""
    return _views(session, _products())


def get(session: Session, product_id: UUID) -> ProductView:
    """One product.

    Raises NotFound (`product_not_found`).
    """
    found = _views(session, _products().where(Product.id == product_id))
    if not found:
        raise NotFound("There is no such product.", code="product_not_found")
    return found[0]


def create(session: Session, spec: ProductSpec, *, created_by: UUID | None) -> UUID:
    """Put a product on the list; Stripe hears of it by `sync_products` or the first checkout.

    Raises Unprocessable naming the field, Conflict (`sku_taken`).
    """
    _check(spec)
    taken = session.scalar(select(Product.id).where(func.lower(Product.sku) == spec.sku.lower()))
    if taken is not None:
        raise Conflict("Another product has this SKU.", code="sku_taken")
    product = Product(
        sku=spec.sku,
        name=spec.name,
        description=spec.description,
        kind=spec.kind,
        plan=spec.plan,
        interval=spec.interval,
        price_amount=spec.price_amount,
        currency=spec.currency,
        access_window_days=spec.access_window_days,
        trial_days=spec.trial_days,
        has_seats=spec.has_seats,
        is_active=spec.is_active,
        sort_order=spec.sort_order,
        product_metadata=dict(spec.metadata),
    )
    session.add(product)
    session.flush()
    _grant(session, product.id, spec.grants)
    if created_by is not None:
        audit.record(
            session,
            "product.created",
            actor_id=created_by,
            subject_id=product.id,
            sku=product.sku,
            amount=product.price_amount,
            currency=product.currency,
        )
    session.flush()
    return product.id


def change(
    session: Session,
    product_id: UUID,
    changes: Mapping[str, Any],
    *,
    grants: Sequence[GrantSpec] | None,
    seen_at: datetime,
    changed_by: UUID,
) -> None:
    """Change columns of a product and, if given, all that it opens, for everybody who has it.

    `seen_at`: the `updated_at` of the state that the admin looked at. What was bought keeps its
    price and window. Raises NotFound (`product_not_found`), Conflict (`product_changed`: somebody
    changed it since), Unprocessable naming the field.
    """
    product = _lock(session, product_id)
    if product.updated_at != seen_at:
        raise Conflict(
            "Somebody changed this product since; look at it again.",
            code="product_changed",
            updated_at=product.updated_at,
        )
    before = {name: getattr(product, name) for name in changes}
    for name, value in changes.items():
        setattr(product, name, value)
    _check(_spec_of(product, grants))
    changed = {
        name: {"old": _plain(old), "new": _plain(changes[name])}
        for name, old in before.items()
        if old != changes[name]
    }
    if grants is not None:
        session.execute(delete(ProductGrant).where(ProductGrant.product_id == product.id))
        _grant(session, product.id, grants)
        changed["grants"] = {"new": [_named(each) for each in grants]}
    product.updated_at = session.execute(select(func.clock_timestamp())).scalar_one()
    audit.record(
        session,
        "product.changed",
        actor_id=changed_by,
        subject_id=product.id,
        sku=product.sku,
        changes=changed,
    )
    session.flush()


def remove(session: Session, product_id: UUID, *, removed_by: UUID) -> bool:
    """Delete a product that was never sold and that Stripe does not know, or take it off the list;
    whether it was deleted.

    Raises NotFound (`product_not_found`).
    """
    product = _lock(session, product_id)
    used = product.stripe_product_id is not None or session.scalar(
        select(
            select(Checkout.id).where(Checkout.product_id == product_id).exists()
            | select(Subscription.id).where(Subscription.product_id == product_id).exists()
            | select(PromotionCode.id).where(PromotionCode.product_id == product_id).exists()
            | select(ProductPrice.stripe_price_id)
            .where(ProductPrice.product_id == product_id)
            .exists()
        )
    )
    audit.record(
        session,
        "product.deactivated" if used else "product.deleted",
        actor_id=removed_by,
        subject_id=product.id,
        sku=product.sku,
    )
    if used:
        product.is_active = False
        product.updated_at = session.execute(select(func.clock_timestamp())).scalar_one()
    else:
        session.delete(product)
    session.flush()
    return not used


def find_on_offer(session: Session, sku: str) -> Product:
    """The product on the list that a buyer names.

    Raises Unprocessable (`sku`).
    """
    product = session.scalars(
        select(Product).where(Product.sku == sku, Product.is_active)
    ).one_or_none()
    if product is None:
        raise Unprocessable.field("sku", "There is no such product on offer.", code="unknown_sku")
    return product


def _products() -> Select[Product, ProductGrant, ProductPrice]:
    return (
        select(Product, ProductGrant, ProductPrice)
        .outerjoin(ProductGrant, ProductGrant.product_id == Product.id)
        .outerjoin(ProductPrice, ProductPrice.stripe_price_id == Product.stripe_price_id)
        .order_by(Product.sort_order, Product.price_amount, Product.sku, ProductGrant.id)
    )


def _views(
    session: Session, query: Select[Product, ProductGrant, ProductPrice]
) -> list[ProductView]:
    grants: dict[UUID, list[ProductGrant]] = {}
    products: dict[UUID, tuple[Product, bool]] = {}
    for product, grant, price in session.execute(
        query.execution_options(populate_existing=True)
    ).all():
        products[product.id] = (product, is_current(product, price))
        grants.setdefault(product.id, []).extend([grant] if grant is not None else [])
    return [
        ProductView(product, tuple(grants[product.id]), in_sync)
        for product, in_sync in products.values()
    ]


def is_current(product: Product, price: ProductPrice | None) -> bool:
    """Whether a price at Stripe is what our list shows."""
    return price is not None and (price.amount, price.currency) == (
        product.price_amount,
        product.currency,
    )


def _lock(session: Session, product_id: UUID) -> Product:
    product = session.scalars(
        select(Product)
        .where(Product.id == product_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if product is None:
        raise NotFound("There is no such product.", code="product_not_found")
    return product


def _grant(session: Session, product_id: UUID, grants: Sequence[GrantSpec]) -> None:
    for grant in grants:
        session.add(
            ProductGrant(
                product_id=product_id,
                feature=grant.feature,
                course_id=grant.course_id,
                template_id=grant.template_id,
                deck_id=grant.deck_id,
            )
        )
        session.flush()  # one by one: the order of their ids is the order given


def _spec_of(product: Product, grants: Sequence[GrantSpec] | None) -> ProductSpec:
    return ProductSpec(
        sku=product.sku,
        name=product.name,
        kind=product.kind,
        price_amount=product.price_amount,
        currency=product.currency,
        grants=grants or (),
        plan=product.plan,
        interval=product.interval,
        access_window_days=product.access_window_days,
        trial_days=product.trial_days,
        has_seats=product.has_seats,
    )


def _check(spec: ProductSpec) -> None:
    """What the table's constraints hold too, with the fields named."""
    errors = []

    def wrong(name: str, why: str) -> None:
        errors.append(FieldError(name, "does_not_fit", why))

    if spec.kind is ProductKind.SUBSCRIPTION:
        if spec.plan is None or spec.plan is Plan.FREE:
            wrong("plan", "A subscription has the plan PRO or ENTERPRISE.")
        if spec.interval is None:
            wrong("interval", "A subscription has an interval.")
        if spec.access_window_days is not None:
            wrong("access_window_days", "A subscription lasts as long as it is paid.")
    else:
        if spec.plan is not None:
            wrong("plan", "What is bought once has no plan.")
        if spec.interval is not None:
            wrong("interval", "What is bought once has no interval.")
        if spec.trial_days:
            wrong("trial_days", "What is bought once has no trial.")
        if spec.has_seats:
            wrong("has_seats", "What is bought once has no seats.")
    if not is_chargeable(spec.price_amount, spec.currency):
        wrong("price_amount", "The last of three decimals must be zero.")
    for place, grant in enumerate(spec.grants):
        if (
            sum(each is not None for each in (grant.course_id, grant.template_id, grant.deck_id))
            > 1
        ):
            wrong(f"grants.{place}", "At most one of course, template and deck.")
        if grant in spec.grants[:place]:
            wrong(f"grants.{place}", "It is there already.")
    if errors:
        raise Unprocessable("The product does not fit together.", errors=errors)


def _named(grant: GrantSpec) -> dict[str, str]:
    return {name: str(value) for name, value in vars(grant).items() if value is not None}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | dict) else str(value)
