"""The sample price list (local/content/billing.yaml): read, checked, put where it is missing."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing import catalogue
from studypack.billing.catalogue import GrantSpec, ProductSpec
from studypack.billing.features import Feature
from studypack.billing.models import Interval, Plan, Product, ProductKind
from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.models import Course
from studypack.exams.models import ExamTemplate

FILE = "billing.yaml"


class GrantFile(BaseModel):
    """A feature that a product opens: all of it, or a course or exam by its slug."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature: Feature
    course: str | None = None
    exam: str | None = None


class ProductFile(BaseModel):
    """A product as the file has it; prices in minor units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sku: str
    name: str
    description: str
    kind: ProductKind
    price_amount: int
    currency: str = "usd"
    plan: Plan | None = None
    interval: Interval | None = None
    access_window_days: int | None = None
    trial_days: int = 0
    has_seats: bool = False
    grants: tuple[GrantFile, ...]


def read_products(root: Path) -> list[ProductFile]:
    """The file's products in order; none if there is no file.

    Raises Unprocessable naming item and field.
    """
    path = root / FILE
    if not path.is_file():
        return []
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        return TypeAdapter(list[ProductFile]).validate_python(data)
    except ValidationError as error:
        raise Unprocessable(
            f"{FILE} has mistakes.",
            errors=[
                FieldError(f"{FILE}: {'.'.join(map(str, each['loc']))}", each["type"], each["msg"])
                for each in error.errors()
            ],
        ) from None


def load_products(session: Session, products: list[ProductFile]) -> int:
    """Put those products on the list whose SKU is not there yet; how many.

    Raises Unprocessable when one opens a course or exam that is not there.
    """
    present = set(session.scalars(select(Product.sku)))
    missing = [product for product in products if product.sku not in present]
    for product in missing:
        place = products.index(product)
        given = {
            name: getattr(product, name) for name in type(product).model_fields if name != "grants"
        }
        grants = [_grant(session, product.sku, grant) for grant in product.grants]
        spec = ProductSpec(**given, grants=grants, sort_order=10 * (place + 1))
        catalogue.create(session, spec, created_by=None)
    return len(missing)


def _grant(session: Session, sku: str, grant: GrantFile) -> GrantSpec:
    course_id = template_id = None
    if grant.course is not None:
        course_id = _found(
            sku,
            grant.course,
            session.scalar(
                select(Course.id).where(Course.slug == grant.course, Course.deleted_at.is_(None))
            ),
        )
    if grant.exam is not None:
        template_id = _found(
            sku,
            grant.exam,
            session.scalar(
                select(ExamTemplate.id).where(
                    ExamTemplate.slug == grant.exam, ExamTemplate.deleted_at.is_(None)
                )
            ),
        )
    return GrantSpec(grant.feature, course_id=course_id, template_id=template_id)


def _found(sku: str, slug: str, id: UUID | None) -> UUID:
    if id is None:
        raise Unprocessable.field(f"{FILE}: {sku}", f"There is no {slug}.", code="unknown")
    return id
