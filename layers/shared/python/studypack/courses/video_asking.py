"""Asking Mux about videos whose events do not come, so that a webhook that was lost loses nothing.
Its answer takes effect as the event does that it stands for. It is never called in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, func, or_, select

from studypack.core.database import transaction
from studypack.core.errors import Unavailable
from studypack.core.jobs import Run
from studypack.core.telemetry import get_logger
from studypack.courses import mux_inbox
from studypack.courses.models import Lesson, VideoStatus, VideoUpload
from studypack.courses.video_events import Told, told_by_asset, told_by_upload
from studypack.integrations import mux

MOST: Final = 20
"""Videos of one run: each is a request or two."""
PATIENCE: Final = timedelta(minutes=30)
"""With Mux's events, since the last one or since the video was begun."""
_LONGEST_MILLISECONDS: Final = 2 * 12_000
"""Two requests that Mux is slow to answer."""


@dataclass(frozen=True)
class _Waiting:
    """A video that nothing was told of for a while."""

    upload_id: str | None
    asset_id: str | None
    begun_at: datetime


def ask_overdue(run: Run) -> None:
    """Ask Mux about videos that are UPLOADING or PROCESSING for long, and let what it says take
    effect; when it is out of reach the next run asks again.
    """
    if not mux.is_set_up():
        return
    for video in _waiting():
        left = run.context.get_remaining_time_in_millis() - run.stop_before_milliseconds
        if left <= _LONGEST_MILLISECONDS:
            return
        try:
            outcomes = [mux_inbox.apply_answer(told) for told in _answers(video)]
        except Unavailable:
            return
        except Exception as error:
            # Whatever it is, it keeps no other video from being asked about.
            get_logger().warning(
                "mux was asked in vain",
                extra={
                    "mux_upload_id": video.upload_id,
                    "mux_asset_id": video.asset_id,
                    "kind": type(error).__name__,
                },
            )
            run.skip("videos_asked_in_vain", 1)
            continue
        run.count("videos_asked_about", 1)
        told_news = mux_inbox.Outcome.APPLIED in outcomes
        run.count("videos_settled_by_asking", int(told_news))
        run.processed += told_news


def _waiting() -> Iterable[_Waiting]:
    with transaction() as session:
        rows = session.execute(
            select(VideoUpload.mux_upload_id, VideoUpload.mux_asset_id, VideoUpload.created_at)
            .join(Lesson, Lesson.id == VideoUpload.lesson_id)
            .where(
                VideoUpload.dropped_at.is_(None),
                or_(
                    # Whether its file came, only Mux knows: the browser sends it there.
                    and_(
                        Lesson.video_status == VideoStatus.UPLOADING,
                        VideoUpload.mux_upload_id.is_not(None),
                    ),
                    and_(
                        Lesson.video_status == VideoStatus.PROCESSING,
                        VideoUpload.mux_asset_id.is_not(None),
                    ),
                ),
                func.coalesce(Lesson.video_changed_at, VideoUpload.created_at)
                < func.now() - PATIENCE,
            )
            # Any of them: so those that go on waiting keep no other from its turn.
            .order_by(func.random())
            .limit(MOST)
        ).all()
    return [_Waiting(*row) for row in rows]


def _answers(video: _Waiting) -> Iterator[Told]:
    """What Mux says of a video, in the order in which it happened."""
    asset_id = video.asset_id
    if asset_id is None and video.upload_id is not None:
        upload = mux.find_upload(video.upload_id)
        told = None if upload is None else told_by_upload(upload, at=video.begun_at)
        if told is None:
            return
        yield told
        asset_id = told.asset_id
    if asset_id is not None:
        told = told_by_asset(asset_id, mux.find_asset(asset_id), at=video.begun_at)
        if told is not None:
            yield told
