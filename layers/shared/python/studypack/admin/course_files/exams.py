"""The exams of a course's files as templates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.report import Change, CourseReport, Kind
from studypack.admin.course_files.rows import CourseRows
from studypack.admin.course_files.setting import assign
from studypack.admin.course_files.types import ExamFile
from studypack.core.database import new_id
from studypack.core.errors import FieldError
from studypack.courses.models import Course
from studypack.exams.blueprint import Blueprint, TopicWeight
from studypack.exams.models import ExamTemplate, ScoringMode


def names_of_others(session: Session, content: CourseContent) -> list[FieldError]:
    """Exams whose slugs other courses' exams have."""
    taken = session.scalars(
        select(ExamTemplate.slug)
        .join(Course, Course.id == ExamTemplate.course_id)
        .where(
            ExamTemplate.slug.in_([exam.slug for exam in content.exams]),
            ExamTemplate.deleted_at.is_(None),
            Course.slug != content.course.slug,
        )
        .order_by(ExamTemplate.slug)
    )
    return [
        FieldError(
            f"exams.yaml: {slug}", "another_course", "The slug is an exam's of another course."
        )
        for slug in taken
    ]


def write(session: Session, rows: CourseRows, content: CourseContent, report: CourseReport) -> None:
    """Make the course offer the files' exams, and take others off the offer; sessions stay.

    Those as deleted, not as inactive: so that one which comes back is told from one switched off by
    hand.
    """
    for exam in content.exams:
        found = rows.exams.get(exam.slug)
        row = found or ExamTemplate(id=new_id(), slug=exam.slug, course_id=rows.course.id)
        if found is None:
            session.add(row)
        came = found is None or found.deleted_at is not None
        changed = assign(row, deleted_at=None, **_columns(rows, exam))
        report.note(
            Kind.EXAM,
            exam.slug,
            Change.CREATED if came else Change.CHANGED if changed else Change.UNCHANGED,
        )
        report.exams_inactive += row.is_active is False
    kept = {exam.slug for exam in content.exams}
    for slug, row in rows.exams.items():
        if slug not in kept and row.deleted_at is None:
            row.deleted_at = func.now()
            report.note(Kind.EXAM, slug, Change.REMOVED)
    session.flush()


def _columns(rows: CourseRows, exam: ExamFile) -> dict[str, Any]:
    blueprint = Blueprint(
        items=exam.items,
        topics=tuple(
            TopicWeight(topic_id=rows.topics[each.topic].id, weight=each.weight)
            for each in exam.topics
        ),
        sequence=exam.sequence,
        shuffle_options=exam.shuffle_options,
    )
    scale = exam.scaled
    return {
        "title": exam.title,
        "description": exam.description,
        "duration_minutes": exam.duration_minutes,
        "scoring_mode": ScoringMode(exam.scoring_mode),
        "blueprint": blueprint.model_dump(mode="json"),
        "is_practice": exam.practice,
        "pause_minutes": exam.pause_minutes,
        "retake_after_hours": exam.retake_after_hours,
        "max_attempts": exam.max_attempts,
        "pass_percent": exam.pass_percent,
        "scale_minimum": scale.minimum if scale else None,
        "scale_maximum": scale.maximum if scale else None,
        "pass_score": scale.pass_score if scale else None,
        "pass_theta": Decimal(str(scale.pass_theta)) if scale else None,
    }
