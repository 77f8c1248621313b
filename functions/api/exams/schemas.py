"""Requests and responses of exams on offer and under way (once over: result_schemas.py)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from studypack.billing.entitlements import Entitlements
from studypack.billing.features import Feature
from studypack.core.config import get_settings
from studypack.core.http import In, Out, UtcTime
from studypack.core.http.schemas import small_json
from studypack.exams.clock import ExamClock
from studypack.exams.models import ExamSession, ExamStatus, ExamTemplate, ScoringMode, SubmittedBy
from studypack.exams.responses import NewResponse, SavedResponse
from studypack.exams.scoring import Scoring
from studypack.exams.sessions import MAX_METADATA_CHARACTERS, FormItem, SessionView
from studypack.exams.templates import TemplateView
from studypack.questions.answers import Answer
from studypack.questions.forms import PublicItem, RevealedItem, present, reveal

MAX_REVISION = 2_000_000_000


class TopicShareOut(Out):
    """A topic's part of the exam."""

    id: UUID
    slug: str
    name: str
    weight: float
    items: int


class TemplateOut(Out):
    """An exam on offer, and where the learner stands with it."""

    id: UUID
    slug: str
    title: str
    description: str | None
    course_slug: str
    disclaimer: str | None
    duration_minutes: int
    items: int
    topics: list[TopicShareOut]
    scoring_mode: ScoringMode
    scoring: Scoring
    is_practice: bool
    pause_minutes: int
    retake_after_hours: int
    max_attempts: int | None
    attempts: int
    attempts_left: int | None
    available_from: UtcTime | None
    running_session_id: UUID | None
    is_open: bool = Field(description="Whether the learner's plan includes it")

    @classmethod
    def of(cls, view: TemplateView, *, entitlements: Entitlements, now: datetime) -> TemplateOut:
        """From the service's view."""
        template = view.template
        return cls(
            id=template.id,
            slug=template.slug,
            title=template.title,
            description=template.description,
            course_slug=view.course.slug,
            disclaimer=view.course.disclaimer,
            duration_minutes=template.duration_minutes,
            items=view.blueprint.items,
            topics=[TopicShareOut.model_validate(topic) for topic in view.topics],
            scoring_mode=template.scoring_mode,
            scoring=Scoring(
                pass_percent=template.pass_percent,
                scale_minimum=template.scale_minimum,
                scale_maximum=template.scale_maximum,
                pass_score=template.pass_score,
                pass_theta=None if template.pass_theta is None else float(template.pass_theta),
            ),
            is_practice=template.is_practice,
            pause_minutes=template.pause_minutes,
            retake_after_hours=template.retake_after_hours,
            max_attempts=template.max_attempts,
            attempts=view.attempts,
            attempts_left=view.attempts_left,
            available_from=view.wait_until(now),
            running_session_id=view.running_session_id,
            is_open=entitlements.opens(
                Feature.EXAMS, course_id=template.course_id, template_id=template.id
            ),
        )


class StartIn(In):
    """Which exam to take."""

    template: Annotated[
        str, StringConstraints(min_length=1, max_length=100), Field(examples=["ot-diagnostic"])
    ]


class ClockOut(Out):
    """The session's clock. The server's is the one that counts: compare `server_now` with your
    own. A submitted session's stands at 0.
    """

    server_now: UtcTime
    started_at: UtcTime
    deadline_at: UtcTime
    remaining_seconds: int
    paused: bool
    pause_left_seconds: int

    @classmethod
    def of(cls, clock: ExamClock, *, now: datetime, submitted: bool = False) -> ClockOut:
        """The clock as it stands at `now`."""
        settled = clock.settled(now)
        left = settled.pause_left_seconds
        if settled.paused_at is not None:
            left -= int((now - settled.paused_at).total_seconds())
        return cls(
            server_now=now,
            started_at=clock.started_at,
            deadline_at=clock.running_deadline(now),
            remaining_seconds=0 if submitted else clock.remaining_seconds(now),
            paused=not submitted and clock.is_paused(now),
            pause_left_seconds=max(0, left),
        )


class ResponseOut(Out):
    """The stored state of one item."""

    question_id: UUID
    revision: int
    answer: dict[str, Any] | None
    flagged: bool
    time_spent_seconds: int


class ExamItemOut(Out):
    """One place of the form: what is asked and what was answered so far."""

    question_id: UUID
    topic: str
    question: PublicItem
    response: ResponseOut | None
    solution: RevealedItem | None = Field(
        description="Practice sessions only, once the item is answered"
    )


