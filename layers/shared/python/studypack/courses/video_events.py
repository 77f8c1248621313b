"""What Mux tells of a video, and what it makes of what is known of it. Pure.

Events come late, twice and in any order: what is known is the greatest of them in one order, so
that every order of arrival ends the same. Later stages outdo earlier ones whatever their times (an
upload's event may be a second younger than that of the video that came of it); within a stage the
newer one does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

from studypack.courses.tables.content import VideoStatus

DELETED: Final = "The video was deleted at Mux."
_NO_SIGNED_LINK: Final = "Mux made no signed playback id, or knows no duration."
_LONGEST_ERROR: Final = 500
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


class Stage(IntEnum):
    """How far a video is; it does not go back."""

    UPLOADING = 0
    UPLOAD_FAILED = 1
    PROCESSING = 2
    DONE = 3
    DELETED = 4


_TRACK_STAGES: Final = {"preparing": 0, "ready": 1, "errored": 2, "deleted": 3}
_TRACK_EVENTS: Final = {
    "video.asset.track.created": None,
    "video.asset.track.ready": "ready",
    "video.asset.track.errored": "errored",
    "video.asset.track.deleted": "deleted",
}
"""With the status that the event stands for, if not the track's own."""
_UPLOAD_EVENTS: Final = {
    "video.upload.asset_created": Stage.PROCESSING,
    "video.upload.errored": Stage.UPLOAD_FAILED,
    "video.upload.cancelled": Stage.UPLOAD_FAILED,
}
_ASSET_EVENTS: Final = {
    "video.asset.created": Stage.PROCESSING,
    "video.asset.ready": Stage.DONE,
    "video.asset.errored": Stage.DONE,
    "video.asset.deleted": Stage.DELETED,
}
_UPLOAD_STATUSES: Final = {
    "asset_created": "video.upload.asset_created",
    "errored": "video.upload.errored",
    "cancelled": "video.upload.cancelled",
}
_ASSET_STATUSES: Final = {
    "preparing": "video.asset.created",
    "ready": "video.asset.ready",
    "errored": "video.asset.errored",
}
"""The events that an answer of Mux's stands for."""
HANDLED: Final = frozenset({*_TRACK_EVENTS, *_UPLOAD_EVENTS, *_ASSET_EVENTS})


class Unreadable(ValueError):
    """An event of a type that we handle lacks what its type promises."""


@dataclass(frozen=True)
class Told:
    """What one event says."""

    type: str
    occurred_at: datetime
    upload_id: str | None
    asset_id: str | None
    reference: UUID | None
    """Of the row of video_uploads that was named to Mux."""
    stage: Stage | None
    """None: it is about tracks only."""
    error: str | None = None
    playback_id: str | None = None
    duration_seconds: int | None = None
    tracks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Known:
    """What is known of a lesson's video: the columns of its row."""

    video_status: VideoStatus | None
    video_error: str | None = None
    video_changed_at: datetime | None = None
    mux_asset_id: str | None = None
    mux_playback_id: str | None = None
    duration_seconds: int | None = None
    captions: list[dict[str, Any]] = field(default_factory=list)


def passthrough(lesson_id: UUID, upload_id: UUID) -> str:
    """What Mux is to repeat in a video's events: the lesson, for people, and the upload's row."""
    return f"{lesson_id}:{upload_id}"


def told_by(document: Mapping[str, Any]) -> Told:
    """Read an event of a type that is handled.

    Raises Unreadable.
    """
    kind = str(document["type"])
    data = document.get("data")
    if not isinstance(data, dict):
        raise Unreadable("no data")
    occurred_at = time_of(document)
    if kind in _TRACK_EVENTS:
        about = document.get("object")
        fallback = about.get("id") if isinstance(about, dict) else None
        is_asset = isinstance(about, dict) and about.get("type") == "asset"
        asset_id = _text(data, "asset_id") or (fallback if is_asset else None)
        if not isinstance(asset_id, str):
            raise Unreadable("a track without its asset")
        track = _track(data, _TRACK_EVENTS[kind])
        tracks = () if track is None else (track,)
        return Told(kind, occurred_at, None, asset_id, None, None, tracks=tracks)
    if kind in _UPLOAD_EVENTS:
        stage = _UPLOAD_EVENTS[kind]
        settings = data.get("new_asset_settings")
        upload_id, asset_id = _text(data, "id"), _text(data, "asset_id")
        if upload_id is None or (stage is Stage.PROCESSING and asset_id is None):
            raise Unreadable("an upload without its id, or that of its asset")
        return Told(
            kind,
            occurred_at,
            upload_id,
            asset_id if stage is Stage.PROCESSING else None,
            _reference(settings if isinstance(settings, dict) else {}),
            stage,
            error=_error(data, kind) if stage is Stage.UPLOAD_FAILED else None,
        )
    return _told_of_asset(kind, occurred_at, data)


def _told_of_asset(kind: str, occurred_at: datetime, data: Mapping[str, Any]) -> Told:
    asset_id = _text(data, "id")
    if asset_id is None:
        raise Unreadable("an asset without its id")
    told = Told(
        kind,
        occurred_at,
        _text(data, "upload_id"),
        asset_id,
        _reference(data),
        _ASSET_EVENTS[kind],
        tracks=tuple(_text_tracks(data)),
    )
    if kind == "video.asset.deleted":
        return replace(told, error=DELETED)
    if kind == "video.asset.errored":
        return replace(told, error=_error(data, kind))
    if kind == "video.asset.ready":
        playback_id, seconds = _signed_playback_id(data), _whole_seconds(data.get("duration"))
        if playback_id is None or seconds is None:
            return replace(told, error=_NO_SIGNED_LINK)
        return replace(told, playback_id=playback_id, duration_seconds=seconds)
    return told


