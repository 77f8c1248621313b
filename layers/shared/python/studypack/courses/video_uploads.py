"""Bringing videos to lessons: begun here, sent to Mux by the browser, dropped or replaced.

A video is reserved in our tables, Mux is asked after that commit, and its answer is recorded; a
crash between leaves the reservation, with which the next request goes on. What is dropped is
cleared at Mux after the commit (courses/video_clearing.py). So this module opens its short
transactions itself and is never called within one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.config import ConfigurationError, get_settings
from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unavailable
from studypack.core.idempotency import RepeatableRequest, forget, once
from studypack.courses.models import Lesson, VideoStatus, VideoUpload
from studypack.courses.video import Playback, playback_of
from studypack.courses.video_clearing import clear_at_once, quietly
from studypack.courses.video_events import merge_tracks, passthrough
from studypack.courses.video_rows import (
    LESSONS,
    drop_current,
    lock_lesson,
    no_lesson,
    set_video,
    write,
)
from studypack.integrations import mux

UPLOAD_SECONDS: Final = 4 * 60 * 60
"""How long Mux takes the file; one that has begun may go on."""


@dataclass(frozen=True)
class VideoState:
    """A lesson's video as authors see it."""

    lesson_id: UUID
    status: VideoStatus | None
    error: str | None
    duration_seconds: int | None
    captions: list[dict[str, Any]]
    """All but the deleted ones: `track_id`, `language`, `name`, `status`."""
    transcript: str | None
    upload_url: str | None
    """Where to PUT the file; None once it came, or when it is too late."""
    upload_expires_at: datetime | None
    playback: Playback | None


@dataclass(frozen=True)
class CaptionWish:
    """A track of captions: a file at an address, or (None) what Mux hears."""

    language: str
    name: str
    url: str | None


def start(
    lesson_id: UUID, *, asked_by: UUID, idempotency_key: str | None, now: datetime
) -> VideoState:
    """Begin a video for a lesson, in place of the one that it has, and say where to send the file.

    Raises NotFound (`lesson_not_found`); Unavailable: `video_not_set_up`, `video_unavailable` (the
    reservation is kept: ask again); Conflict: `video_refused`, `video_replaced` (the key's video
    is no longer the lesson's).
    """
    request = RepeatableRequest(
        asked_by, "lessons.video", idempotency_key, {"lesson_id": str(lesson_id)}
    )
    dropped: list[UUID] = []
    with transaction() as session:
        upload = once(
            session,
            request,
            lambda: _reserve(session, lesson_id, dropped, asked_by=asked_by, now=now),
            lambda made: _get_upload(session, made),
        )
    clear_at_once(dropped)
    if upload.dropped_at is not None:
        raise Conflict("Another video was begun for this lesson since.", code="video_replaced")
    if upload.mux_upload_id is None:
        _begin_at_mux(upload, request)
    return state_of(lesson_id, seen_by=asked_by, now=now)


def state_of(lesson_id: UUID, *, seen_by: UUID, now: datetime) -> VideoState:
    """A lesson's video, with links for the author to watch it: one statement, and after its
    transaction perhaps a question for the key that signs them.

    Raises NotFound (`lesson_not_found`).
    """
    with transaction() as session:
        lesson, upload = _rows_of(session, lesson_id)
    return _state(lesson, upload, seen_by=seen_by, now=now)


