"""Mux and S3 in a test: the stand-ins behind our own clients, Mux's events at our webhook.

Events are listed by the stand-in and delivered when the test says so: `videos.deliver_new()`, or
one by one and in any order with `deliver`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from local import aws, mux
from local.mux import key
from studypack.courses import video_uploads
from studypack.courses.models import LessonKind
from tests.support import bank
from tests.support.authoring import a_course, a_lesson, a_module
from tests.support.billing import Answer, gateway_event, served
from tests.support.environment import environment
from tests.support.exams import JobContext
from tests.support.people import Person

SECRET = "whsec_mux_of_the_tests"
OTHER_SECRET = "whsec_mux_another_one_in_force"
BUCKET = "lessonfiles"

Document = dict[str, Any]


@contextmanager
def settings(values: Mapping[str, str]) -> Iterator[None]:
    """The application's settings, for a while."""
    with environment(values, forget=_forget):
        yield


def _forget() -> None:
    from studypack.core.config import get_settings
    from studypack.integrations import mux as ours
    from studypack.integrations import storage

    get_settings.cache_clear()
    ours.forget_keys()
    storage.forget_storage()


@dataclass
class LocalMux:
    """A stand-in and what of its events was delivered."""

    standin: mux.StandIn
    delivered: set[str] = field(default_factory=set)

    @property
    def events(self) -> list[Document]:
        """Every event so far, oldest first."""
        return self.standin.events

    def new_events(self, *types: str) -> list[Document]:
        """Those that were not delivered yet; of these types, if some are given."""
        return [
            each
            for each in self.events
            if each["id"] not in self.delivered and (not types or each["type"] in types)
        ]

    def deliver_new(self, *types: str) -> list[str]:
        """Deliver what was not delivered yet, in Mux's order; every answer is a 200."""
        outcomes = []
        for event in self.new_events(*types):
            self.delivered.add(event["id"])
            answer = deliver(event)
            assert answer.status == 200, (event["type"], answer)
            outcomes.append(answer.outcome)
        return outcomes

    def send_file(self, upload_url: str, content: bytes = b"seconds=74.2") -> None:
        """What a browser does with the address of an upload."""
        import urllib3

        answer = urllib3.request("PUT", upload_url, body=content, retries=False, timeout=10)
        assert answer.status == 200, answer.data

    def bring(self, admin: Person, lesson_id: UUID, content: bytes = b"seconds=74.2") -> None:
        """A video for a lesson, up to the last event, of which none is delivered."""
        started = admin.post(f"/api/admin/lessons/{lesson_id}/video")
        assert started.status_code == 201, started.text
        self.send_file(started.json()["upload_url"], content)
        self.standin.work_off()

    def show(self, lesson_id: UUID) -> UUID:
        """Give a lesson a video that is ready, by the service itself; the lesson again."""
        now = datetime.now(UTC)
        begun = video_uploads.start(lesson_id, asked_by=uuid4(), idempotency_key=None, now=now)
        assert begun.upload_url is not None
        self.send_file(begun.upload_url)
        self.standin.work_off()
        self.deliver_new()
        return lesson_id


@pytest.fixture(scope="session")
def mux_server() -> Iterator[tuple[str, list[Any]]]:
    """The address at which each test's stand-in is reached."""
    with served() as server:
        yield server


@pytest.fixture(scope="session")
def mux_key() -> str:
    """A signing key, made once: it takes a while."""
    return key.make()


@pytest.fixture
def videos(
    database_url: str, mux_server: tuple[str, list[Any]], mux_key: str
) -> Iterator[LocalMux]:
    """Mux's stand-in, empty; the application calls it and takes its webhooks."""
    url, current = mux_server
    standin = mux.StandIn(
        url,
        (mux.TOKEN_ID, mux.TOKEN_SECRET),
        {mux.SIGNING_KEY_ID: key.public_half(mux_key)},
        seconds=0,
    )
    current.append(mux.application(standin))
    try:
        with settings(mux_settings_for(url, mux_key)):
            yield LocalMux(standin)
    finally:
        current.pop()


def mux_settings_for(url: str, signing_key: str) -> dict[str, str]:
    """The variables of an account."""
    return {
        "MUX_TOKEN_ID": mux.TOKEN_ID,
        "MUX_TOKEN_SECRET": mux.TOKEN_SECRET,
        "MUX_WEBHOOK_SECRETS": SECRET,
        "MUX_SIGNING_KEY_ID": mux.SIGNING_KEY_ID,
        "MUX_SIGNING_KEY": signing_key,
        "MUX_API_BASE": url,
        "MUX_STREAM_BASE": f"{url}/stream",
    }


@pytest.fixture
def mux_webhook_settings(database_url: str) -> Iterator[None]:
    """Settings that accept signed events, for tests that need no stand-in: nothing listens."""
    with settings({"MUX_WEBHOOK_SECRETS": SECRET, "MUX_API_BASE": "http://127.0.0.1:9"}):
        yield


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of moto's server."""
    with aws.running() as url:
        yield url


@pytest.fixture
def bucket(database_url: str, s3_server: str) -> Iterator[Any]:
    """A boto3 client of S3, where the application's bucket is."""
    client = aws.client("s3", s3_server)
    # All of moto in a process has one memory, which other tests fill and empty.
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.REGION}
        )
    with settings({"AWS_ENDPOINT_URL": s3_server, "LESSON_FILES_BUCKET": BUCKET}):
        yield client


def a_video_lesson() -> UUID:
    """A lesson of the kind VIDEO in a course of its own."""
    return a_lesson(a_module(a_course()), kind=LessonKind.VIDEO, content_markdown=None)


def an_asset(bucket: Any) -> UUID:
    """A file that was announced for a lesson of its own, and sent."""
    id = uuid4()
    key = f"lessons/{id}.pdf"
    bucket.put_object(Bucket=BUCKET, Key=key, Body=b"%PDF-1.7\n\n")
    bank.execute(
        "INSERT INTO learning.assets (id, lesson_id, title, file_name, storage_key, file_size,"
        " mime_type) VALUES (:id, :lesson, 'A file', 'a.pdf', :key, 10, 'application/pdf')",
        id=id,
        lesson=a_video_lesson(),
        key=key,
    )
    return id


def post(body: bytes, signature: str | None) -> Answer:
    """Have our webhook answer a delivery."""
    from webhooks.mux.handler import handler

    headers = {} if signature is None else {"mux-signature": signature}
    answer = handler(gateway_event(body, headers), JobContext())
    return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]))


def deliver(event: Document, *, secret: str = SECRET) -> Answer:
    """Sign an event and have our webhook answer it."""
    from studypack.integrations.mux import sign

    body = json.dumps(event, separators=(",", ":")).encode()
    return post(body, sign(body, secret, at=int(time.time())))


def lesson_row(lesson_id: UUID) -> Any:
    """What a lesson's row says of its video."""
    return bank.row(
        "SELECT video_status, video_error, video_changed_at, mux_upload_id, mux_asset_id,"
        " mux_playback_id, duration_seconds, captions, transcript, updated_at"
        " FROM learning.lessons WHERE id = :id",
        id=lesson_id,
    )


def event_row(event_id: str) -> Any:
    """An event as the inbox has it."""
    return bank.row("SELECT * FROM learning.mux_events WHERE id = :id", id=event_id)
