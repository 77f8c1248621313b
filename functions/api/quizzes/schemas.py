"""Requests and responses of quizzes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from studypack.core.config import get_settings
from studypack.core.http import In, Out, UtcTime
from studypack.courses.locks import LockReason
from studypack.questions.answers import Answer
from studypack.questions.forms import PublicItem, RevealedItem, present, reveal
from studypack.quizzes.answers import NewAnswer
from studypack.quizzes.attempts import AttemptItem, AttemptView
from studypack.quizzes.catalogue import QuizView
from studypack.quizzes.models import AnalysisType, AttemptPolicy, AttemptStatus
from studypack.quizzes.recommendations import Kind

MAX_REVISION = 2_000_000_000


class QuizLockOut(Out):
    """Why a quiz is closed to the learner, and when that ends by itself."""

    reason: LockReason
    released_at: UtcTime | None


class QuizResultOut(Out):
    """The attempt that counts as the learner's result, by the quiz's policy."""

    attempt_id: UUID
    attempt_number: int
    submitted_at: UtcTime
    score_points: Decimal
    max_points: int
    score_percentage: Decimal
    passed: bool


class QuizSummaryOut(Out):
    """A quiz with its rules, and where the learner stands with it."""

    id: UUID
    course_slug: str
    module_id: UUID | None
    topic_id: UUID | None
    slug: str
    title: str
    description: str | None
    questions: int = Field(description="So many an attempt has")
    passing_score: int = Field(description="Percent of the points")
    time_limit_minutes: int | None
    max_attempts: int | None
    attempts: int = Field(description="Begun so far")
    attempts_left: int | None = Field(description="Null: any number")
    attempt_policy: AttemptPolicy = Field(description="Which attempt is the result")
    negative_marking: Decimal = Field(
        description="Share of a question's points that a wrong answer costs; never below 0 in all"
    )
    running_attempt_id: UUID | None
    has_passed: bool = Field(description="By any attempt; it stays, whatever the result shows")
    result: QuizResultOut | None
    lock: QuizLockOut | None = Field(description="Null: open to the learner")


class QuizOut(QuizSummaryOut):
    """One quiz, open to the learner."""

    disclaimer: str | None
    shuffle_questions: bool
    shuffle_options: bool
    running_until: UtcTime | None = Field(description="The running attempt's deadline")
    server_now: UtcTime

    @classmethod
    def of(cls, view: QuizView, *, now: datetime) -> QuizOut:
        """From the service's view, at the time of the request."""
        names = cls.model_fields.keys() - {"server_now"}
        return cls.model_validate(
            {name: getattr(view, name) for name in names} | {"server_now": now}
        )


class QuizAttemptSummaryOut(Out):
    """An attempt in one line."""

    id: UUID
    quiz_id: UUID
    attempt_number: int
    status: AttemptStatus
    started_at: UtcTime
    deadline_at: UtcTime | None
    submitted_at: UtcTime | None
    score_points: Decimal | None
    max_points: int
    score_percentage: Decimal | None
    passed: bool | None
    xp_awarded: int


class QuizAnswerOut(Out):
    """What is stored of an answer."""

    response: dict[str, Any] | None
    revision: int
    time_spent_seconds: int
    answered_at: UtcTime


class QuizItemOut(Out):
    """One place of the form: what is asked and what was answered; after submission its solution
    and what was earned.
    """

    question_id: UUID
    position: int
    points: int
    topic: str
    question: PublicItem
    answer: QuizAnswerOut | None
    is_correct: bool | None = Field(description="Null until submission")
    points_awarded: Decimal | None = Field(description="Null until submission; may be negative")
    solution: RevealedItem | None = Field(
        description="Key, rationale and feedback; null until submission"
    )


class QuizAttemptOut(QuizAttemptSummaryOut):
    """An attempt with its form and clock. The server's clock is the one that counts: compare
    `server_now` with your own.
    """

    quiz_title: str
    course_slug: str
    disclaimer: str | None
    passing_score: int
    negative_marking: Decimal
    server_now: UtcTime
    remaining_seconds: int | None = Field(description="Null without a time limit")
    media_base_url: str
    items: list[QuizItemOut]

    @classmethod
    def of(cls, view: AttemptView, *, now: datetime) -> QuizAttemptOut:
        """From the service's view, at the time of the request."""
        shared = {name: getattr(view, name) for name in QuizAttemptSummaryOut.model_fields}
        return cls(
            **shared,
            quiz_title=view.quiz_title,
            course_slug=view.course_slug,
            disclaimer=view.disclaimer,
            passing_score=view.rules.passing_score,
            negative_marking=view.rules.negative_marking,
            server_now=now,
            remaining_seconds=view.remaining_seconds(now),
            media_base_url=get_settings().media_base_url,
            items=[_item(view, item) for item in view.items],
        )


def _item(view: AttemptView, item: AttemptItem) -> QuizItemOut:
    shown = (item.content, view.id, item.position, view.rules.shuffle_options)
    answer = item.answer
    open_now = view.is_submitted
    earned = Decimal(0) if answer is None else answer.points_awarded
    return QuizItemOut(
        question_id=item.question_id,
        position=item.position,
        points=item.points,
        topic=item.topic_slug,
        question=present(*shown),
        answer=None if answer is None else QuizAnswerOut.model_validate(answer),
        is_correct=bool(answer and answer.is_correct) if open_now else None,
        points_awarded=earned if open_now else None,
        solution=reveal(*shown) if open_now else None,
    )


class QuizAnswerIn(In):
    """The answer to one question, under a revision that the client counts up with each change."""

    response: Answer | None = Field(
        description="By the question's type; null or a selection of nothing clears it"
    )
    revision: Annotated[int, Field(ge=1, le=MAX_REVISION)]
    time_spent_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0

    def to_service(self) -> NewAnswer:
        """As the service takes it."""
        return NewAnswer(self.response, self.revision, self.time_spent_seconds)


class QuizSavedOut(QuizAnswerOut):
    """What is stored then, and the clock."""

    question_id: UUID
    deadline_at: UtcTime | None
    server_now: UtcTime
    replayed: bool = Field(description="This revision was stored before")


class QuizRecommendationOut(Out):
    """One thing to do, in plain text, and the id of what it points to."""

    text: str
    kind: Kind
    reference_id: UUID | None


class QuizAnalysisOut(Out):
    """What an attempt tells of its learner. All texts are plain."""

    attempt_id: UUID
    analysis_type: AnalysisType = Field(
        description="AI: by rules or a model; MANUAL: by a person; HYBRID: then edited by one"
    )
    performance_breakdown: dict[str, float] = Field(description="Percent by topic")
    strong_topics: list[str]
    weak_topics: list[str]
    recommendations: list[QuizRecommendationOut]
    insights: str | None
    avg_time_per_question: int | None = Field(description="Seconds; null when none were told")
    time_management: str | None
    time_management_rule: str | None = Field(
        description="Stable code of the rule that gave the verdict"
    )
    analyzed_at: UtcTime | None = Field(description="When a person wrote or edited it")
    created_at: UtcTime
    updated_at: UtcTime
