"""Parts of answers that more than one function gives."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from studypack.billing.features import Feature
from studypack.core.http.schemas import Out


class MoneyOut(Out):
    """An amount of money."""

    amount: int = Field(description="In the currency's minor units", examples=[4900])
    currency: str = Field(description="ISO 4217 in lower case", examples=["usd"])


class GrantOut(Out):
    """A feature that a product opens; all three ids null: all of it."""

    feature: Feature
    course_id: UUID | None
    template_id: UUID | None
    deck_id: UUID | None
