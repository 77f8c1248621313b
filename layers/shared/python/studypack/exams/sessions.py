"""A learner's sessions: reading one with its form, listing them, pausing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.core.paging import PageParams
from studypack.courses.models import Course, Topic, TopicMastery
from studypack.exams import response_log
from studypack.exams.clock import ExamClock
from studypack.exams.models import (
    ExamItem,
    ExamResponse,
    ExamSession,
    ExamStatus,
    ExamTemplate,
    SubmittedBy,
)
from studypack.questions.answers import QuestionContent
from studypack.questions.models import QuestionVersion

MAX_METADATA_CHARACTERS: Final = 5_000
"""Of a session's notes as JSON, all together."""


@dataclass(frozen=True)
class FormItem:
    """One place of a form: the item, what it asks, what was answered, and the learner's mastery
    of its topic.
    """

    item: ExamItem
    content: QuestionContent
    response: ExamResponse | None
    topic: Topic
    mastery: float | None


@dataclass(frozen=True)
class SessionView:
    """A session with its template, course and form in order."""

    session: ExamSession
    template: ExamTemplate
    course: Course
    items: tuple[FormItem, ...]

    @property
    def clock(self) -> ExamClock:
        """The session's clock."""
        return clock_of(self.session)

    @property
    def shuffles_options(self) -> bool:
        """Whether the options of its items are shown in shuffled order."""
        return bool(self.session.blueprint.get("shuffle_options", True))


def session_not_found() -> NotFound:
    """The answer for a session that is not there or not the caller's: nobody learns which."""
    return NotFound("There is no such exam session.", code="exam_session_not_found")


def exam_finished(
    status: str, *, submitted_by: str | None, deadline_at: datetime | None
) -> Conflict:
    """The answer for a change that comes after submission; after one by the clock it tells the
    deadline.
    """
    timing: dict[str, Any] = {}
    if submitted_by == SubmittedBy.CLOCK:
        timing = {"submitted_by": submitted_by, "deadline_at": deadline_at}
    return Conflict(
        "This exam has been submitted.", code="exam_finished", status_of_session=status, **timing
    )


def clock_of(session: ExamSession) -> ExamClock:
    """The clock of a started session."""
    if session.started_at is None or session.deadline_at is None:
        raise Conflict("This exam has not been started.", code="exam_not_started")
    return ExamClock(
        started_at=session.started_at,
        deadline_at=session.deadline_at,
        paused_at=session.paused_at,
        pause_used_seconds=session.pause_used_seconds,
        pause_budget_seconds=session.pause_budget_seconds,
    )


def apply_clock(session: ExamSession, clock: ExamClock) -> None:
    """Write a changed clock back."""
    session.deadline_at = clock.deadline_at
    session.paused_at = clock.paused_at
    session.pause_used_seconds = clock.pause_used_seconds


def load(session: Session, user_id: UUID, session_id: UUID) -> SessionView:
    """A session of this user with its whole form, in one statement.

    Raises NotFound (`exam_session_not_found`).
    """
    rows = session.execute(
        select(
            ExamSession,
            ExamTemplate,
            Course,
            ExamItem,
            QuestionVersion.content,
            ExamResponse,
            Topic,
            TopicMastery.mastery_score,
        )
        .join(ExamTemplate, ExamTemplate.id == ExamSession.template_id)
        .join(Course, Course.id == ExamTemplate.course_id)
        .join(ExamItem, ExamItem.session_id == ExamSession.id)
        .join(
            QuestionVersion,
            and_(
                QuestionVersion.question_id == ExamItem.question_id,
                QuestionVersion.version == ExamItem.question_version,
            ),
        )
        .join(Topic, Topic.id == ExamItem.topic_id)
        .outerjoin(
            ExamResponse,
            and_(
                ExamResponse.session_id == ExamItem.session_id,
                ExamResponse.question_id == ExamItem.question_id,
            ),
        )
        .outerjoin(
            TopicMastery,
            and_(
                TopicMastery.topic_id == ExamItem.topic_id,
                TopicMastery.user_id == ExamSession.user_id,
            ),
        )
        .where(ExamSession.id == session_id, ExamSession.user_id == user_id)
        .order_by(ExamItem.position)
        .execution_options(populate_existing=True)
    ).all()
    if not rows:
        raise session_not_found()
    return SessionView(
        session=rows[0].ExamSession,
        template=rows[0].ExamTemplate,
        course=rows[0].Course,
        items=tuple(
            FormItem(
                item=row.ExamItem,
                content=QuestionContent.model_validate(row.content),
                response=row.ExamResponse,
                topic=row.Topic,
                mastery=None if row.mastery_score is None else float(row.mastery_score),
            )
            for row in rows
        ),
    )


