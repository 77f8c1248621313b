"""The log in the database: one chain whoever writes, and nobody changes it."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from studypack.core.database import transaction
from studypack.exams.receipt import Head, leads_to
from tests.support import bank, exams
from tests.support.concurrency import meeting_at

LOG = (
    "SELECT sequence, event, occurred_at, entry, previous_hash, hash"
    " FROM learning.exam_response_log WHERE session_id = :id ORDER BY sequence"
)


@pytest.fixture
def taken(learner: Any) -> dict[str, Any]:
    """A short exam with two answers, submitted."""
    session = exams.start(learner)
    for item in session["items"][:2]:
        exams.save(learner, session, item, exams.any_answer(item))
    exams.finalize(learner, session)
    return session


def head_of(session: dict[str, Any]) -> Head:
    row = bank.row(
        "SELECT log_sequence, log_hash FROM learning.exam_sessions WHERE id = :id",
        id=session["id"],
    )
    return Head(*row)


def chain_of(session: dict[str, Any]) -> list[tuple[str, bytes]]:
    return [(row.entry, row.hash) for row in bank.rows(LOG, id=session["id"])]


def test_postgres_and_python_compute_the_same_chain(taken: dict[str, Any]) -> None:
    previous = bytes(32)
    rows = bank.rows(
        "SELECT *, sha256(previous_hash || convert_to(entry, 'UTF8')) AS computed,"
        " CAST(CAST(entry AS jsonb) ->> 'at' AS timestamptz) AS at"
        " FROM learning.exam_response_log WHERE session_id = :id ORDER BY sequence",
        id=taken["id"],
    )
    assert [row.event for row in rows] == ["STARTED", "ANSWERED", "ANSWERED", "SUBMITTED"]
    for row in rows:
        assert row.previous_hash == previous
        previous = hashlib.sha256(previous + row.entry.encode()).digest()
        assert row.hash == row.computed == previous
        assert row.at == row.occurred_at
    assert leads_to(head_of(taken), chain_of(taken))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE learning.exam_response_log SET entry = entry",
        "UPDATE learning.exam_response_log SET occurred_at = now() WHERE sequence = 2",
        "DELETE FROM learning.exam_response_log WHERE sequence = 4",
        "DELETE FROM learning.exam_response_log",
        "TRUNCATE learning.exam_response_log",
        "UPDATE learning.exam_receipts SET signature = NULL, key_id = NULL, signed_at = NULL",
        "UPDATE learning.exam_receipts SET head = decode(repeat('00', 32), 'hex')",
        "DELETE FROM learning.exam_receipts",
        "TRUNCATE learning.exam_receipts",
    ],
)
def test_the_database_refuses_to_change_what_is_written(taken: dict[str, Any], change: str) -> None:
    before = chain_of(taken)
    with pytest.raises(DBAPIError, match="append-only"):
        bank.execute(change)
    assert chain_of(taken) == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("hash", "decode(repeat('00', 32), 'hex')"),
        ("previous_hash", "'\\x00'"),
        ("sequence", "9"),
        ("event", "'PAUSED'"),
        ("entry", "replace(entry, 'STARTED', 'SUBMITTED')"),
    ],
)
def test_the_database_takes_no_entry_that_does_not_match_its_hash_or_its_columns(
    taken: dict[str, Any], column: str, value: str
) -> None:
    columns = ("session_id", "sequence", "event", "occurred_at", "entry", "previous_hash", "hash")
    chosen = ", ".join(value if each == column else each for each in columns)
    bank.execute("ALTER TABLE learning.exam_response_log DROP CONSTRAINT pk_exam_response_log")
    with pytest.raises(IntegrityError, match="ck_exam_response_log"):
        bank.execute(
            f"INSERT INTO learning.exam_response_log ({', '.join(columns)})"
            f" SELECT {chosen} FROM learning.exam_response_log WHERE sequence = 1"
        )


def test_erasing_a_person_erases_their_logs_and_receipts(
    learner: Any, other_learner: Any, taken: dict[str, Any]
) -> None:
    other = exams.start(other_learner)
    exams.finalize(other_learner, other)
    bank.execute("DELETE FROM auth.users WHERE id = :id", id=learner.id)
    assert chain_of(taken) == []
    assert len(chain_of(other)) == 2
    left = bank.rows("SELECT session_id FROM learning.exam_receipts")
    assert [str(row.session_id) for row in left] == [other["id"]]


@pytest.mark.usefixtures("wide_pool")
def test_a_dozen_answers_saved_at_once_make_one_chain_without_gaps(learner: Any) -> None:
    session = exams.start(learner)

    def saving(item: dict[str, Any]) -> Any:
        return lambda: exams.save(learner, session, item, exams.any_answer(item))

    answers = meeting_at(
        "SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE",
        [saving(item) for item in session["items"]],
        id=session["id"],
    )
    assert {answer.status_code for answer in answers} == {200}
    assert head_of(session).sequence == 1 + 12
    assert leads_to(head_of(session), chain_of(session))


@pytest.mark.usefixtures("wide_pool")
def test_two_devices_answering_pausing_and_submitting_at_once_keep_one_chain(
    learner: Any,
) -> None:
    session = exams.start(learner)
    change = f"/api/exams/sessions/{session['id']}"

    def device(items: list[dict[str, Any]], *, pauses: bool) -> list[int]:
        statuses = []
        for revision in (1, 2):
            for item in items:
                saved = exams.save(
                    learner, session, item, exams.any_answer(item), revision=revision
                )
                statuses.append(saved.status_code)
            if pauses:
                statuses += [
                    learner.patch(change, json={"action": action}).status_code
                    for action in ("pause", "resume")
                ]
        return statuses

    with ThreadPoolExecutor(2) as pool:
        halves = [session["items"][:6], session["items"][3:]]
        devices = [
            pool.submit(device, half, pauses=bool(number)) for number, half in enumerate(halves)
        ]
        statuses = [status for each in devices for status in each.result(timeout=60)]
    exams.finalize(learner, session)
    assert set(statuses) <= {200, 409}
    stored = bank.value(
        "SELECT count(*) FROM learning.exam_responses WHERE session_id = :id", id=session["id"]
    )
    assert stored > 0
    assert leads_to(head_of(session), chain_of(session))


def test_what_is_refused_or_rolled_back_leaves_no_entry(
    learner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.exams import submission

    session = exams.start(learner)
    item = session["items"][0]
    exams.save(learner, session, item, exams.any_answer(item))
    before = head_of(session)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no events today")

    with monkeypatch.context() as patch:
        patch.setattr(submission.activity, "record_event", fail)
        path = f"/api/exams/sessions/{session['id']}/finalize"
        assert learner.post(path).status_code == 500
    exams.save(learner, session, item, None)  # the same revision with another answer: refused
    exams.save(learner, session, item, exams.any_answer(item))  # replayed
    assert head_of(session) == before
    assert leads_to(before, chain_of(session))


@pytest.mark.usefixtures("wide_pool")
def test_an_answer_that_waited_for_another_device_is_linked_to_what_that_one_saved(
    learner: Any,
) -> None:
    session = exams.start(learner)
    item = session["items"][0]
    start = head_of(session)
    (saved,) = meeting_at(
        "SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE",
        [lambda: exams.save(learner, session, item, exams.any_answer(item))],
        then="""
            WITH entry AS (
                SELECT jsonb_build_object('session', CAST(:id AS uuid), 'sequence', 2,
                                          'event', 'PAUSED')::text AS text),
            logged AS (
                INSERT INTO learning.exam_response_log
                SELECT :id, 2, 'PAUSED', now(), text, :hash,
                       sha256(:hash || convert_to(text, 'UTF8')) FROM entry
                RETURNING hash)
            UPDATE learning.exam_sessions SET log_sequence = 2, log_hash = logged.hash
              FROM logged WHERE id = :id
        """,
        id=session["id"],
        hash=start.hash,
    )
    assert saved.status_code == 200
    assert leads_to(head_of(session), chain_of(session))
    assert len(chain_of(session)) == 3


def test_the_log_is_read_in_the_transaction_that_wrote_it(taken: dict[str, Any]) -> None:
    with transaction() as opened:
        rows = opened.execute(text(LOG), {"id": taken["id"]}).all()
    assert len(rows) == head_of(taken).sequence
