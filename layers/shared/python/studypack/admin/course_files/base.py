"""What all kinds of entry in a course's files share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


class FileModel(BaseModel):
    """An entry of a file: unknown fields are errors, so that a misspelt one is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


SMALLINT = 32_767
"""What the schema's columns hold."""

Small = Annotated[int, Field(ge=-SMALLINT, le=SMALLINT)]

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=100)]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _none_if_blank(text: str | None) -> str | None:
    return text or None


Optional = Annotated[
    Annotated[str, StringConstraints(max_length=200_000)] | None, AfterValidator(_none_if_blank)
]
"""A text that may be missing; a blank one is none."""
