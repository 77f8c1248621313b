"""Load the sample content and the demo accounts: once or again, with the same result."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from local.content_files import CONTENT, read_courses
from local.environment import is_here
from local.price_list import ProductFile, load_products, read_products
from studypack.accounts.passwords import hash_password
from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.types import ExamFile, TopicFile
from studypack.billing.features import Feature
from studypack.core.business_settings import set_business_setting
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.core.errors import Unprocessable
from studypack.core.models import Setting
from studypack.courses.models import Course, Topic
from studypack.exams.blueprint import Blueprint, TopicWeight
from studypack.exams.models import ExamTemplate, ScoringMode
from studypack.identity.models import Accommodation, Role, TimezoneHistory, User, UserProfile
from studypack.questions.service import (
    BankItem,
    ImportReport,
    import_questions,
    lock_bank,
    retire_missing,
)

Progress = Callable[[str], None]

EVERYTHING_FREE: Mapping[str, Any] = {"free_plan_features": sorted(Feature)}
"""Settings under which nobody meets the paywall: tests and benchmarks of other parts start so."""


@dataclass(frozen=True)
class Account:
    """A demo account of accounts.yaml."""

    email: str
    password: str
    first_name: str
    last_name: str
    role: Role
    note: str
    timezone: str = "UTC"
    time_factor: Decimal = Decimal(1)
    access_override: bool = False


def demo_accounts(root: Path = CONTENT) -> list[Account]:
    """The demo accounts, for the seed and for whoever shows them."""
    rows = yaml.safe_load((root / "accounts.yaml").read_text(encoding="utf-8"))
    return [
        Account(
            **{
                **row,
                "role": Role(row["role"]),
                "time_factor": Decimal(row.get("time_factor", "1")),
            }
        )
        for row in rows
    ]


def seed(
    progress: Progress = lambda _line: None,
    *,
    root: Path = CONTENT,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Load settings, accounts, every course folder, the price list; each in its own transaction.

    `settings` go before those of settings.yaml.

    Into a database elsewhere, or of a real stage, go courses only: the demo people's passwords are
    public, its settings and prices are its owner's. Raises Unprocessable naming file and item,
    before anything is written, or before anything of a course that meets another's questions or
    exams in the database.
    """
    courses = read_courses(root / "courses")
    products = read_products(root)
    deployment = get_settings()
    url = deployment.database_url
    is_demo = deployment.stage in {"local", "test"} and url is not None and is_here(url)
    if is_demo:
        _seed_demo(progress, root, settings or {})
    else:
        progress("courses only: the database is not this machine's own")
    for folder, content in courses.items():
        with transaction() as session:
            report = load_course(session, content)
        progress(f"{folder}: {report}")
    if is_demo:
        _seed_price_list(progress, products)


def _seed_demo(progress: Progress, root: Path, settings: Mapping[str, Any]) -> None:
    with transaction() as session:
        written = yaml.safe_load((root / "settings.yaml").read_text(encoding="utf-8"))
        present = set(session.scalars(select(Setting.key)))
        for key, value in {**written, **settings}.items():
            if key not in present:  # else each start would undo what was set since
                set_business_setting(session, key, value)
    with transaction() as session:
        made = sum(_account(session, account) for account in demo_accounts(root))
    progress(f"accounts: {made} created")


def _seed_price_list(progress: Progress, products: list[ProductFile]) -> None:
    with transaction() as session:
        made = load_products(session, products)
    progress(f"price list: {made} products created")


@dataclass(frozen=True)
class CourseReport:
    """What loading a course did."""

    questions: ImportReport
    questions_retired: int
    """Gone from the files."""
    exams_removed: int
    exams_inactive: int
    """In the files, but switched off by hand (`is_active`), which a load leaves alone."""

    def __str__(self) -> str:
        questions = self.questions
        always = (
            f"{questions.created} questions created, {questions.changed} changed,"
            f" {questions.unchanged} unchanged"
        )
        sometimes = {
            "retired": self.questions_retired,
            "active again": questions.revived,
            "withdrawn by hand and left so": questions.left_retired,
            "exams removed": self.exams_removed,
            "exams inactive and left so": self.exams_inactive,
        }
        return ", ".join([always, *(f"{n} {what}" for what, n in sometimes.items() if n)])


def load_course(session: Session, content: CourseContent) -> CourseReport:
    """Write a course with its topics, questions and exam templates; slugs and ids decide what is
    the same. Questions and exams that are gone from the files are retired and removed.

    Raises Unprocessable when a question's id or an exam's slug is another course's already.
    """
    lock_bank(session)
    course_id = _course(session, content)
    topics: dict[str, UUID] = {}
    _topics(session, course_id, None, content.course.topics, topics)
    imported = import_questions(
        session,
        [
            BankItem(
                source_id=question.id,
                topic_id=topics[question.topic],
                difficulty=question.difficulty,
                content=question.content(content.course.slug),
            )
            for question in content.questions
        ],
    )
    retired = retire_missing(session, course_id, [question.id for question in content.questions])
    templates = [_exam(session, course_id, exam, topics) for exam in content.exams]
    removed = _remove_missing(session, course_id, [exam.slug for exam in content.exams])
    session.flush()
    return CourseReport(
        imported, retired, removed, sum(template.is_active is False for template in templates)
    )


