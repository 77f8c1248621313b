"""Analyses as they are kept: made at submission by rules, read, edited by admins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.errors import Conflict, NotFound
from studypack.core.ids import uuid7
from studypack.quizzes.analysis import Analysis, Item, analyse
from studypack.quizzes.attempts import AttemptView, attempt_not_found
from studypack.quizzes.models import AnalysisType, AttemptStatus, QuizAnalysis, QuizAttempt
from studypack.quizzes.recommendations import Recommendation, recommend


def make(
    session: Session,
    view: AttemptView,
    items: Sequence[Item],
    *,
    user_id: UUID,
    course_id: UUID,
    ran_out: bool,
    now: datetime,
) -> None:
    """Write what the rules say of an attempt that is being submitted; one that is there stays."""
    limit = None
    if view.deadline_at is not None:
        limit = int((view.deadline_at - view.started_at).total_seconds())
    found = analyse(items, limit_seconds=limit, ran_out=ran_out)
    recommended = recommend(
        session, found.weak, user_id=user_id, course_id=course_id, quiz_id=view.quiz_id
    )
    statement = insert(QuizAnalysis).values(
        id=uuid7(now),
        attempt_id=view.id,
        analysis_type=AnalysisType.AI,
        **_columns(found, recommended),
        created_at=now,
        updated_at=now,
    )
    session.execute(statement.on_conflict_do_nothing())


def _columns(found: Analysis, recommended: Sequence[Recommendation]) -> dict[str, Any]:
    return {
        "performance_breakdown": {
            name: float(percent) for name, percent in found.breakdown.items()
        },
        "strong_topics": list(found.strong),
        "weak_topics": [topic.name for topic in found.weak],
        "recommendations": [each.document() for each in recommended],
        "insights": found.insights,
        "avg_time_per_question": found.avg_seconds,
        "time_management": found.time_management,
        "time_management_rule": found.time_rule.value,
    }


def of_learner(session: Session, user_id: UUID, attempt_id: UUID) -> QuizAnalysis:
    """The analysis of this user's submitted attempt; one statement.

    Raises NotFound (`quiz_attempt_not_found`, `analysis_not_found`), Conflict
    (`attempt_not_submitted`).
    """
    return _found(session, attempt_id, user_id=user_id)


def of_anybody(session: Session, attempt_id: UUID) -> QuizAnalysis:
    """The same for an admin, of any attempt."""
    return _found(session, attempt_id)


def write(
    session: Session, attempt_id: UUID, texts: Mapping[str, Any], *, by: UUID, now: datetime
) -> QuizAnalysis:
    """An admin's own analysis (MANUAL) of a submitted attempt that has none.

    Raises NotFound (`quiz_attempt_not_found`), Conflict (`attempt_not_submitted`,
    `analysis_exists`).
    """
    _check_submitted(session, attempt_id)
    values = {
        "performance_breakdown": {},
        "strong_topics": [],
        "weak_topics": [],
        "recommendations": [],
        **texts,
    }
    statement = insert(QuizAnalysis).values(
        id=uuid7(now),
        attempt_id=attempt_id,
        analysis_type=AnalysisType.MANUAL,
        analyzed_by=by,
        analyzed_at=now,
        **values,
    )
    made = session.scalar(statement.on_conflict_do_nothing().returning(QuizAnalysis.id))
    if made is None:
        raise Conflict(
            "This attempt has an analysis already; change that one.", code="analysis_exists"
        )
    audit.record(session, "quiz_analysis.written", actor_id=by, subject_id=attempt_id)
    session.flush()
    return _found(session, attempt_id)


def edit(
    session: Session,
    attempt_id: UUID,
    texts: Mapping[str, Any],
    *,
    seen_at: datetime,
    by: UUID,
    now: datetime,
) -> QuizAnalysis:
    """Change what an analysis says: the machine's becomes HYBRID, a person's stays MANUAL; who did
    it and when is kept.

    `seen_at`: the `updated_at` of the state that the admin looked at. Raises NotFound
    (`quiz_attempt_not_found`, `analysis_not_found`), Conflict (`attempt_not_submitted`,
    `changed_meanwhile` with the newer `updated_at`).
    """
    found = _found(session, attempt_id, lock=True)
    if found.updated_at != seen_at:
        raise Conflict(
            "Somebody changed this analysis since; look at it again.",
            code="changed_meanwhile",
            updated_at=found.updated_at,
        )
    changed = sorted(name for name, new in texts.items() if getattr(found, name) != new)
    if not changed:
        return found
    for name in changed:
        setattr(found, name, texts[name])
    if found.analysis_type is AnalysisType.AI:
        found.analysis_type = AnalysisType.HYBRID
    found.analyzed_by, found.analyzed_at = by, now
    found.updated_at = session.execute(select(func.clock_timestamp())).scalar_one()
    # Which, not what: the texts speak of a learner.
    audit.record(
        session, "quiz_analysis.edited", actor_id=by, subject_id=attempt_id, changed=changed
    )
    session.flush()
    return found


def _found(
    session: Session, attempt_id: UUID, *, user_id: UUID | None = None, lock: bool = False
) -> QuizAnalysis:
    query = (
        select(QuizAttempt.status, QuizAnalysis)
        .outerjoin(QuizAnalysis, QuizAnalysis.attempt_id == QuizAttempt.id)
        .where(QuizAttempt.id == attempt_id)
        .execution_options(populate_existing=True)
    )
    if user_id is not None:
        query = query.where(QuizAttempt.user_id == user_id)
    row = session.execute(query).one_or_none()
    if row is None:
        raise attempt_not_found()
    _check_status(row.status)
    found: QuizAnalysis | None = row.QuizAnalysis
    if found is None:
        raise NotFound("This attempt has no analysis.", code="analysis_not_found")
    if lock:
        session.refresh(found, with_for_update=True)
    return found


def _check_submitted(session: Session, attempt_id: UUID) -> None:
    status = session.scalar(select(QuizAttempt.status).where(QuizAttempt.id == attempt_id))
    if status is None:
        raise attempt_not_found()
    _check_status(status)


def _check_status(status: AttemptStatus) -> None:
    if status is not AttemptStatus.SUBMITTED:
        raise Conflict(
            "The analysis is there when the attempt is submitted.", code="attempt_not_submitted"
        )
