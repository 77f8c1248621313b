"""Submitting an exam, by its learner or by the clock: once, scored raw, with all that follows
from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from studypack.activity import service as activity
from studypack.activity.models import XpSource
from studypack.core.telemetry import get_logger
from studypack.courses.service import TopicEvidence, record_mastery
from studypack.exams import issuing, response_log, results
from studypack.exams.models import (
    ExamItem,
    ExamResponse,
    ExamSession,
    ExamStatus,
    ExamTemplate,
    ScoringMode,
    SubmittedBy,
)
from studypack.exams.receipt_keys import SigningKey
from studypack.exams.results import GradedItem
from studypack.exams.scoring import Scoring
from studypack.exams.sessions import apply_clock, clock_of, lock
from studypack.notifications.inbox import Notice, notify
from studypack.notifications.models import NotificationType
from studypack.questions.answers import ANSWER, QuestionContent
from studypack.questions.grading import credit
from studypack.questions.models import QuestionVersion

ANSWERED_SHARE_FOR_XP = 0.5
"""XP is for work: a session of which less was answered earns none."""

_EXPIRED = text(
    """
    SELECT id FROM learning.exam_sessions
     WHERE status = 'IN_PROGRESS' AND deadline_at <= statement_timestamp()
       AND (paused_at IS NULL OR deadline_at
            + make_interval(secs => greatest(pause_budget_seconds - pause_used_seconds, 0))
            <= statement_timestamp())
       AND id <> ALL (CAST(:passed_over AS uuid[]))
     ORDER BY deadline_at LIMIT 1
       FOR UPDATE SKIP LOCKED
    """
)
"""ExamClock.expires_at in SQL. Not by clock_timestamp(), which is volatile: the index on the
deadline could not bound the scan.
"""

_WRITE_CREDIT = text(
    """
    UPDATE learning.exam_responses r
       SET credit = g.credit, is_correct = g.credit = 1, updated_at = :now,
           reviewed_at = coalesce(r.reviewed_at, :now)
      FROM jsonb_to_recordset(CAST(:graded AS jsonb)) AS g (question_id uuid, credit numeric)
     WHERE r.session_id = :session_id AND r.question_id = g.question_id
    """
)


@dataclass(frozen=True)
class _Graded:
    question_id: UUID
    responded: bool
    item: GradedItem


def finalize(session: Session, user_id: UUID, session_id: UUID) -> tuple[ExamSession, ExamTemplate]:
    """Submit the learner's session and score it raw; a submitted one is returned as it is.

    However many calls come at once: the row's lock lets one submit, the others see that it was.
    Raises NotFound (`exam_session_not_found`).
    """
    key = issuing.signing_key()
    found, now = lock(session, session_id, user_id=user_id)
    template = _template(session, found)
    if found.status is ExamStatus.IN_PROGRESS:
        _submit(session, found, key, now=now)
    return found, template


def submit_if_expired(session: Session, session_id: UUID) -> bool:
    """Submit a running session whose time is up; False when it still runs.

    The job signs its receipt: the caller's transaction is under way, no time to read a secret.
    """
    found, now = lock(session, session_id)
    if found.status is not ExamStatus.IN_PROGRESS:
        return True
    if not clock_of(found).is_expired(now):
        return False
    _submit(session, found, None, now=now)
    return True


def submit_next_expired(session: Session, *, passed_over: set[UUID]) -> int:
    """Submit the session that ran out first, and say how many that were: 1, or 0 for none.

    One that cannot be graded is logged, left as it is and added to `passed_over`, whose sessions
    are not claimed. One a transaction: mastery is locked topic by topic in one order within a
    session; two sessions at once would break it, and meet their learner's own submission.
    """
    key = issuing.signing_key()
    session_id = session.scalar(_EXPIRED, {"passed_over": list(passed_over)})
    if session_id is None:
        return 0
    try:
        with session.begin_nested():
            found, now = lock(session, session_id)
            _submit(session, found, key, now=now)
    except ValueError:
        passed_over.add(session_id)
        get_logger().exception("exam session cannot be graded", extra={"session_id": session_id})
        return 0
    return 1


def _submit(session: Session, found: ExamSession, key: SigningKey | None, *, now: datetime) -> None:
    """Close the session and write what follows, all in the caller's transaction."""
    clock = clock_of(found)
    by_clock = clock.is_expired(now)
    submitted_at = min(now, clock.running_deadline(now)) if by_clock else now
    facts = []
    if found.paused_at is not None:
        apply_clock(found, clock.resume(now))
        facts.append(response_log.resumed(clock, clock_of(found), now=now))
    graded = _grade(session, found)
    result = results.summarise([entry.item for entry in graded])
    scoring = Scoring.model_validate(found.scoring)
    found.status = ExamStatus.SUBMITTED
    found.submitted_at = submitted_at
    found.submitted_by = SubmittedBy.CLOCK if by_clock else SubmittedBy.LEARNER
    found.score_raw = result.totals.credit
    found.score_percent = result.totals.percent
    if found.scoring_mode is ScoringMode.RAW:
        found.status = ExamStatus.REVIEW
        found.completed_at = now
        if scoring.pass_percent is not None:
            found.passed = results.passed(result.totals.percent, scoring.pass_percent)
    totals = result.totals
    facts.append(response_log.submitted(found, items=totals.items, answered=totals.answered))
    response_log.append(session, found, facts, now=now)
    issuing.issue(session, found, key, now=now)
    _write_credit(session, found.id, graded, now=now)
    record_mastery(session, found.user_id, _evidence(graded), now=now)
    _record_facts(session, found, totals, now=now)


