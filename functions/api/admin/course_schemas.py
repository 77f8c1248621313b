"""Requests and responses about courses, modules and topics."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from studypack.core.http import In, LongText, Out, ShortText, UtcTime
from studypack.courses.authoring.courses import CourseView
from studypack.courses.authoring.modules import ModuleView
from studypack.courses.authoring.prerequisites import Prerequisite
from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN
from studypack.courses.authoring.topics import TopicView
from studypack.identity.models import Level

Slug = Annotated[
    str,
    StringConstraints(pattern=SLUG_PATTERN, max_length=MAX_SLUG),
    Field(examples=["python-basics"]),
]
Markdown = Annotated[
    str, StringConstraints(max_length=50_000, strip_whitespace=False), Field(description="Markdown")
]
Place = Annotated[int, Field(ge=0, le=32_767)]
Days = Annotated[int, Field(ge=1, le=3_650)]
DifficultyLevel = Annotated[int, Field(ge=1, le=5)]
Ids = Annotated[list[UUID], Field(max_length=100)]
SeenAt = Annotated[
    AwareDatetime, Field(description="`updated_at` of the state that one looked at; else 409")
]
MadeOfTheTitle = "Left out: made of the title"


class Patch(In):
    """What to change; what is left out stays."""

    # Defaults below stand for nothing: only what was sent is read, and the document shows none.

    updated_at: SeenAt

    def changes(self) -> dict[str, Any]:
        """Columns and their new values."""
        given = self.model_fields_set - {"updated_at"}
        return {name: getattr(self, name) for name in type(self).model_fields if name in given}


class CourseIn(In):
    """A course to make; unpublished."""

    title: ShortText
    slug: Annotated[Slug | None, Field(description=MadeOfTheTitle)] = None
    description: LongText | None = None
    icon: Annotated[ShortText | None, Field(description="URL or emoji")] = None
    difficulty: Level = Level.BEGINNER
    disclaimer: LongText | None = None
    syllabus: Markdown | None = None
    position: Annotated[Place, Field(description="In the catalogue; equal ones by title")] = 0
    is_active: Annotated[bool, Field(description="false: for learners it is not there")] = True


class CoursePatch(Patch):
    """What to change of a course; what is left out stays."""

    title: ShortText = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    description: LongText | None = None
    icon: ShortText | None = None
    difficulty: Level = Field(default_factory=lambda: Level.BEGINNER)
    disclaimer: LongText | None = None
    syllabus: Markdown | None = None
    position: Place = Field(default_factory=int)
    is_active: bool = Field(default_factory=bool)


class PrerequisitesIn(In):
    """All that a course asks for, from now on."""

    course_ids: Ids


class AdminPrerequisiteOut(Out):
    """A course that another asks for."""

    id: UUID
    slug: str
    title: str


class AdminPrerequisitesOut(Out):
    """What a course asks for, by slug."""

    items: list[AdminPrerequisiteOut]

    @classmethod
    def of(cls, found: list[Prerequisite]) -> AdminPrerequisitesOut:
        return cls(items=[AdminPrerequisiteOut.model_validate(each) for each in found])


class AdminCourseOut(Out):
    """A course as its authors see it."""

    id: UUID
    slug: str
    title: str
    description: str | None
    icon: str | None
    difficulty: Level
    disclaimer: str | None
    syllabus: str | None
    position: int
    published: bool
    is_active: bool
    module_count: int = Field(description="Published or not")
    enrollment_count: int
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, view: CourseView) -> AdminCourseOut:
        return cls.model_validate(
            {
                **_columns(cls, view.course),
                "module_count": view.modules,
                "enrollment_count": view.enrollments,
            }
        )


class ModuleIn(In):
    """A module to make: unpublished, after the course's others."""

    title: ShortText
    slug: Annotated[Slug | None, Field(description=MadeOfTheTitle)] = None
    description: LongText | None = None
    syllabus: Markdown | None = None
    release_after_days: Annotated[
        Days | None, Field(description="It opens so long after enrolling; null: at once")
    ] = None


class ModulePatch(Patch):
    """What to change of a module; what is left out stays."""

    title: ShortText = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    description: LongText | None = None
    syllabus: Markdown | None = None
    release_after_days: Days | None = None


class ModuleMove(In):
    """Where it should be."""

    position: Annotated[Place, Field(description="From 0; beyond the end: last")]


class AdminModuleOut(Out):
    """A module as its authors see it."""

    id: UUID
    course_id: UUID
    slug: str
    title: str
    description: str | None
    syllabus: str | None
    position: int
    published: bool
    release_after_days: int | None
    lesson_count: int = Field(description="Published or not")
    published_lesson_count: int
    published_item_count: int = Field(description="Quizzes and assignments")
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, view: ModuleView) -> AdminModuleOut:
        return cls.model_validate(
            {
                **_columns(cls, view.module),
                "lesson_count": view.lessons,
                "published_lesson_count": view.published_lessons,
                "published_item_count": view.published_items,
            }
        )


class TopicIn(In):
    """A topic to add, after its siblings."""

    name: ShortText
    slug: Annotated[Slug | None, Field(description="Left out: made of the name")] = None
    parent_id: Annotated[UUID | None, Field(description="null: uppermost")] = None
    description: LongText | None = None
    difficulty_level: DifficultyLevel | None = None


class TopicPatch(Patch):
    """What to change of a topic; what is left out stays. A new parent takes it last."""

    name: ShortText = Field(default_factory=str)
    slug: Slug = Field(default_factory=str)
    parent_id: UUID | None = None
    description: LongText | None = None
    difficulty_level: DifficultyLevel | None = None


class TopicMove(In):
    """Where it should be, with all below it."""

    position: Annotated[Place, Field(description="From 0; beyond the end: last")]
    parent_id: Annotated[
        UUID | None, Field(description="null: uppermost; left out: below the same")
    ] = None


class AdminTopicOut(Out):
    """A topic of a course."""

    id: UUID
    course_id: UUID
    parent_id: UUID | None
    slug: str
    name: str
    description: str | None
    difficulty_level: int | None
    position: int = Field(description="Among its siblings, from 0")
    depth: int = Field(description="0: uppermost")
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, view: TopicView) -> AdminTopicOut:
        return cls.model_validate({**_columns(cls, view.topic), "depth": view.depth})


def _columns(model: type[Out], row: object) -> dict[str, Any]:
    return {name: getattr(row, name) for name in model.model_fields if hasattr(row, name)}
