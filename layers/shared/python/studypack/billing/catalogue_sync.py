"""Our price list at Stripe: what is missing or differs there is made or changed, ids are kept.

It may be stopped anywhere and begun again: products have ids of our choice, a price that is there
already is taken over, an old one counts as archived once Stripe said so. It waits for Stripe and
therefore opens its short transactions itself: it is never called within one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from studypack.billing.catalogue import is_current
from studypack.billing.models import Interval, Product, ProductPrice
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unavailable
from studypack.integrations.stripe import call, call_once

if TYPE_CHECKING:
    from stripe.params import PriceCreateParams, PriceCreateParamsRecurring, ProductCreateParams

SKU: Final = "studypack_sku"
"""Metadata of products and prices at Stripe."""
_INTERVALS: Final = {Interval.MONTHLY: "month", Interval.ANNUAL: "year"}
_TRIES: Final = 3
_MISSING: Final = "resource_missing"


@dataclass(frozen=True)
class SyncReport:
    """How many products and prices were made, changed or archived at Stripe, or left."""

    products_created: int = 0
    products_updated: int = 0
    products_unchanged: int = 0
    prices_created: int = 0
    prices_archived: int = 0

    def __str__(self) -> str:
        return (
            f"products: {self.products_created} created, {self.products_updated} updated,"
            f" {self.products_unchanged} unchanged; prices: {self.prices_created} created,"
            f" {self.prices_archived} archived"
        )


def sync_products() -> SyncReport:
    """Bring Stripe up to the price list.

    Raises Unavailable (`payments_unavailable`), Conflict (`payment_refused`); what was done stays,
    and the next run goes on.
    """
    with transaction() as session:
        ids = session.scalars(select(Product.id).order_by(Product.sort_order, Product.id)).all()
    done: Counter[str] = Counter()
    for product_id in ids:
        done.update(_sync(product_id))
    return SyncReport(**done)


def price_in_force(product_id: UUID) -> str:
    """Stripe's id of the price that our list shows; made there if it is not there yet.

    Raises Unavailable (`payments_unavailable`).
    """
    for _ in range(_TRIES):
        with transaction() as session:
            product, price = session.execute(
                select(Product, ProductPrice)
                .outerjoin(ProductPrice, ProductPrice.stripe_price_id == Product.stripe_price_id)
                .where(Product.id == product_id)
            ).one()
        if is_current(product, price):
            return str(product.stripe_price_id)
        _sync(product_id)
    raise Unavailable("This price changes at the moment; try again.", code="price_changing")


def sync_product(product_id: UUID) -> None:
    """Bring Stripe up to one product. Raises as `sync_products` does."""
    _sync(product_id)


def _sync(product_id: UUID) -> Counter[str]:
    done: Counter[str] = Counter()
    for _ in range(_TRIES):
        with transaction() as session:
            product = session.get(Product, product_id)
        if product is None:
            return done
        if product.stripe_product_id is None and not product.is_active:
            done["products_unchanged"] += 1
            return done
        stripe_product_id, outcome = _put_product(product)
        price_id, is_new = _put_price(product, stripe_product_id)
        done["prices_created"] += is_new
        if _record(product, stripe_product_id, price_id):
            done[outcome] += 1
            done["prices_archived"] += _archive_old(product_id)
            return done
    raise Unavailable("This price changes at the moment; try again.", code="price_changing")


def _put_product(product: Product) -> tuple[str, str]:
    """Stripe's id of the product, and what had to be done."""
    stripe_product_id = product.stripe_product_id or f"studypack-{product.id}"
    if product.stripe_product_id is None and _create_product(product, stripe_product_id):
        return stripe_product_id, "products_created"
    there = _retrieve(stripe_product_id)
    if there is None:
        _create_product(product, stripe_product_id)
        return stripe_product_id, "products_created"
    wanted = (product.name, product.description or "", product.is_active)
    if (there["name"], there.get("description") or "", there["active"]) == wanted:
        return stripe_product_id, "products_unchanged"
    call(
        lambda stripe: stripe.v1.products.update(
            stripe_product_id,
            {
                "name": product.name,
                "description": product.description or "",
                "active": product.is_active,
                "metadata": {SKU: product.sku},
            },
        )
    )
    return stripe_product_id, "products_updated"


