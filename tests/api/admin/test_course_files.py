from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from studypack.core.config import get_settings
from studypack.integrations import storage
from tests.support import bank
from tests.support.course_folder import LOOPS, SLUG, course, edited, unzipped, without, zipped
from tests.support.people import Person

BUCKET = "studypack-test-files"
IMPORT = "/api/admin/courses/import"


@pytest.fixture
def bucket(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket for lessons' files."""
    with mock_aws():
        monkeypatch.setenv("LESSON_FILES_BUCKET", BUCKET)
        get_settings.cache_clear()
        storage.forget_storage()
        client = boto3.client("s3", region_name="eu-central-1")
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        yield client
    storage.forget_storage()


def send(admin: Person, data: bytes, *, kind: str = "application/zip", query: str = "") -> Any:
    return admin.post(f"{IMPORT}{query}", content=data, headers={"Content-Type": kind})


def bare() -> dict[str, bytes]:
    """The course without files that want a bucket."""
    tree = edited(course(), LOOPS, assets=None)
    tree[LOOPS] = tree[LOOPS].replace(b"![A loop](media/loop.svg)", b"")
    return without(tree, "modules/first/assets/table.csv", "media/loop.svg")


def test_a_zip_becomes_a_course_and_comes_back(admin: Person, bucket: Any) -> None:
    answer = send(admin, zipped(course(), "knots/"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["slug"], told["dry_run"], told["is_unchanged"]) == (SLUG, False, False)
    assert {"kind": "lesson", "name": LOOPS, "change": "created"} in told["changes"]
    lessons = next(each for each in told["tallies"] if each["kind"] == "lesson")
    assert lessons == {"kind": "lesson", "created": 3, "changed": 0, "unchanged": 0, "removed": 0}
    keys = [each["Key"] for each in bucket.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert [key.split("/")[0] for key in keys] == ["lessons", "media"]

    exported = admin.get(f"/api/admin/courses/{SLUG}/export")
    assert exported.status_code == 200, exported.text
    assert exported.headers["content-type"] == "application/zip"
    assert exported.headers["content-disposition"] == 'attachment; filename="knots.zip"'
    assert set(unzipped(exported.content)) >= {f"knots/{path}" for path in (LOOPS, "course.yaml")}
    again = send(admin, exported.content)
    assert again.json()["is_unchanged"] is True
    assert admin.get(f"/api/admin/courses/{SLUG}/export").content == exported.content

    acts = bank.rows(
        "SELECT action, actor_id, details FROM auth.audit_log WHERE action LIKE 'course.%ported'"
        " ORDER BY id"
    )
    assert [row.action for row in acts] == [
        "course.imported",
        "course.exported",
        "course.imported",
        "course.exported",
    ]
    assert {row.actor_id for row in acts} == {admin.id}
    assert acts[0].details["slug"] == SLUG
    assert acts[0].details["lesson"]["created"] == 3


def test_a_dry_run_answers_and_leaves_nothing(admin: Person, bucket: Any) -> None:
    answer = send(admin, zipped(course()), query="?dry_run=true")
    assert answer.status_code == 200, answer.text
    assert answer.json()["dry_run"] is True
    assert answer.json()["is_unchanged"] is False
    assert bank.rows("SELECT 1 FROM learning.courses WHERE slug = :slug", slug=SLUG) == []
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
    assert bank.rows("SELECT 1 FROM auth.audit_log WHERE action = 'course.imported'") == []


def test_mistakes_are_all_named_and_nothing_is_written(admin: Person) -> None:
    tree = edited(edited(bare(), LOOPS, kind="FILM"), "course.yaml", nonsense=1)
    answer = send(admin, zipped(tree))
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {
        f"{LOOPS}: front matter: kind",
        "course.yaml: nonsense",
    }
    assert bank.rows("SELECT 1 FROM learning.courses WHERE slug = :slug", slug=SLUG) == []


def test_without_a_bucket_a_course_without_files_can_be_imported(admin: Person) -> None:
    assert send(admin, zipped(bare())).status_code == 200
    refused = send(admin, zipped(course()))
    assert (refused.status_code, refused.json()["code"]) == (503, "files_not_set_up")
    assert admin.get(f"/api/admin/courses/{SLUG}/export").status_code == 200


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"slug: x", "application/zip", 422),
        (b"", "application/zip", 422),
        (zipped({"course.yaml": b"x", "../up.yaml": b"x"}), "application/zip", 422),
        (b"\0" * (4 * 1024 * 1024 + 1), "application/zip", 413),
    ],
)
def test_what_is_no_course_is_refused(admin: Person, data: bytes, kind: str, status: int) -> None:
    answer = send(admin, data, kind=kind)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_zip_may_be_larger_than_other_bodies(admin: Person) -> None:
    answer = send(admin, b"\0" * (4 * 1024 * 1024))
    assert answer.status_code == 422, answer.text


def test_a_zip_may_hold_what_would_be_nul_in_json(admin: Person) -> None:
    answer = send(admin, zipped(bare()) + rb"\u0000")
    assert answer.status_code == 200, answer.text


def test_an_export_that_no_answer_can_hold_names_the_command(
    admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.admin.course_files import service

    assert send(admin, zipped(bare())).status_code == 200
    monkeypatch.setattr(service, "LARGEST_ZIP", 100)
    answer = admin.get(f"/api/admin/courses/{SLUG}/export")
    assert answer.status_code == 413
    assert "make course-export COURSE=knots" in answer.json()["detail"]


@pytest.mark.parametrize("slug", ["nothing", "Not-A-Slug", "a--b"])
def test_a_course_that_is_not_there_is_a_clear_refusal(admin: Person, slug: str) -> None:
    answer = admin.get(f"/api/admin/courses/{slug}/export")
    assert answer.status_code == (404 if slug == "nothing" else 422)


def test_only_admins_may(learner: Person, support: Person) -> None:
    for person in (learner, support):
        assert send(person, zipped(bare())).status_code == 403
        assert person.get("/api/admin/courses/python-programming/export").status_code == 403
