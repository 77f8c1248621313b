"""Exam templates: what may be chosen, and the learner's own history with each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from studypack.core.errors import FieldError, NotFound
from studypack.courses.models import Course, Topic
from studypack.exams.blueprint import Blueprint
from studypack.exams.models import ExamSession, ExamStatus, ExamTemplate

RUNNING = (ExamStatus.DRAFT, ExamStatus.IN_PROGRESS)


@dataclass(frozen=True)
class TopicShare:
    """A topic of a blueprint by name, with its weight and the number of items that it comes to."""

    id: UUID
    slug: str
    name: str
    weight: float
    items: int


@dataclass(frozen=True)
class TemplateView:
    """A template as a learner chooses it, with the learner's own history on it."""

    template: ExamTemplate
    course: Course
    blueprint: Blueprint
    topics: tuple[TopicShare, ...]
    attempts: int
    last_started_at: datetime | None
    running_session_id: UUID | None

    @property
    def attempts_left(self) -> int | None:
        """How many more sessions may be started; None: any number."""
        limit = self.template.max_attempts
        return None if limit is None else max(0, limit - self.attempts)

    def wait_until(self, now: datetime) -> datetime | None:
        """When the retake rule (`retake_after_hours` from the last start) allows the next; None:
        it does now.
        """
        if self.last_started_at is None:
            return None
        earliest = self.last_started_at + timedelta(hours=self.template.retake_after_hours)
        return earliest if earliest > now else None


def list_templates(session: Session, user_id: UUID) -> list[TemplateView]:
    """The templates on offer by title, in one statement."""
    rows = session.execute(_offered(user_id).order_by(ExamTemplate.title, ExamTemplate.id))
    return [_view(row) for row in rows]


def find_template(
    session: Session, user_id: UUID, slug: str, *, one_at_a_time: bool = False
) -> TemplateView:
    """The template of this slug; `one_at_a_time`: from here to the end of the transaction, no
    other caller that asks so goes on for the same learner.

    Raises NotFound (`template_not_found`) naming the field `template`.
    """
    found = _offered(user_id).where(ExamTemplate.slug == slug)
    if one_at_a_time:  # in the same statement: a start has few of them
        name = func.hashtextextended(f"exams.start:{user_id}", 0)
        found = found.add_columns(func.pg_advisory_xact_lock(name))
    row = session.execute(found).one_or_none()
    if row is None:
        message = f"There is no exam template {slug!r}."
        raise NotFound(
            message,
            code="template_not_found",
            errors=[FieldError("template", "template_not_found", message)],
        )
    return _view(row)


def _offered(user_id: UUID) -> Select[Any]:
    mine = (ExamSession.user_id == user_id, ExamSession.template_id == ExamTemplate.id)
    return (
        select(
            ExamTemplate,
            Course,
            select(func.count())
            .select_from(ExamSession)
            .where(*mine)
            .scalar_subquery()
            .label("attempts"),
            select(func.max(ExamSession.started_at))
            .where(*mine)
            .scalar_subquery()
            .label("last_started_at"),
            select(ExamSession.id)
            .where(*mine, ExamSession.status.in_(RUNNING))
            .scalar_subquery()
            .label("running_session_id"),
            _topic_names().label("topics"),
        )
        .join(Course, Course.id == ExamTemplate.course_id)
        .where(
            ExamTemplate.is_active,
            ExamTemplate.deleted_at.is_(None),
            Course.is_active,
            Course.deleted_at.is_(None),
        )
    )


def _topic_names() -> ColumnElement[Any]:
    names = func.jsonb_build_object("slug", Topic.slug, "name", Topic.name)
    return (
        select(func.jsonb_object_agg(Topic.id, names))
        .where(Topic.course_id == ExamTemplate.course_id)
        .scalar_subquery()
    )


def _view(row: Row[Any]) -> TemplateView:
    template: ExamTemplate = row.ExamTemplate
    blueprint = Blueprint.model_validate(template.blueprint)
    return TemplateView(
        template=template,
        course=row.Course,
        blueprint=blueprint,
        topics=_shares(blueprint, row.topics or {}),
        attempts=row.attempts,
        last_started_at=row.last_started_at,
        running_session_id=row.running_session_id,
    )


def _shares(blueprint: Blueprint, names: Mapping[str, Any]) -> tuple[TopicShare, ...]:
    counts = blueprint.counts()
    return tuple(
        TopicShare(
            id=topic.topic_id,
            slug=names.get(str(topic.topic_id), {}).get("slug", ""),
            name=names.get(str(topic.topic_id), {}).get("name", ""),
            weight=topic.weight,
            items=counts[topic.topic_id],
        )
        for topic in blueprint.topics
    )
