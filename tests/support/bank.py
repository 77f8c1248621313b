"""The question bank in a test: what is in it, templates of the test's own, edits by an author."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from studypack.core.database import transaction
from studypack.courses.models import Course, Topic
from studypack.exams.blueprint import Blueprint, TopicWeight
from studypack.exams.models import ExamTemplate, ScoringMode
from studypack.questions.answers import QuestionContent
from studypack.questions.service import BankItem, import_questions

OT = "occupational-therapy"
PYTHON = "python-programming"


def rows(sql: str, **values: Any) -> list[Any]:
    """What a query on the test's database finds."""
    with transaction() as session:
        return list(session.execute(text(sql), values).all())


def row(sql: str, **values: Any) -> Any:
    """The only row that a query finds."""
    (found,) = rows(sql, **values)
    return found


def value(sql: str, **values: Any) -> Any:
    """The only value that a query finds."""
    return row(sql, **values)[0]


def execute(sql: str, **values: Any) -> None:
    """Change the test's database directly."""
    with transaction() as session:
        session.execute(text(sql), values)


def shelf(course: str = OT) -> dict[str, list[UUID]]:
    """The drawable questions of each topic of a course."""
    found: dict[str, list[UUID]] = {}
    for topic, question in rows(
        "SELECT t.slug, q.id FROM learning.questions q JOIN learning.topics t ON t.id = q.topic_id"
        " JOIN learning.courses c ON c.id = t.course_id"
        " WHERE c.slug = :course AND q.status = 'ACTIVE' AND q.deleted_at IS NULL ORDER BY 1, 2",
        course=course,
    ):
        found.setdefault(topic, []).append(question)
    return found


def offer(
    slug: str, weights: Mapping[str, float], items: int, *, course: str = OT, **columns: Any
) -> str:
    """Make a template of these topics and return its slug; raw and 15 minutes long unless told."""
    sequence = columns.pop("sequence", "shuffled")
    with transaction() as session:
        course_id = session.scalars(select(Course.id).where(Course.slug == course)).one()
        topics = {
            topic.slug: topic.id
            for topic in session.scalars(select(Topic).where(Topic.course_id == course_id))
        }
        blueprint = Blueprint(
            items=items,
            topics=tuple(
                TopicWeight(topic_id=topics[name], weight=weight)
                for name, weight in weights.items()
            ),
            sequence=sequence,
        )
        defaults: dict[str, Any] = {
            "title": slug.replace("-", " "),
            "duration_minutes": 15,
            "scoring_mode": ScoringMode.RAW,
        }
        session.add(
            ExamTemplate(
                course_id=course_id,
                slug=slug,
                blueprint=blueprint.model_dump(mode="json"),
                **{**defaults, **columns},
            )
        )
    return slug


def offer_everything(slug: str = "everything", *, course: str = OT, **columns: Any) -> str:
    """A template that asks every question of a course."""
    counts = {topic: len(questions) for topic, questions in shelf(course).items()}
    return offer(slug, counts, sum(counts.values()), course=course, **columns)


def new_part_of(parent: str, slug: str, questions: list[UUID], *, course: str = OT) -> UUID:
    """A topic below another, holding these questions from now on."""
    with transaction() as session:
        above = session.scalars(
            select(Topic)
            .join(Course, Course.id == Topic.course_id)
            .where(Course.slug == course, Topic.slug == parent)
        ).one()
        topic = Topic(course_id=above.course_id, parent_id=above.id, slug=slug, name=slug)
        session.add(topic)
        session.flush()
        session.execute(
            text("UPDATE learning.questions SET topic_id = :topic WHERE id = ANY(:questions)"),
            {"topic": topic.id, "questions": questions},
        )
        return topic.id


def edit(question_id: str | UUID, content: QuestionContent) -> None:
    """What an author does: the question gets a new version with this content."""
    stored = row(
        "SELECT source_id, topic_id, difficulty FROM learning.questions WHERE id = :id",
        id=question_id,
    )
    with transaction() as session:
        report = import_questions(
            session, [BankItem(stored.source_id, stored.topic_id, stored.difficulty, content)]
        )
    assert report.changed == 1
