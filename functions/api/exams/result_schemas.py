"""Responses of exams that are over: the scored review, and the keys of receipts."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.exams.schemas import ResponseOut, SessionSummaryOut
from studypack.core.config import get_settings
from studypack.core.http import Out
from studypack.exams import results
from studypack.exams.irt import scaled_error
from studypack.exams.models import ExamSession
from studypack.exams.results import GradedItem
from studypack.exams.scoring import Scoring
from studypack.exams.sessions import FormItem, SessionView
from studypack.questions.forms import RevealedItem, reveal


class ScoreOut(Out):
    """The score on the template's scale."""

    minimum: int
    maximum: int
    pass_score: int
    score: int | None = Field(description="Null until the scoring job has run")
    standard_error: float | None = Field(description="In points of the scale")


class TopicResultOut(Out):
    """How a topic went."""

    id: UUID
    slug: str
    name: str
    items: int
    answered: int
    credit: Decimal
    percent: Decimal
    seconds: int
    mastery: float | None = Field(
        description="The learner's current mastery of the topic, with all that came since; 0 to 1"
    )


class ReviewItemOut(Out):
    """An item after submission: key, rationale, what was answered and earned."""

    question_id: UUID
    topic: str
    question: RevealedItem
    response: ResponseOut | None
    credit: Decimal
    is_correct: bool


class ReviewOut(SessionSummaryOut):
    """The scored review."""

    disclaimer: str | None
    items_total: int
    items_answered: int
    items_flagged: int
    seconds: int
    scaled: ScoreOut | None
    topics: list[TopicResultOut]
    items: list[ReviewItemOut]
    media_base_url: str

    @classmethod
    def of_view(cls, view: SessionView) -> ReviewOut:
        """From the service's view of a submitted session."""
        session = view.session
        result = results.summarise([_graded(entry) for entry in view.items])
        topics = {entry.item.topic_id: entry for entry in view.items}
        return cls(
            **dict(SessionSummaryOut.of((session, view.template))),
            disclaimer=view.course.disclaimer,
            items_total=result.totals.items,
            items_answered=result.totals.answered,
            items_flagged=sum(bool(e.response and e.response.flagged) for e in view.items),
            seconds=result.totals.seconds,
            scaled=_scaled(session),
            topics=[
                TopicResultOut(
                    id=topic.topic_id,
                    slug=topics[topic.topic_id].topic.slug,
                    name=topics[topic.topic_id].topic.name,
                    items=topic.totals.items,
                    answered=topic.totals.answered,
                    credit=topic.totals.credit,
                    percent=topic.totals.percent,
                    seconds=topic.totals.seconds,
                    mastery=topics[topic.topic_id].mastery,
                )
                for topic in result.topics
            ],
            items=[_reviewed(view, entry) for entry in view.items],
            media_base_url=get_settings().media_base_url,
        )


def _graded(entry: FormItem) -> GradedItem:
    response = entry.response
    return GradedItem(
        topic_id=entry.item.topic_id,
        credit=float(response.credit or 0) if response else 0.0,
        time_spent_seconds=response.time_spent_seconds if response else 0,
        answered=response is not None and response.answer is not None,
    )


def _scaled(session: ExamSession) -> ScoreOut | None:
    scale = Scoring.model_validate(session.scoring).scale
    if scale is None:
        return None
    error = session.theta_error
    return ScoreOut(
        minimum=scale.minimum,
        maximum=scale.maximum,
        pass_score=scale.pass_score,
        score=session.score_scaled,
        standard_error=None if error is None else scaled_error(float(error), scale),
    )


def _reviewed(view: SessionView, entry: FormItem) -> ReviewItemOut:
    response = entry.response
    return ReviewItemOut(
        question_id=entry.item.question_id,
        topic=entry.topic.slug,
        question=reveal(entry.content, view.session.id, entry.item.position, view.shuffles_options),
        response=None if response is None else ResponseOut.model_validate(response),
        credit=Decimal(0) if response is None else response.credit or Decimal(0),
        is_correct=bool(response and response.is_correct),
    )


class ReceiptKeyOut(Out):
    """A public key as a JSON Web Key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    alg: Literal["EdDSA"]
    use: Literal["sig"]
    kid: str = Field(description="The key's thumbprint (RFC 7638), which receipts name")
    x: str


class ReceiptKeysOut(Out):
    """The keys that exam receipts are signed with: the present one, then those before it."""

    keys: list[ReceiptKeyOut]
