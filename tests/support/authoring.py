"""Courses under construction: made by the authors' own services, by nobody in particular."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from studypack.core.database import transaction
from studypack.courses.authoring import courses, lessons, modules, publishing, topics
from studypack.courses.models import LessonKind

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def a_course(**fields: Any) -> UUID:
    """An unpublished course; its title is new unless given."""
    with transaction() as session:
        return courses.create(session, {"title": f"Course {uuid4().hex[:8]}", **fields}, by=None)


def a_module(course_id: UUID, **fields: Any) -> UUID:
    """An unpublished module, after the others."""
    with transaction() as session:
        return modules.create(session, course_id, {"title": "A module", **fields}, by=None)


def a_lesson(module_id: UUID, **fields: Any) -> UUID:
    """An unpublished article, after the others."""
    given = {
        "title": "A lesson",
        "kind": LessonKind.ARTICLE,
        "content_markdown": "Some words.",
        **fields,
    }
    with transaction() as session:
        return lessons.create(session, module_id, given, by=None)


def a_topic(course_id: UUID, **fields: Any) -> UUID:
    """A topic, after its siblings; uppermost unless `parent_id` is given."""
    with transaction() as session:
        return topics.create(session, course_id, {"name": "A topic", **fields}, by=None)


def publish(*, lesson: UUID | None = None, module: UUID | None = None, course: UUID | None = None):
    """Publish these, in this order."""
    with transaction() as session:
        if lesson:
            publishing.publish_lesson(session, lesson, by=None)
        if module:
            publishing.publish_module(session, module, by=None)
        if course:
            publishing.publish_course(session, course, by=None)


def a_published_course(**fields: Any) -> tuple[UUID, UUID, UUID]:
    """A course with one module with one lesson, all of them published: their ids."""
    course = a_course(**fields)
    module = a_module(course)
    lesson = a_lesson(module)
    publish(lesson=lesson, module=module, course=course)
    return course, module, lesson
