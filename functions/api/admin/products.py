"""The price list, for admins."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from studypack.access.guards import AdminUser
from studypack.admin import products
from studypack.billing import catalogue
from studypack.billing.answers import GrantOut, MoneyOut
from studypack.billing.catalogue import GrantSpec, ProductSpec, ProductView
from studypack.billing.features import Feature
from studypack.billing.models import Interval, Plan, ProductKind
from studypack.billing.tables.mirror import MONEY_LIMIT
from studypack.core.http import DbSession, In, LongText, Out, Page, ShortText, UtcTime
from studypack.core.http.schemas import small_json

router = APIRouter(prefix="/products")

Sku = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=64)]
Currency = Annotated[str, StringConstraints(pattern=r"^[a-z]{3}$")]
Price = Annotated[
    int, Field(ge=1, le=MONEY_LIMIT, description="In the currency's minor units; per seat")
]
WindowDays = Annotated[
    int | None, Field(ge=1, le=36_500, description="Of what is bought once; null: for good")
]
TrialDays = Annotated[int, Field(ge=0, le=730)]
SortOrder = Annotated[int, Field(ge=-32_768, le=32_767)]
Metadata = Annotated[dict[str, Any], AfterValidator(small_json)]


class GrantIn(In):
    """A feature that the product opens: all of it, or one course, exam template or deck."""

    feature: Feature
    course_id: UUID | None = None
    template_id: UUID | None = None
    deck_id: UUID | None = None

    def to_service(self) -> GrantSpec:
        return GrantSpec(self.feature, self.course_id, self.template_id, self.deck_id)


Grants = Annotated[list[GrantIn], Field(max_length=100)]


class ProductIn(In):
    """A product to put on the list."""

    sku: Sku
    name: ShortText
    description: LongText | None = None
    kind: ProductKind
    plan: Plan | None = None
    interval: Interval | None = None
    price_amount: Price
    currency: Currency = "usd"
    access_window_days: WindowDays = None
    trial_days: TrialDays = 0
    has_seats: bool = False
    is_active: bool = True
    sort_order: SortOrder = 0
    metadata: Metadata = Field(default_factory=dict)
    grants: Grants = Field(default_factory=list)

    def to_service(self) -> ProductSpec:
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return ProductSpec(**{**given, "grants": [grant.to_service() for grant in self.grants]})


class ProductPatch(In):
    """What to change; what is left out stays. `updated_at`: of the state that one looked at."""

    # Defaults that stand for nothing: only what was sent is read, and the document shows none.

    updated_at: AwareDatetime
    name: ShortText = Field(default_factory=str)
    description: LongText | None = None
    price_amount: Price = Field(default_factory=int)
    currency: Currency = Field(default_factory=str)
    access_window_days: WindowDays = None
    trial_days: TrialDays = Field(default_factory=int)
    is_active: bool = Field(default_factory=bool)
    sort_order: SortOrder = Field(default_factory=int)
    metadata: Metadata = Field(default_factory=dict)
    grants: Grants = Field(default_factory=list, description="All that it opens from now on")

    def changes(self) -> dict[str, Any]:
        """Columns and their new values."""
        given = self.model_dump(exclude_unset=True, exclude={"updated_at", "grants"})
        if "metadata" in given:
            given["product_metadata"] = given.pop("metadata")
        return given


class AdminProductOut(Out):
    """A product as admins see it."""

    id: UUID
    sku: str
    name: str
    description: str | None
    kind: ProductKind
    plan: Plan | None
    interval: Interval | None
    price: MoneyOut
    access_window_days: int | None
    trial_days: int
    has_seats: bool
    is_active: bool
    sort_order: int
    metadata: dict[str, Any]
    grants: list[GrantOut]
    stripe_product_id: str | None
    stripe_price_id: str | None
    price_in_sync: bool = Field(description="Whether Stripe has the price that the list shows")
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, view: ProductView) -> AdminProductOut:
        product = view.product
        columns = {name: getattr(product, name, None) for name in cls.model_fields}
        return cls.model_validate(
            {
                **columns,
                "price": MoneyOut(amount=product.price_amount, currency=product.currency),
                "metadata": product.product_metadata,
                "grants": view.grants,
                "price_in_sync": view.is_in_sync,
            }
        )


class ProductRemovedOut(Out):
    """What became of it."""

    deleted: bool = Field(description="false: it was sold or is known to Stripe, so it is inactive")


class SyncOut(Out):
    """What had to be done at Stripe."""

    products_created: int
    products_updated: int
    products_unchanged: int
    prices_created: int
    prices_archived: int


@router.get("")
def list_all_products(_caller: AdminUser, session: DbSession) -> Page[AdminProductOut]:
    """Every product, on one page, those off the list too."""
    found = catalogue.list_all(session)
    return Page(items=[AdminProductOut.of(view) for view in found], next_cursor=None)


@router.post("", status_code=201)
def create_product(body: ProductIn, caller: AdminUser, session: DbSession) -> AdminProductOut:
    """Put a product on the list; Stripe hears of it by `/sync`, or when it is first bought."""
    return AdminProductOut.of(products.create(session, body.to_service(), created_by=caller.id))


@router.post("/sync")
def sync_products(caller: AdminUser) -> SyncOut:
    """Make and change at Stripe what is missing or differs there; stopped anywhere, it can be
    asked again.
    """
    return SyncOut.model_validate(products.sync(asked_by=caller.id))


@router.get("/{product_id}")
def get_product(product_id: UUID, _caller: AdminUser, session: DbSession) -> AdminProductOut:
    """One product."""
    return AdminProductOut.of(catalogue.get(session, product_id))


@router.patch("/{product_id}")
def change_product(
    product_id: UUID, body: ProductPatch, caller: AdminUser, session: DbSession
) -> AdminProductOut:
    """Change a product. What was bought keeps its price and window; what it opens changes for
    everybody who has it. 409 `product_changed` when somebody changed it since.
    """
    view = products.change(
        session,
        product_id,
        body.changes(),
        grants=[grant.to_service() for grant in body.grants]
        if "grants" in body.model_fields_set
        else None,
        seen_at=body.updated_at,
        changed_by=caller.id,
    )
    return AdminProductOut.of(view)


@router.delete("/{product_id}")
def remove_product(product_id: UUID, caller: AdminUser, session: DbSession) -> ProductRemovedOut:
    """Delete a product, or take it off the list when it was sold or Stripe knows it."""
    return ProductRemovedOut(deleted=catalogue.remove(session, product_id, removed_by=caller.id))
