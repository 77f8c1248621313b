"""Requests and responses about lessons."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from api.admin.course_schemas import MadeOfTheTitle, Patch, Place, Slug
from studypack.core.config import get_settings
from studypack.core.http import In, LongText, Out, ShortText, UtcTime
from studypack.courses.authoring.lessons import LessonView
from studypack.courses.models import LessonKind, VideoStatus

Document = Annotated[dict[str, Any], Field(description="A TipTap document")]
LessonMarkdown = Annotated[
    str,
    # As it was written: four spaces at its beginning mean something.
    StringConstraints(max_length=500_000, strip_whitespace=False),
    Field(description="Markdown, instead of a document"),
]
Minutes = Annotated[int, Field(ge=1, le=10_000)]


class LessonIn(In):
    """A lesson to write: unpublished, after the module's others."""

    title: ShortText
    kind: LessonKind
    slug: Annotated[Slug | None, Field(description=MadeOfTheTitle)] = None
    summary: LongText | None = None
    topic_id: Annotated[UUID | None, Field(description="Of the same course")] = None
    is_free: Annotated[bool, Field(description="Open to every signed-in user")] = False
    content: Document | None = None
    content_markdown: LessonMarkdown | None = None
    estimated_minutes: Minutes | None = None


class LessonPatch(Patch):
    """What to change of a lesson; what is left out stays. New content takes the place of the old,
    whether that was a document or Markdown.
    """

    title: ShortText = Field(default_factory=str)
    kind: LessonKind = Field(default_factory=lambda: LessonKind.ARTICLE)
    slug: Slug = Field(default_factory=str)
    summary: LongText | None = None
    topic_id: UUID | None = None
    is_free: bool = Field(default_factory=bool)
    content: Document | None = None
    content_markdown: LessonMarkdown | None = None
    estimated_minutes: Minutes | None = None


class LessonMove(In):
    """Where it should be."""

    position: Annotated[Place, Field(description="From 0; beyond the end: last")]
    module_id: Annotated[
        UUID | None, Field(description="Another module of the course; null or left out: the same")
    ] = None


class AdminLessonOut(Out):
    """A lesson in its module's list."""

    id: UUID
    module_id: UUID
    topic_id: UUID | None
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    position: int
    published: bool
    is_free: bool
    estimated_minutes: int | None
    video_status: VideoStatus | None
    duration_seconds: int | None
    created_at: UtcTime
    updated_at: UtcTime


class AdminLessonDetailOut(AdminLessonOut):
    """A lesson with its content, and as learners would see it."""

    course_id: UUID
    content: dict[str, Any] | None
    content_markdown: str | None
    html: str = Field(description="Preview: safe to show")
    transcript: str | None

    @classmethod
    def of(cls, view: LessonView) -> AdminLessonDetailOut:
        html = view.html(get_settings().media_base_url)
        own = {"course_id": view.course_id, "html": html}
        columns = {name: getattr(view.lesson, name) for name in cls.model_fields if name not in own}
        return cls.model_validate({**columns, **own})
