"""Each of Mux's events is recorded once and takes effect once, whatever order they come in."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from studypack.courses import mux_inbox
from studypack.integrations.mux import sign
from tests.support import bank
from tests.support.billing import run_job
from tests.support.concurrency import at_once
from tests.support.people import Person
from tests.support.videos import (
    OTHER_SECRET,
    SECRET,
    LocalMux,
    a_video_lesson,
    deliver,
    event_row,
    lesson_row,
    post,
    settings,
)


@pytest.fixture
def lesson_id(database_url: str) -> UUID:
    return a_video_lesson()


def a_life(videos: LocalMux, admin: Person, lesson_id: UUID) -> list[dict[str, Any]]:
    """Every event of a video with generated captions, none of them delivered."""
    videos.bring(admin, lesson_id)
    [asset] = videos.standin.assets.values()
    sound = next(track["id"] for track in asset["tracks"] if track["type"] == "audio")
    wanted = {"generated_subtitles": [{"language_code": "en", "name": "English"}]}
    videos.standin.generate_subtitles(asset["id"], sound, wanted)
    videos.standin.work_off()
    return videos.new_events()


def undo() -> None:
    """As it was before any event came."""
    bank.execute("DELETE FROM learning.mux_events")
    bank.execute("UPDATE learning.video_uploads SET mux_asset_id = NULL")
    bank.execute(
        "UPDATE learning.lessons SET video_status = 'UPLOADING', video_error = NULL,"
        " video_changed_at = NULL, mux_asset_id = NULL, mux_playback_id = NULL,"
        " duration_seconds = NULL, captions = '[]' WHERE mux_upload_id IS NOT NULL"
    )


def assert_ready(lesson_id: UUID) -> None:
    row = lesson_row(lesson_id)
    assert (row.video_status, row.duration_seconds) == ("READY", 75)
    assert row.mux_playback_id is not None
    assert [each["status"] for each in row.captions] == ["ready"]


def test_every_order_of_a_life_ends_the_same(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    life = a_life(videos, admin, lesson_id)
    assert sorted(each["type"] for each in life) == [
        "video.asset.created",
        "video.asset.ready",
        "video.asset.track.created",
        "video.asset.track.ready",
        "video.upload.asset_created",
        "video.upload.created",
    ]
    handled = [each for each in life if each["type"] != "video.upload.created"]
    ends = set()
    for order in itertools.permutations(handled):
        undo()
        assert {deliver(each).status for each in order} == {200}
        assert_ready(lesson_id)
        ends.add(str(lesson_row(lesson_id)))

    assert len(ends) == 1


@pytest.mark.usefixtures("wide_pool")
def test_events_that_come_at_once_and_twice_end_the_same(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    life = a_life(videos, admin, lesson_id)
    for seed in range(4):
        undo()
        shuffled = random.Random(seed).sample(life * 2, len(life) * 2)  # noqa: S311 (no secret)
        answers = at_once(*[lambda each=each: deliver(each) for each in shuffled])

        assert {each.status for each in answers} == {200}
        assert_ready(lesson_id)
    assert bank.row("SELECT count(*) AS n FROM learning.mux_events").n == len(life)


def test_the_same_event_again_changes_nothing(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    [*_, last] = a_life(videos, admin, lesson_id)
    for event in videos.new_events():
        deliver(event)
    bank.execute("UPDATE learning.lessons SET captions = '[]' WHERE id = :id", id=lesson_id)

    assert deliver(last).outcome == "done_before"
    assert lesson_row(lesson_id).captions == []
    assert event_row(last["id"]).attempts == 1


def test_events_of_a_replaced_video_are_ignored(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    of_the_first = videos.new_events()
    videos.bring(admin, lesson_id, b"seconds=30")
    of_the_second = [
        each for each in videos.new_events() if each["id"] not in {e["id"] for e in of_the_first}
    ]

    for event in [*of_the_second, *of_the_first]:
        deliver(event)

    assert lesson_row(lesson_id).duration_seconds == 30
    assert {event_row(each["id"]).outcome for each in of_the_first} <= {"replaced", "not_handled"}


def test_an_asset_of_nobodys_is_recorded_and_acknowledged(videos: LocalMux) -> None:
    upload = videos.standin.create_upload({"new_asset_settings": {"passthrough": "another's"}})
    videos.standin.receive(upload["id"], b"seconds=10")
    videos.standin.work_off()

    assert videos.deliver_new() == ["not_handled", "unknown", "unknown", "unknown"]


def test_an_asset_that_names_our_row_and_is_not_what_came_of_it_is_nobodys(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new()
    before = lesson_row(lesson_id)
    [asset] = videos.standin.assets.values()
    copied = videos.standin.create_upload(
        {"new_asset_settings": {"passthrough": asset["passthrough"]}}
    )
    videos.standin.receive(copied["id"], b"seconds=10")
    videos.standin.work_off()

    assert set(videos.deliver_new()) == {"not_handled", "unknown"}
    assert lesson_row(lesson_id) == before


def test_an_event_of_a_type_that_nobody_handles_is_done(videos: LocalMux) -> None:
    event = {
        "id": "e1",
        "type": "video.live_stream.active",
        "created_at": "2026-11-21T12:00:00.000000Z",
        "data": {},
    }

    assert deliver(event).outcome == "not_handled"
    assert event_row("e1").processed_at is not None


def test_an_event_that_lacks_what_its_type_promises_is_done_and_says_so(videos: LocalMux) -> None:
    event = {
        "id": "e1",
        "type": "video.asset.ready",
        "created_at": "2026-11-21T12:00:00.000000Z",
        "data": {"duration": 5},
    }

    answer = deliver(event)
    assert (answer.status, answer.outcome) == (200, "unreadable")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"id": "x"}',
        b'{"id": 1, "type": "video.asset.ready", "created_at": "2026-11-21T12:00:00Z"}',
        b'{"id": "x", "type": "video.asset.ready", "created_at": "yesterday"}',
        b'{"id": "x", "type": "a", "created_at": "2026-11-21T12:00:00Z", "data": "\\u0000"}',
        b'{"id": "x", "type": "a", "created_at": "2026-11-21T12:00:00Z", "data": "\\ud800"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_event_is_refused(videos: LocalMux, body: bytes) -> None:
    answer = post(body, sign(body, SECRET, at=int(time.time())))

    assert (answer.status, answer.outcome) == (400, "refused")
    assert bank.row("SELECT count(*) AS n FROM learning.mux_events").n == 0


def test_only_what_mux_signed_is_taken(videos: LocalMux) -> None:
    event = {"id": "e1", "type": "a.b", "created_at": "2026-11-21T12:00:00Z", "data": {}}
    body = json.dumps(event).encode()
    at = int(time.time())

    for signature in (None, "", sign(body, "another", at=at), sign(body, SECRET, at=at - 400)):
        assert post(body, signature).status == 400
    assert bank.row("SELECT count(*) AS n FROM learning.mux_events").n == 0


def test_while_the_secret_changes_both_are_in_force(videos: LocalMux) -> None:
    event = {"id": "e1", "type": "a.b", "created_at": "2026-11-21T12:00:00Z", "data": {}}
    with settings({"MUX_WEBHOOK_SECRETS": f"{SECRET}, {OTHER_SECRET}"}):
        assert deliver(event, secret=OTHER_SECRET).status == 200
        assert deliver(event, secret=SECRET).status == 200
    assert deliver(event, secret=OTHER_SECRET).status == 400


def test_without_a_secret_nothing_is_taken(database_url: str) -> None:
    answer = deliver({"id": "e1", "type": "a.b", "created_at": "2026-11-21T12:00:00Z"})

    assert (answer.status, answer.outcome) == (503, "not_set_up")
    assert answer.headers["Retry-After"]


def test_an_event_whose_commit_fails_comes_again_and_takes_effect(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    a_life(videos, admin, lesson_id)
    [ready] = videos.new_events("video.asset.ready")

    bank.execute(
        "CREATE FUNCTION public.refuse_commit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'refused at commit'; END $$"
    )
    bank.execute(
        "CREATE CONSTRAINT TRIGGER refuse_commit AFTER UPDATE ON learning.lessons"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.refuse_commit()"
    )
    assert deliver(ready).status == 500
    assert lesson_row(lesson_id).video_status == "UPLOADING"
    assert event_row(ready["id"]).processed_at is None
    bank.execute("DROP TRIGGER refuse_commit ON learning.lessons")

    assert deliver(ready).outcome == "applied"
    assert lesson_row(lesson_id).video_status == "READY"


def test_an_event_that_failed_is_tried_again_by_the_sweep(
    videos: LocalMux,
    admin: Person,
    lesson_id: UUID,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], str],
) -> None:
    a_life(videos, admin, lesson_id)
    [ready] = videos.new_events("video.asset.ready")

    def broken(*_: object) -> None:
        raise RuntimeError("quotes somebody's data")

    monkeypatch.setattr(mux_inbox, "_apply", broken)
    answer = deliver(ready)
    assert (answer.status, answer.outcome) == (500, "failed")
    assert event_row(ready["id"]).error == "RuntimeError"
    bank.execute(
        "UPDATE learning.mux_events SET attempts = 5, received_at = now() - '1h'::interval"
    )
    report = run_job("settle_media")
    assert (report["failed"], report["events_waiting_for_somebody"]) == (1, 1)

    monkeypatch.undo()
    report = run_job("settle_media")
    assert (report["applied"], report["events_waiting_for_somebody"]) == (1, 0)
    assert lesson_row(lesson_id).video_status == "READY"


def test_the_sweep_leaves_an_event_that_has_just_come_to_the_webhook(videos: LocalMux) -> None:
    mux_inbox.record({"id": "e1", "type": "a.b", "created_at": "2026-11-21T12:00:00Z"})

    assert run_job("settle_media")["processed"] == 0
    bank.execute("UPDATE learning.mux_events SET received_at = now() - interval '2 minutes'")
    assert run_job("settle_media")["not_handled"] == 1


def test_old_events_are_forgotten_and_waiting_ones_are_not(videos: LocalMux) -> None:
    for name in ("done", "waiting", "young"):
        mux_inbox.record({"id": name, "type": "a.b", "created_at": "2026-11-21T12:00:00Z"})
    mux_inbox.process("done")
    mux_inbox.process("young")
    bank.execute(
        "UPDATE learning.mux_events SET received_at = now() - interval '31 days'"
        " WHERE id <> 'young'"
    )

    run_job("purge_expired")

    left = bank.rows("SELECT id FROM learning.mux_events ORDER BY id")
    assert [each.id for each in left] == ["waiting", "young"]
