"""Promotion codes as admins make and withdraw them: done, then read again for the answer.

These functions wait for Stripe and open their short transactions themselves.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from studypack.billing import promotions
from studypack.billing.models import PromotionCode
from studypack.billing.promotions import CodeSpec
from studypack.core.database import read_session


def create(spec: CodeSpec, *, created_by: UUID, now: datetime) -> tuple[PromotionCode, str | None]:
    """Make a code. Raises as `promotions.create` does."""
    return _read(promotions.create(spec, created_by=created_by, now=now))


def set_active(
    code_id: UUID, *, is_active: bool, changed_by: UUID
) -> tuple[PromotionCode, str | None]:
    """Withdraw a code or offer it again. Raises as `promotions.set_active` does."""
    promotions.set_active(code_id, is_active=is_active, changed_by=changed_by)
    return _read(code_id)


def _read(code_id: UUID) -> tuple[PromotionCode, str | None]:
    with read_session() as session:
        return promotions.get(session, code_id)
