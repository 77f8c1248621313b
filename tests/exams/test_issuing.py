"""A receipt that cannot be signed at submission is signed later: an exam never waits for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from cron import submit_expired_exams
from local import aws
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.exams import issuing
from studypack.exams.receipt import verify
from studypack.exams.receipt_keys import encode, read_key_ring, read_public_keys
from tests.support import bank, exams

SECRET = "first-generated-secret-of-receipt-keys"
NEXT_SECRET = "second-generated-secret-of-receipt-keys"


@pytest.fixture
def keys(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set the environment's keys: `keys(RECEIPT_SIGNING_KEY=...)`; all others are gone."""

    def use(**environment: str) -> None:
        for name in ("RECEIPT_SIGNING_KEY", "RECEIPT_KEY_SECRET_ARN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        issuing.forget_keys()

    yield use
    monkeypatch.undo()
    get_settings.cache_clear()
    issuing.forget_keys()


def take(person: Any) -> dict[str, Any]:
    """Start an exam and submit it."""
    session = exams.start(person)
    assert exams.finalize(person, session)["status"] == "REVIEW"
    return session


def receipt_of(person: Any, session: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = person.get(f"/api/exams/sessions/{session['id']}/receipt").json()
    return document


def run_job() -> dict[str, Any]:
    return submit_expired_exams.handler({}, exams.JobContext())


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "neither RECEIPT_KEY_SECRET_ARN nor RECEIPT_SIGNING_KEY is set"),
        ({"RECEIPT_SIGNING_KEY": "short"}, "shorter than 32 characters"),
        (
            {"RECEIPT_KEY_SECRET_ARN": "studypack/receipts", "AWS_ENDPOINT_URL": "http://[::1]:9"},
            "GetParameterError",
        ),
    ],
)
def test_without_a_key_an_exam_is_submitted_unsigned_and_the_log_says_why_once(
    learner: Any,
    keys: Callable[..., None],
    log: Callable[[], str],
    environment: dict[str, str],
    reason: str,
) -> None:
    keys(**environment)
    session = take(learner)
    exams.finalize(learner, session)
    receipt = receipt_of(learner, session)
    assert (receipt["statement"], receipt["signature"]) == (None, None)
    assert [problem.code for problem in verify(receipt, {})] == ["unsigned"]
    [line] = [line for line in log().splitlines() if "exam receipts cannot be signed" in line]
    assert reason in json.loads(line)["reason"]
    answer = learner.api.get("/api/exams/receipt-keys")
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"]


