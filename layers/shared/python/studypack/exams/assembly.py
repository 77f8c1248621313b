"""Starting an exam: draw the form by the blueprint, freeze it, set the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.access.paywall import require
from studypack.activity.service import record_event
from studypack.billing.entitlements import Entitlements
from studypack.billing.features import Feature
from studypack.core.errors import Conflict, FieldError, Unprocessable
from studypack.core.ids import uuid7
from studypack.exams import response_log, submission
from studypack.exams.blueprint import Shortfall, shortfalls
from studypack.exams.clock import ExamClock
from studypack.exams.forms import sequence
from studypack.exams.irt import Item, prior_from_difficulty
from studypack.exams.models import ExamSession, ExamStatus, ExamTemplate, ScoringMode
from studypack.exams.receipt import Entry, Head, next_entry
from studypack.exams.scoring import Scoring
from studypack.exams.templates import RUNNING, TemplateView, find_template
from studypack.questions.timing import duration


@dataclass(frozen=True)
class DrawnQuestion:
    """A question drawn for a topic of the blueprint, at the version that the form freezes."""

    question_id: UUID
    question_version: int
    topic_id: UUID
    parameters: Item


_DRAW = text(
    """
    WITH RECURSIVE wanted AS (
        SELECT * FROM jsonb_to_recordset(CAST(:wanted AS jsonb)) AS w (topic_id uuid, items int)),
    tree (root, id, depth) AS (
        SELECT topic_id, topic_id, 0 FROM wanted
        UNION ALL
        SELECT tree.root, t.id, tree.depth + 1
          FROM learning.topics t JOIN tree ON t.parent_id = tree.id WHERE tree.depth < 20),
    nearest AS (
        SELECT DISTINCT ON (id) id, root FROM tree ORDER BY id, depth),
    seen AS (
        SELECT i.question_id, count(*) AS times,
               array_agg(s.id ORDER BY s.id)
                   FILTER (WHERE s.status IN ('DRAFT', 'IN_PROGRESS')) AS used_in
          FROM learning.exam_sessions s JOIN learning.exam_items i ON i.session_id = s.id
         WHERE s.user_id = :user_id GROUP BY i.question_id),
    ranked AS (
        SELECT n.root, q.id, q.version, q.discrimination, q.location, q.difficulty, seen.used_in,
               count(*) FILTER (WHERE seen.used_in IS NULL)
                   OVER (PARTITION BY n.root) AS available,
               count(seen.used_in) OVER (PARTITION BY n.root) AS used,
               row_number() OVER (
                   PARTITION BY n.root
                   ORDER BY seen.used_in IS NOT NULL, coalesce(seen.times, 0),
                            encode(sha256(convert_to(CAST(:session_id AS text) || ':' || q.id::text,
                                                     'UTF8')), 'hex') COLLATE "C") AS place
          FROM nearest n
          JOIN learning.questions q ON q.topic_id = n.id
          LEFT JOIN seen ON seen.question_id = q.id
         WHERE q.status = 'ACTIVE' AND q.deleted_at IS NULL)
    SELECT ranked.* FROM ranked JOIN wanted ON wanted.topic_id = ranked.root
     WHERE ranked.place <= greatest(wanted.items, 1) OR ranked.used_in IS NOT NULL
    """
)
"""Least seen first, then by questions/forms.draw_key: the same session id draws the same form from
the same bank and history. A question under two of the blueprint's topics counts for the nearer
one.

What stands in another of the learner's running sessions comes along, last of all, only to say
which session uses it: drawn again, one session would show the key of the other's item.
"""

_FREEZE = text(
    """
    WITH frozen AS (
        INSERT INTO learning.exam_items (session_id, position, question_id, question_version,
                                         topic_id, discrimination, location)
        SELECT :session_id, i.position, i.question_id, i.question_version, i.topic_id, i.a, i.b
          FROM jsonb_to_recordset(CAST(:items AS jsonb))
               AS i (position int, question_id uuid, question_version int, topic_id uuid,
                     a numeric, b numeric))
    INSERT INTO learning.exam_response_log (session_id, sequence, event, occurred_at, entry,
                                            previous_hash, hash)
    VALUES (:session_id, :sequence, :event, :occurred_at, :entry, :previous_hash, :hash)
    """
)
"""The form, and with it the log's first entry, which names it."""


