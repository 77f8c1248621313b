"""Making quizzes, and editing what is said of attempts, for admins."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field, StringConstraints

from studypack.access.guards import AdminUser
from studypack.core.http import (
    DbSession,
    In,
    LongText,
    Out,
    Page,
    Paging,
    ShortText,
    UtcTime,
    page_of,
)
from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN
from studypack.questions.answers import QuestionType
from studypack.questions.models import QuestionStatus
from studypack.quizzes import analyses, authoring
from studypack.quizzes.authoring import MOST_QUESTIONS, ChosenQuestion, QuestionRow, QuizRecord
from studypack.quizzes.models import AnalysisType, AttemptPolicy
from studypack.quizzes.recommendations import Kind

router = APIRouter()

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=MAX_SLUG)]
Percent = Annotated[int, Field(ge=0, le=100, description="Percent of the points")]
Minutes = Annotated[int | None, Field(ge=1, le=1440, description="Null: no limit")]
Attempts = Annotated[int | None, Field(ge=1, le=1_000, description="Null: any number")]
QuestionCount = Annotated[
    int | None, Field(ge=1, le=MOST_QUESTIONS, description="So many are drawn; null: all")
]
NegativeMarking = Annotated[
    Decimal,
    Field(ge=0, le=1, max_digits=3, decimal_places=2, description="Share that a wrong one costs"),
]
Position = Annotated[
    int, Field(ge=0, le=32_000, description="In its module, behind the lessons; not set: last")
]
Points = Annotated[int, Field(ge=1, le=100)]
PlainText = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
TopicNames = Annotated[list[ShortText], Field(max_length=50)]


class QuizIn(In):
    """A quiz to make; learners see it once it is published."""

    course_id: UUID
    module_id: UUID | None = Field(default=None, description="Where it counts towards progress")
    topic_id: UUID | None = Field(default=None, description="What it is about; one of the two")
    slug: Slug | None = Field(default=None, description="Not set: made of the title")
    title: ShortText
    description: LongText | None = None
    passing_score: Percent = 70
    time_limit_minutes: Minutes = None
    max_attempts: Attempts = None
    attempt_policy: AttemptPolicy = AttemptPolicy.BEST
    question_count: QuestionCount = None
    shuffle_questions: bool = True
    shuffle_options: bool = True
    negative_marking: NegativeMarking = Decimal(0)
    position: Position | None = None


class QuizPatch(In):
    """What to change; what is left out stays. `updated_at`: of the state that one looked at."""

    # Defaults that stand for nothing: only what was sent is read, and the document shows none.

    updated_at: AwareDatetime
    module_id: UUID | None = None
    topic_id: UUID | None = None
    slug: Slug = Field(default_factory=str)
    title: ShortText = Field(default_factory=str)
    description: LongText | None = None
    passing_score: Percent = Field(default_factory=int)
    time_limit_minutes: Minutes = None
    max_attempts: Attempts = None
    attempt_policy: AttemptPolicy = Field(default_factory=lambda: AttemptPolicy.BEST)
    question_count: QuestionCount = None
    shuffle_questions: bool = Field(default_factory=bool)
    shuffle_options: bool = Field(default_factory=bool)
    negative_marking: NegativeMarking = Field(default_factory=Decimal)
    position: Position = Field(default_factory=int)

    def changes(self) -> dict[str, Any]:
        """Columns and their new values."""
        return self.model_dump(exclude_unset=True, exclude={"updated_at"})


class ChosenQuestionIn(In):
    """A question of the course's bank, and what it is worth."""

    question_id: UUID
    points: Points = 1


class QuizQuestionsIn(In):
    """All questions of the quiz, in this order. `updated_at`: of the quiz that one looked at."""

    updated_at: AwareDatetime
    questions: Annotated[list[ChosenQuestionIn], Field(max_length=MOST_QUESTIONS)]

    def to_service(self) -> list[ChosenQuestion]:
        """As the service takes them."""
        return [ChosenQuestion(each.question_id, each.points) for each in self.questions]


