"""What is known of a video is the same whatever order its events come in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.courses.models import VideoStatus
from studypack.courses.video_events import (
    DELETED,
    Known,
    Unreadable,
    apply,
    passthrough,
    told_by,
    told_by_asset,
    told_by_upload,
)

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
LESSON = UUID("019a0000-0000-7000-8000-000000000001")
UPLOAD = UUID("019a0000-0000-7000-8000-000000000002")
BEGUN = Known(VideoStatus.UPLOADING)


def event(kind: str, data: dict[str, Any], *, seconds: int = 0) -> dict[str, Any]:
    at = (AT + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    return {"id": f"{kind}-{seconds}", "type": kind, "created_at": at, "data": data}


def asset(**more: Any) -> dict[str, Any]:
    return {"id": "asset-1", "passthrough": passthrough(LESSON, UPLOAD), **more}


def track(status: str, track_id: str = "t1", **more: Any) -> dict[str, Any]:
    return {
        "id": track_id,
        "type": "text",
        "language_code": "en",
        "name": "English",
        "status": status,
        "asset_id": "asset-1",
        **more,
    }


READY = asset(
    duration=74.2,
    playback_ids=[{"id": "for-all", "policy": "public"}, {"id": "signed-1", "policy": "signed"}],
    tracks=[{"id": "v", "type": "video"}, track("preparing")],
)
LIFE = [
    event("video.asset.created", asset()),
    event("video.upload.asset_created", {"id": "upload-1", "asset_id": "asset-1"}, seconds=1),
    event("video.asset.ready", READY, seconds=1),
    event("video.asset.track.created", track("preparing"), seconds=2),
    event("video.asset.track.ready", track("ready"), seconds=3),
    event("video.asset.track.ready", track("ready", "t2"), seconds=4),
    event("video.asset.track.deleted", track("ready", "t2"), seconds=5),
]


def after(events: list[dict[str, Any]], known: Known = BEGUN) -> Known:
    for each in events:
        known = apply(known, told_by(each))
    return known


def test_every_order_of_a_lifes_events_ends_the_same() -> None:
    ends = {repr(after(list(order))) for order in permutations(LIFE)}

    assert len(ends) == 1
    known = after(LIFE)
    assert known.video_status is VideoStatus.READY
    assert (known.mux_playback_id, known.duration_seconds) == ("signed-1", 75)
    assert [(each["track_id"], each["status"]) for each in known.captions] == [
        ("t1", "ready"),
        ("t2", "deleted"),
    ]


SOME = st.sampled_from(
    [
        *LIFE,
        event("video.asset.errored", asset(errors={"messages": ["No video."]}), seconds=1),
        event("video.asset.errored", asset(errors={"messages": ["No video."]}), seconds=9),
        event("video.asset.deleted", asset(), seconds=0),
        event("video.upload.errored", {"id": "upload-1", "error": {"message": "x"}}, seconds=8),
        event("video.upload.cancelled", {"id": "upload-1"}, seconds=8),
    ]
)


@given(events=st.lists(SOME, max_size=8), data=st.data())
def test_any_events_any_times_in_any_order_end_the_same(
    events: list[dict[str, Any]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(events))
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=3)) if events else []

    assert after(shuffled + repeated) == after(events)


def test_a_video_that_is_ready_is_not_processed_again_by_a_younger_event() -> None:
    late = event("video.upload.asset_created", {"id": "u", "asset_id": "asset-1"}, seconds=60)

    assert after([LIFE[2], late]).video_status is VideoStatus.READY


def test_a_video_that_fails_later_cannot_be_watched() -> None:
    known = after([*LIFE, event("video.asset.errored", asset(), seconds=60)])

    assert known.video_status is VideoStatus.ERRORED
    assert known.video_error == "Mux could not use the file."
    assert (known.mux_playback_id, known.duration_seconds) == (None, None)


def test_a_deleted_video_stays_deleted() -> None:
    known = after([event("video.asset.deleted", asset(), seconds=60), *LIFE])

    assert (known.video_status, known.video_error) == (VideoStatus.ERRORED, DELETED)


@pytest.mark.parametrize(
    "lacking",
    [
        {"duration": 74.2, "playback_ids": [{"id": "p", "policy": "public"}]},
        {"playback_ids": [{"id": "p", "policy": "signed"}]},
        {"duration": 0, "playback_ids": [{"id": "p", "policy": "signed"}]},
        {"duration": True, "playback_ids": [{"id": "p", "policy": "signed"}]},
        {"duration": "74", "playback_ids": "p"},
    ],
)
def test_a_video_that_anybody_could_watch_or_that_has_no_length_is_not_ready(
    lacking: dict[str, Any],
) -> None:
    known = after([event("video.asset.ready", asset(**lacking))])

    assert known.video_status is VideoStatus.ERRORED
    assert known.mux_playback_id is None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("video.asset.ready", None),
        ("video.asset.ready", []),
        ("video.asset.ready", {"id": 5}),
        ("video.upload.asset_created", {"id": "upload-1"}),
        ("video.upload.errored", {}),
        ("video.asset.track.ready", {"id": "t1", "type": "text"}),
    ],
)
def test_an_event_that_lacks_what_its_type_promises_is_unreadable(kind: str, data: Any) -> None:
    with pytest.raises(Unreadable):
        told_by(event(kind, data))


def test_what_mux_says_of_a_bad_file_is_kept_within_bounds() -> None:
    told = told_by(event("video.asset.errored", asset(errors={"messages": ["x\0" * 5000, None]})))

    assert told.error is not None
    assert len(told.error) == 500
    assert "\0" not in told.error


def test_a_track_of_sound_changes_nothing() -> None:
    sound = event("video.asset.track.ready", {**track("ready"), "type": "audio"})

    assert after([sound]) == BEGUN


ANSWERS = [
    told_by_upload({"id": "upload-1", "status": "asset_created", "asset_id": "asset-1"}, at=AT),
    told_by_asset("asset-1", {**asset(), "status": "preparing"}, at=AT),
    told_by_asset("asset-1", {**READY, "status": "ready"}, at=AT),
]


def test_answers_among_events_end_as_events_alone_do() -> None:
    events = [told_by(each) for each in LIFE]
    alone = BEGUN
    for each in events:
        alone = apply(alone, each)

    for place in range(len(events) + 1):
        known = BEGUN
        for told in [*events[:place], *ANSWERS, *events[place:]]:
            assert told is not None
            known = apply(known, told)
        assert known == alone


@pytest.mark.parametrize(
    ("status", "type"),
    [
        ("asset_created", "video.upload.asset_created"),
        ("errored", "video.upload.errored"),
        ("cancelled", "video.upload.cancelled"),
        ("waiting", None),
        ("timed_out", None),
        ("something new", None),
        (None, None),
    ],
)
def test_an_answer_about_an_upload_is_its_event(status: str | None, type: str | None) -> None:
    told = told_by_upload({"id": "upload-1", "asset_id": "asset-1", "status": status}, at=AT)

    assert (told and told.type) == type


def test_a_video_that_mux_does_not_have_was_deleted() -> None:
    told = told_by_asset("asset-1", None, at=AT)

    assert told is not None
    after = apply(Known(VideoStatus.PROCESSING, mux_asset_id="asset-1"), told)
    assert (after.video_status, after.video_error) == (VideoStatus.ERRORED, DELETED)
    assert told_by_asset("asset-1", asset(status="something new"), at=AT) is None


def test_an_answer_that_lacks_what_it_promises_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        told_by_upload({"id": "upload-1", "status": "asset_created"}, at=AT)
    with pytest.raises(Unreadable):
        told_by_asset("asset-1", {"status": "ready"}, at=AT)
