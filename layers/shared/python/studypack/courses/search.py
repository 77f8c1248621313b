"""Search over what is published: lessons by their words, modules and courses by their titles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.billing.features import Feature
from studypack.core.errors import Unprocessable
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_LESSON, VISIBLE_MODULE
from studypack.courses.content.plain import APART
from studypack.courses.models import LessonKind

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 50
LONGEST_QUERY: Final = 200


class HitKind(StrEnum):
    """What was found."""

    COURSE = "COURSE"
    MODULE = "MODULE"
    LESSON = "LESSON"


@dataclass(frozen=True)
class Part:
    """A piece of text, and whether it is one of the words that were searched."""

    text: str
    match: bool


@dataclass(frozen=True)
class Hit:
    """Something found; ids and titles of what it lies in."""

    kind: HitKind
    id: UUID
    title: str
    summary: str | None
    """Of a lesson its summary, else the description."""
    course_id: UUID
    course_slug: str
    course_title: str
    module_id: UUID | None
    module_title: str | None
    lesson_kind: LessonKind | None
    is_open: bool
    """Whether the learner may use it now."""
    snippet: tuple[Part, ...]
    """Where the words stand in a lesson that is open; of anything else nothing."""


_START, _STOP, _GAP = "\x02", "\x03", " … "
_MARKED: Final = re.compile(f"{_START}([^{_STOP}]*){_STOP}")
_UNSHOWN: Final = re.compile(f"[{_START}{_STOP}{APART}]")
_MANY_MINUSES: Final = re.compile(r"-(?:[\s()!&|<]*-)+")
"""Each would negate the next one: PostgreSQL's parser stacks 32 of them and then gives up. What
stands between is what it skips.
"""
_SNIPPED: Final = 60_000
"""Characters of a body, and of a transcript, in which the words are shown."""

_SEARCH: Final = text(
    rf"""
    WITH wanted AS (SELECT websearch_to_tsquery('english', :query) AS words),
    open_courses AS MATERIALIZED (
        SELECT c.id, c.slug, c.title, c.description, e.enrolled_at,
               :opens_all OR c.id = ANY (CAST(:opened AS uuid[])) AS is_open
          FROM learning.courses c
          LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
         WHERE {VISIBLE_COURSE} AND (CAST(:course AS text) IS NULL OR c.slug = :course)),
    open_modules AS MATERIALIZED (
        SELECT m.id, m.title, m.description, m.course_id,
               c.is_open AND coalesce(
                   m.release_after_days IS NULL
                   OR c.enrolled_at + m.release_after_days * interval '24 hours' <= :now, false)
                   AS is_open
          FROM learning.modules m JOIN open_courses c ON c.id = m.course_id
         WHERE {VISIBLE_MODULE}),
    hits AS (
        SELECT 'LESSON' AS kind, l.id, l.title, l.summary, m.course_id, m.id AS module_id,
               l.kind AS lesson_kind, l.is_free OR m.is_open AS is_open,
               ts_rank_cd(l.search, w.words, 1) AS rank
          FROM wanted w
          JOIN learning.lessons l ON l.search @@ w.words AND {VISIBLE_LESSON}
          JOIN open_modules m ON m.id = l.module_id
         UNION ALL
        SELECT 'MODULE', m.id, m.title, m.description, m.course_id, m.id, NULL, m.is_open,
               ts_rank_cd(setweight(to_tsvector('english', m.title), 'A'), w.words, 1)
          FROM wanted w JOIN open_modules m ON to_tsvector('english', m.title) @@ w.words
         UNION ALL
        SELECT 'COURSE', c.id, c.title, c.description, c.id, NULL, NULL, c.is_open,
               ts_rank_cd(setweight(to_tsvector('english', c.title), 'A'), w.words, 1)
          FROM wanted w JOIN open_courses c ON to_tsvector('english', c.title) @@ w.words),
    best AS MATERIALIZED (SELECT * FROM hits ORDER BY rank DESC, kind, title, id LIMIT :limit)
    SELECT b.kind, b.id, b.title, b.summary, b.course_id, c.slug AS course_slug,
           c.title AS course_title, b.module_id, m.title AS module_title, b.lesson_kind, b.is_open,
           CASE WHEN b.is_open AND b.kind = 'LESSON' THEN ts_headline(
               'english',
               translate(concat_ws(E'\n', left(l.body_text, {_SNIPPED}),
                                   left(l.transcript, {_SNIPPED})), E'\x02\x03', ''),
               w.words, :marking) END AS snippet
      FROM best b
     CROSS JOIN wanted w
      JOIN open_courses c ON c.id = b.course_id
      LEFT JOIN open_modules m ON m.id = b.module_id
      LEFT JOIN learning.lessons l ON l.id = b.id
     ORDER BY b.rank DESC, b.kind, b.title, b.id
    """  # noqa: S608 (our own text)
)

_MARKING: Final = (
    f'StartSel="{_START}", StopSel="{_STOP}", FragmentDelimiter="{_GAP}",'
    " MaxFragments=2, MinWords=8, MaxWords=24"
)


def search_lessons(
    session: Session,
    query: str,
    caller: Caller,
    *,
    course: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> list[Hit]:
    """What is published and fits the words, best first: all of them, "in quotes" as a phrase, `or`
    between alternatives, `-` before what shall not be there. `course`: the slug of the only one to
    look in. One statement.

    Raises Unprocessable for a query without words.
    """
    words = _MANY_MINUSES.sub(" ", query.strip())
    if not words:
        raise Unprocessable.field("q", "Say what to search for.", code="empty")
    grants = [grant for grant in caller.entitlements.grants if grant.feature is Feature.COURSES]
    rows = session.execute(
        _SEARCH,
        {
            "query": words,
            "course": course,
            "user_id": caller.id,
            "opens_all": any(grant.is_whole for grant in grants),
            "opened": [str(grant.course_id) for grant in grants if grant.course_id],
            "now": caller.now,
            "limit": min(limit, MAX_LIMIT),
            "marking": _MARKING,
        },
    )
    return [_hit(row) for row in rows]


def _hit(row: Row[Any]) -> Hit:
    return Hit(
        kind=HitKind(row.kind),
        id=row.id,
        title=row.title,
        summary=row.summary,
        course_id=row.course_id,
        course_slug=row.course_slug,
        course_title=row.course_title,
        module_id=row.module_id,
        module_title=row.module_title,
        lesson_kind=LessonKind(row.lesson_kind) if row.lesson_kind else None,
        is_open=row.is_open,
        snippet=tuple(parts_of(row.snippet or "")),
    )


def parts_of(marked: str) -> Sequence[Part]:
    """A snippet's text in pieces, on one line."""
    parts: list[Part] = []
    for number, piece in enumerate(_MARKED.split(marked)):
        plain = re.sub(r"\s+", " ", _UNSHOWN.sub("", piece))
        if plain:
            parts.append(Part(plain, match=number % 2 == 1))
    return parts
