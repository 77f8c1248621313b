"""Keyset pages: `{"items": [...], "next_cursor": ...}`. The same cost for page 1 and page 1,000."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from studypack.core.errors import BadRequest

T = TypeVar("T")
Out = TypeVar("Out", bound=BaseModel)
DEFAULT_LIMIT = 50
MAX_LIMIT = 200


class Page(BaseModel, Generic[Out]):
    """One page of a list; ask again with `cursor=next_cursor` until it is null."""

    items: list[Out]
    next_cursor: str | None


@dataclass(frozen=True)
class PageParams:
    """Where to go on (the last id of the page before; newest first) and how many rows."""

    after: UUID | None
    limit: int


def encode_cursor(last: UUID) -> str:
    """An opaque cursor: rows after this id."""
    return base64.urlsafe_b64encode(last.bytes).decode().rstrip("=")


def decode_cursor(cursor: str) -> UUID:
    """The id inside a cursor.

    Raises BadRequest (400, `bad_cursor`) for anything `encode_cursor` did not make.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return UUID(bytes=raw)
    except (binascii.Error, ValueError):
        raise BadRequest("The cursor is not one of ours.", code="bad_cursor") from None


def page_of(
    rows: Sequence[T], params: PageParams, *, key: Callable[[T], UUID], out: Callable[[T], Out]
) -> Page[Out]:
    """Make the page of `limit + 1` fetched rows: the extra one only tells that there is more."""
    shown = rows[: params.limit]
    more = len(rows) > params.limit
    return Page(
        items=[out(row) for row in shown],
        next_cursor=encode_cursor(key(shown[-1])) if more and shown else None,
    )
