"""How admins change the price list: the catalogue's rules, and that what a product opens exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing import catalogue, catalogue_sync
from studypack.billing.catalogue import GrantSpec, ProductSpec, ProductView
from studypack.billing.catalogue_sync import SyncReport
from studypack.core import audit
from studypack.core.database import transaction
from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.models import Course
from studypack.exams.models import ExamTemplate


def create(session: Session, spec: ProductSpec, *, created_by: UUID) -> ProductView:
    """Put a product on the list.

    Raises Unprocessable naming the field, Conflict (`sku_taken`).
    """
    _check_scopes(session, spec.grants)
    return catalogue.get(session, catalogue.create(session, spec, created_by=created_by))


def change(
    session: Session,
    product_id: UUID,
    changes: Mapping[str, Any],
    *,
    grants: Sequence[GrantSpec] | None,
    seen_at: datetime,
    changed_by: UUID,
) -> ProductView:
    """Change a product as `catalogue.change` does, and read it again."""
    _check_scopes(session, grants or ())
    catalogue.change(
        session, product_id, changes, grants=grants, seen_at=seen_at, changed_by=changed_by
    )
    return catalogue.get(session, product_id)


def sync(*, asked_by: UUID) -> SyncReport:
    """Bring Stripe up to the price list; noted in the audit log once it is done.

    It waits for Stripe and opens its short transactions itself. Raises Unavailable
    (`payments_unavailable`), Conflict (`payment_refused`).
    """
    report = catalogue_sync.sync_products()
    with transaction() as session:
        audit.record(session, "products.synced", actor_id=asked_by, subject_id=None, **vars(report))
    return report


def _check_scopes(session: Session, grants: Sequence[GrantSpec]) -> None:
    """Decks come with the flashcards; their ids cannot be checked yet."""
    wanted_courses = {grant.course_id for grant in grants if grant.course_id}
    wanted_templates = {grant.template_id for grant in grants if grant.template_id}
    known = set()
    if wanted_courses:
        known |= set(
            session.scalars(
                select(Course.id).where(Course.id.in_(wanted_courses), Course.deleted_at.is_(None))
            )
        )
    if wanted_templates:
        known |= set(
            session.scalars(
                select(ExamTemplate.id).where(
                    ExamTemplate.id.in_(wanted_templates), ExamTemplate.deleted_at.is_(None)
                )
            )
        )
    errors = [
        FieldError(f"grants.{place}.{name}", "unknown", f"There is no such {what}.")
        for place, grant in enumerate(grants)
        for name, what, value in (
            ("course_id", "course", grant.course_id),
            ("template_id", "exam template", grant.template_id),
        )
        if value is not None and value not in known
    ]
    if errors:
        raise Unprocessable("The product would open what is not there.", errors=errors)