def _grade(session: Session, found: ExamSession) -> list[_Graded]:
    rows = session.execute(
        select(
            ExamItem.question_id,
            ExamItem.topic_id,
            QuestionVersion.content,
            ExamResponse.id,
            ExamResponse.answer,
            ExamResponse.time_spent_seconds,
        )
        .join(
            QuestionVersion,
            (QuestionVersion.question_id == ExamItem.question_id)
            & (QuestionVersion.version == ExamItem.question_version),
        )
        .outerjoin(
            ExamResponse,
            (ExamResponse.session_id == ExamItem.session_id)
            & (ExamResponse.question_id == ExamItem.question_id),
        )
        .where(ExamItem.session_id == found.id)
        .order_by(ExamItem.position)
    ).all()
    return [
        _Graded(
            question_id=row.question_id,
            responded=row.id is not None,
            item=GradedItem(
                topic_id=row.topic_id,
                credit=_credit(row.content, row.answer),
                time_spent_seconds=row.time_spent_seconds or 0,
                answered=row.answer is not None,
            ),
        )
        for row in rows
    ]


def _credit(content: dict[str, object], answer: dict[str, object] | None) -> float:
    if answer is None:
        return 0.0
    return credit(QuestionContent.model_validate(content), ANSWER.validate_python(answer))


def _write_credit(
    session: Session, session_id: UUID, graded: Sequence[_Graded], *, now: datetime
) -> None:
    rows = [
        {"question_id": str(entry.question_id), "credit": entry.item.credit}
        for entry in graded
        if entry.responded
    ]
    if rows:
        session.execute(
            _WRITE_CREDIT, {"session_id": session_id, "graded": json.dumps(rows), "now": now}
        )


def _evidence(graded: Sequence[_Graded]) -> list[TopicEvidence]:
    """Answered items only: what was left out for want of time says nothing about mastery."""
    answered = results.summarise([entry.item for entry in graded if entry.item.answered])
    return [
        TopicEvidence(topic.topic_id, topic.totals.items, float(topic.totals.credit))
        for topic in answered.topics
    ]


def _record_facts(
    session: Session, found: ExamSession, totals: results.Totals, *, now: datetime
) -> None:
    title = _template(session, found).title
    if found.submitted_by is SubmittedBy.CLOCK and found.status is ExamStatus.REVIEW:
        _tell(session, found, title, totals)
    if totals.answered >= totals.items * ANSWERED_SHARE_FOR_XP:
        activity.grant_xp(session, found.user_id, XpSource.EXAM, found.id, now=now)
    activity.record_activity(
        session,
        found.user_id,
        "exam.submitted",
        f"Submitted {title}",
        now=now,
        exam_session_id=str(found.id),
        percent=str(totals.percent),
    )
    activity.record_event(
        session,
        "exam_submitted",
        now=now,
        user_id=found.user_id,
        exam_session_id=found.id,
        submitted_by=str(found.submitted_by),
        items=totals.items,
        answered=totals.answered,
        percent=float(totals.percent),
        seconds=totals.seconds,
    )


def _tell(session: Session, found: ExamSession, title: str, totals: results.Totals) -> None:
    """The learner was gone when the time ran out; one who submits sees the result at once."""
    notice = Notice(
        user_id=found.user_id,
        type=NotificationType.EXAM_SCORED,
        reference=str(found.id),
        title=f"Your result is there: {title}",
        message=f"The time ran out, so it was submitted. You have {totals.percent:.0f} %.",
        link=f"/exams/{found.id}",
        data={"exam_session_id": str(found.id), "percent": float(totals.percent)},
    )
    notify(session, [notice])


def _template(session: Session, found: ExamSession) -> ExamTemplate:
    """The session's template; no statement while the caller holds it."""
    return session.get_one(ExamTemplate, found.template_id)
