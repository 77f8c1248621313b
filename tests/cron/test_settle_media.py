"""Mux is asked about videos whose events do not come, and its answers take effect as events do."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from studypack.courses import video_asking
from studypack.integrations import mux
from tests.support import bank
from tests.support.billing import run_job
from tests.support.exams import JobContext
from tests.support.people import Person
from tests.support.videos import LocalMux, a_video_lesson, lesson_row, settings


@pytest.fixture
def lesson_id(database_url: str) -> UUID:
    return a_video_lesson()


def pass_half_an_hour() -> None:
    bank.execute(
        "UPDATE learning.video_uploads SET created_at = created_at - interval '31 minutes'"
    )
    bank.execute(
        "UPDATE learning.lessons SET video_changed_at = video_changed_at - interval '31 minutes',"
        " updated_at = updated_at"
    )


def status_of(lesson_id: UUID) -> tuple[str | None, str | None]:
    row = lesson_row(lesson_id)
    return row.video_status, row.video_error


def asked(report: dict[str, Any]) -> tuple[int, int]:
    return report.get("videos_asked_about", 0), report.get("videos_settled_by_asking", 0)


def test_a_video_of_which_no_event_came_gets_ready(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    before = lesson_row(lesson_id).updated_at
    videos.bring(admin, lesson_id)
    pass_half_an_hour()

    report = run_job("settle_media")

    assert asked(report) == (1, 1)
    row = lesson_row(lesson_id)
    assert (row.video_status, row.duration_seconds) == ("READY", 75)
    assert row.mux_playback_id is not None
    assert row.updated_at == before
    assert asked(run_job("settle_media")) == (0, 0)
    # Late, the events say nothing else.
    videos.deliver_new()
    late = lesson_row(lesson_id)
    assert (late.video_status, late.mux_playback_id) == ("READY", row.mux_playback_id)


def test_a_video_whose_last_event_was_lost_gets_ready(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new("video.asset.created")
    run_job("settle_media")
    assert status_of(lesson_id) == ("PROCESSING", None)
    pass_half_an_hour()

    assert asked(run_job("settle_media")) == (1, 1)

    assert status_of(lesson_id) == ("READY", None)


def test_nobody_asks_within_half_an_hour(videos: LocalMux, admin: Person, lesson_id: UUID) -> None:
    videos.bring(admin, lesson_id)

    assert asked(run_job("settle_media")) == (0, 0)
    assert status_of(lesson_id) == ("UPLOADING", None)


def test_an_upload_that_waits_for_its_file_goes_on_waiting(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    admin.post(f"/api/admin/lessons/{lesson_id}/video")
    pass_half_an_hour()

    assert asked(run_job("settle_media")) == (1, 0)
    assert status_of(lesson_id) == ("UPLOADING", None)


def test_a_video_that_mux_is_still_at_is_processing(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    started = admin.post(f"/api/admin/lessons/{lesson_id}/video").json()
    videos.send_file(started["upload_url"])
    pass_half_an_hour()

    assert asked(run_job("settle_media")) == (1, 1)
    assert status_of(lesson_id) == ("PROCESSING", None)
    videos.standin.work_off()
    run_job("settle_media")
    assert status_of(lesson_id) == ("READY", None)


def test_what_went_wrong_at_mux_is_learned_by_asking(videos: LocalMux, admin: Person) -> None:
    no_video, cancelled, deleted = a_video_lesson(), a_video_lesson(), a_video_lesson()
    videos.bring(admin, no_video, b"no video")
    admin.post(f"/api/admin/lessons/{cancelled}/video")
    videos.standin.cancel_upload(lesson_row(cancelled).mux_upload_id)
    videos.bring(admin, deleted)
    [event] = [
        each
        for each in videos.new_events("video.asset.created")
        if str(deleted) in each["data"]["passthrough"]
    ]
    videos.deliver_new("video.asset.created")
    videos.standin.delete_asset(event["data"]["id"])
    pass_half_an_hour()

    assert asked(run_job("settle_media")) == (3, 3)

    assert status_of(no_video)[1] == "The input file is not a video that this stand-in knows."
    assert status_of(cancelled) == ("ERRORED", "The upload was cancelled.")
    assert status_of(deleted) == ("ERRORED", "The video was deleted at Mux.")


def test_a_video_is_asked_about_before_it_is_given_up(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    pass_half_an_hour()
    bank.execute("UPDATE learning.video_uploads SET expires_at = now() - interval '25 hours'")

    run_job("settle_media")

    assert status_of(lesson_id) == ("READY", None)


def test_a_video_that_was_replaced_is_not_asked_about(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    admin.delete(f"/api/admin/lessons/{lesson_id}/video")
    pass_half_an_hour()

    assert asked(run_job("settle_media")) == (0, 0)
    assert status_of(lesson_id) == (None, None)


def test_when_mux_is_out_of_reach_the_next_run_asks(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    pass_half_an_hour()

    with settings({"MUX_API_BASE": "http://127.0.0.1:9"}):
        report = run_job("settle_media")
    assert (asked(report), report.get("videos_asked_in_vain")) == ((0, 0), None)
    assert asked(run_job("settle_media")) == (1, 1)


def test_an_answer_that_cannot_be_used_keeps_no_other_video_waiting(
    videos: LocalMux, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound, other = a_video_lesson(), a_video_lesson()
    for lesson_id in (sound, other):
        videos.bring(admin, lesson_id)
    pass_half_an_hour()
    videos.standin.uploads[lesson_row(other).mux_upload_id]["asset_id"] = None

    report = run_job("settle_media")

    assert (asked(report), report["videos_asked_in_vain"]) == ((1, 1), 1)
    assert [status_of(each)[0] for each in (sound, other)] == ["READY", "UPLOADING"]


def test_a_run_asks_about_so_many_at_most(
    videos: LocalMux, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_asking, "MOST", 2)
    for _ in range(3):
        videos.bring(admin, a_video_lesson())
    pass_half_an_hour()

    assert [asked(run_job("settle_media"))[0] for _ in range(3)] == [2, 1, 0]


def test_nobody_is_asked_with_little_time_left_or_in_a_transaction(
    videos: LocalMux, admin: Person, lesson_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cron.settle_media import handler

    videos.bring(admin, lesson_id)
    pass_half_an_hour()
    assert asked(handler({}, JobContext(30_000))) == (0, 0)

    open_ones: list[int] = []
    find = mux.find_upload

    def counting(upload_id: str) -> dict[str, Any] | None:
        others = (
            "SELECT count(*) AS number FROM pg_stat_activity WHERE datname = current_database()"
        )
        idle = f"{others} AND state = 'idle in transaction'"
        open_ones.append(bank.row(idle).number)
        return find(upload_id)

    monkeypatch.setattr(mux, "find_upload", counting)
    assert asked(run_job("settle_media")) == (1, 1)
    assert open_ones == [0]
