"""What every model shares: naming of constraints, column types by annotation, ids, timestamps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from studypack.core.ids import uuid7

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

new_id: Callable[[], UUID] = uuid7


class Base(DeclarativeBase):
    """The declarative base. Each model names its schema in `__table_args__`."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012 (declared by DeclarativeBase as an instance-level mapping)
        UUID: Uuid(),
        str: Text(),
        bytes: LargeBinary(),
        int: Integer(),
        Decimal: Numeric(),
        date: Date(),
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
    }


class Timestamps:
    """When a row was made and last changed (UTC). Set-based updates set `updated_at` themselves."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.now(), sort_order=901
    )


class SoftDelete:
    """Deleted rows stay until erasure; look-ups leave them out and slugs are unique among the
    others.
    """

    deleted_at: Mapped[datetime | None] = mapped_column(sort_order=902)


def foreign_key(
    target: str, *, ondelete: str = "CASCADE", index: bool = True, **column: Any
) -> Any:
    """A reference down the floors, indexed unless a composite index already leads with it."""
    return mapped_column(ForeignKey(target, ondelete=ondelete), index=index, **column)


def one_of(column: str, enum: type[StrEnum]) -> CheckConstraint:
    """The CHECK that holds a StrEnum column to its values (see types.EnumText)."""
    values = ", ".join(f"'{member.value}'" for member in enum)
    return CheckConstraint(f"{column} IN ({values})", name=column)


BIGINT = BigInteger()
