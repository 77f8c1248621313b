"""Column types of our own."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


class EnumText(TypeDecorator[StrEnum]):
    """A StrEnum stored as TEXT by value; the table's CHECK (`one_of`) keeps other values out.

    Not a native enum: adding a value to a CHECK is one short statement, and both are compared with
    the models by a guard (tests/architecture), which Alembic's autogenerate does not do.
    """

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__()
        self.enum = enum

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else self.enum(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.enum(value)
