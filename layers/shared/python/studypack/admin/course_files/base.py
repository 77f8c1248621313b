"""What all kinds of entry in a course's files share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN


class FileModel(BaseModel):
    """An entry of a file: unknown fields are errors, so that a misspelt one is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


SMALLINT = 32_767
"""What the schema's columns hold."""

Small = Annotated[int, Field(ge=-SMALLINT, le=SMALLINT)]

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=MAX_SLUG)]
"""Of a course, a topic, a module, ...; as long as in a route. Ids of questions are alike."""
Title = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _none_if_blank(text: str | None) -> str | None:
    return text or None


Optional = Annotated[
    Annotated[str, StringConstraints(max_length=200_000)] | None, AfterValidator(_none_if_blank)
]
"""A text that may be missing; a blank one is none."""
