from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.database import transaction
from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.core.idempotency import RepeatableRequest, once
from tests.support.concurrency import meeting_at

ME = UUID(int=1)
HOLD_SETTINGS = "LOCK TABLE auth.settings IN SHARE MODE"


@pytest.fixture(autouse=True)
def _own_database(database_url: str) -> None:
    """Each test has keys of its own."""


def _request(key: str | None = "k", given: Any = "x", **details: Any) -> RepeatableRequest:
    return RepeatableRequest(
        details.get("user_id", ME), details.get("operation", "test"), key, {"given": given}
    )


def _effect(session: Session) -> UUID:
    """Something that can be counted, and read back."""
    made = uuid4()
    session.execute(
        text("INSERT INTO auth.settings (key, value) VALUES (:key, '1')"), {"key": f"t-{made}"}
    )
    return made


Answer = tuple[UUID, Any]
"""What was made, and what it says now."""


def _send(request: RepeatableRequest, then: Callable[[], None] = lambda: None) -> Answer:
    def work() -> UUID:
        made = _effect(session)
        then()
        return made

    def read(made: UUID) -> Answer:
        value = session.scalar(
            text("SELECT value FROM auth.settings WHERE key = :key"), {"key": f"t-{made}"}
        )
        if value is None:
            raise NotFound("no such effect")
        return made, value

    with transaction() as session:
        return once(session, request, work, read)


def _execute(statement: str) -> None:
    with transaction() as session:
        session.execute(text(statement))


def _effects() -> int:
    with transaction() as session:
        return int(
            session.scalar(text("SELECT count(*) FROM auth.settings WHERE key LIKE 't-%'")) or 0
        )


def test_a_repetition_gets_the_first_ones_answer_and_has_no_effect() -> None:
    assert _send(_request()) == _send(_request())
    assert _effects() == 1


def test_a_repetition_is_answered_with_what_is_there_by_then() -> None:
    made, value = _send(_request())
    _execute("UPDATE auth.settings SET value = '2' WHERE key LIKE 't-%'")
    assert value == 1
    assert _send(_request()) == (made, 2)


@pytest.mark.parametrize(
    "loss",
    [
        "DELETE FROM auth.settings WHERE key LIKE 't-%'",
        "UPDATE auth.idempotency_keys SET answer = '{}'",
        "UPDATE auth.idempotency_keys SET answer = NULL",
        "UPDATE auth.idempotency_keys SET answer = '{\"id\": 7}'",
        'UPDATE auth.idempotency_keys SET answer = \'{"id": "first"}\'',
        "UPDATE auth.idempotency_keys SET answer = '[1]'",
    ],
)
def test_a_repetition_whose_result_is_gone_is_told_so(loss: str) -> None:
    _send(_request())
    _execute(loss)
    with pytest.raises(Conflict) as refused:
        _send(_request())
    assert refused.value.code == "result_gone"


def test_without_a_key_each_request_has_its_effect() -> None:
    assert _send(_request(None)) != _send(_request(None))
    assert _effects() == 2


def test_a_key_that_comes_again_with_other_input_is_refused() -> None:
    _send(_request(given="x"))
    with pytest.raises(Unprocessable) as refused:
        _send(_request(given="y"))
    assert [(e.field, e.code) for e in refused.value.errors] == [("Idempotency-Key", "key_reused")]
    assert _effects() == 1


def test_the_order_of_the_inputs_members_makes_no_difference() -> None:
    first = RepeatableRequest(ME, "test", "k", {"a": 1, "b": 2})
    second = RepeatableRequest(ME, "test", "k", {"b": 2, "a": 1})
    assert _send(first) == _send(second)


@pytest.mark.parametrize("other", [{"user_id": UUID(int=2)}, {"operation": "another"}])
def test_a_key_is_its_users_own_and_of_one_operation(other: dict[str, Any]) -> None:
    assert _send(_request()) != _send(_request(**other))
    assert _effects() == 2


def _fail() -> None:
    raise Conflict("no")


def test_a_failed_first_attempt_leaves_the_key_free() -> None:
    with pytest.raises(Conflict):
        _send(_request(), then=_fail)
    assert _effects() == 0
    assert _send(_request(given="other input")) is not None
    assert _effects() == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_at_once_have_one_effect_and_one_answer() -> None:
    answers = meeting_at(HOLD_SETTINGS, [lambda: _send(_request()), lambda: _send(_request())])
    assert answers[0] == answers[1]
    assert _effects() == 1


@pytest.mark.usefixtures("wide_pool")
def test_of_two_at_once_the_second_does_the_work_when_the_first_fails() -> None:
    failed: list[bool] = []

    def fail_once() -> None:
        if not failed:
            failed.append(True)
            _fail()

    def send() -> Answer | None:
        try:
            return _send(_request(), then=fail_once)
        except Conflict:
            return None

    answers = meeting_at(HOLD_SETTINGS, [send, send])
    assert sorted(answer is None for answer in answers) == [False, True]
    assert _effects() == 1
