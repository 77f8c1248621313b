"""Watching a lesson's video: links for one learner that expire. Who may have them is decided
elsewhere (courses/access.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from studypack.core.config import get_settings
from studypack.courses.models import VideoStatus
from studypack.integrations import mux


class LessonVideo(Protocol):
    """What of a lesson tells of its video: a Lesson, or a row with these columns."""

    @property
    def video_status(self) -> VideoStatus | None: ...
    @property
    def mux_playback_id(self) -> str | None: ...
    @property
    def duration_seconds(self) -> int | None: ...
    @property
    def captions(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Caption:
    """A track of text that the player offers."""

    language: str
    """BCP 47."""
    name: str


@dataclass(frozen=True)
class Playback:
    """What a player needs to show a video to one learner."""

    playback_id: str
    duration_seconds: int
    stream_url: str
    """An HLS playlist, with its token."""
    thumbnail_url: str
    storyboard_url: str
    tokens: Mapping[str, str]
    """`playback`, `thumbnail`, `storyboard`: for Mux's own player, which wants them bare."""
    captions: tuple[Caption, ...]
    viewer_id: str
    """Tells Mux's statistics of views one learner from another, and nothing else of them."""
    expires_at: datetime


def playback_of(lesson: LessonVideo, *, user_id: UUID, now: datetime) -> Playback | None:
    """Links to a lesson's video for a learner who may see it; None while there is none to watch,
    or no account at Mux. No statement.
    """
    playback_id, seconds = lesson.mux_playback_id, lesson.duration_seconds
    if lesson.video_status is not VideoStatus.READY or playback_id is None or seconds is None:
        return None
    if not mux.can_sign():
        return None
    longer = timedelta(hours=get_settings().video_link_hours)
    links = mux.sign_links(playback_id, expires_at=now + timedelta(seconds=seconds) + longer)
    return Playback(
        playback_id=playback_id,
        duration_seconds=seconds,
        stream_url=links.stream_url,
        thumbnail_url=links.thumbnail_url,
        storyboard_url=links.storyboard_url,
        tokens=links.tokens,
        captions=captions_of(lesson),
        viewer_id=_viewer_id(user_id),
        expires_at=links.expires_at,
    )


def captions_of(lesson: LessonVideo) -> tuple[Caption, ...]:
    """The tracks of text that can be shown. One that a course's files name has no status: it is
    ready.
    """
    return tuple(
        Caption(str(track["language"]), str(track.get("name") or track["language"]))
        for track in lesson.captions
        if track.get("status", "ready") == "ready" and track.get("language")
    )


def _viewer_id(user_id: UUID) -> str:
    return hashlib.sha256(f"viewer of {user_id}".encode()).hexdigest()[:32]