def _rows_of(session: Session, lesson_id: UUID) -> tuple[Lesson, VideoUpload | None]:
    row = session.execute(
        select(Lesson, VideoUpload)
        .outerjoin(
            VideoUpload,
            (VideoUpload.lesson_id == Lesson.id) & VideoUpload.dropped_at.is_(None),
        )
        .where(Lesson.id == lesson_id, Lesson.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise no_lesson()
    return row.Lesson, row.VideoUpload


def _state(
    lesson: Lesson, upload: VideoUpload | None, *, seen_by: UUID, now: datetime
) -> VideoState:
    is_awaited = (
        upload is not None
        and lesson.video_status is VideoStatus.UPLOADING
        and upload.expires_at is not None
        and upload.expires_at > now
    )
    return VideoState(
        lesson_id=lesson.id,
        status=lesson.video_status,
        error=lesson.video_error,
        duration_seconds=lesson.duration_seconds,
        captions=[track for track in lesson.captions if track.get("status") != "deleted"],
        transcript=lesson.transcript,
        upload_url=upload.url if upload is not None and is_awaited else None,
        upload_expires_at=upload.expires_at if upload is not None and is_awaited else None,
        playback=playback_of(lesson, user_id=seen_by, now=now),
    )


def drop(lesson_id: UUID, *, dropped_by: UUID, now: datetime) -> None:
    """Take a lesson's video away; what Mux has of it is deleted after the commit.

    Raises NotFound: `lesson_not_found`, `no_video`.
    """
    with transaction() as session:
        lesson = lock_lesson(session, lesson_id)
        dropped = drop_current(session, lesson_id, now=now)
        if lesson.video_status is None and not dropped:
            raise NotFound("This lesson has no video.", code="no_video")
        set_video(session, lesson_id, None)
        audit.record(session, "lesson_video.dropped", actor_id=dropped_by, subject_id=lesson_id)
    clear_at_once(dropped)


def add_captions(
    lesson_id: UUID, wish: CaptionWish, *, asked_by: UUID, now: datetime
) -> VideoState:
    """Give a video captions; they are there when Mux says so.

    Raises NotFound (`lesson_not_found`); Unavailable: `video_not_set_up`, `video_unavailable`;
    Conflict: `video_not_ready`, `video_not_ours` (a course's files named it), `video_gone`,
    `video_silent`, `video_refused`.
    """
    with transaction() as session:
        lesson = session.scalars(LESSONS.where(Lesson.id == lesson_id)).one_or_none()
        if lesson is None:
            raise no_lesson()
    _check_set_up()
    if lesson.video_status is not VideoStatus.READY:
        raise Conflict("Captions need a video that is ready.", code="video_not_ready")
    asset_id = lesson.mux_asset_id
    if asset_id is None:
        raise Conflict("This video was not sent to Mux from here.", code="video_not_ours")
    if wish.url is None:
        track = mux.generate_captions(asset_id, language=wish.language, name=wish.name)
    else:
        track = mux.add_captions(asset_id, url=wish.url, language=wish.language, name=wish.name)
    known = {
        "track_id": track.id,
        "language": track.language or wish.language,
        "name": track.name or wish.name,
        "status": track.status,
    }
    with transaction() as session:
        lesson = lock_lesson(session, lesson_id)
        if lesson.mux_asset_id == asset_id:
            write(session, lesson_id, captions=merge_tracks(lesson.captions, [known]))
        audit.record(
            session,
            "lesson_video.captioned",
            actor_id=asked_by,
            subject_id=lesson_id,
            language=wish.language,
            generated=wish.url is None,
        )
    return state_of(lesson_id, seen_by=asked_by, now=now)


def set_transcript(
    lesson_id: UUID, transcript: str | None, *, changed_by: UUID, now: datetime
) -> VideoState:
    """Keep what is said in a video, which search reads too; None takes it away.

    Raises NotFound (`lesson_not_found`).
    """
    with transaction() as session:
        lesson = lock_lesson(session, lesson_id)
        lesson.transcript = transcript
        audit.record(
            session,
            "lesson_video.transcribed",
            actor_id=changed_by,
            subject_id=lesson_id,
            characters=len(transcript or ""),
        )
    return state_of(lesson_id, seen_by=changed_by, now=now)


def _check_set_up() -> None:
    if not mux.is_set_up():
        raise Unavailable(
            "Videos are not set up here.", code="video_not_set_up", retry_after_seconds=3600
        )


def _get_upload(session: Session, upload_id: UUID) -> VideoUpload:
    upload = session.get(VideoUpload, upload_id)
    if upload is None:
        raise NotFound("There is no such video.", code="no_video")
    return upload


def _reserve(
    session: Session, lesson_id: UUID, dropped: list[UUID], *, asked_by: UUID, now: datetime
) -> UUID:
    """The row of the video to begin: one whose answer of Mux's was lost, or a new one in the
    current one's place.
    """
    lock_lesson(session, lesson_id)
    _check_set_up()
    begun = session.scalars(
        select(VideoUpload.id).where(
            VideoUpload.lesson_id == lesson_id,
            VideoUpload.dropped_at.is_(None),
            VideoUpload.mux_upload_id.is_(None),
            VideoUpload.mux_asset_id.is_(None),
        )
    ).one_or_none()
    if begun is not None:
        return begun
    dropped += drop_current(session, lesson_id, now=now)
    upload = VideoUpload(lesson_id=lesson_id)
    session.add(upload)
    session.flush()
    set_video(session, lesson_id, VideoStatus.UPLOADING)
    audit.record(session, "lesson_video.begun", actor_id=asked_by, subject_id=lesson_id)
    return upload.id


def _begin_at_mux(upload: VideoUpload, request: RepeatableRequest) -> None:
    try:
        made = mux.create_upload(
            passthrough=passthrough(upload.lesson_id, upload.id),
            cors_origin=get_settings().web_base_url.rstrip("/"),
            seconds=UPLOAD_SECONDS,
        )
    except (Conflict, ConfigurationError):
        _release(upload, request)
        raise
    with transaction() as session:
        lock_lesson(session, upload.lesson_id)
        recorded = session.execute(
            update(VideoUpload)
            .where(VideoUpload.id == upload.id, VideoUpload.mux_upload_id.is_(None))
            .values(
                mux_upload_id=made.id,
                url=made.url,
                expires_at=func.now() + timedelta(seconds=made.seconds),
                cleared_at=None,
            )
            .returning(VideoUpload.dropped_at)
        ).one_or_none()
        if recorded is not None and recorded.dropped_at is None:
            write(session, upload.lesson_id, mux_upload_id=made.id)
    if recorded is None:
        # Somebody began the same one at this moment and was first; nobody has this one's address.
        quietly("upload", lambda: mux.clear_upload(made.id))


def _release(upload: VideoUpload, request: RepeatableRequest) -> None:
    """Mux will not have it: as if it had not been begun."""
    with transaction() as session:
        lock_lesson(session, upload.lesson_id)
        released = session.execute(
            update(VideoUpload)
            .where(
                VideoUpload.id == upload.id,
                VideoUpload.mux_upload_id.is_(None),
                VideoUpload.dropped_at.is_(None),
            )
            .values(dropped_at=func.now(), cleared_at=func.now())
            .returning(VideoUpload.id)
        ).one_or_none()
        if released is not None:
            set_video(session, upload.lesson_id, None)
        if request.key is not None:
            forget(session, request)
