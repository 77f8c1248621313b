from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from cron import purge_expired
from studypack.core.database import transaction
from studypack.core.jobs import (
    STOP_BEFORE_MILLISECONDS,
    JobFailed,
    Run,
    delete_in_batches,
    job,
    queue_worker,
)
from tests.support.exams import JobContext

ADD = text("INSERT INTO auth.settings (key, value) VALUES (:key, '1')")


class Dwindling(JobContext):
    """A context whose time runs out by so much at each look."""

    def __init__(self, milliseconds: int, step: int) -> None:
        super().__init__(milliseconds + step)
        self.step = step

    def get_remaining_time_in_millis(self) -> int:
        self.milliseconds -= self.step
        return self.milliseconds


def _keys() -> list[str]:
    with transaction() as session:
        found = text("SELECT key FROM auth.settings WHERE key LIKE 't-%' ORDER BY key")
        return list(session.scalars(found))


def test_a_run_goes_on_until_a_batch_finds_nothing(database_url: str) -> None:
    left = [3, 2, 0]
    run = Run("test", JobContext())
    run.in_batches(lambda session: left.pop(0))
    assert (run.processed, run.batches, run.complete) == (5, 3, True)


def test_a_run_begins_no_batch_without_time_for_it_and_says_that_it_is_not_complete(
    database_url: str,
) -> None:
    step = 4_000
    run = Run("test", Dwindling(STOP_BEFORE_MILLISECONDS + 2 * step, step))
    run.in_batches(lambda session: 7)
    assert (run.processed, run.batches, run.complete) == (14, 2, False)


def test_a_run_without_any_time_touches_nothing(database_url: str, statements: Any) -> None:
    run = Run("test", JobContext(STOP_BEFORE_MILLISECONDS))
    run.in_batches(lambda session: session.execute(text("SELECT 1")).rowcount)
    assert statements() == []
    assert not run.complete


def test_a_batch_that_fails_undoes_itself_and_no_batch_before_it(database_url: str) -> None:
    def batch(session: Session) -> int:
        session.execute(ADD, {"key": f"t-{run.batches}"})
        if run.batches == 2:
            raise RuntimeError("third batch")
        return 1

    run = Run("test", JobContext())
    with pytest.raises(RuntimeError, match="third batch"):
        run.in_batches(batch)
    assert _keys() == ["t-0", "t-1"]
    assert run.processed == 2


