"""Links that let somebody watch, the signatures of webhooks, and what Mux's answers become."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studypack.core.config import ConfigurationError
from studypack.core.errors import Conflict, Unavailable
from studypack.courses.models import Lesson, VideoStatus
from studypack.courses.video import playback_of
from studypack.integrations import mux
from studypack.integrations.mux import signatures
from tests.support.videos import LocalMux, mux_settings_for, settings

NOW = datetime.now(UTC)


def get(url: str) -> Any:
    return urllib3.request("GET", url, retries=False, timeout=10)


@pytest.fixture
def lesson(videos: LocalMux) -> Lesson:
    """One whose sample video the stand-in plays."""
    videos.standin.samples = lambda playback_id: 75 if playback_id == "sample" else None
    return Lesson(
        video_status=VideoStatus.READY, mux_playback_id="sample", duration_seconds=75, captions=[]
    )


def test_links_work_at_mux_and_each_for_its_own_thing(lesson: Lesson) -> None:
    playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    playlist = get(playback.stream_url)
    assert playlist.status == 200
    assert playlist.data.decode().count("#EXTINF") == 13
    assert get(playback.thumbnail_url).status == 200
    assert get(playback.storyboard_url).status == 200
    other = playback.stream_url.partition("?")[0] + "?token=" + playback.tokens["thumbnail"]
    assert get(other).status == 403
    segment = next(line for line in playlist.data.decode().splitlines() if "segment-12" in line)
    base = playback.stream_url.rpartition("/")[0]
    assert get(f"{base}/{segment}").status == 200
    assert get(f"{base}/{segment.replace('segment-12', 'segment-13')}").status == 404


def test_a_link_ends_some_hours_after_the_video_would(lesson: Lesson) -> None:
    playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    assert playback.expires_at == NOW + timedelta(seconds=75, hours=4)


def test_a_link_that_has_expired_is_refused(lesson: Lesson) -> None:
    playback = playback_of(lesson, user_id=uuid4(), now=NOW - timedelta(days=1))

    assert playback is not None
    assert get(playback.stream_url).status == 403


def test_a_link_for_another_video_is_refused(lesson: Lesson, videos: LocalMux) -> None:
    videos.standin.samples = lambda _playback_id: 75
    playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    assert get(playback.stream_url.replace("/sample.m3u8", "/another.m3u8")).status == 403
    assert get(playback.stream_url.partition("?")[0]).status == 403


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.e30"])
def test_what_is_no_token_is_refused(lesson: Lesson, token: str) -> None:
    playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    assert get(playback.stream_url.partition("?")[0] + f"?token={token}").status == 403


def test_a_token_of_another_key_is_refused(lesson: Lesson, videos: LocalMux) -> None:
    from local.mux import key

    playback = playback_of(lesson, user_id=uuid4(), now=NOW)
    assert playback is not None
    another = key.public_half(key.make())
    videos.standin.public_keys = dict.fromkeys(videos.standin.public_keys, another)

    assert get(playback.stream_url).status == 403


def test_there_is_no_video_of_an_unknown_playback_id(lesson: Lesson) -> None:
    lesson.mux_playback_id = "unknown"
    playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    assert get(playback.stream_url).status == 404


@pytest.mark.parametrize("status", [None, *(set(VideoStatus) - {VideoStatus.READY})])
def test_a_video_that_is_not_ready_has_no_links(lesson: Lesson, status: VideoStatus | None) -> None:
    lesson.video_status = status

    assert playback_of(lesson, user_id=uuid4(), now=NOW) is None


def test_without_an_account_there_are_no_links() -> None:
    lesson = Lesson(
        video_status=VideoStatus.READY, mux_playback_id="p", duration_seconds=75, captions=[]
    )

    assert playback_of(lesson, user_id=uuid4(), now=NOW) is None


def test_only_captions_that_are_ready_are_offered(lesson: Lesson) -> None:
    lesson.captions = [
        {"track_id": "1", "language": "en", "name": "English", "status": "ready"},
        {"track_id": "2", "language": "de", "name": None, "status": "preparing"},
        {"language": "fr", "name": "Français"},
    ]
    playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    assert [caption.language for caption in playback.captions] == ["en", "fr"]


def test_viewers_are_told_apart_and_not_named(lesson: Lesson) -> None:
    one, other = uuid4(), uuid4()
    ids = [playback_of(lesson, user_id=each, now=NOW) for each in (one, one, other)]

    first, again, second = (each.viewer_id for each in ids if each)
    assert first == again != second
    assert str(one) not in first


def test_a_key_as_mux_shows_it_signs_as_well(lesson: Lesson, mux_key: str) -> None:
    shown = base64.b64encode(mux_key.encode()).decode()
    with settings({"MUX_SIGNING_KEY": shown}):
        playback = playback_of(lesson, user_id=uuid4(), now=NOW)

    assert playback is not None
    assert get(playback.stream_url).status == 200


@pytest.mark.parametrize("wrong", ["x", "eA==", "-----BEGIN PRIVATE KEY-----\nx"])
def test_a_key_that_is_none_is_named_without_being_told(lesson: Lesson, wrong: str) -> None:
    with settings({"MUX_SIGNING_KEY": wrong}), pytest.raises(ConfigurationError) as refused:
        playback_of(lesson, user_id=uuid4(), now=NOW)

    assert str(refused.value).startswith("MUX_SIGNING_KEY")


# Signatures

BODY, SECRET = b'{"type": "video.asset.ready"}', "s3cret"


def test_a_signature_holds_for_its_body_and_secret() -> None:
    header = signatures.sign(BODY, SECRET, at=1_000_000)

    assert signatures.is_signed(BODY, header, ["other", SECRET], now=1_000_000)
    assert not signatures.is_signed(BODY + b" ", header, [SECRET], now=1_000_000)
    assert not signatures.is_signed(BODY, header, ["other"], now=1_000_000)
    assert not signatures.is_signed(BODY, header, [], now=1_000_000)


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-301, False), (-300, True), (300, True), (301, False)]
)
def test_a_signature_holds_for_five_minutes_either_way(seconds: int, taken: bool) -> None:
    header = signatures.sign(BODY, SECRET, at=1_000_000)

    assert signatures.is_signed(BODY, header, [SECRET], now=1_000_000 + seconds) is taken


@pytest.mark.parametrize(
    "header",
    [None, 5, "", "t=1", "v1=00", "t=x,v1=00", "t=²,v1=00", "t=1000000,v1=é", "t=" + "9" * 99],
)
def test_what_is_no_signature_is_refused(header: Any) -> None:
    assert not signatures.is_signed(BODY, header, [SECRET], now=1_000_000)


def test_it_is_the_signature_of_muxs_documentation() -> None:
    # The form of the documentation's example: time, dot, body; HMAC-SHA256 in hex.
    import hashlib
    import hmac

    expected = hmac.new(b"s3cret", b"1565220904." + BODY, hashlib.sha256).hexdigest()

    assert signatures.sign(BODY, SECRET, at=1565220904) == f"t=1565220904,v1={expected}"


# Answers


@pytest.fixture
def answering(mux_server: tuple[str, list[Any]], mux_key: str) -> Iterator[list[Response]]:
    """A Mux that gives these answers one after the other, whatever it is asked."""
    url, current = mux_server
    answers: list[Response] = []

    def answer(_request: Any) -> Response:
        return answers.pop(0)

    every = ["GET", "POST", "PUT", "DELETE"]
    current.append(Starlette(routes=[Route("/{path:path}", answer, methods=every)]))
    try:
        with settings(mux_settings_for(url, mux_key)):
            yield answers
    finally:
        current.pop()


def create() -> Any:
    return mux.create_upload(passthrough="x", cors_origin="https://app.example.com", seconds=60)


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503, 302])
def test_what_only_mux_or_the_operator_can_mend_is_unavailable(
    answering: list[Response], status: int
) -> None:
    answering.append(JSONResponse({"error": {"messages": ["secret words"]}}, status))

    with pytest.raises(Unavailable) as refused:
        create()
    assert refused.value.code == "video_unavailable"
    assert "secret words" not in str(refused.value)


def test_what_mux_will_not_have_is_a_conflict(answering: list[Response]) -> None:
    answering.append(JSONResponse({"error": {"messages": ["secret words"]}}, 400))

    with pytest.raises(Conflict) as refused:
        create()
    assert refused.value.code == "video_refused"


@pytest.mark.parametrize("body", ["", "[]", "{", '{"data": {}}', '{"data": {"id": 1}}'])
def test_an_answer_that_says_nothing_is_as_good_as_none(
    answering: list[Response], body: str
) -> None:
    answering.append(Response(body, 201))

    with pytest.raises(Unavailable):
        create()


def test_nobody_there_is_unavailable(mux_key: str) -> None:
    with settings(mux_settings_for("http://127.0.0.1:9", mux_key)), pytest.raises(Unavailable):
        create()


def test_deleting_what_is_gone_is_done(answering: list[Response]) -> None:
    answering += [JSONResponse({}, 404), JSONResponse({}, 404)]

    mux.delete_asset("gone")
    mux.clear_upload("gone")


def test_an_upload_that_finished_while_it_was_cancelled_is_deleted(videos: LocalMux) -> None:
    made = create()
    videos.send_file(made.url)
    videos.standin.work_off()
    assert videos.standin.assets

    mux.clear_upload(made.id)

    assert videos.standin.assets == {}
