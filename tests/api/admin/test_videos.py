"""Videos of lessons: begun, sent, told of by Mux, watched, replaced, dropped, captioned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import urllib3

from studypack.courses import video_clearing
from studypack.integrations.mux import tokens
from tests.support import bank
from tests.support.billing import run_job
from tests.support.concurrency import at_once
from tests.support.people import Person
from tests.support.videos import LocalMux, a_video_lesson, lesson_row, mux_settings_for, settings


@pytest.fixture
def lesson_id(database_url: str) -> UUID:
    return a_video_lesson()


def start(admin: Person, lesson_id: UUID, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return admin.post(f"/api/admin/lessons/{lesson_id}/video", headers=headers)


def state(admin: Person, lesson_id: UUID) -> Any:
    answer = admin.get(f"/api/admin/lessons/{lesson_id}/video")
    assert answer.status_code == 200, answer.text
    return answer.json()


def uploads(lesson_id: UUID) -> list[Any]:
    return bank.rows(
        "SELECT * FROM learning.video_uploads WHERE lesson_id = :id ORDER BY id", id=lesson_id
    )


def test_a_video_is_begun_sent_and_ready_to_watch(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    begun = start(admin, lesson_id)
    assert begun.status_code == 201, begun.text
    assert (begun.json()["status"], begun.json()["playback"]) == ("UPLOADING", None)
    assert begun.json()["upload_expires_at"]

    videos.send_file(begun.json()["upload_url"])
    assert videos.deliver_new() == ["not_handled", "applied", "unchanged"]
    sent = state(admin, lesson_id)
    assert (sent["status"], sent["upload_url"]) == ("PROCESSING", None)

    videos.standin.work_off()
    videos.deliver_new()
    ready = state(admin, lesson_id)
    assert (ready["status"], ready["duration_seconds"], ready["error"]) == ("READY", 75, None)
    watched = urllib3.request("GET", ready["playback"]["stream_url"], retries=False, timeout=10)
    assert watched.status == 200


def test_mux_is_asked_for_signed_links_only(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    start(admin, lesson_id)

    [upload] = videos.standin.uploads.values()
    [row] = uploads(lesson_id)
    given = upload["new_asset_settings"]
    assert given["playback_policies"] == ["signed"]
    assert given["passthrough"] == f"{lesson_id}:{row.id}"
    assert upload["cors_origin"] == "https://app.example.com"


def test_a_file_that_is_no_video_says_so(videos: LocalMux, admin: Person, lesson_id: UUID) -> None:
    videos.bring(admin, lesson_id, b"no video at all")
    videos.deliver_new()

    failed = state(admin, lesson_id)
    assert (failed["status"], failed["playback"]) == ("ERRORED", None)
    assert "not a video" in failed["error"]


def test_the_same_key_begins_one_video(videos: LocalMux, admin: Person, lesson_id: UUID) -> None:
    first, again = (start(admin, lesson_id, "k1") for _ in range(2))

    assert first.json()["upload_url"] == again.json()["upload_url"]
    assert len(uploads(lesson_id)) == len(videos.standin.uploads) == 1


@pytest.mark.usefixtures("wide_pool")
def test_the_same_key_at_once_begins_one_video(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    answers = at_once(*[lambda: start(admin, lesson_id, "k1")] * 6)

    assert {each.status_code for each in answers} == {201}
    [upload] = uploads(lesson_id)
    assert {each.json()["upload_url"] for each in answers} == {upload.url}
    waiting = [each for each in videos.standin.uploads.values() if each["status"] == "waiting"]
    assert [each["id"] for each in waiting] == [upload.mux_upload_id]


@pytest.mark.usefixtures("wide_pool")
def test_videos_begun_at_once_leave_one_and_nothing_at_mux(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    at_once(*[lambda: start(admin, lesson_id)] * 6)

    assert [each.dropped_at is None for each in uploads(lesson_id)].count(True) == 1
    [current] = [each for each in uploads(lesson_id) if each.dropped_at is None]
    run_job("settle_media")
    waiting = [each for each in videos.standin.uploads.values() if each["status"] == "waiting"]
    assert [each["id"] for each in waiting] == [current.mux_upload_id]
    assert lesson_row(lesson_id).mux_upload_id == current.mux_upload_id


def test_another_video_takes_the_first_ones_place_at_mux_too(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    first_life = videos.new_events()
    videos.bring(admin, lesson_id, b"seconds=30")
    videos.deliver_new()

    assert state(admin, lesson_id)["duration_seconds"] == 30
    run_job("settle_media")
    assert [each["duration"] for each in videos.standin.assets.values()] == [30]
    assert all(each in videos.events for each in first_life)
    assert all(each.cleared_at for each in uploads(lesson_id) if each.dropped_at)


def test_an_old_key_does_not_bring_a_replaced_video_back(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    start(admin, lesson_id, "k1")
    start(admin, lesson_id, "k2")

    answer = start(admin, lesson_id, "k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "video_replaced")


def test_a_dropped_video_is_gone_here_and_at_mux(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new()

    assert admin.delete(f"/api/admin/lessons/{lesson_id}/video").status_code == 204

    assert videos.standin.assets == {}
    videos.deliver_new()
    assert state(admin, lesson_id)["status"] is None
    [row] = uploads(lesson_id)
    assert row.cleared_at is not None
    again = admin.delete(f"/api/admin/lessons/{lesson_id}/video")
    assert (again.status_code, again.json()["code"]) == (404, "no_video")


def test_a_video_that_was_dropped_while_it_was_sent_is_deleted_when_mux_tells_of_it(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    url = start(admin, lesson_id).json()["upload_url"]
    videos.send_file(url)
    # Mux cannot be reached when the video is dropped.
    with settings({"MUX_API_BASE": "http://127.0.0.1:9"}):
        assert admin.delete(f"/api/admin/lessons/{lesson_id}/video").status_code == 204
    assert len(videos.standin.assets) == 1

    assert videos.deliver_new("video.asset.created") == ["replaced"]
    report = run_job("settle_media")

    assert (report["cleared_videos"], report["videos_not_cleared"]) == (1, 0)
    assert videos.standin.assets == {}


def test_what_mux_does_not_let_go_of_is_counted_after_a_day(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new()
    with settings({"MUX_API_BASE": "http://127.0.0.1:9"}):
        admin.delete(f"/api/admin/lessons/{lesson_id}/video")
        assert run_job("settle_media")["videos_not_cleared"] == 0
        bank.execute("UPDATE learning.video_uploads SET dropped_at = now() - interval '2 days'")
        report = run_job("settle_media")

    assert (report["videos_not_cleared"], report["complete"]) == (1, True)


def test_without_mux_a_begun_video_is_kept_and_gone_on_with(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    with settings({"MUX_API_BASE": "http://127.0.0.1:9"}):
        answer = start(admin, lesson_id, "k1")
    assert (answer.status_code, answer.json()["code"]) == (503, "video_unavailable")

    begun = start(admin, lesson_id, "k1")

    assert begun.status_code == 201
    assert len(uploads(lesson_id)) == 1
    other_key = start(admin, lesson_id, "k2")
    assert other_key.json()["upload_url"] != begun.json()["upload_url"]


def test_an_answer_of_muxs_that_was_lost_is_made_up_for_by_its_events(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    url = start(admin, lesson_id).json()["upload_url"]
    # As a crash between Mux's answer and our recording of it leaves it.
    bank.execute("UPDATE learning.video_uploads SET mux_upload_id = NULL, url = NULL")
    bank.execute("UPDATE learning.lessons SET mux_upload_id = NULL")
    videos.send_file(url)
    videos.standin.work_off()
    videos.deliver_new()

    assert state(admin, lesson_id)["status"] == "READY"
    assert lesson_row(lesson_id).mux_upload_id == uploads(lesson_id)[0].mux_upload_id is not None


def test_what_mux_refuses_was_never_begun(
    videos: LocalMux, admin: Person, lesson_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.courses import video_uploads

    monkeypatch.setattr(video_uploads, "UPLOAD_SECONDS", 1)  # Mux takes 60 and more
    answer = start(admin, lesson_id, "k1")
    assert (answer.status_code, answer.json()["code"]) == (409, "video_refused")
    assert state(admin, lesson_id)["status"] is None

    monkeypatch.undo()
    assert start(admin, lesson_id, "k1").status_code == 201


def test_a_file_that_never_comes_is_given_up_after_a_day(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    start(admin, lesson_id)
    run_job("settle_media")
    assert state(admin, lesson_id)["status"] == "UPLOADING"
    bank.execute("UPDATE learning.video_uploads SET expires_at = now() - interval '25 hours'")

    run_job("settle_media")
    run_job("settle_media")

    given_up = state(admin, lesson_id)
    assert (given_up["status"], given_up["upload_url"]) == ("ERRORED", None)
    assert given_up["error"] == "No file arrived in time; begin again."
    assert {each["status"] for each in videos.standin.uploads.values()} == {"cancelled"}
    assert start(admin, lesson_id).status_code == 201


def test_a_video_that_is_nearly_late_is_not_given_up(
    videos: LocalMux, admin: Person, lesson_id: UUID, session: Any
) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new("video.asset.created")
    bank.execute("UPDATE learning.video_uploads SET expires_at = now() - interval '25 hours'")

    assert video_clearing.give_up_unused(session) == 0


def test_what_mux_tells_is_no_change_of_an_authors(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    before = lesson_row(lesson_id).updated_at
    videos.bring(admin, lesson_id)
    videos.deliver_new()

    assert lesson_row(lesson_id).updated_at == before


def test_captions_come_from_a_file_or_from_what_is_said(
    videos: LocalMux, admin: Person, lesson_id: UUID
) -> None:
    path = f"/api/admin/lessons/{lesson_id}/captions"
    early = admin.post(path, json={"language": "en", "name": "English"})
    assert (early.status_code, early.json()["code"]) == (409, "video_not_ready")
    videos.bring(admin, lesson_id)
    videos.deliver_new()

    heard = admin.post(path, json={"language": "en", "name": "English"})
    assert heard.status_code == 202, heard.text
    assert heard.json()["captions"] == [
        {"language": "en", "name": "English", "status": "preparing"}
    ]
    written = {"language": "de-DE", "name": "Deutsch", "url": "https://example.com/de.vtt"}
    assert admin.post(path, json=written).status_code == 202
    no_captions = {"language": "fr", "name": "Français", "url": "https://example.com/fr.pdf"}
    assert admin.post(path, json=no_captions).status_code == 202
    videos.standin.work_off()
    videos.deliver_new()

    assert [(each["language"], each["status"]) for each in state(admin, lesson_id)["captions"]] == [
        ("de-DE", "ready"),
        ("en", "ready"),
        ("fr", "errored"),
    ]
    twice = admin.post(path, json={"language": "en", "name": "English"})
    assert (twice.status_code, twice.json()["code"]) == (409, "video_refused")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "English please"),
        ("name", ""),
        ("url", "http://example.com/de.vtt"),
        ("url", "file:///etc/passwd"),
    ],
)
def test_captions_that_cannot_be_are_refused_by_field(
    admin: Person, lesson_id: UUID, field: str, value: str
) -> None:
    body = {"language": "en", "name": "English", field: value}
    answer = admin.post(f"/api/admin/lessons/{lesson_id}/captions", json=body)

    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]


def test_a_transcript_is_kept_and_searched(admin: Person, lesson_id: UUID) -> None:
    path = f"/api/admin/lessons/{lesson_id}/transcript"
    kept = admin.put(path, json={"transcript": "We speak of proprioception."})

    assert kept.json()["transcript"] == "We speak of proprioception."
    found = "SELECT 1 FROM learning.lessons WHERE search @@ to_tsquery('proprioception')"
    assert bank.rows(found)
    assert admin.put(path, json={"transcript": None}).json()["transcript"] is None


def test_nobody_is_asked_for_the_key_of_links_in_a_transaction(
    videos: LocalMux, admin: Person, lesson_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos.show(lesson_id)
    open_ones: list[int] = []
    signing_key = tokens.signing_key

    def counting() -> Any:
        idle = "datname = current_database() AND state = 'idle in transaction'"
        open_ones.append(
            bank.row(f"SELECT count(*) AS number FROM pg_stat_activity WHERE {idle}").number
        )
        return signing_key()

    monkeypatch.setattr(tokens, "signing_key", counting)
    path = f"/api/admin/lessons/{lesson_id}"
    assert admin.put(f"{path}/transcript", json={"transcript": "Words."}).json()["playback"]
    assert state(admin, lesson_id)["playback"]
    wish = {"language": "en", "name": "English"}
    assert admin.post(f"{path}/captions", json=wish).json()["playback"]

    assert open_ones == [0, 0, 0]


def test_without_an_account_at_mux_there_are_no_videos(admin: Person, lesson_id: UUID) -> None:
    answer = start(admin, lesson_id)
    assert (answer.status_code, answer.json()["code"]) == (503, "video_not_set_up")
    captions = admin.post(
        f"/api/admin/lessons/{lesson_id}/captions", json={"language": "en", "name": "English"}
    )
    assert (captions.status_code, captions.json()["code"]) == (503, "video_not_set_up")
    assert state(admin, lesson_id) | {"lesson_id": ""} == {
        "lesson_id": "",
        "status": None,
        "error": None,
        "duration_seconds": None,
        "captions": [],
        "transcript": None,
        "upload_url": None,
        "upload_expires_at": None,
        "playback": None,
    }
    assert run_job("settle_media")["complete"] is True


@pytest.mark.parametrize("call", ["post", "get", "delete"])
def test_a_lesson_that_is_not_there_has_no_video(
    videos: LocalMux, admin: Person, call: str
) -> None:
    answer = getattr(admin, call)(f"/api/admin/lessons/{uuid4()}/video")

    assert (answer.status_code, answer.json()["code"]) == (404, "lesson_not_found")
    assert videos.standin.uploads == {}


def test_only_admins_bring_videos(
    videos: LocalMux, learner: Person, support: Person, lesson_id: UUID
) -> None:
    for person in (learner, support):
        assert start(person, lesson_id).status_code == 403
        assert person.get(f"/api/admin/lessons/{lesson_id}/video").status_code == 403
        assert person.delete(f"/api/admin/lessons/{lesson_id}/video").status_code == 403
    assert videos.standin.uploads == {}


def test_every_act_is_in_the_audit_log(videos: LocalMux, admin: Person, lesson_id: UUID) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new()
    captions = {"language": "en", "name": "English"}
    admin.post(f"/api/admin/lessons/{lesson_id}/captions", json=captions)
    admin.put(f"/api/admin/lessons/{lesson_id}/transcript", json={"transcript": "Words."})
    admin.delete(f"/api/admin/lessons/{lesson_id}/video")

    acts = bank.rows(
        "SELECT action FROM auth.audit_log WHERE subject_id = :id AND actor_id = :by ORDER BY id",
        id=lesson_id,
        by=admin.id,
    )
    assert [each.action for each in acts] == [
        "lesson_video.begun",
        "lesson_video.captioned",
        "lesson_video.transcribed",
        "lesson_video.dropped",
    ]


def test_looking_at_a_video_takes_one_statement(
    videos: LocalMux, admin: Person, lesson_id: UUID, statements: Callable[[], list[str]]
) -> None:
    videos.bring(admin, lesson_id)
    videos.deliver_new()
    state(admin, lesson_id)
    statements()

    state(admin, lesson_id)

    assert len(statements()) == 2  # the first is the authentication


def test_a_key_at_mux_that_is_wrong_is_the_operators(
    videos: LocalMux, admin: Person, lesson_id: UUID, mux_key: str
) -> None:
    url = videos.standin.base_url
    with settings({**mux_settings_for(url, mux_key), "MUX_TOKEN_SECRET": "wrong"}):
        answer = start(admin, lesson_id)

    assert (answer.status_code, answer.json()["code"]) == (503, "video_unavailable")
