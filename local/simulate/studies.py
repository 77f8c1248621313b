"""What people do in a course in a scenario, through the services that requests go through: mails
come of the events that these record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from local.content_files import read_course
from studypack.access.authentication import Caller
from studypack.admin.course_files.importing import import_content
from studypack.core.database import transaction
from studypack.courses import enrollment_changes, progress
from studypack.courses.heartbeats import Beat
from studypack.courses.models import Course, Lesson, LessonKind, Module

COURSE: Final = "anatomy"
FOLDER: Final = Path(__file__).parent / "courses" / COURSE
WATCHING: Final = timedelta(minutes=15)
"""How long before its end a video is opened that is watched in one go."""


def make_course(now: datetime) -> None:
    """Import the course that everybody studies."""
    content = read_course(FOLDER)
    with transaction() as session:
        import_content(session, content, stored=None, now=now)


def module_id(session: Session, slug: str) -> UUID:
    """A module of the course. Raises NoResultFound."""
    query = select(Module.id).join(Course, Course.id == Module.course_id)
    return session.scalars(query.where(Course.slug == COURSE, Module.slug == slug)).one()


def enrol(session: Session, caller: Caller) -> None:
    enrollment_changes.enroll(session, caller.id, COURSE, now=caller.now)


def start_video(session: Session, caller: Caller) -> None:
    """Open the course's first video and play a little of it."""
    lesson = _lessons(session)[0]
    progress.view(session, caller, lesson.id)
    progress.beat(session, caller, lesson.id, [Beat(0, 15)], position=15)


def finish_video(session: Session, caller: Caller) -> None:
    """Have watched the course's first video to its end."""
    _do(session, caller, _lessons(session)[0])


def complete_module(session: Session, caller: Caller, *, module: str = "skeleton") -> None:
    """Do what is left to do of a module."""
    for lesson in _lessons(session, Module.slug == module):
        _do(session, caller, lesson)


def complete_course(session: Session, caller: Caller) -> None:
    """Do what is left to do of the course."""
    for lesson in _lessons(session):
        _do(session, caller, lesson)


ACTS: Final[dict[str, Callable[..., None]]] = {
    act.__name__: act
    for act in (enrol, start_video, finish_video, complete_module, complete_course)
}
"""By the names that scenarios have for them."""


def _lessons(session: Session, *where: Any) -> list[Row[Any]]:
    """Lessons of the course in their order."""
    query = (
        select(Lesson.id, Lesson.kind, Lesson.duration_seconds)
        .join(Module, Module.id == Lesson.module_id)
        .join(Course, Course.id == Module.course_id)
        .where(Course.slug == COURSE, *where)
        .order_by(Module.position, Lesson.position)
    )
    return list(session.execute(query))


def _do(session: Session, caller: Caller, lesson: Row[Any]) -> None:
    """Open a lesson and be done with it."""
    if lesson.kind is LessonKind.VIDEO:
        progress.view(session, replace(caller, now=caller.now - WATCHING), lesson.id)
        end = lesson.duration_seconds
        progress.beat(session, caller, lesson.id, [Beat(0, end)], position=end)
    else:
        progress.view(session, caller, lesson.id)
        progress.complete(session, caller, lesson.id)