def _account(session: Session, account: Account) -> bool:
    exists = session.scalar(
        select(User.id).where(
            func.lower(User.email) == account.email.lower(), User.deleted_at.is_(None)
        )
    )
    if exists is not None:
        return False
    user = User(
        email=account.email,
        password_hash=hash_password(account.password),
        first_name=account.first_name,
        last_name=account.last_name,
        role=account.role,
        timezone=account.timezone,
        access_override=account.access_override,
        email_verified_at=func.now(),
    )
    session.add(user)
    session.flush()
    session.add(UserProfile(user_id=user.id))
    session.add(TimezoneHistory(user_id=user.id, timezone=account.timezone))
    if account.time_factor > 1:
        session.add(
            Accommodation(
                user_id=user.id, time_factor=account.time_factor, reason="demo accommodation"
            )
        )
    return True


def _course(session: Session, content: CourseContent) -> UUID:
    course = session.scalars(
        select(Course).where(Course.slug == content.course.slug, Course.deleted_at.is_(None))
    ).one_or_none()
    if course is None:
        course = Course(slug=content.course.slug)
        session.add(course)
    for name in ("title", "description", "difficulty", "disclaimer"):
        setattr(course, name, getattr(content.course, name))
    session.flush()
    return course.id


def _topics(
    session: Session,
    course_id: UUID,
    parent_id: UUID | None,
    topics: tuple[TopicFile, ...],
    found: dict[str, UUID],
) -> None:
    for position, topic in enumerate(topics):
        values: Mapping[str, Any] = {
            "parent_id": parent_id,
            "name": topic.name,
            "description": topic.description,
            "difficulty_level": topic.difficulty,
            "position": position,
        }
        row = session.scalars(
            select(Topic).where(Topic.course_id == course_id, Topic.slug == topic.slug)
        ).one_or_none() or Topic(course_id=course_id, slug=topic.slug)
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
        session.flush()
        found[topic.slug] = row.id
        _topics(session, course_id, row.id, topic.topics, found)


def _exam(
    session: Session, course_id: UUID, exam: ExamFile, topics: Mapping[str, UUID]
) -> ExamTemplate:
    template = _template(session, course_id, exam.slug)
    blueprint = Blueprint(
        items=exam.items,
        topics=tuple(TopicWeight(topic_id=topics[t.topic], weight=t.weight) for t in exam.topics),
        sequence=exam.sequence,
        shuffle_options=exam.shuffle_options,
    )
    scale = exam.scaled
    template.title = exam.title
    template.description = exam.description
    template.duration_minutes = exam.duration_minutes
    template.scoring_mode = ScoringMode(exam.scoring_mode)
    template.blueprint = blueprint.model_dump(mode="json")
    template.is_practice = exam.practice
    template.pause_minutes = exam.pause_minutes
    template.retake_after_hours = exam.retake_after_hours
    template.max_attempts = exam.max_attempts
    template.pass_percent = exam.pass_percent
    template.scale_minimum = scale.minimum if scale else None
    template.scale_maximum = scale.maximum if scale else None
    template.pass_score = scale.pass_score if scale else None
    template.pass_theta = Decimal(str(scale.pass_theta)) if scale else None
    session.add(template)
    return template


def _template(session: Session, course_id: UUID, slug: str) -> ExamTemplate:
    """The exam of this slug, one that the files had before and have again, or a new one."""
    present = session.scalars(
        select(ExamTemplate).where(ExamTemplate.slug == slug, ExamTemplate.deleted_at.is_(None))
    ).one_or_none()
    if present is not None:
        if present.course_id != course_id:
            message = "The slug is an exam's of another course."
            raise Unprocessable.field(f"exams.yaml: {slug}", message, code="another_course")
        return present
    removed = session.scalars(
        select(ExamTemplate)
        .where(ExamTemplate.slug == slug, ExamTemplate.course_id == course_id)
        .order_by(ExamTemplate.deleted_at.desc())
        .limit(1)
    ).one_or_none()
    if removed is None:
        return ExamTemplate(slug=slug, course_id=course_id)
    removed.deleted_at = None
    return removed


def _remove_missing(session: Session, course_id: UUID, slugs: Collection[str]) -> int:
    """Take the course's exams but these off the offer, and say how many; sessions stay.

    As deleted, not as inactive: so that one which comes back is told from one switched off by hand.
    """
    missing = session.scalars(
        select(ExamTemplate).where(
            ExamTemplate.course_id == course_id,
            ExamTemplate.slug.not_in(list(slugs)),
            ExamTemplate.deleted_at.is_(None),
        )
    ).all()
    for template in missing:
        template.deleted_at = func.now()
    return len(missing)