class SessionSummaryOut(Out):
    """A session in one line."""

    id: UUID
    template: str
    title: str
    status: ExamStatus
    scoring_mode: ScoringMode
    is_practice: bool
    time_factor: Decimal
    started_at: UtcTime | None
    submitted_at: UtcTime | None
    submitted_by: SubmittedBy | None
    completed_at: UtcTime | None
    score_raw: Decimal | None
    score_percent: Decimal | None
    score_scaled: int | None
    passed: bool | None

    @classmethod
    def of(cls, row: tuple[ExamSession, ExamTemplate]) -> SessionSummaryOut:
        """From a session and its template."""
        session, template = row
        return cls(
            id=session.id,
            template=template.slug,
            title=template.title,
            status=session.status,
            scoring_mode=session.scoring_mode,
            is_practice=session.is_practice,
            time_factor=session.time_factor,
            started_at=session.started_at,
            submitted_at=session.submitted_at,
            submitted_by=session.submitted_by,
            completed_at=session.completed_at,
            score_raw=session.score_raw,
            score_percent=session.score_percent,
            score_scaled=session.score_scaled,
            passed=session.passed,
        )


class SessionOut(SessionSummaryOut):
    """A session with its clock and form. A paused one hides its questions: `items` is empty."""

    clock: ClockOut
    duration_minutes: int
    item_count: int
    media_base_url: str
    metadata: dict[str, Any]
    items: list[ExamItemOut]

    @classmethod
    def of_view(cls, view: SessionView, *, now: datetime) -> SessionOut:
        """From the service's view, at the time of the request."""
        session = view.session
        submitted = session.status is not ExamStatus.IN_PROGRESS
        hidden = not submitted and view.clock.is_paused(now)
        summary = SessionSummaryOut.of((session, view.template))
        return cls(
            **dict(summary),
            clock=ClockOut.of(view.clock, now=now, submitted=submitted),
            duration_minutes=session.duration_minutes,
            item_count=len(view.items),
            media_base_url=get_settings().media_base_url,
            metadata=session.session_metadata,
            items=[] if hidden else [_item(view, item) for item in view.items],
        )


def _item(view: SessionView, entry: FormItem) -> ExamItemOut:
    shown = (entry.content, view.session.id, entry.item.position, view.shuffles_options)
    response = entry.response
    revealed = view.session.is_practice and response is not None and response.reviewed_at
    return ExamItemOut(
        question_id=entry.item.question_id,
        topic=entry.topic.slug,
        question=present(*shown),
        response=None if response is None else ResponseOut.model_validate(response),
        solution=reveal(*shown) if revealed else None,
    )


class ResponseIn(In):
    """The whole state of one item, under a revision that the client counts up with each change."""

    question_id: UUID
    revision: Annotated[int, Field(ge=1, le=MAX_REVISION)]
    answer: Answer | None = Field(
        default=None, description="By the question's type; null or a selection of nothing clears it"
    )
    flagged: bool | None = Field(default=None, description="Null leaves the flag as it is")
    time_spent_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0

    def to_service(self) -> NewResponse:
        """As the service takes it."""
        return NewResponse(
            self.question_id, self.revision, self.answer, self.flagged, self.time_spent_seconds
        )


class SavedOut(ResponseOut):
    """The stored state of the item, and the clock."""

    saved_at: UtcTime
    replayed: bool = Field(description="This revision was stored before")
    clock: ClockOut
    solution: RevealedItem | None

    @classmethod
    def of(cls, saved: SavedResponse) -> SavedOut:
        """From the service's answer."""
        solution = None
        if saved.revealed:
            solution = reveal(
                saved.content, saved.session_id, saved.position, saved.shuffle_options
            )
        return cls(
            question_id=saved.question_id,
            revision=saved.revision,
            answer=saved.answer,
            flagged=saved.flagged,
            time_spent_seconds=saved.time_spent_seconds,
            saved_at=saved.saved_at,
            replayed=saved.replayed,
            clock=ClockOut.of(saved.clock, now=saved.now),
            solution=solution,
        )


def _small(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    if len(str(small_json(value))) > MAX_METADATA_CHARACTERS:
        raise ValueError(f"at most {MAX_METADATA_CHARACTERS} characters in all")
    return value


class SessionPatch(In):
    """Pause or resume, or note something about the session; one of them."""

    action: Literal["pause", "resume"] | None = None
    metadata: Annotated[dict[str, Any] | None, AfterValidator(_small)] = Field(
        default=None, description="Merged key by key; null removes a key"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> SessionPatch:
        if (self.action is None) == (self.metadata is None):
            raise ValueError("give either action or metadata")
        return self