def start(
    session: Session,
    user_id: UUID,
    slug: str,
    *,
    entitlements: Entitlements,
    time_factor: Decimal,
    now: datetime,
) -> UUID:
    """Start a session of this template and return its id; its form and clock are fixed from here
    on.

    Raises NotFound (`template_not_found`), PaymentRequired naming the products that open this
    template, Conflict (`exam_already_running` with `session_id`,
    `retake_too_early` with `available_from`, `attempts_used_up`, `questions_in_use` naming the
    topics, with the `session_ids` that use them), Unprocessable (`bank_too_small`, naming each
    topic and what it lacks; `template_without_scale`).
    """
    view = find_template(session, user_id, slug, one_at_a_time=True)
    require(
        session,
        entitlements,
        Feature.EXAMS,
        course_id=view.template.course_id,
        template_id=view.template.id,
    )
    _check_scale(view.template)
    _close_expired(session, view, now=now)
    _check_retake(view, now=now)
    session_id = uuid7(now)
    form = sequence(
        draw(session, user_id, session_id, view),
        session_id,
        view.blueprint.sequence,
        topic_order=[topic.topic_id for topic in view.blueprint.topics],
    )
    clock = _clock(view.template, time_factor=time_factor, now=now)
    entry = _first_entry(user_id, session_id, view, form, clock, time_factor=time_factor)
    if not _insert_session(
        session, user_id, session_id, view, clock, entry.head, time_factor=time_factor
    ):
        raise _already_running(_running(session, user_id, view))
    _freeze(session, session_id, form, entry)
    record_event(
        session, "exam_started", now=now, user_id=user_id, exam_session_id=session_id, template=slug
    )
    return session_id


def draw(
    session: Session, user_id: UUID, session_id: UUID, view: TemplateView
) -> list[DrawnQuestion]:
    """The questions of a form, unordered; none of them stands in another running session of the
    learner.

    Raises Unprocessable (`bank_too_small`) when a topic has too few, Conflict (`questions_in_use`)
    when it has enough, but not while the learner's other sessions run.
    """
    wanted = view.blueprint.counts()
    rows = _rank(session, user_id, session_id, wanted)
    missing = _missing(wanted, rows)
    if missing:
        _refuse_too_small(view, missing, rows)
        users = _users(missing, rows)
        running = _running(session, user_id, view)
        if running is not None:  # begun after this start had read the template
            raise _already_running(running)
        ended = [submission.submit_if_expired(session, other) for other in users]
        if not any(ended):
            raise _questions_in_use(view, missing, users)
        rows = _rank(session, user_id, session_id, wanted)
        missing = _missing(wanted, rows)
        if missing:
            raise _questions_in_use(view, missing, _users(missing, rows))
    return [
        DrawnQuestion(
            question_id=row.id,
            question_version=row.version,
            topic_id=row.root,
            parameters=_parameters(row),
        )
        for row in rows
        if row.place <= wanted[row.root]
    ]


def _rank(
    session: Session, user_id: UUID, session_id: UUID, wanted: Mapping[UUID, int]
) -> Sequence[Row[Any]]:
    parameters = {
        "wanted": json.dumps(
            [{"topic_id": str(topic), "items": items} for topic, items in wanted.items()]
        ),
        "user_id": user_id,
        "session_id": str(session_id),
    }
    return session.execute(_DRAW, parameters).all()


def _missing(wanted: Mapping[UUID, int], rows: Sequence[Row[Any]]) -> list[Shortfall[UUID]]:
    return shortfalls(wanted, {row.root: row.available for row in rows})


def _users(missing: Sequence[Shortfall[UUID]], rows: Sequence[Row[Any]]) -> list[UUID]:
    """The running sessions that use questions of these topics, oldest first."""
    short = {gap.key for gap in missing}
    return sorted({used for row in rows if row.root in short for used in row.used_in or ()})


def _parameters(row: Any) -> Item:
    if row.discrimination is not None and row.location is not None:
        return Item(float(row.discrimination), float(row.location))
    return prior_from_difficulty(row.difficulty)


def _refuse_too_small(
    view: TemplateView, missing: Sequence[Shortfall[UUID]], rows: Sequence[Row[Any]]
) -> None:
    """Raise when a topic would lack questions also if no running session used any."""
    used = {row.root: row.used for row in rows}
    too_small = shortfalls(
        {gap.key: gap.wanted for gap in missing},
        {gap.key: gap.available + used.get(gap.key, 0) for gap in missing},
    )
    if too_small:
        raise Unprocessable(
            "The question bank cannot fill this exam's blueprint.",
            code="bank_too_small",
            errors=_by_topic(view, too_small, "bank_too_small", "are there"),
        )


def _questions_in_use(
    view: TemplateView, missing: Sequence[Shortfall[UUID]], users: Sequence[UUID]
) -> Conflict:
    return Conflict(
        "Exams that you have not finished use questions that this one needs; finish them first.",
        code="questions_in_use",
        errors=_by_topic(view, missing, "questions_in_use", "are free"),
        session_ids=list(users),
    )


