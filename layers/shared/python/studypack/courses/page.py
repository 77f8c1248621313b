"""The page of a course: modules, lessons, other items, locks, and how far its reader is. One
statement, whatever the course holds and however much of it is done.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.access.authentication import Caller
from studypack.billing.entitlements import Entitlements
from studypack.billing.features import Feature
from studypack.core.business_settings import get_business_settings
from studypack.courses.access import VISIBLE_COURSE, VISIBLE_LESSON, VISIBLE_MODULE
from studypack.courses.enrollments import course_not_found
from studypack.courses.locks import Lock, lock_of, released_at
from studypack.courses.models import (
    EnrollmentStatus,
    ItemKind,
    LessonKind,
    ProgressStatus,
)
from studypack.courses.tally import course_percent, module_percent
from studypack.identity.models import Level


class LessonLine(NamedTuple):
    """A lesson in its module, and how far the reader is with it. Of these a page has hundreds: a
    tuple takes half of a frozen dataclass's time to make.
    """

    id: UUID
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    is_free: bool
    estimated_minutes: int | None
    duration_seconds: int | None
    lock: Lock | None
    completed_at: datetime | None
    view_count: int
    position_seconds: int
    watched_seconds: int


@dataclass(frozen=True)
class ItemLine:
    """A quiz or an assignment in its module."""

    id: UUID
    kind: ItemKind
    title: str
    lock: Lock | None
    completed_at: datetime | None


@dataclass(frozen=True)
class ModuleLine:
    """A module of the page, with what is in it."""

    id: UUID
    slug: str
    title: str
    description: str | None
    syllabus: str | None
    release_after_days: int | None
    released_at: datetime | None
    """For this reader; None also when nothing waits."""
    lock: Lock | None
    """Of all in it but free lessons."""
    status: ProgressStatus
    started_at: datetime | None
    completed_at: datetime | None
    last_accessed_at: datetime | None
    lessons: tuple[LessonLine, ...]
    others: tuple[ItemLine, ...]

    @property
    def items(self) -> int:
        """How many things count in it."""
        return len(self.lessons) + len(self.others)

    @property
    def done(self) -> int:
        """How many of them the reader has done."""
        lessons = sum(lesson.completed_at is not None for lesson in self.lessons)
        return lessons + sum(item.completed_at is not None for item in self.others)

    @property
    def completed(self) -> bool:
        """Whether it is completed for good."""
        return self.status is ProgressStatus.COMPLETED

    @property
    def percent(self) -> int:
        """How far the reader is with it."""
        return module_percent(self)


@dataclass(frozen=True)
class EnrollmentLine:
    """The reader's enrolment."""

    status: EnrollmentStatus
    enrolled_at: datetime
    paused_at: datetime | None
    dropped_at: datetime | None
    completed_at: datetime | None
    certificate_code: str | None


@dataclass(frozen=True)
class Prerequisite:
    """A course that has to be completed first."""

    slug: str
    title: str
    completed: bool


@dataclass(frozen=True)
class CoursePage:
    """Everything that a course's page shows."""

    id: UUID
    slug: str
    title: str
    description: str | None
    icon: str | None
    difficulty: Level
    disclaimer: str | None
    syllabus: str | None
    is_signed_in: bool
    is_entitled: bool
    """Whether courses are open to the reader for this course; to a visitor: after signing in."""
    prerequisites: tuple[Prerequisite, ...]
    enrollment: EnrollmentLine | None
    modules: tuple[ModuleLine, ...]

    @property
    def percent(self) -> int:
        """How far the reader is with the course."""
        if self.enrollment and self.enrollment.status is EnrollmentStatus.COMPLETED:
            return 100
        return course_percent(self.modules)


