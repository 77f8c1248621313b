"""Quizzes: what there is, attempts, answers, results and their analysis."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from api.quizzes.schemas import (
    QuizAnalysisOut,
    QuizAnswerIn,
    QuizAttemptOut,
    QuizAttemptSummaryOut,
    QuizOut,
    QuizSavedOut,
    QuizSummaryOut,
)
from studypack.access.guards import CurrentUser
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.core.idempotency import RepeatableRequest, once
from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN
from studypack.quizzes import analyses, answers, attempts, beginning, catalogue, submission

router = APIRouter(prefix="/api", tags=["quizzes"])


@router.get("/quizzes")
def list_quizzes(
    caller: CurrentUser,
    session: DbSession,
    course: Annotated[
        str | None,
        Query(max_length=MAX_SLUG, pattern=SLUG_PATTERN, description="A course's slug"),
    ] = None,
    topic: Annotated[UUID | None, Query(description="A topic's id")] = None,
) -> Page[QuizSummaryOut]:
    """The published quizzes of a course, on a topic, or both, on one page; `lock` says why one is
    closed.
    """
    found = catalogue.published(session, caller, course=course, topic_id=topic)
    return Page(items=[QuizSummaryOut.model_validate(view) for view in found], next_cursor=None)


@router.get("/quizzes/{quiz_id}")
def get_quiz(quiz_id: UUID, caller: CurrentUser, session: DbSession) -> QuizOut:
    """The quiz's rules, the attempts that are left, my result by its policy, a running attempt."""
    return QuizOut.of(catalogue.get(session, caller, quiz_id), now=caller.now)


@router.post(
    "/quizzes/{quiz_id}/attempts",
    status_code=201,
    responses={200: {"model": QuizAttemptOut, "description": "An attempt was under way: this one"}},
)
def begin_quiz(
    quiz_id: UUID,
    caller: CurrentUser,
    session: DbSession,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> QuizAttemptOut:
    """Begin an attempt: its questions are drawn and its clock runs from here. While one is under
    way it is the answer (200), in whatever tab. Repeat safely with Idempotency-Key.
    """
    request = RepeatableRequest(
        caller.id, "quizzes.begin", idempotency_key, {"quiz_id": str(quiz_id)}
    )
    response.status_code = 200

    def begin() -> UUID:
        begun = beginning.begin(session, caller, quiz_id)
        if begun.is_new:
            response.status_code = 201
        return begun.id

    def read(begun: UUID) -> QuizAttemptOut:
        return QuizAttemptOut.of(attempts.load(session, caller.id, begun), now=caller.now)

    return once(session, request, begin, read)


@router.get("/quizzes/{quiz_id}/attempts")
def list_quiz_attempts(
    quiz_id: UUID, caller: CurrentUser, session: DbSession, paging: Paging
) -> Page[QuizAttemptSummaryOut]:
    """My attempts at a quiz, newest first; also after access ended."""
    found = attempts.history(session, caller.id, quiz_id, paging)
    return page_of(
        found, paging, key=lambda each: each.id, out=QuizAttemptSummaryOut.model_validate
    )


@router.get("/quiz-attempts/{attempt_id}")
def get_quiz_attempt(attempt_id: UUID, caller: CurrentUser, session: DbSession) -> QuizAttemptOut:
    """An attempt with its form and my answers; keys, rationales and points once it is
    submitted.
    """
    return QuizAttemptOut.of(attempts.load(session, caller.id, attempt_id), now=caller.now)


@router.put("/quiz-attempts/{attempt_id}/answers/{question_id}")
def save_quiz_answer(
    attempt_id: UUID,
    question_id: UUID,
    body: QuizAnswerIn,
    caller: CurrentUser,
    session: DbSession,
) -> QuizSavedOut:
    """Save the answer to one question; a revision that comes late is refused with the newer
    answer, and everything after the deadline.
    """
    saved = answers.save(session, caller.id, attempt_id, question_id, body.to_service())
    return QuizSavedOut.model_validate(saved)


@router.post("/quiz-attempts/{attempt_id}/submit")
def submit_quiz(attempt_id: UUID, caller: CurrentUser, session: DbSession) -> QuizAttemptOut:
    """Submit and score what was saved in time; however often it is called, it happens once."""
    view = submission.submit(session, caller.id, attempt_id)
    return QuizAttemptOut.of(view, now=caller.now)


@router.get("/quiz-attempts/{attempt_id}/analysis")
def get_quiz_analysis(attempt_id: UUID, caller: CurrentUser, session: DbSession) -> QuizAnalysisOut:
    """Strong and weak topics, use of time, what to do next; only after submission."""
    return QuizAnalysisOut.model_validate(analyses.of_learner(session, caller.id, attempt_id))
