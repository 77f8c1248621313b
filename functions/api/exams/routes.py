"""Timed exams: choose, start, answer, pause, submit, review."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response

from api.exams.result_schemas import ReceiptKeysOut, ReviewOut
from api.exams.schemas import (
    ResponseIn,
    SavedOut,
    SessionOut,
    SessionPatch,
    SessionSummaryOut,
    StartIn,
    TemplateOut,
)
from studypack.access.authentication import Caller
from studypack.access.guards import CurrentUser, entitled
from studypack.billing.features import Feature
from studypack.core.http import DbSession, Page, Paging, page_of
from studypack.core.idempotency import RepeatableRequest, once
from studypack.exams import (
    assembly,
    issuing,
    responses,
    review,
    sessions,
    submission,
    templates,
)
from studypack.exams.receipt import Receipt

router = APIRouter(prefix="/api/exams", tags=["exams"])

ExamsUser = Annotated[Caller, Depends(entitled(Feature.EXAMS))]
"""Who may start an exam. A session under way is its owner's, also after access ended."""


@router.get("/templates")
def list_exam_templates(caller: ExamsUser, session: DbSession) -> Page[TemplateOut]:
    """The exams on offer, on one page, with the learner's attempts, when the next may start, and
    whether what the learner has paid for opens it.
    """
    found = templates.list_templates(session, caller.id)
    items = [
        TemplateOut.of(view, entitlements=caller.entitlements, now=caller.now) for view in found
    ]
    return Page(items=items, next_cursor=None)


@router.get("/receipt-keys")
def list_receipt_keys(response: Response) -> ReceiptKeysOut:
    """The public keys that check exam receipts (JSON Web Key Set); receipts name theirs."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return ReceiptKeysOut.model_validate({"keys": issuing.public_keys()})


@router.post("/sessions", status_code=201)
def start_exam(
    body: StartIn,
    caller: ExamsUser,
    session: DbSession,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> SessionOut:
    """Start an exam: its questions are drawn and its clock runs from here. Repeat safely with
    Idempotency-Key: a repetition is answered with the session as it is by then.
    """
    request = RepeatableRequest(caller.id, "exams.start", idempotency_key, body.model_dump())

    def start() -> UUID:
        return assembly.start(
            session,
            caller.id,
            body.template,
            entitlements=caller.entitlements,
            time_factor=caller.time_factor,
            now=caller.now,
        )

    def read(started: UUID) -> SessionOut:
        return SessionOut.of_view(sessions.load(session, caller.id, started), now=caller.now)

    return once(session, request, start, read)


@router.get("/sessions")
def list_exam_sessions(
    caller: CurrentUser, session: DbSession, paging: Paging
) -> Page[SessionSummaryOut]:
    """My sessions, newest first."""
    found = sessions.history(session, caller.id, paging)
    return page_of(found, paging, key=lambda row: row[0].id, out=SessionSummaryOut.of)


@router.get("/sessions/{session_id}")
def get_exam_session(session_id: UUID, caller: CurrentUser, session: DbSession) -> SessionOut:
    """The state of a session: form, answers so far, clock; what another device needs to go on."""
    return SessionOut.of_view(sessions.load(session, caller.id, session_id), now=caller.now)


@router.patch("/sessions/{session_id}")
def change_exam_session(
    session_id: UUID, change: SessionPatch, caller: CurrentUser, session: DbSession
) -> SessionOut:
    """Pause or resume, where the template allows it, or note something about the session."""
    view, now = sessions.change(
        session, caller.id, session_id, action=change.action, notes=change.metadata
    )
    return SessionOut.of_view(view, now=now)


@router.post("/sessions/{session_id}/responses")
def save_exam_response(
    session_id: UUID, response: ResponseIn, caller: CurrentUser, session: DbSession
) -> SavedOut:
    """Save the answer to one item; a revision that comes late is refused with the newer answer."""
    return SavedOut.of(responses.save(session, caller.id, session_id, response.to_service()))


@router.post("/sessions/{session_id}/finalize")
def finalize_exam(session_id: UUID, caller: CurrentUser, session: DbSession) -> SessionSummaryOut:
    """Submit and score; however often it is called, it happens once."""
    return SessionSummaryOut.of(submission.finalize(session, caller.id, session_id))


@router.get("/sessions/{session_id}/review")
def get_exam_review(session_id: UUID, caller: CurrentUser, session: DbSession) -> ReviewOut:
    """Score, breakdown by topic, and every item with key and rationale; only after submission."""
    return ReviewOut.of_view(review.load_review(session, caller.id, session_id))


@router.get("/sessions/{session_id}/receipt")
def download_exam_receipt(
    session_id: UUID, caller: CurrentUser, session: DbSession, response: Response
) -> Receipt:
    """The signed log of a submitted exam, to keep: form, accommodation, pauses, every answer, raw
    score. Anybody can check it with the keys of `/api/exams/receipt-keys`.
    """
    found = issuing.load_receipt(session, caller.id, session_id)
    response.headers["Content-Disposition"] = (
        f'attachment; filename="exam-receipt-{session_id}.json"'
    )
    return found
