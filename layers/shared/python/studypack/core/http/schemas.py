"""The base of request and response models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


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