def test_a_job_reports_and_logs_how_far_it_came(
    database_url: str, log: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core.telemetry import get_logger

    @job("sample")
    def sample(run: Run) -> None:
        """Do a sample's work."""
        run.count("things", 2)
        run.count("things", 3)
        run.in_batches(lambda session: 0)

    before = get_logger().log_level
    get_logger().setLevel("INFO")
    try:
        report = sample({}, JobContext())
    finally:
        get_logger().setLevel(before)
    assert report["seconds"] >= 0
    expected = {"job": "sample", "processed": 0, "batches": 1, "complete": True, "things": 5}
    assert {name: report[name] for name in expected} == expected
    line = json.loads(log())
    assert expected.items() <= line.items()
    assert line["correlation_id"] == JobContext.aws_request_id
    assert sample.__doc__ == "Do a sample's work."


def test_what_a_job_has_to_leave_to_somebody_is_a_metric_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core import telemetry

    @job("sample")
    def leaving(run: Run) -> None:
        run.skip("skipped", 2)
        run.skip("unsignable", 1)

    @job("sample")
    def leaving_nothing(run: Run) -> None:
        run.skip("skipped", 0)

    @job("sample")
    def without_such_rows(run: Run) -> None:
        run.count("things", 7)

    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
    telemetry.get_metrics.cache_clear()
    try:
        reports = [run({}, JobContext()) for run in (leaving, leaving_nothing, without_such_rows)]
    finally:
        telemetry.get_metrics.cache_clear()

    assert (reports[0]["skipped"], reports[0]["unsignable"]) == (2, 1)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert [line.get("JobSkipped") for line in lines] == [[3.0], [0.0], None]


def test_a_job_that_fails_logs_it_and_fails(log: Callable[[], str]) -> None:
    @job("sample")
    def sample(run: Run) -> None:
        raise RuntimeError("broken")

    with pytest.raises(JobFailed, match="sample failed"):
        sample({}, JobContext())
    assert json.loads(log())["message"] == "job failed"


def test_the_log_of_a_failed_job_quotes_no_parameter(
    database_url: str, log: Callable[[], str]
) -> None:
    address = f"{uuid4().hex}@example.com"
    failing = text("SELECT no_such_column, CAST(:address AS text)")

    @job("sample")
    def sample(run: Run) -> None:
        run.in_batches(lambda session: len(session.execute(failing, {"address": address}).all()))

    with pytest.raises(JobFailed) as failure:
        sample({}, JobContext())
    assert address not in str(failure.value)
    assert failure.value.__suppress_context__
    assert "ProgrammingError" in log()
    assert address not in log()


def test_old_rows_are_deleted_a_bounded_batch_at_a_time(session: Session) -> None:
    for number in range(5):
        session.execute(ADD, {"key": f"t-{number}"})
    session.commit()
    run = Run("test", JobContext())
    delete_in_batches(
        run,
        "rows",
        "DELETE FROM auth.settings WHERE key IN"
        " (SELECT key FROM auth.settings WHERE key LIKE 't-%' LIMIT :size)",
        size=2,
    )
    assert (run.counts, run.batches, run.complete) == ({"rows": 5}, 4, True)
    assert _keys() == []


CREDENTIALS = {
    "sessions": (
        (
            "INSERT INTO auth.sessions (id, user_id, token_hash, expires_at)"
            " VALUES (gen_random_uuid(), :user, sha256(CAST(:name AS bytea)), now() + :age)"
        ),
        "SELECT count(*) FROM auth.sessions WHERE user_id = :user",
        {"-1 second": 0, "1 hour": 1},
    ),
    "verification_tokens": (
        (
            "INSERT INTO auth.verification_tokens"
            " (id, user_id, purpose, token_hash, email, expires_at)"
            " VALUES (gen_random_uuid(), :user, 'PASSWORD_RESET', sha256(CAST(:name AS bytea)),"
            " 'x', now() + :age)"
        ),
        (
            "SELECT count(*) FROM auth.verification_tokens WHERE user_id = :user"
            " AND purpose = 'PASSWORD_RESET'"
        ),
        {"-7 days -1 minute": 0, "-6 days": 1, "1 hour": 1},
    ),
    "throttles": (
        (
            "INSERT INTO auth.throttles (key, hits, resets_at)"
            " VALUES (sha256(CAST(:name AS bytea)), 1, now() + :age)"
        ),
        "SELECT count(*) FROM auth.throttles",
        {"-1 second": 0, "1 hour": 1},
    ),
    "idempotency_keys": (
        (
            "INSERT INTO auth.idempotency_keys (user_id, operation, key, fingerprint, created_at)"
            " VALUES (:user, 'x', :name, 'x', now() + :age)"
        ),
        "SELECT count(*) FROM auth.idempotency_keys",
        {"-25 hours": 0, "-23 hours": 1},
    ),
}


@pytest.mark.parametrize("table", CREDENTIALS)
def test_the_purge_deletes_what_has_served_its_time_and_keeps_the_rest(
    table: str, learner: Any
) -> None:
    add, count, rows = CREDENTIALS[table]
    with transaction() as session:
        before = session.scalar(text(count), {"user": learner.id})
        for age in rows:
            session.execute(
                text(add.replace(":age", "CAST(:age AS interval)")),
                {"user": learner.id, "name": age, "age": age},
            )
    report = purge_expired.handler({}, JobContext())
    with transaction() as session:
        after = session.scalar(text(count), {"user": learner.id})
    assert after == before + sum(rows.values())
    assert report[table] == len(rows) - sum(rows.values())
    assert report["complete"] is True
    assert learner.get("/api/users/me").status_code == 200


def test_the_purge_without_time_left_says_that_it_is_not_complete(learner: Any) -> None:
    assert purge_expired.handler({}, JobContext(1))["complete"] is False


def _message(name: str, body: str) -> dict[str, Any]:
    return {
        "messageId": name,
        "receiptHandle": "x",
        "body": body,
        "attributes": {},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:000000000000:test",
        "awsRegion": "eu-central-1",
    }


def _process(session: Session, message: dict[str, Any]) -> None:
    session.execute(ADD, {"key": f"t-{message['name']}"})
    if message["name"] == "poison":
        raise RuntimeError("poison")


def test_of_a_batch_of_messages_only_the_failed_one_comes_again(
    database_url: str, log: Callable[[], str]
) -> None:
    worker = queue_worker("test", _process)
    names = ["first", "poison", "last"]
    records = [_message(name, json.dumps({"name": name})) for name in names]
    report = worker({"Records": records}, JobContext())
    assert report == {"batchItemFailures": [{"itemIdentifier": "poison"}]}
    assert _keys() == ["t-first", "t-last"]
    logged = json.loads(log())
    assert (logged["message"], logged["message_id"]) == ("message failed", "poison")


def test_a_message_that_is_no_json_is_a_failed_one(database_url: str) -> None:
    worker = queue_worker("test", _process)
    records = [_message("broken", "{"), _message("good", '{"name": "good"}')]
    report = worker({"Records": records}, JobContext())
    assert report == {"batchItemFailures": [{"itemIdentifier": "broken"}]}
    assert _keys() == ["t-good"]


def test_when_every_message_fails_each_comes_again(database_url: str) -> None:
    worker = queue_worker("test", _process)
    records = [_message(name, '{"name": "poison"}') for name in ("a", "b")]
    report = worker({"Records": records}, JobContext())
    assert [item["itemIdentifier"] for item in report["batchItemFailures"]] == ["a", "b"]


def test_messages_for_which_no_time_is_left_come_again(database_url: str) -> None:
    step = 4_000
    worker = queue_worker("test", _process)
    records = [_message(name, json.dumps({"name": name})) for name in ("a", "b", "c")]
    report = worker({"Records": records}, Dwindling(STOP_BEFORE_MILLISECONDS + 2 * step, step))
    assert [item["itemIdentifier"] for item in report["batchItemFailures"]] == ["c"]
    assert _keys() == ["t-a", "t-b"]