_PAGE: Final = text(
    f"""
    SELECT c.id, c.slug, c.title, c.description, c.icon, c.difficulty, c.disclaimer, c.syllabus,
           e.status, e.enrolled_at, e.paused_at, e.dropped_at, e.completed_at,
           CASE WHEN e.completed_at IS NOT NULL THEN (
               SELECT t.code FROM learning.certificates t
                WHERE t.user_id = :user_id AND t.course_id = c.id AND t.revoked_at IS NULL)
           END AS certificate_code,
           (SELECT json_agg(json_build_array(r.slug, r.title, done.id IS NOT NULL)
                            ORDER BY r.position, r.title)
              FROM learning.course_prerequisites q
              JOIN learning.courses r ON r.id = q.required_course_id AND r.published
                   AND r.is_active AND r.deleted_at IS NULL
              LEFT JOIN learning.enrollments done ON done.course_id = r.id
                   AND done.user_id = :user_id AND done.completed_at IS NOT NULL
             WHERE q.course_id = c.id) AS prerequisites,
           (SELECT json_agg(json_build_array(
                       m.position, m.id, m.slug, m.title, m.description, m.syllabus,
                       m.release_after_days, p.status, p.started_at, p.completed_at,
                       p.last_accessed_at) ORDER BY m.position)
              FROM learning.modules m
              LEFT JOIN learning.module_progress p
                     ON p.module_id = m.id AND p.user_id = :user_id
             WHERE m.course_id = c.id AND {VISIBLE_MODULE}) AS modules,
           (SELECT json_agg(json_build_array(
                       m.position, l.id, l.slug, l.title, l.summary, l.kind, l.is_free,
                       l.estimated_minutes,
                       CASE WHEN l.video_status = 'READY' THEN l.duration_seconds END,
                       d.completed_at, s.view_count, s.position_seconds, s.watched_seconds)
                       ORDER BY m.position, l.position)
              FROM learning.modules m
              JOIN learning.lessons l ON l.module_id = m.id AND {VISIBLE_LESSON}
              LEFT JOIN learning.item_completions d
                     ON d.user_id = :user_id AND d.item_id = l.id
              LEFT JOIN learning.lesson_progress s
                     ON s.user_id = :user_id AND s.lesson_id = l.id
             WHERE m.course_id = c.id AND {VISIBLE_MODULE}) AS lessons,
           (SELECT json_agg(json_build_array(
                       m.position, i.item_id, i.kind, i.title, d.completed_at)
                       ORDER BY m.position, i.position, i.title, i.item_id)
              FROM learning.modules m
              JOIN learning.module_items i ON i.module_id = m.id AND i.published
              LEFT JOIN learning.item_completions d
                     ON d.user_id = :user_id AND d.item_id = i.item_id
             WHERE m.course_id = c.id AND {VISIBLE_MODULE}) AS others
      FROM learning.courses c
      LEFT JOIN learning.enrollments e ON e.course_id = c.id AND e.user_id = :user_id
     WHERE c.slug = :slug AND {VISIBLE_COURSE}
    """  # noqa: S608 (our own text)
)
"""Lists beside each other, joined by the module's place: a list in each module would look up every
lesson by itself, and jsonb would build what is only to be read once.
"""


def load(session: Session, caller: Caller | None, slug: str) -> CoursePage:
    """The page of a published course for its reader; None: a visitor. One statement.

    Raises NotFound (`course_not_found`).
    """
    entitlements = entitlements_of(caller)
    given = {"slug": slug, "user_id": caller.id if caller else None}
    row = session.execute(_PAGE, given).one_or_none()
    if row is None:
        raise course_not_found()
    is_entitled = entitlements.opens(Feature.COURSES, course_id=row.id)
    reader = _Reader(caller, is_entitled, row.enrolled_at)
    return CoursePage(
        id=row.id,
        slug=row.slug,
        title=row.title,
        description=row.description,
        icon=row.icon,
        difficulty=Level(row.difficulty),
        disclaimer=row.disclaimer,
        syllabus=row.syllabus,
        is_signed_in=caller is not None,
        is_entitled=is_entitled,
        prerequisites=tuple(Prerequisite(*each) for each in row.prerequisites or ()),
        enrollment=None if row.status is None else enrollment_of(row),
        modules=_modules(row, reader),
    )


