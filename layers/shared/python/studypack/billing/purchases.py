"""What somebody bought once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from studypack.billing.models import Product, Purchase, PurchaseStatus, Refund, Transaction
from studypack.core.business_settings import get_business_settings
from studypack.core.errors import NotFound
from studypack.core.paging import PageParams


@dataclass(frozen=True)
class PurchaseView:
    """A purchase with its product, what goes back of it, and until when it may be taken back."""

    purchase: Purchase
    product: Product
    refunds: tuple[Refund, ...]
    refundable_until: datetime | None


def list_purchases(session: Session, user_id: UUID, page: PageParams) -> list[PurchaseView]:
    """A user's purchases, newest first, one more than the page shows; one statement."""
    mine = select(Purchase.id).where(Purchase.user_id == user_id)
    if page.after is not None:
        mine = mine.where(Purchase.id < page.after)
    shown = mine.order_by(Purchase.id.desc()).limit(page.limit + 1)
    return _views(session, _with_refunds().where(Purchase.id.in_(shown)))


def get(session: Session, user_id: UUID, purchase_id: UUID) -> PurchaseView:
    """One purchase of a user.

    Raises NotFound (`purchase_not_found`).
    """
    found = _views(
        session, _with_refunds().where(Purchase.id == purchase_id, Purchase.user_id == user_id)
    )
    if not found:
        raise NotFound("There is no such purchase.", code="purchase_not_found")
    return found[0]


def _with_refunds() -> Select[Purchase, Product, Refund]:
    return (
        select(Purchase, Product, Refund)
        .join(Product, Product.id == Purchase.product_id)
        .outerjoin(Transaction, Transaction.purchase_id == Purchase.id)
        .outerjoin(Refund, Refund.transaction_id == Transaction.id)
        .order_by(Purchase.id.desc(), Refund.id)
    )


def _views(session: Session, query: Select[Purchase, Product, Refund]) -> list[PurchaseView]:
    rows = session.execute(query.execution_options(populate_existing=True)).all()
    refunds: dict[UUID, list[Refund]] = {}
    found: dict[UUID, tuple[Purchase, Product]] = {}
    for purchase, product, refund in rows:
        found[purchase.id] = (purchase, product)
        refunds.setdefault(purchase.id, []).extend([refund] if refund is not None else [])
    days = get_business_settings(session).refund_days
    return [
        PurchaseView(
            purchase, product, tuple(refunds[purchase.id]), refundable_until(purchase, days)
        )
        for purchase, product in found.values()
    ]


def refundable_until(purchase: Purchase, days: int) -> datetime | None:
    """Until when its buyer may take it back; None: not (any more, or nothing was paid)."""
    start = purchase.access_start
    if purchase.status is not PurchaseStatus.COMPLETED or start is None:
        return None
    return start + timedelta(days=days) if purchase.total_amount else None
