"""Clearing at Mux what was dropped here, and giving up what never came. It opens its short
transactions itself and is never called within one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from studypack.core.database import transaction
from studypack.core.jobs import Run
from studypack.core.telemetry import get_logger
from studypack.courses.models import Lesson, VideoStatus, VideoUpload
from studypack.courses.video_rows import set_video
from studypack.integrations import mux

BATCH: Final = 50
_PATIENCE: Final = timedelta(days=1)
"""With an upload that nothing came of, and with Mux when it does not let go of a video."""
_NEVER_CAME: Final = "No file arrived in time; begin again."
_IS_UNCLEARED: Final = VideoUpload.dropped_at.is_not(None) & VideoUpload.cleared_at.is_(None)


def clear_at_once(upload_ids: Iterable[UUID]) -> None:
    """Clear dropped videos at Mux, after the commit of what dropped them; the sweep tries what
    fails here.
    """
    for upload_id in upload_ids:
        _clear(upload_id)


def clear_dropped(run: Run) -> int:
    """The sweep: clear what a crash or an outage left; how many have waited for over a day."""
    tried: list[UUID] = []
    while run.has_time() and mux.is_set_up():
        with transaction() as session:
            due = session.scalars(
                select(VideoUpload.id)
                .where(_IS_UNCLEARED, VideoUpload.id.not_in(tried))
                .order_by(VideoUpload.dropped_at)
                .limit(BATCH)
            ).all()
        if not due:
            break
        for upload_id in due:
            if not run.has_time():
                break
            tried.append(upload_id)
            run.count("cleared_videos", int(_clear(upload_id)))
    with transaction() as session:
        return int(
            session.scalar(
                select(func.count())
                .select_from(VideoUpload)
                .where(_IS_UNCLEARED, VideoUpload.dropped_at < func.now() - _PATIENCE)
            )
            or 0
        )


def give_up_unused(session: Session) -> int:
    """Drop a batch of videos whose file never came; the lessons say so. How many."""
    unused = session.execute(
        select(VideoUpload.id, VideoUpload.lesson_id)
        .join(Lesson, Lesson.id == VideoUpload.lesson_id)
        .where(
            VideoUpload.dropped_at.is_(None),
            VideoUpload.mux_asset_id.is_(None),
            Lesson.video_status == VideoStatus.UPLOADING,
            func.coalesce(VideoUpload.expires_at, VideoUpload.created_at) < func.now() - _PATIENCE,
        )
        .limit(BATCH)
        # The lesson first, as everybody does who locks both.
        .with_for_update(of=Lesson, skip_locked=True)
    ).all()
    for upload_id, lesson_id in unused:
        dropped = session.execute(
            update(VideoUpload)
            .where(VideoUpload.id == upload_id, VideoUpload.mux_asset_id.is_(None))
            .values(dropped_at=func.now())
            .returning(VideoUpload.id)
        ).one_or_none()
        if dropped is not None:
            set_video(session, lesson_id, VideoStatus.ERRORED, video_error=_NEVER_CAME)
    return len(unused)


def _clear(upload_id: UUID) -> bool:
    with transaction() as session:
        seen = session.execute(
            select(VideoUpload.mux_asset_id, VideoUpload.mux_upload_id).where(
                VideoUpload.id == upload_id, _IS_UNCLEARED
            )
        ).one_or_none()
    if seen is None:
        return True

    def at_mux() -> None:
        if seen.mux_asset_id is not None:
            mux.delete_asset(seen.mux_asset_id)
        elif seen.mux_upload_id is not None:
            mux.clear_upload(seen.mux_upload_id)

    if not quietly("video", at_mux):
        return False
    with transaction() as session:
        session.execute(
            update(VideoUpload)
            .where(
                VideoUpload.id == upload_id,
                # An event may have told of an asset meanwhile.
                VideoUpload.mux_asset_id.is_not_distinct_from(seen.mux_asset_id),
                VideoUpload.mux_upload_id.is_not_distinct_from(seen.mux_upload_id),
            )
            .values(cleared_at=func.now())
        )
    return True


def quietly(what: str, work: Callable[[], None]) -> bool:
    """Do what may fail and is tried again elsewhere; whether it was done."""
    try:
        work()
    except Exception as error:
        # Whatever it is, it keeps no other from being done, and the next run tries it again.
        get_logger().warning("mux is to clear", extra={"what": what, "kind": type(error).__name__})
        return False
    return True
