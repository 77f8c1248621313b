"""What rows that mirror an object of Stripe's have in common."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, declared_attr, mapped_column

MONEY_LIMIT = 99_999_999
"""Stripe takes at most eight digits of minor units in one charge."""


class Mirror:
    """Which event's state a row shows: an older one never overwrites a newer."""

    @declared_attr
    def version_at(cls) -> Mapped[datetime | None]:  # noqa: N805 (a class method of SQLAlchemy's)
        """When Stripe made the newest event that was applied; NULL: known only by reference."""
        return mapped_column(sort_order=890)

    @declared_attr
    def event_id(cls) -> Mapped[str | None]:  # noqa: N805 (a class method of SQLAlchemy's)
        """That event; of several in one second the one whose id sorts last."""
        return mapped_column(sort_order=891)