def entitlements_of(caller: Caller | None) -> Entitlements:
    """What a reader may use; a visitor: what everybody has who signs in."""
    if caller is not None:
        return caller.entitlements
    settings = get_business_settings(None)
    return Entitlements.of((), access_override=False, free_plan=settings.free_plan_features)


def enrollment_of(row: Any) -> EnrollmentLine:
    """From the columns of an enrolment, and its certificate's code."""
    return EnrollmentLine(
        status=EnrollmentStatus(row.status),
        enrolled_at=row.enrolled_at,
        paused_at=row.paused_at,
        dropped_at=row.dropped_at,
        completed_at=row.completed_at,
        certificate_code=row.certificate_code,
    )


@dataclass(frozen=True)
class _Reader:
    caller: Caller | None
    is_entitled: bool
    enrolled_at: datetime | None

    def lock(self, release_after_days: int | None, *, is_free: bool = False) -> Lock | None:
        return lock_of(
            is_free=is_free,
            is_entitled=self.is_entitled,
            release_after_days=release_after_days,
            enrolled_at=self.enrolled_at,
            now=self.caller.now if self.caller else _NO_TIME,
            is_signed_in=self.caller is not None,
        )


_NO_TIME: Final = datetime.min.replace(tzinfo=UTC)
"""For visitors, to whom no module is released anyhow."""


def _modules(row: Row[Any], reader: _Reader) -> tuple[ModuleLine, ...]:
    lessons = _by_place(row.lessons)
    others = _by_place(row.others)
    return tuple(
        _module(columns, reader, lessons[place], others[place])
        for place, *columns in row.modules or ()
    )


def _by_place(rows: list[list[Any]] | None) -> Mapping[int, list[list[Any]]]:
    """The other columns of each row, by the first."""
    found: dict[int, list[list[Any]]] = defaultdict(list)
    for place, *columns in rows or ():
        found[place].append(columns)
    return found


def _module(
    columns: list[Any], reader: _Reader, lessons: list[list[Any]], others: list[list[Any]]
) -> ModuleLine:
    (id_, slug, title, description, syllabus, release_after_days) = columns[:6]
    (status, started, completed, accessed) = columns[6:]
    lock = reader.lock(release_after_days)
    locks = {True: reader.lock(release_after_days, is_free=True), False: lock}
    return ModuleLine(
        id=UUID(id_),
        slug=slug,
        title=title,
        description=description,
        syllabus=syllabus,
        release_after_days=release_after_days,
        released_at=released_at(release_after_days, reader.enrolled_at),
        lock=lock,
        status=ProgressStatus(status) if status else ProgressStatus.NOT_STARTED,
        started_at=_time(started),
        completed_at=_time(completed),
        last_accessed_at=_time(accessed),
        lessons=tuple(_lesson(each, locks) for each in lessons),
        others=tuple(_item(each, lock) for each in others),
    )


def _lesson(columns: list[Any], locks: Mapping[bool, Lock | None]) -> LessonLine:
    (id_, slug, title, summary, kind, is_free, minutes, duration) = columns[:8]
    (completed, views, position, watched) = columns[8:]
    return LessonLine(
        id=UUID(id_),
        slug=slug,
        title=title,
        summary=summary,
        kind=LessonKind(kind),
        is_free=is_free,
        estimated_minutes=minutes,
        duration_seconds=duration,
        lock=locks[is_free],
        completed_at=_time(completed),
        view_count=views or 0,
        position_seconds=position or 0,
        watched_seconds=watched or 0,
    )


def _item(columns: list[Any], lock: Lock | None) -> ItemLine:
    id_, kind, title, completed = columns
    return ItemLine(UUID(id_), ItemKind(kind), title, lock, _time(completed))


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
