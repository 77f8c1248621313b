"""Courses that learners study in tests, put into the database as they would be after publishing,
and what is known of their learners.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from studypack.core.business_settings import forget_business_settings, set_business_setting
from studypack.core.database import transaction
from studypack.courses import items
from studypack.courses.models import Course, ItemKind, Lesson, LessonKind, Module, VideoStatus
from tests.support import bank

MINUTES = 60


@dataclass
class Material:
    """A published course: its modules' ids, and its lessons' in order, module by module."""

    id: UUID
    slug: str
    modules: list[UUID] = field(default_factory=list)
    lessons: list[list[UUID]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/api/courses/{self.slug}"


def a_course(*lessons: int, **columns: Any) -> Material:
    """A published course with a module for each number, with so many articles."""
    slug = f"course-{uuid4().hex[:8]}"
    given = {"title": slug.title(), "published": True, "syllabus": "What it *covers*.", **columns}
    with transaction() as session:
        course = Course(slug=slug, **given)
        session.add(course)
        session.flush()
        made = Material(course.id, slug)
    for number in lessons:
        add_module(made, number)
    return made


def add_module(course: Material, lessons: int = 0, **columns: Any) -> UUID:
    """One more published module, with so many articles."""
    place = len(course.modules)
    with transaction() as session:
        module = Module(
            course_id=course.id,
            **{
                "slug": f"module-{place}",
                "title": f"Module {place}",
                "position": place,
                "published": True,
                **columns,
            },
        )
        session.add(module)
        session.flush()
        made = module.id
        for number in range(lessons):
            session.add(_lesson(made, number, {}))
        session.flush()
    course.modules.append(made)
    course.lessons.append(
        [
            row.id
            for row in bank.rows(
                "SELECT id FROM learning.lessons WHERE module_id = :m ORDER BY position", m=made
            )
        ]
    )
    return made


def add_lesson(course: Material, module: int = 0, **columns: Any) -> UUID:
    """One more published lesson of a module; an article unless told otherwise."""
    with transaction() as session:
        lesson = _lesson(course.modules[module], len(course.lessons[module]), columns)
        session.add(lesson)
        session.flush()
        made = lesson.id
    course.lessons[module].append(made)
    return made


def add_video(
    course: Material, module: int = 0, *, seconds: int = 10 * MINUTES, **columns: Any
) -> UUID:
    """One more published video lesson, ready to be watched."""
    video = {
        "kind": LessonKind.VIDEO,
        "video_status": VideoStatus.READY,
        "mux_playback_id": f"play{uuid4().hex[:8]}",
        "duration_seconds": seconds,
        "content_markdown": None,
    }
    return add_lesson(course, module, **{**video, **columns})


def add_quiz(course: Material, module: int = 0, *, published: bool = True) -> UUID:
    """A quiz that counts in a module, as the floor of quizzes would state it."""
    quiz = uuid4()
    with transaction() as session:
        items.put(
            session,
            quiz,
            module_id=course.modules[module],
            kind=ItemKind.QUIZ,
            title="A quiz",
            position=0,
            published=published,
        )
    return quiz


def _lesson(module: UUID, place: int, columns: dict[str, Any]) -> Lesson:
    given = {
        "slug": f"lesson-{place}",
        "title": f"Lesson {place}",
        "kind": LessonKind.ARTICLE,
        "position": place,
        "published": True,
        "content_markdown": "Some **words**.",
        "body_text": "Some words.",
        **columns,
    }
    return Lesson(module_id=module, **given)


def require(course: Material, prerequisite: Material) -> None:
    """Let a course ask for another to be completed first."""
    bank.execute(
        "INSERT INTO learning.course_prerequisites (course_id, required_course_id)"
        " VALUES (:course, :required)",
        course=course.id,
        required=prerequisite.id,
    )


def nothing_is_free() -> None:
    """The FREE plan gives nothing from now on, as in production."""
    setting("free_plan_features", [])


def setting(name: str, value: Any) -> None:
    """Set a business setting."""
    with transaction() as session:
        set_business_setting(session, name, value)
    forget_business_settings()


def say(person: Any, lesson: UUID, type: str, **body: Any) -> Any:
    """Post to a lesson's progress; the answer of any status."""
    return person.post(f"/api/lessons/{lesson}/progress", json={"type": type, **body})


def view(person: Any, lesson: UUID) -> Any:
    """Open a lesson."""
    answer = say(person, lesson, "view")
    assert answer.status_code == 200, answer.text
    return answer.json()


def complete(person: Any, lesson: UUID) -> Any:
    """Open an article and be done with it."""
    view(person, lesson)
    answer = say(person, lesson, "complete")
    assert answer.status_code == 200, answer.text
    return answer.json()


def play(person: Any, lesson: UUID, *ranges: tuple[float, float], **body: Any) -> Any:
    """Tell that these ranges of a video were played."""
    given = {"position": ranges[-1][1] if ranges else 0, **body}
    beats = [{"from": start, "to": end} for start, end in ranges]
    answer = say(person, lesson, "heartbeats", beats=beats, **given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def passed(person: Any, seconds: float) -> None:
    """Let time pass for a learner, by moving everything that they did into the past."""
    earlier = timedelta(seconds=seconds)
    for table, columns in _TIMES.items():
        moved = ", ".join(f"{column} = {column} - CAST(:earlier AS interval)" for column in columns)
        bank.execute(
            f"UPDATE learning.{table} SET {moved} WHERE user_id = :user",
            earlier=earlier,
            user=person.id,
        )


_TIMES = {
    "lesson_progress": ("created_at", "last_viewed_at", "heartbeat_at", "position_at"),
    "enrollments": ("created_at", "enrolled_at"),
}


def watch(person: Any, lesson: UUID, seconds: int) -> Any:
    """Open a video and watch it from the start, message by message."""
    view(person, lesson)
    told = {}
    for start in range(0, seconds, 5 * MINUTES):
        end = min(start + 5 * MINUTES, seconds)
        passed(person, end - start)
        told = play(person, lesson, (start, end))
    return told


def events(person: Any, name: str) -> list[dict[str, Any]]:
    """What analytics know of somebody by a name: the events' payloads."""
    found = bank.rows(
        "SELECT payload FROM activity.analytics_events"
        " WHERE user_id = :user AND event_name = :name ORDER BY event_time, id",
        user=person.id,
        name=name,
    )
    return [row.payload for row in found]


def feed(person: Any) -> list[str]:
    """The kinds of the lines of somebody's feed."""
    found = bank.rows(
        "SELECT type FROM activity.user_activities WHERE user_id = :user ORDER BY created_at, id",
        user=person.id,
    )
    return [row.type for row in found]


def count(table: str, person: Any, where: str = "true") -> int:
    """How many rows of a table are somebody's."""
    found: int = bank.value(
        f"SELECT count(*) FROM {table} WHERE user_id = :user AND {where}",
        user=person.id,
    )
    return found


def database_time() -> datetime:
    """The database's clock."""
    with transaction() as session:
        now: datetime = session.execute(text("SELECT now()")).scalar_one()
    return now


def note_of(user_id: UUID) -> None:
    """A note of somebody's."""
    lesson = a_course(1).lessons[0][0]
    bank.execute(
        "INSERT INTO learning.notes (id, user_id, lesson_id, kind, body)"
        " VALUES (public.uuid7(), :user, :lesson, 'NOTE', 'Theirs')",
        user=user_id,
        lesson=lesson,
    )