class AdminQuizSummaryOut(Out):
    """A quiz in a list for admins."""

    id: UUID
    course_id: UUID
    course_slug: str
    module_id: UUID | None
    topic_id: UUID | None
    slug: str
    title: str
    description: str | None
    passing_score: int
    time_limit_minutes: int | None
    max_attempts: int | None
    attempt_policy: AttemptPolicy
    question_count: int | None
    shuffle_questions: bool
    shuffle_options: bool
    negative_marking: Decimal
    position: int
    number_of_questions: int
    published: bool
    generated_by_ai: bool
    created_at: UtcTime
    updated_at: UtcTime

    @classmethod
    def of(cls, record: QuizRecord) -> AdminQuizSummaryOut:
        """From the service's record."""
        return cls.model_validate(_columns(record))


class QuizQuestionOut(Out):
    """A question of a quiz as its author sees it."""

    question_id: UUID
    points: int
    source_id: str | None
    type: QuestionType
    stem: str
    topic: str
    status: QuestionStatus
    is_deleted: bool


class AdminQuizOut(AdminQuizSummaryOut):
    """A quiz with its questions in order."""

    questions: list[QuizQuestionOut]

    @classmethod
    def of_found(cls, found: tuple[QuizRecord, Any]) -> AdminQuizOut:
        """From the service's record and its questions."""
        record, questions = found
        rows: list[QuestionRow] = list(questions)
        return cls.model_validate(
            {
                **_columns(record),
                "questions": [QuizQuestionOut.model_validate(each) for each in rows],
            }
        )


def _columns(record: QuizRecord) -> dict[str, Any]:
    own = {"course_slug", "position", "number_of_questions"}
    names = AdminQuizSummaryOut.model_fields.keys() - own
    return {name: getattr(record.quiz, name) for name in names} | {
        name: getattr(record, name) for name in own
    }


class QuizRecommendationIn(In):
    """One thing to do, in plain text, and the id of what it points to."""

    text: PlainText
    kind: Kind
    reference_id: UUID | None = None


Recommendations = Annotated[list[QuizRecommendationIn], Field(max_length=20)]


class QuizAnalysisIn(In):
    """An analysis by a person, for an attempt that has none."""

    insights: LongText
    time_management: PlainText | None = None
    strong_topics: TopicNames = Field(default_factory=list)
    weak_topics: TopicNames = Field(default_factory=list)
    recommendations: Recommendations = Field(default_factory=list)

    def texts(self) -> dict[str, Any]:
        """Columns and their values."""
        return self.model_dump(mode="json")


class QuizAnalysisPatch(In):
    """Texts to change; what is left out stays. `updated_at`: of the state that one looked at."""

    updated_at: AwareDatetime
    insights: LongText | None = None
    time_management: PlainText | None = None
    strong_topics: TopicNames = Field(default_factory=list)
    weak_topics: TopicNames = Field(default_factory=list)
    recommendations: Recommendations = Field(default_factory=list)

    def texts(self) -> dict[str, Any]:
        """Columns and their new values."""
        return self.model_dump(mode="json", exclude_unset=True, exclude={"updated_at"})


class AdminQuizRecommendationOut(Out):
    """One thing to do, and the id of what it points to."""

    text: str
    kind: Kind
    reference_id: UUID | None


class AdminQuizAnalysisOut(Out):
    """An analysis as admins see it."""

    attempt_id: UUID
    analysis_type: AnalysisType
    ai_model: str | None = Field(description="Null: made by rules, or by a person")
    performance_breakdown: dict[str, float]
    strong_topics: list[str]
    weak_topics: list[str]
    recommendations: list[AdminQuizRecommendationOut]
    insights: str | None
    avg_time_per_question: int | None
    time_management: str | None
    time_management_rule: str | None
    analyzed_by: UUID | None
    analyzed_at: UtcTime | None
    created_at: UtcTime
    updated_at: UtcTime


@router.get("/quizzes")
def list_all_quizzes(
    _caller: AdminUser,
    session: DbSession,
    paging: Paging,
    course_id: UUID | None = None,
    module_id: UUID | None = None,
    topic_id: Annotated[UUID | None, Query()] = None,
) -> Page[AdminQuizSummaryOut]:
    """Quizzes, unpublished ones too, newest first."""
    found = authoring.list_all(
        session, paging, course_id=course_id, module_id=module_id, topic_id=topic_id
    )
    return page_of(found, paging, key=lambda each: each.quiz.id, out=AdminQuizSummaryOut.of)


