"""Setting a row's columns to what files say, which hold texts without white space around them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect

from studypack.core.database import Base


def assign(row: Base, **values: Any) -> bool:
    """Set columns, and say whether any of them was otherwise. What a file would write the same
    stays as it is.
    """
    changed = False
    for name, value in values.items():
        stored = getattr(row, name) if inspect(row).persistent else _UNSET
        if stored is _UNSET or as_written(stored) != value:
            setattr(row, name, value)
            changed = True
    return changed


def as_written(value: Any) -> Any:
    """A column's value as a file has it."""
    if not isinstance(value, str):
        return value
    return value.replace("\r\n", "\n").replace("\r", "\n").strip() or None


def markdown_as_written(markdown: str | None) -> str | None:
    """A lesson's Markdown as a file has it: without empty lines around it; its first line's indent
    stays.
    """
    if markdown is None:
        return None
    return markdown.replace("\r\n", "\n").replace("\r", "\n").strip("\n") or None


_UNSET = object()