def _create_product(product: Product, stripe_product_id: str) -> bool:
    """Make it under an id of our choice; False when it is there already."""
    params: ProductCreateParams = {
        "id": stripe_product_id,
        "name": product.name,
        "active": product.is_active,
        "metadata": {SKU: product.sku},
    }
    if product.description:
        params["description"] = product.description
    try:
        call(lambda stripe: stripe.v1.products.create(params))
    except Conflict as refused:
        if refused.extra.get("reason") != "resource_already_exists":
            raise
        return False
    return True


def _retrieve(stripe_product_id: str) -> dict[str, Any] | None:
    try:
        return call(lambda stripe: stripe.v1.products.retrieve(stripe_product_id)).to_dict()
    except Conflict as refused:
        if refused.extra.get("reason") == _MISSING:
            return None
        raise


def _put_price(product: Product, stripe_product_id: str) -> tuple[str, bool]:
    """Stripe's id of the price that our list shows, and whether it had to be made."""
    interval = None if product.interval is None else _INTERVALS[product.interval]
    there = call(
        lambda stripe: stripe.v1.prices.list(
            {"product": stripe_product_id, "active": True, "limit": 100}
        )
    )
    for each in (price.to_dict() for price in there.data):
        recurring = each.get("recurring") or {}
        terms = (each["unit_amount"], each["currency"], recurring.get("interval"))
        every = recurring.get("interval_count", 1)
        if terms == (product.price_amount, product.currency, interval) and every == 1:
            return str(each["id"]), False
    with transaction() as session:
        known = session.scalar(select(func.count()).where(ProductPrice.product_id == product.id))
    terms_of_key = f"{product.price_amount}-{product.currency}-{interval}"
    params: PriceCreateParams = {
        "product": stripe_product_id,
        "unit_amount": product.price_amount,
        "currency": product.currency,
        "metadata": {SKU: product.sku},
    }
    if interval is not None:
        recurring_terms: PriceCreateParamsRecurring = {"interval": interval}
        params["recurring"] = recurring_terms
    made = call_once(
        lambda stripe: stripe.v1.prices.create(
            params, {"idempotency_key": f"price-{product.id}-{known}-{terms_of_key}"}
        )
    )
    return made.id, True


def _record(product: Product, stripe_product_id: str, price_id: str) -> bool:
    """Keep the ids; False when the product's price changed meanwhile, so that another is due."""
    with transaction() as session:
        now = session.scalars(
            select(Product)
            .where(Product.id == product.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one_or_none()
        if now is None:
            raise NotFound("There is no such product.", code="product_not_found")
        session.execute(
            insert(ProductPrice)
            .values(
                stripe_price_id=price_id,
                product_id=product.id,
                amount=product.price_amount,
                currency=product.currency,
            )
            .on_conflict_do_update(
                index_elements=[ProductPrice.stripe_price_id], set_={"archived_at": None}
            )
        )
        fits = (now.price_amount, now.currency) == (product.price_amount, product.currency)
        # Not a change in the eyes of an admin who looks at the product: `updated_at` stays.
        session.execute(
            update(Product)
            .where(Product.id == product.id)
            .values(
                stripe_product_id=stripe_product_id,
                stripe_price_id=price_id if fits else Product.stripe_price_id,
                updated_at=Product.updated_at,
            )
            .execution_options(synchronize_session=False)
        )
        return fits


def _archive_old(product_id: UUID) -> int:
    """Take former prices off sale at Stripe; who has one keeps it."""
    with transaction() as session:
        old = session.scalars(
            select(ProductPrice.stripe_price_id)
            .join(Product, Product.id == ProductPrice.product_id)
            .where(
                ProductPrice.product_id == product_id,
                ProductPrice.archived_at.is_(None),
                ProductPrice.stripe_price_id != Product.stripe_price_id,
            )
        ).all()
    for price_id in old:
        _archive(price_id)
    return len(old)


def _archive(price_id: str) -> None:
    try:
        call(lambda stripe: stripe.v1.prices.update(price_id, {"active": False}))
    except Conflict as refused:
        if refused.extra.get("reason") != _MISSING:
            raise
    with transaction() as session:
        at: datetime = session.execute(select(func.now())).scalar_one()
        session.execute(
            update(ProductPrice)
            .where(
                ProductPrice.stripe_price_id == price_id,
                # In force again meanwhile: then the next run makes it active again.
                ~select(Product.id).where(Product.stripe_price_id == price_id).exists(),
            )
            .values(archived_at=at)
        )