def history(
    session: Session, user_id: UUID, page: PageParams
) -> Sequence[tuple[ExamSession, ExamTemplate]]:
    """A user's sessions, newest first, one more than the page shows: one statement."""
    query = (
        select(ExamSession, ExamTemplate)
        .join(ExamTemplate, ExamTemplate.id == ExamSession.template_id)
        .where(ExamSession.user_id == user_id)
        .order_by(ExamSession.id.desc())
        .limit(page.limit + 1)
    )
    if page.after is not None:
        query = query.where(ExamSession.id < page.after)
    return [(row[0], row[1]) for row in session.execute(query)]


def lock(
    session: Session, session_id: UUID, *, user_id: UUID | None = None
) -> tuple[ExamSession, datetime]:
    """The session, locked against every other change until the transaction ends, and the
    database's clock: the request's own time may lie before a wait for the lock.

    Raises NotFound when it is not there, or not this user's if one is named.
    """
    query = select(ExamSession).where(ExamSession.id == session_id)
    if user_id is not None:
        query = query.where(ExamSession.user_id == user_id)
    # PostgreSQL never merges a CTE that locks: the clock outside is read once the lock was got.
    locked = aliased(ExamSession, query.with_for_update().cte("locked"))
    row = session.execute(
        select(locked, func.clock_timestamp()).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise session_not_found()
    return row[0], row[1]


def change(
    session: Session,
    user_id: UUID,
    session_id: UUID,
    *,
    action: Literal["pause", "resume"] | None,
    notes: Mapping[str, Any] | None,
) -> tuple[SessionView, datetime]:
    """Pause or resume a running session (its deadline moves by the pause), or merge the client's
    own notes into it.

    Returns the session as it is then, and the time at which that holds. Raises NotFound, Conflict:
    `exam_finished`, `pause_not_allowed`, `already_paused`, `pause_budget_spent`, `not_paused`,
    `too_many_changes`; Unprocessable (`metadata`) when the notes would grow too long.
    """
    found, now = lock(session, session_id, user_id=user_id)
    if found.status is not ExamStatus.IN_PROGRESS:
        raise exam_finished(
            found.status, submitted_by=found.submitted_by, deadline_at=found.deadline_at
        )
    if action is not None:
        _move_clock(session, found, action, now=now)
    if notes is not None:
        found.session_metadata = _merged(found.session_metadata, notes)
    session.flush()
    return load(session, user_id, session_id), now


def _merged(stored: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    merged = {name: value for name, value in {**stored, **notes}.items() if value is not None}
    if len(json.dumps(merged, ensure_ascii=False)) > MAX_METADATA_CHARACTERS:
        raise Unprocessable.field(
            "metadata",
            f"With what is stored already, more than {MAX_METADATA_CHARACTERS} characters.",
            code="too_long",
        )
    return merged


def _move_clock(
    session: Session, found: ExamSession, action: Literal["pause", "resume"], *, now: datetime
) -> None:
    before = clock_of(found)
    after = before.pause(now) if action == "pause" else before.resume(now)
    apply_clock(found, after)
    if action == "pause":
        response_log.check_room(found.log_sequence, items=found.blueprint["items"])
        facts = response_log.paused(before, after, now=now)
    else:
        facts = [response_log.resumed(before, after, now=now)]
    response_log.append(session, found, facts, now=now)
