"""Files of lessons: announced, sent to S3, looked at, linked for learners, taken away."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
import urllib3

from studypack.core.database import transaction
from studypack.courses.assets import links_of
from tests.support import bank
from tests.support.authoring import a_published_course
from tests.support.billing import run_job
from tests.support.people import Person
from tests.support.videos import BUCKET, settings

PDF = b"%PDF-1.7\n" + b"x" * 5000


@pytest.fixture
def lesson_id(database_url: str) -> UUID:
    return a_published_course()[2]


def announce(admin: Person, lesson_id: UUID, content: bytes = PDF, **more: Any) -> Any:
    body = {
        "file_name": "work sheet.pdf",
        "mime_type": "application/pdf",
        "size": len(content),
        **more,
    }
    return admin.post(f"/api/admin/lessons/{lesson_id}/assets", json=body)


def send(announced: Any, content: bytes = PDF) -> int:
    """What a browser does with the form."""
    form = announced.json()["upload"]
    fields = {**form["fields"], "file": ("work sheet.pdf", content, "application/pdf")}
    answer = urllib3.request("POST", form["url"], fields=fields, retries=False, timeout=10)
    return int(answer.status)


def complete(admin: Person, announced: Any) -> Any:
    return admin.post(f"/api/admin/assets/{announced.json()['asset']['id']}/complete")


def bring(admin: Person, lesson_id: UUID, **more: Any) -> Any:
    announced = announce(admin, lesson_id, **more)
    assert announced.status_code == 201, announced.text
    assert send(announced) == 204
    done = complete(admin, announced)
    assert done.status_code == 200, done.text
    return done.json()


def stored(bucket: Any, lesson_id: UUID) -> list[str]:
    found = bucket.list_objects_v2(Bucket=BUCKET, Prefix=f"lessons/{lesson_id}/")
    return [each["Key"] for each in found.get("Contents", [])]


def rows(lesson_id: UUID) -> list[Any]:
    return bank.rows("SELECT * FROM learning.assets WHERE lesson_id = :id", id=lesson_id)


def test_a_file_is_announced_sent_looked_at_and_there_for_learners(
    bucket: Any, admin: Person, lesson_id: UUID
) -> None:
    announced = announce(admin, lesson_id, title="The work sheet")
    asset = announced.json()["asset"]
    assert (asset["status"], asset["title"], asset["url"]) == ("PENDING", "The work sheet", None)
    with transaction() as session:
        assert links_of(session, lesson_id) == []
    early = complete(admin, announced)
    assert (early.status_code, early.json()["code"]) == (409, "not_uploaded")

    assert send(announced) == 204
    ready = complete(admin, announced).json()

    assert (ready["status"], ready["file_size"]) == ("READY", len(PDF))
    with transaction() as session:
        [link] = links_of(session, lesson_id)
    saved = urllib3.request("GET", link.url, retries=False, timeout=10)
    assert (saved.status, saved.data) == (200, PDF)
    assert saved.headers["Content-Disposition"].startswith('attachment; filename="work sheet.pdf"')
    assert saved.headers["Content-Type"] == "application/pdf"
    assert link.view_url is not None
    shown = urllib3.request("GET", link.view_url, retries=False, timeout=10)
    assert shown.headers["Content-Disposition"].startswith("inline;")
    assert complete(admin, announced).json()["status"] == "READY"


def test_the_form_takes_this_key_type_and_size_only(
    bucket: Any, admin: Person, lesson_id: UUID
) -> None:
    import base64
    import json

    fields = announce(admin, lesson_id).json()["upload"]["fields"]

    policy = json.loads(base64.b64decode(fields["policy"]))
    assert fields["key"].startswith(f"lessons/{lesson_id}/")
    assert ["content-length-range", len(PDF), len(PDF)] in policy["conditions"]
    assert {"Content-Type": "application/pdf"} in policy["conditions"]
    assert {"key": fields["key"]} in policy["conditions"]
    assert {"bucket": BUCKET} in policy["conditions"]


def test_links_end_after_a_quarter_of_an_hour(bucket: Any, admin: Person, lesson_id: UUID) -> None:
    asset = bring(admin, lesson_id)

    assert "X-Amz-Expires=900" in asset["url"]


def test_a_file_of_another_size_is_removed(bucket: Any, admin: Person, lesson_id: UUID) -> None:
    announced = announce(admin, lesson_id, PDF[:-1])
    bucket.put_object(Bucket=BUCKET, Key=rows(lesson_id)[0].storage_key, Body=PDF)

    refused = complete(admin, announced)

    assert refused.status_code == 422
    assert refused.json()["errors"][0] | {"message": ""} == {
        "field": "size",
        "code": "other_size",
        "message": "",
    }
    assert (stored(bucket, lesson_id), rows(lesson_id)) == ([], [])


@pytest.mark.parametrize("content", [b"<svg onload='alert(1)'>" + b" " * 5000, b"MZ\x90" * 2000])
def test_a_file_that_is_not_what_its_name_says_is_removed(
    bucket: Any, admin: Person, lesson_id: UUID, content: bytes
) -> None:
    announced = announce(admin, lesson_id, content)
    assert send(announced, content) == 204

    refused = complete(admin, announced)

    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "file_name")
    assert (stored(bucket, lesson_id), rows(lesson_id)) == ([], [])
    assert complete(admin, announced).status_code == 404


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"file_name": "a.svg", "mime_type": "image/svg+xml"}, "file_name"),
        ({"file_name": "../a.pdf"}, "file_name"),
        ({"mime_type": "text/html"}, "mime_type"),
        ({"size": 100 * 1024 * 1024 + 1}, "size"),
        ({"size": 0}, "size"),
    ],
)
def test_a_file_that_is_not_taken_is_refused_before_it_is_sent(
    bucket: Any, admin: Person, lesson_id: UUID, more: dict[str, Any], field: str
) -> None:
    refused = announce(admin, lesson_id, **more)

    assert refused.status_code == 422
    assert [each["field"] for each in refused.json()["errors"]] == [field]
    assert rows(lesson_id) == []


def test_the_largest_file_is_a_setting(bucket: Any, admin: Person, lesson_id: UUID) -> None:
    from studypack.core.business_settings import set_business_setting

    with transaction() as session:
        set_business_setting(session, "lesson_file_megabytes", 1)

    refused = announce(admin, lesson_id, size=1024 * 1024 + 1)
    assert (refused.status_code, refused.json()["max_bytes"]) == (422, 1024 * 1024)
    assert announce(admin, lesson_id, size=1024 * 1024).status_code == 201


def test_a_lesson_has_a_limit_of_files(
    bucket: Any, admin: Person, lesson_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.courses import asset_uploads

    monkeypatch.setattr(asset_uploads, "MOST_FILES", 2)
    announce(admin, lesson_id)
    announce(admin, lesson_id)

    refused = announce(admin, lesson_id)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_files")


def test_files_have_a_title_and_a_place(bucket: Any, admin: Person, lesson_id: UUID) -> None:
    first, second = (bring(admin, lesson_id, title=title) for title in ("First", "Second"))
    assert [first["position"], second["position"]] == [0, 1]

    changed = admin.patch(f"/api/admin/assets/{first['id']}", json={"title": "1", "position": 7})

    assert (changed.json()["title"], changed.json()["position"]) == ("1", 7)
    listed = admin.get(f"/api/admin/lessons/{lesson_id}/assets").json()["items"]
    assert [each["title"] for each in listed] == ["Second", "1"]
    with transaction() as session:
        assert [link.title for link in links_of(session, lesson_id)] == ["Second", "1"]


def test_a_file_that_is_taken_away_is_gone_from_storage(
    bucket: Any, admin: Person, lesson_id: UUID
) -> None:
    asset = bring(admin, lesson_id)

    assert admin.delete(f"/api/admin/assets/{asset['id']}").status_code == 204

    assert (stored(bucket, lesson_id), rows(lesson_id)) == ([], [])
    assert admin.delete(f"/api/admin/assets/{asset['id']}").status_code == 404


def test_what_storage_does_not_remove_at_once_is_nobodys_and_removed_later(
    bucket: Any, admin: Person, lesson_id: UUID
) -> None:
    asset = bring(admin, lesson_id)
    with settings({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}):
        assert admin.delete(f"/api/admin/assets/{asset['id']}").status_code == 204
    assert len(stored(bucket, lesson_id)) == 1
    assert admin.get(f"/api/admin/lessons/{lesson_id}/assets").json()["items"] == []
    with transaction() as session:
        assert links_of(session, lesson_id) == []

    report = run_job("settle_media")

    assert (report["removed_files"], report["files_not_removed"]) == (1, 0)
    assert (stored(bucket, lesson_id), rows(lesson_id)) == ([], [])


def test_a_file_that_never_came_is_given_up_after_a_day(
    bucket: Any, admin: Person, lesson_id: UUID
) -> None:
    announce(admin, lesson_id)
    asset = bring(admin, lesson_id)
    run_job("purge_expired")
    assert len(rows(lesson_id)) == 2
    bank.execute("UPDATE learning.assets SET created_at = now() - interval '25 hours'")

    assert run_job("purge_expired")["pending_files"] == 1
    run_job("settle_media")

    assert [str(each.id) for each in rows(lesson_id)] == [asset["id"]]


def test_without_storage_nothing_is_announced_and_lessons_can_be_read(
    admin: Person, lesson_id: UUID
) -> None:
    refused = announce(admin, lesson_id)
    assert (refused.status_code, refused.json()["code"]) == (503, "files_not_set_up")
    bank.execute(
        "INSERT INTO learning.assets (id, lesson_id, title, file_name, storage_key, file_size,"
        " mime_type, status) VALUES (gen_random_uuid(), :id, 'A', 'a.pdf', 'k', 1,"
        " 'application/pdf', 'READY')",
        id=lesson_id,
    )
    with transaction() as session:
        assert links_of(session, lesson_id) == []


def test_storage_out_of_reach_is_a_503(bucket: Any, admin: Person, lesson_id: UUID) -> None:
    announced = announce(admin, lesson_id)
    send(announced)
    with settings({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}):
        answer = complete(admin, announced)

    assert (answer.status_code, answer.json()["code"]) == (503, "files_unavailable")
    assert complete(admin, announced).status_code == 200


def test_only_admins_bring_files(
    bucket: Any, admin: Person, learner: Person, support: Person, lesson_id: UUID
) -> None:
    asset = bring(admin, lesson_id)
    for person in (learner, support):
        assert announce(person, lesson_id).status_code == 403
        assert person.get(f"/api/admin/lessons/{lesson_id}/assets").status_code == 403
        assert person.post(f"/api/admin/assets/{asset['id']}/complete").status_code == 403
        assert person.patch(f"/api/admin/assets/{asset['id']}", json={}).status_code == 403
        assert person.delete(f"/api/admin/assets/{asset['id']}").status_code == 403


@pytest.mark.parametrize("call", ["post", "patch", "delete"])
def test_a_file_that_is_not_there_is_a_404(bucket: Any, admin: Person, call: str) -> None:
    path = f"/api/admin/assets/{uuid4()}" + ("/complete" if call == "post" else "")
    options = {"json": {"title": "x"}} if call == "patch" else {}

    answer = getattr(admin, call)(path, **options)
    assert (answer.status_code, answer.json()["code"]) == (404, "asset_not_found")


def test_a_lesson_that_is_not_there_has_no_files(bucket: Any, admin: Person) -> None:
    assert announce(admin, uuid4()).json()["code"] == "lesson_not_found"
    listed = admin.get(f"/api/admin/lessons/{uuid4()}/assets")
    assert (listed.status_code, listed.json()["code"]) == (404, "lesson_not_found")


def test_every_act_on_a_file_is_in_the_audit_log(
    bucket: Any, admin: Person, lesson_id: UUID
) -> None:
    asset = bring(admin, lesson_id)
    admin.patch(f"/api/admin/assets/{asset['id']}", json={"title": "New"})
    admin.delete(f"/api/admin/assets/{asset['id']}")

    acts = bank.rows(
        "SELECT action FROM auth.audit_log WHERE subject_id = :id ORDER BY id", id=asset["id"]
    )
    assert [each.action for each in acts] == [
        "asset.announced",
        "asset.completed",
        "asset.changed",
        "asset.removed",
    ]