@router.post("/quizzes", status_code=201)
def create_quiz(body: QuizIn, caller: AdminUser, session: DbSession) -> AdminQuizOut:
    """Make an unpublished quiz without questions."""
    values = body.model_dump(exclude={"course_id"})
    quiz_id = authoring.create(session, body.course_id, values, by=caller.id)
    return AdminQuizOut.of_found(authoring.get(session, quiz_id))


@router.get("/quizzes/{quiz_id}")
def get_quiz_to_edit(quiz_id: UUID, _caller: AdminUser, session: DbSession) -> AdminQuizOut:
    """One quiz with its questions."""
    return AdminQuizOut.of_found(authoring.get(session, quiz_id))


@router.patch("/quizzes/{quiz_id}")
def change_quiz(
    quiz_id: UUID, body: QuizPatch, caller: AdminUser, session: DbSession
) -> AdminQuizOut:
    """Change a quiz; attempts under way keep their rules. 409 `changed_meanwhile` when somebody
    changed it since.
    """
    authoring.change(session, quiz_id, body.changes(), seen_at=body.updated_at, by=caller.id)
    return AdminQuizOut.of_found(authoring.get(session, quiz_id))


@router.put("/quizzes/{quiz_id}/questions")
def choose_quiz_questions(
    quiz_id: UUID, body: QuizQuestionsIn, caller: AdminUser, session: DbSession
) -> AdminQuizOut:
    """State the quiz's questions and their order; attempts under way keep theirs."""
    authoring.choose_questions(
        session, quiz_id, body.to_service(), seen_at=body.updated_at, by=caller.id
    )
    return AdminQuizOut.of_found(authoring.get(session, quiz_id))


@router.post("/quizzes/{quiz_id}/publish")
def publish_quiz(quiz_id: UUID, caller: AdminUser, session: DbSession) -> AdminQuizOut:
    """Show the quiz to learners; 422 lists every question that keeps it from them."""
    authoring.publish(session, quiz_id, by=caller.id)
    return AdminQuizOut.of_found(authoring.get(session, quiz_id))


@router.post("/quizzes/{quiz_id}/unpublish")
def unpublish_quiz(quiz_id: UUID, caller: AdminUser, session: DbSession) -> AdminQuizOut:
    """Take the quiz from learners; attempts under way can be finished."""
    authoring.unpublish(session, quiz_id, by=caller.id)
    return AdminQuizOut.of_found(authoring.get(session, quiz_id))


@router.delete("/quizzes/{quiz_id}", status_code=204)
def delete_quiz(quiz_id: UUID, caller: AdminUser, session: DbSession) -> None:
    """Delete the quiz; its attempts and what was completed by them stay."""
    authoring.remove(session, quiz_id, by=caller.id)


@router.get("/quiz-attempts/{attempt_id}/analysis")
def get_analysis_to_edit(
    attempt_id: UUID, _caller: AdminUser, session: DbSession
) -> AdminQuizAnalysisOut:
    """The analysis of a learner's attempt."""
    return AdminQuizAnalysisOut.model_validate(analyses.of_anybody(session, attempt_id))


@router.post("/quiz-attempts/{attempt_id}/analysis", status_code=201)
def write_analysis(
    attempt_id: UUID, body: QuizAnalysisIn, caller: AdminUser, session: DbSession
) -> AdminQuizAnalysisOut:
    """Write an analysis (MANUAL) for an attempt that has none."""
    written = analyses.write(session, attempt_id, body.texts(), by=caller.id, now=caller.now)
    return AdminQuizAnalysisOut.model_validate(written)


@router.patch("/quiz-attempts/{attempt_id}/analysis")
def edit_analysis(
    attempt_id: UUID, body: QuizAnalysisPatch, caller: AdminUser, session: DbSession
) -> AdminQuizAnalysisOut:
    """Edit what an analysis says: the machine's becomes HYBRID; who edited it and when is kept."""
    edited = analyses.edit(
        session,
        attempt_id,
        body.texts(),
        seen_at=body.updated_at,
        by=caller.id,
        now=caller.now,
    )
    return AdminQuizAnalysisOut.model_validate(edited)