def test_a_failed_key_is_tried_again_after_a_minute(
    keys: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(RECEIPT_SIGNING_KEY="short")
    assert issuing.signing_key() is None
    monkeypatch.setenv("RECEIPT_SIGNING_KEY", SECRET)
    get_settings.cache_clear()
    assert issuing.signing_key() is None
    now = issuing.time.time()
    monkeypatch.setattr(issuing.time, "time", lambda: now + issuing.RETRY_SECONDS + 1)
    found = issuing.signing_key()
    assert found is not None
    assert found.id == read_key_ring(SECRET).signing.id


def test_the_job_signs_what_was_left_unsigned_once(learner: Any, keys: Callable[..., None]) -> None:
    keys()
    session = take(learner)
    assert "signed" not in run_job()
    keys(RECEIPT_SIGNING_KEY=SECRET)
    assert run_job()["signed"] == 1
    assert run_job()["signed"] == 0
    receipt = receipt_of(learner, session)
    assert verify(receipt, read_key_ring(SECRET).public_keys) == []
    assert receipt["statement"]["signed_at"] > receipt["entries"][-1]["entry"]["at"]


def test_an_exam_that_the_job_submits_is_signed(learner: Any, keys: Callable[..., None]) -> None:
    keys(RECEIPT_SIGNING_KEY=SECRET)
    session = exams.start(learner)
    exams.move_clock(session["id"], 20 * 60)
    run_job()
    receipt = receipt_of(learner, session)
    assert verify(receipt, read_key_ring(SECRET).public_keys) == []
    assert receipt["entries"][-1]["entry"]["data"]["by"] == "CLOCK"


def test_an_exam_that_a_new_start_submits_is_signed_by_the_job(
    learner: Any, keys: Callable[..., None]
) -> None:
    keys(RECEIPT_SIGNING_KEY=SECRET)
    session = exams.start(learner)
    exams.move_clock(session["id"], 20 * 60)
    exams.start(learner)
    assert receipt_of(learner, session)["signature"] is None
    run_job()
    assert verify(receipt_of(learner, session), read_key_ring(SECRET).public_keys) == []


def test_a_log_that_was_changed_before_it_was_signed_is_not_signed(
    learner: Any, other_learner: Any, keys: Callable[..., None], log: Callable[[], str]
) -> None:
    keys()
    sessions = [take(learner), take(other_learner)]
    with transaction() as opened:  # what only the table's owner can
        opened.execute(text("ALTER TABLE learning.exam_response_log DISABLE TRIGGER USER"))
        opened.execute(
            text("DELETE FROM learning.exam_response_log WHERE session_id = :id AND sequence = 2"),
            {"id": sessions[0]["id"]},
        )
    keys(RECEIPT_SIGNING_KEY=SECRET)
    assert run_job()["signed"] == 1
    assert receipt_of(learner, sessions[0])["signature"] is None
    assert receipt_of(other_learner, sessions[1])["signature"] is not None
    [line] = [line for line in log().splitlines() if "its log was changed" in line]
    assert json.loads(line)["session_id"] == sessions[0]["id"]


def test_logs_that_were_changed_keep_no_other_receipt_from_being_signed(
    learner: Any,
    other_learner: Any,
    sign_up: Any,
    keys: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys()
    *changed, sound = (take(person) for person in (learner, other_learner, sign_up()))
    with transaction() as opened:  # what only the table's owner can
        opened.execute(text("ALTER TABLE learning.exam_response_log DISABLE TRIGGER USER"))
        opened.execute(
            text("DELETE FROM learning.exam_response_log WHERE session_id <> :id"),
            {"id": sound["id"]},
        )
    keys(RECEIPT_SIGNING_KEY=SECRET)
    monkeypatch.setattr(submit_expired_exams, "RECEIPTS", len(changed))
    report = run_job()
    assert (report["signed"], report["unsignable"], report["complete"]) == (1, 2, True)
    unsigned = "SELECT session_id::text FROM learning.exam_receipts WHERE signature IS NULL"
    assert {row.session_id for row in bank.rows(unsigned)} == {each["id"] for each in changed}


@pytest.mark.usefixtures("wide_pool")
def test_two_jobs_at_once_share_the_unsigned_receipts(
    learner: Any, other_learner: Any, keys: Callable[..., None]
) -> None:
    keys()
    for person in (learner, other_learner):
        take(person)
    key = read_key_ring(SECRET).signing
    with transaction() as first, transaction() as second:
        assert issuing.sign_unsigned(first, key, size=1, passed_over=set()) == 1
        assert issuing.sign_unsigned(second, key, size=5, passed_over=set()) == 1
    assert bank.value("SELECT count(*) FROM learning.exam_receipts WHERE signature IS NULL") == 0


@pytest.fixture
def secrets() -> Iterator[tuple[str, Any]]:
    """Secrets Manager's stand-in: its endpoint and a client of it."""
    with aws.running() as endpoint:
        yield endpoint, aws.client("secretsmanager", endpoint)


def test_a_key_comes_from_secrets_manager_and_after_its_rotation_old_receipts_still_hold(
    learner: Any, other_learner: Any, keys: Callable[..., None], secrets: tuple[str, Any]
) -> None:
    endpoint, client = secrets
    name = client.create_secret(Name="studypack/receipts", SecretString=SECRET)["ARN"]
    keys(RECEIPT_KEY_SECRET_ARN=name, AWS_ENDPOINT_URL=endpoint)
    old = receipt_of(learner, take(learner))
    before = read_key_ring(SECRET).signing
    rotated = {"current": NEXT_SECRET, "retired": [encode(before.public)]}
    client.put_secret_value(SecretId=name, SecretString=json.dumps(rotated))
    issuing.forget_keys()
    new = receipt_of(other_learner, take(other_learner))
    published = read_public_keys(json.dumps(learner.api.get("/api/exams/receipt-keys").json()))
    assert [old["statement"]["key"], new["statement"]["key"]] == list(reversed(published))
    assert verify(old, published) == []
    assert verify(new, published) == []