def _by_topic(
    view: TemplateView, gaps: Sequence[Shortfall[UUID]], code: str, state: str
) -> list[FieldError]:
    topics = {topic.id: topic for topic in view.topics}
    return [
        FieldError(
            f"blueprint.topics.{topics[gap.key].slug}",
            code,
            f"{topics[gap.key].name}: {gap.wanted} questions are wanted, {gap.available} {state},"
            f" {gap.wanted - gap.available} are missing.",
        )
        for gap in gaps
    ]


def _check_scale(template: ExamTemplate) -> None:
    """A session freezes the scale: one without it could never be scored."""
    scale = (template.scale_minimum, template.pass_score, template.scale_maximum)
    if template.scoring_mode is ScoringMode.SCALED and None in scale:
        raise Unprocessable(
            "This exam cannot be scored: its template has no scale.", code="template_without_scale"
        )


def _close_expired(session: Session, view: TemplateView, *, now: datetime) -> None:
    """A session whose time ran out a moment ago must not stand in the way until the job comes."""
    if view.running_session_id is None:
        return
    if not submission.submit_if_expired(session, view.running_session_id):
        raise _already_running(view.running_session_id)


def _running(session: Session, user_id: UUID, view: TemplateView) -> UUID | None:
    return session.scalar(
        select(ExamSession.id).where(
            ExamSession.user_id == user_id,
            ExamSession.template_id == view.template.id,
            ExamSession.status.in_(RUNNING),
        )
    )


def _already_running(session_id: UUID | None) -> Conflict:
    return Conflict(
        "You are taking this exam already; finish or resume that session.",
        code="exam_already_running",
        session_id=session_id,
    )


def _check_retake(view: TemplateView, *, now: datetime) -> None:
    if view.attempts_left == 0:
        raise Conflict(
            f"All {view.template.max_attempts} attempts are used up.", code="attempts_used_up"
        )
    available_from = view.wait_until(now)
    if available_from is not None:
        raise Conflict(
            "This exam cannot be taken again yet.",
            code="retake_too_early",
            available_from=available_from,
        )


def _clock(template: ExamTemplate, *, time_factor: Decimal, now: datetime) -> ExamClock:
    return ExamClock(
        started_at=now,
        deadline_at=now + duration(template.duration_minutes, time_factor),
        pause_budget_seconds=template.pause_minutes * 60,
    )


def _first_entry(
    user_id: UUID,
    session_id: UUID,
    view: TemplateView,
    form: Sequence[DrawnQuestion],
    clock: ExamClock,
    *,
    time_factor: Decimal,
) -> Entry:
    template = view.template
    fact = response_log.started(
        learner=user_id,
        exam=(template.slug, template.title),
        form=[(question.question_id, question.question_version) for question in form],
        clock=clock,
        duration_minutes=template.duration_minutes,
        time_factor=time_factor,
        scoring_mode=template.scoring_mode.value,
        is_practice=template.is_practice,
    )
    return next_entry(Head(), session_id, fact.event, clock.started_at, fact.data)


def _insert_session(
    session: Session,
    user_id: UUID,
    session_id: UUID,
    view: TemplateView,
    clock: ExamClock,
    head: Head,
    *,
    time_factor: Decimal,
) -> bool:
    """Whether the session could be made: the partial unique index lets one run at a time."""
    template = view.template
    scoring = Scoring(
        pass_percent=template.pass_percent,
        scale_minimum=template.scale_minimum,
        scale_maximum=template.scale_maximum,
        pass_score=template.pass_score,
        pass_theta=None if template.pass_theta is None else float(template.pass_theta),
    )
    statement = insert(ExamSession).values(
        id=session_id,
        user_id=user_id,
        template_id=template.id,
        status=ExamStatus.IN_PROGRESS,
        scoring_mode=template.scoring_mode,
        is_practice=template.is_practice,
        blueprint=template.blueprint,
        scoring=scoring.model_dump(mode="json"),
        duration_minutes=template.duration_minutes,
        time_factor=time_factor,
        started_at=clock.started_at,
        deadline_at=clock.deadline_at,
        pause_budget_seconds=clock.pause_budget_seconds,
        log_sequence=head.sequence,
        log_hash=head.hash,
    )
    made = session.scalar(statement.on_conflict_do_nothing().returning(ExamSession.id))
    return made is not None


def _freeze(
    session: Session, session_id: UUID, form: Sequence[DrawnQuestion], entry: Entry
) -> None:
    items = [
        {
            "position": position,
            "question_id": str(question.question_id),
            "question_version": question.question_version,
            "topic_id": str(question.topic_id),
            "a": question.parameters.a,
            "b": question.parameters.b,
        }
        for position, question in enumerate(form, start=1)
    ]
    session.execute(
        _FREEZE,
        {"items": json.dumps(items), **response_log.columns(session_id, entry)},
    )
