"""Requests and responses of courses: catalogue, page, enrolment, where to go on."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from studypack.core.http import In, Out, UtcTime
from studypack.courses.catalogue import CourseLine
from studypack.courses.content import to_html
from studypack.courses.course_progress import CourseStanding
from studypack.courses.locks import LockReason
from studypack.courses.models import (
    Enrollment,
    EnrollmentStatus,
    ItemKind,
    LessonKind,
    ProgressStatus,
)
from studypack.courses.next_lesson import NextLesson
from studypack.courses.page import CoursePage, EnrollmentLine, ItemLine, LessonLine, ModuleLine
from studypack.identity.models import Level


class LockOut(Out):
    """Why something is closed, and when that ends by itself."""

    reason: LockReason
    released_at: UtcTime | None


class EnrollmentOut(Out):
    """Being in a course."""

    status: EnrollmentStatus
    enrolled_at: UtcTime
    paused_at: UtcTime | None
    dropped_at: UtcTime | None
    completed_at: UtcTime | None


class CertifiedEnrollmentOut(EnrollmentOut):
    """Being in a course, and what came of it."""

    certificate_code: str | None


class CourseEnrollmentOut(EnrollmentOut):
    """Being in a course, which one."""

    course_id: UUID

    @classmethod
    def of(cls, enrollment: Enrollment) -> CourseEnrollmentOut:
        """From the enrolment's row."""
        return cls.model_validate(enrollment)


class EnrollmentPatch(In):
    """What to do with an enrolment."""

    status: Literal["ACTIVE", "PAUSED", "DROPPED"]


class CourseOut(Out):
    """A course on offer, and how far the reader is with it."""

    id: UUID
    slug: str
    title: str
    description: str | None
    icon: str | None
    difficulty: Level
    disclaimer: str | None
    modules: int
    lessons: int
    free_lessons: int
    minutes: int
    is_open: bool = Field(
        description="Whether the reader's plan includes it; a visitor's: after signing in"
    )
    enrollment: CertifiedEnrollmentOut | None
    percent: int | None = Field(description="Null: not enrolled")

    @classmethod
    def of(cls, course: CourseLine) -> CourseOut:
        """From the service's line."""
        given = {name: getattr(course, name) for name in cls.model_fields if name != "is_open"}
        return cls.model_validate({**given, "is_open": course.is_entitled})


class LessonLineOut(Out):
    """A lesson in its module."""

    id: UUID
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    is_free: bool
    estimated_minutes: int | None
    duration_seconds: int | None
    lock: LockOut | None = Field(description="Null: open")
    completed: bool
    completed_at: UtcTime | None
    view_count: int
    position_seconds: int
    watched_seconds: int

    @classmethod
    def of(cls, lesson: LessonLine) -> LessonLineOut:
        """From the service's line."""
        return cls.model_validate(
            {**lesson._asdict(), "completed": lesson.completed_at is not None}
        )


class ItemLineOut(Out):
    """A quiz or an assignment in its module, after the lessons."""

    id: UUID
    kind: ItemKind
    title: str
    lock: LockOut | None
    completed: bool
    completed_at: UtcTime | None

    @classmethod
    def of(cls, item: ItemLine) -> ItemLineOut:
        """From the service's line."""
        return cls.model_validate({**vars(item), "completed": item.completed_at is not None})


class ModuleProgressOut(Out):
    """How far the reader is with a module."""

    id: UUID
    slug: str
    title: str
    status: ProgressStatus
    percent: int
    items: int = Field(description="How many lessons, quizzes and assignments count")
    done: int
    started_at: UtcTime | None
    completed_at: UtcTime | None
    last_accessed_at: UtcTime | None


class ModuleOut(ModuleProgressOut):
    """A module with what is in it."""

    description: str | None
    syllabus_html: str | None
    release_after_days: int | None
    released_at: UtcTime | None = Field(
        description="When it opens for the reader; null when nothing waits, or not enrolled"
    )
    lock: LockOut | None = Field(description="Of all in it but free lessons; null: open")
    lessons: list[LessonLineOut]
    other_items: list[ItemLineOut]

    @classmethod
    def of(cls, module: ModuleLine) -> ModuleOut:
        """From the service's line."""
        progress = ModuleProgressOut.model_validate(module)
        return cls(
            **dict(progress),
            description=module.description,
            syllabus_html=_html(module.syllabus),
            release_after_days=module.release_after_days,
            released_at=module.released_at,
            lock=None if module.lock is None else LockOut.model_validate(module.lock),
            lessons=[LessonLineOut.of(lesson) for lesson in module.lessons],
            other_items=[ItemLineOut.of(item) for item in module.others],
        )


class PrerequisiteOut(Out):
    """A course that has to be completed first."""

    slug: str
    title: str
    completed: bool


class CoursePageOut(Out):
    """A course with modules, lessons, locks and the reader's own progress."""

    id: UUID
    slug: str
    title: str
    description: str | None
    icon: str | None
    difficulty: Level
    disclaimer: str | None
    syllabus_html: str | None
    is_open: bool = Field(
        description="Whether the reader's plan includes it; a visitor's: after signing in"
    )
    prerequisites: list[PrerequisiteOut]
    enrollment: CertifiedEnrollmentOut | None
    percent: int
    modules: list[ModuleOut]

    @classmethod
    def of(cls, page: CoursePage) -> CoursePageOut:
        """From the service's page."""
        return cls(
            id=page.id,
            slug=page.slug,
            title=page.title,
            description=page.description,
            icon=page.icon,
            difficulty=page.difficulty,
            disclaimer=page.disclaimer,
            syllabus_html=_html(page.syllabus),
            is_open=page.is_entitled,
            prerequisites=[PrerequisiteOut.model_validate(each) for each in page.prerequisites],
            enrollment=_enrollment(page.enrollment),
            percent=page.percent,
            modules=[ModuleOut.of(module) for module in page.modules],
        )


class CourseProgressOut(Out):
    """How far the learner is with a course."""

    course_id: UUID
    course_slug: str
    enrollment: CertifiedEnrollmentOut | None
    percent: int
    items: int
    done: int
    modules: list[ModuleProgressOut]

    @classmethod
    def of(cls, standing: CourseStanding) -> CourseProgressOut:
        """From the service's answer."""
        return cls(
            course_id=standing.id,
            course_slug=standing.slug,
            enrollment=_enrollment(standing.enrollment),
            percent=standing.percent,
            items=sum(module.items for module in standing.modules),
            done=sum(module.done for module in standing.modules),
            modules=[ModuleProgressOut.model_validate(module) for module in standing.modules],
        )


class UpcomingLessonOut(Out):
    """The lesson to go on with."""

    id: UUID
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    is_free: bool
    estimated_minutes: int | None
    duration_seconds: int | None
    position_seconds: int
    module_id: UUID
    module_slug: str
    module_title: str
    lock: LockOut | None


class NextLessonOut(Out):
    """Where to go on."""

    lesson: UpcomingLessonOut | None = Field(description="Null: all lessons are completed")

    @classmethod
    def of(cls, lesson: NextLesson | None) -> NextLessonOut:
        """From the service's answer."""
        return cls(lesson=None if lesson is None else UpcomingLessonOut.model_validate(lesson))


def _html(markdown: str | None) -> str | None:
    return to_html(None, markdown) if markdown else None


def _enrollment(enrollment: EnrollmentLine | None) -> CertifiedEnrollmentOut | None:
    return None if enrollment is None else CertifiedEnrollmentOut.model_validate(enrollment)