def told_by_upload(upload: Mapping[str, Any], *, at: datetime) -> Told | None:
    """Read Mux's answer about a direct upload as the event that it stands for; None while a file
    is awaited, or when none came in time.

    `at`: since when that may be so. An answer says how things are and not since when, so it is
    given the earliest time, and whatever an event tells of the same stage outdoes it. Raises
    Unreadable.
    """
    return _told_by_answer(_UPLOAD_STATUSES.get(str(upload.get("status"))), upload, at)


def told_by_asset(asset_id: str, asset: Mapping[str, Any] | None, *, at: datetime) -> Told | None:
    """Read Mux's answer about a video (None: it has none) as the event that it stands for; None
    for a status that we do not know. `at` as of uploads.

    Raises Unreadable.
    """
    if asset is None:
        return _told_by_answer("video.asset.deleted", {"id": asset_id}, at)
    return _told_by_answer(_ASSET_STATUSES.get(str(asset.get("status"))), asset, at)


def _told_by_answer(kind: str | None, data: Mapping[str, Any], at: datetime) -> Told | None:
    if kind is None:
        return None
    return told_by({"type": kind, "created_at": at.isoformat(), "data": data})


def time_of(document: Mapping[str, Any]) -> datetime:
    """When an event happened, by Mux's clock.

    Raises Unreadable.
    """
    given = document.get("created_at")
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError:
        raise Unreadable("no time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def apply(known: Known, told: Told) -> Known:
    """What is known after an event; the same as before if it says nothing new."""
    captions = merge_tracks(known.captions, told.tracks)
    if told.stage is None or _order_of(told) <= _order(known):
        return replace(known, captions=captions)
    return Known(
        video_status=_status(told),
        video_error=told.error,
        video_changed_at=told.occurred_at,
        mux_asset_id=told.asset_id or known.mux_asset_id,
        mux_playback_id=told.playback_id,
        duration_seconds=told.duration_seconds,
        captions=captions,
    )


def merge_tracks(
    captions: Iterable[Mapping[str, Any]], tracks: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Tracks as they are known now; one that is deleted stays, so that a late event does not bring
    it back.
    """
    merged = {str(track.get("track_id")): dict(track) for track in captions}
    for track in tracks:
        before = merged.get(track["track_id"])
        if before is None:
            merged[track["track_id"]] = dict(track)
            continue
        for name in ("language", "name"):
            before[name] = before.get(name) or track.get(name)
        before["status"] = max(
            str(before.get("status")), track["status"], key=lambda each: _TRACK_STAGES.get(each, -1)
        )
    return sorted(
        merged.values(),
        key=lambda track: (str(track.get("language") or ""), str(track.get("track_id"))),
    )


def _order(known: Known) -> tuple[int, datetime, int]:
    return (
        _stage(known),
        known.video_changed_at or _BEGINNING,
        int(known.video_status is VideoStatus.ERRORED),
    )


def _order_of(told: Told) -> tuple[int, datetime, int]:
    stage = told.stage or Stage.UPLOADING
    return (stage, told.occurred_at, int(_status(told) is VideoStatus.ERRORED))


def _stage(known: Known) -> Stage:
    match known.video_status:
        case VideoStatus.PROCESSING:
            return Stage.PROCESSING
        case VideoStatus.READY:
            return Stage.DONE
        case VideoStatus.ERRORED:
            if known.video_error == DELETED:
                return Stage.DELETED
            return Stage.UPLOAD_FAILED if known.mux_asset_id is None else Stage.DONE
    return Stage.UPLOADING


def _status(told: Told) -> VideoStatus:
    if told.error is not None:
        return VideoStatus.ERRORED
    return VideoStatus.READY if told.stage is Stage.DONE else VideoStatus.PROCESSING


def _text_tracks(data: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    tracks = data.get("tracks")
    for given in tracks if isinstance(tracks, list) else ():
        track = _track(given, None) if isinstance(given, dict) else None
        if track is not None and given.get("type") == "text":
            yield track


def _track(data: Mapping[str, Any], status: str | None) -> dict[str, Any] | None:
    """A track as a lesson keeps it; None for one that is no text, or none at all."""
    track_id = _text(data, "id")
    if track_id is None or data.get("type", "text") != "text":
        return None
    given = status or data.get("status")
    return {
        "track_id": track_id,
        "language": _text(data, "language_code"),
        "name": _text(data, "name"),
        "status": given if given in _TRACK_STAGES else "preparing",
    }


def _signed_playback_id(data: Mapping[str, Any]) -> str | None:
    """One for everybody would let anybody watch."""
    given = data.get("playback_ids")
    for each in given if isinstance(given, list) else ():
        if isinstance(each, dict) and each.get("policy") == "signed":
            return _text(each, "id")
    return None


def _whole_seconds(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given < 10**6:
        return None
    return math.ceil(given)


def _error(data: Mapping[str, Any], kind: str) -> str:
    """Mux's words, for admins."""
    given = data.get("errors") or data.get("error") or {}
    if not isinstance(given, dict):
        given = {}
    messages = given.get("messages")
    words = [str(each) for each in messages if each] if isinstance(messages, list) else []
    if not words and given.get("message"):
        words = [str(given["message"])]
    otherwise = (
        "The upload was cancelled." if kind.endswith("cancelled") else "Mux could not use the file."
    )
    return (" ".join(words).replace("\0", "") or otherwise)[:_LONGEST_ERROR]


def _reference(data: Mapping[str, Any]) -> UUID | None:
    given = _text(data, "passthrough")
    if given is None:
        return None
    try:
        return UUID(given.rpartition(":")[2])
    except ValueError:
        return None


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None
