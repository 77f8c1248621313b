"""Search over what is published."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.core.http import DbSession, Out
from studypack.courses import search
from studypack.courses.authoring.slugs import SLUG_PATTERN
from studypack.courses.models import LessonKind
from studypack.courses.search import DEFAULT_LIMIT, LONGEST_QUERY, MAX_LIMIT, HitKind

router = APIRouter(prefix="/api/search")


class PartOut(Out):
    """A piece of plain text."""

    text: str
    match: bool = Field(description="Whether it is one of the words searched for")


class HitOut(Out):
    """A course, module or lesson that fits."""

    kind: HitKind
    id: UUID
    title: str
    summary: str | None = Field(description="Of a course or module its description")
    course_id: UUID
    course_slug: str
    course_title: str
    module_id: UUID | None
    module_title: str | None
    lesson_kind: LessonKind | None
    is_open: bool = Field(description="Whether the caller may use it now")
    snippet: list[PartOut] = Field(
        description="Where the words stand in an open lesson; else empty"
    )


class SearchOut(Out):
    """What was found, best first."""

    items: list[HitOut]


@router.get("")
def search_content(
    caller: CurrentUser,
    session: DbSession,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=LONGEST_QUERY,
            description='Words; "a phrase"; this or that; -without',
        ),
    ],
    course: Annotated[
        str | None,
        Query(
            max_length=200,
            pattern=SLUG_PATTERN,
            description="The slug of the only course to look in",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> SearchOut:
    """Lessons by their words, courses and modules by their titles; what is published alone."""
    found = search.search_lessons(session, q, caller, course=course, limit=limit)
    return SearchOut(items=[HitOut.model_validate(hit) for hit in found])
