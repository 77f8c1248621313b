"""Videos of lessons: begun here, sent to Mux by the browser."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header

from api.admin.media_schemas import CaptionIn, TranscriptIn, VideoOut
from studypack.access.guards import AdminUser
from studypack.courses import video_uploads

router = APIRouter()


@router.post("/lessons/{lesson_id}/video", status_code=201)
def start_video(
    lesson_id: UUID,
    caller: AdminUser,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> VideoOut:
    """Begin a video and get the address to send its file to; it takes the place of the lesson's
    former one at once. 503 `video_not_set_up` without an account at Mux.
    """
    state = video_uploads.start(
        lesson_id, asked_by=caller.id, idempotency_key=idempotency_key, now=caller.now
    )
    return VideoOut.of(state)


@router.get("/lessons/{lesson_id}/video")
def get_video(lesson_id: UUID, caller: AdminUser) -> VideoOut:
    """How far a lesson's video is, and links to watch it."""
    return VideoOut.of(video_uploads.state_of(lesson_id, seen_by=caller.id, now=caller.now))


@router.delete("/lessons/{lesson_id}/video", status_code=204)
def delete_video(lesson_id: UUID, caller: AdminUser) -> None:
    """Take a lesson's video away, at Mux too."""
    video_uploads.drop(lesson_id, dropped_by=caller.id, now=caller.now)


@router.post("/lessons/{lesson_id}/captions", status_code=202)
def add_captions(lesson_id: UUID, body: CaptionIn, caller: AdminUser) -> VideoOut:
    """Give a video captions from a file, or from what is said in it; Mux tells when they are there.
    409 `video_not_ready`.
    """
    state = video_uploads.add_captions(
        lesson_id, body.to_service(), asked_by=caller.id, now=caller.now
    )
    return VideoOut.of(state)


@router.put("/lessons/{lesson_id}/transcript")
def put_transcript(lesson_id: UUID, body: TranscriptIn, caller: AdminUser) -> VideoOut:
    """Keep what is said in a video as text; search reads it too."""
    state = video_uploads.set_transcript(
        lesson_id, body.transcript, changed_by=caller.id, now=caller.now
    )
    return VideoOut.of(state)
