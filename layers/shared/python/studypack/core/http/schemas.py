"""The base of request and response models."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
)


class In(BaseModel):
    """A request: unknown fields are errors, so that a misspelt one is noticed; text is trimmed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, allow_inf_nan=False)


class Out(BaseModel):
    """A response, readable from rows. Fields have no defaults: what is documented is always
    there.
    """

    model_config = ConfigDict(from_attributes=True)


class AcceptedOut(Out):
    """The request was taken; what follows from it is not told."""

    status: str = Field(examples=["accepted"])


ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LongText = Annotated[str, StringConstraints(max_length=5_000)]


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


UtcTime = Annotated[datetime, AfterValidator(_in_utc)]
"""ISO 8601 in UTC, whatever offset the database's session has."""


def _is_in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("no moment that UTC has a year for") from None


Moment = Annotated[AwareDatetime, AfterValidator(_is_in_utc)]
"""A time that somebody sends, with an offset, here in UTC. The first and last hours that Python can
write have no UTC, and so cannot be stored.
"""

MAX_JSON_CHARACTERS = 10_000
MAX_JSON_DEPTH = 20
_LONGEST_INTEGER_BITS = 1_024


def small_json(value: dict[str, Any]) -> dict[str, Any]:
    """A client's own JSON, if PostgreSQL can store it and it is small.

    Raises ValueError: so the refusal names the field, which the database's own would not.
    """
    level: list[Any] = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [child for parent in level for child in _children(parent)]
    if level:
        raise ValueError(f"at most {MAX_JSON_DEPTH} levels deep")
    if len(str(value)) > MAX_JSON_CHARACTERS:
        raise ValueError(f"at most {MAX_JSON_CHARACTERS} characters in all")
    return value


def _children(value: Any) -> list[Any]:
    match value:
        case dict():
            for name in value:
                _check_scalar(name)
            return list(value.values())
        case list():
            return value
        case _:
            _check_scalar(value)
            return []


def _check_scalar(value: Any) -> None:
    match value:
        case str() if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
            raise ValueError("text with characters that cannot be stored")
        case int() if value.bit_length() > _LONGEST_INTEGER_BITS:
            raise ValueError("a number too large to be stored")
        case float() if not math.isfinite(value):
            raise ValueError("a number that is none, or too large to be stored")
