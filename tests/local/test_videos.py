"""Mux's stand-in on the local server: files in, signed events out, over HTTP."""

from __future__ import annotations

import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import urllib3
from starlette.testclient import TestClient

from local import environment, mux, server, videos
from local import template as sam
from local.mux import key
from local.mux.lengths import UNREAD_SECONDS, seconds_of
from tests.support import bank
from tests.support.people import Person
from tests.support.videos import a_video_lesson, lesson_row, settings

PATIENCE_SECONDS = 10


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def movie(scale: int, units: int, *, version: int = 0) -> bytes:
    """A movie header; 64-bit times in version 1."""
    times = struct.pack(">QQIQ" if version else ">IIII", 0, 0, scale, units)
    return box(b"mvhd", bytes([version, 0, 0, 0]) + times + b"\0" * 80)


FTYP = box(b"ftyp", b"isom\0\0\2\0")


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (FTYP + box(b"mdat", b"x" * 99) + box(b"moov", movie(600, 44_520)), 74.2),
        (FTYP + box(b"moov", box(b"iods", b"") + movie(1000, 5_000, version=1)), 5.0),
        (FTYP + box(b"moov", movie(0, 5)), None),
        (FTYP + box(b"moov", b""), None),
        (FTYP + b"\0\0\0\3junk", None),
        (FTYP, None),
        (b"\x1aE\xdf\xa3rest", UNREAD_SECONDS),
        (b"seconds=75", 75.0),
        (b"seconds=74.25\n", 74.25),
        (b"seconds=0", None),
        (b"seconds=x", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_a_videos_length_is_read_from_its_file(content: bytes, seconds: float | None) -> None:
    assert seconds_of(content) == seconds


def test_the_signing_key_is_made_once_and_nobody_elses(tmp_path: Path) -> None:
    first = key.ensure(tmp_path)

    assert key.ensure(tmp_path) == first
    assert stat.S_IMODE((tmp_path / key.NAME).stat().st_mode) == 0o600


def test_an_account_at_mux_that_is_named_is_used() -> None:
    def chosen(**given: str) -> dict[str, str]:
        return environment.variables(
            database_url="postgresql://x", web_base_url="http://w", mux_signing_key="k", given=given
        )

    assert chosen()["MUX_API_BASE"] == "http://w/_local/mux"
    for name in ("MUX_TOKEN_ID", "MUX_SECRET_ARN"):
        assert not [each for each in chosen(**{name: "x"}) if each.startswith("MUX_")]


@pytest.fixture
def local_server(
    database_url: str, wide_pool: None, mux_key: str
) -> Iterator[tuple[str, mux.StandIn]]:
    """The local server with the stand-in at work."""
    listener = server.listen(0, preferred=0)
    url = f"http://{server.HOST}:{listener.getsockname()[1]}"
    values = environment.variables(
        database_url=database_url, web_base_url=url, mux_signing_key=mux_key, given={}
    )
    ours = {name: value for name, value in values.items() if name.startswith("MUX_")}
    with settings(ours), videos.running(url) as standin:
        assert standin is not None
        standin.seconds = 0.1
        app = server.build_app(sam.read(), server.Overview, None, standin)
        with server.serving(app, listener):
            yield f"{url}{mux.PATH}", standin


def wait_for(lesson_id: Any, status: str) -> Any:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while (row := lesson_row(lesson_id)).video_status != status:
        assert time.monotonic() < give_up_at, row
        time.sleep(0.02)
    return row


def test_a_video_becomes_ready_by_events_over_http(
    local_server: tuple[str, mux.StandIn], admin: Person
) -> None:
    lesson_id = a_video_lesson()
    started = admin.post(f"/api/admin/lessons/{lesson_id}/video").json()
    urllib3.request("PUT", started["upload_url"], body=b"seconds=5", retries=False)

    assert wait_for(lesson_id, "READY").duration_seconds == 5


def test_a_video_of_the_sample_courses_plays(
    local_server: tuple[str, mux.StandIn], admin: Person
) -> None:
    [lesson] = bank.rows(
        "SELECT id FROM learning.lessons WHERE video_status = 'READY' ORDER BY id LIMIT 1"
    )
    playback = admin.get(f"/api/admin/lessons/{lesson.id}/video").json()["playback"]

    assert urllib3.request("GET", playback["stream_url"], retries=False).status == 200
    unknown = playback["stream_url"].replace(playback["playback_id"], "unknown")
    assert urllib3.request("GET", unknown, retries=False).status == 404


def test_a_file_may_come_in_parts(local_server: tuple[str, mux.StandIn]) -> None:
    _, standin = local_server
    url = standin.create_upload({})["url"]

    def put(part: bytes, begin: int, total: int) -> Any:
        end = begin + len(part) - 1
        headers = {"Content-Range": f"bytes {begin}-{end}/{total}"}
        return urllib3.request("PUT", url, body=part, headers=headers, retries=False)

    first = put(b"secon", 0, 9)
    assert (first.status, first.headers["Range"]) == (308, "bytes=0-4")
    assert put(b"x", 7, 9).status == 400
    assert put(b"ds=5", 5, 9).status == 200
    assert put(b"again", 0, 5).status == 403


def test_an_event_that_was_not_taken_comes_again(
    local_server: tuple[str, mux.StandIn], monkeypatch: pytest.MonkeyPatch, admin: Person
) -> None:
    from studypack.courses import mux_inbox

    refused: list[str] = []
    taken = mux_inbox.process

    def once_broken(event_id: str, **options: Any) -> Any:
        if len(refused) < 2:
            refused.append(event_id)
            return mux_inbox.Outcome.FAILED
        return taken(event_id, **options)

    monkeypatch.setattr(mux_inbox, "process", once_broken)
    lesson_id = a_video_lesson()
    started = admin.post(f"/api/admin/lessons/{lesson_id}/video").json()
    urllib3.request("PUT", started["upload_url"], body=b"seconds=5", retries=False)

    wait_for(lesson_id, "READY")
    assert len(refused) == 2


def test_nobody_uses_the_api_without_its_token(local_server: tuple[str, mux.StandIn]) -> None:
    url, standin = local_server
    api = TestClient(mux.application(standin))

    assert api.post("/video/v1/uploads").status_code == 401
    assert api.post("/video/v1/uploads", auth=(mux.TOKEN_ID, "wrong")).status_code == 401
    assert api.get(f"/video/v1/assets/{uuid4()}", auth=(mux.TOKEN_ID, "x")).status_code == 401
    right = (mux.TOKEN_ID, mux.TOKEN_SECRET)
    assert api.get(f"/video/v1/assets/{uuid4()}", auth=right).status_code == 404
    assert urllib3.request("PUT", f"{url}/upload/x", body=b"x", retries=False).status == 404
