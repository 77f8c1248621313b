from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from studypack.core.database import (
    autocommit,
    read_session,
    record_independently,
    record_instead,
    transaction,
)

ADD = text("INSERT INTO auth.settings (key, value) VALUES (:key, '1')")


@pytest.fixture(autouse=True)
def _own_database(database_url: str) -> None:
    """Each test has rows of its own."""


def _keys() -> set[str]:
    with transaction() as session:
        return set(session.scalars(text("SELECT key FROM auth.settings WHERE key LIKE 't-%'")))


def test_a_transaction_is_committed_when_its_block_ends() -> None:
    with transaction() as session:
        session.execute(ADD, {"key": "t-1"})
    assert _keys() == {"t-1"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_transaction_is_rolled_back_when_its_block_raises(error: type[BaseException]) -> None:
    with pytest.raises(error), transaction() as session:  # noqa: PT012 (the block is the subject)
        session.execute(ADD, {"key": "t-1"})
        raise error
    assert _keys() == set()


def test_a_transaction_that_touches_no_row_opens_no_connection(statements: Any) -> None:
    from studypack.core.database.engine import get_engine

    with transaction(), read_session():
        assert get_engine().pool.checkedout() == 0  # type: ignore[attr-defined]
    assert statements() == []


@pytest.mark.parametrize("opened", [autocommit, read_session])
def test_autocommit_keeps_what_was_done_before_an_error(opened: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError), opened() as connection:  # noqa: PT012
        connection.execute(ADD, {"key": "t-1"})
        raise RuntimeError
    assert _keys() == {"t-1"}


def test_a_connection_that_was_in_autocommit_is_transactional_again(one_connection: None) -> None:
    for opened in (autocommit, read_session):
        with opened() as connection:
            connection.execute(text("SELECT 1"))
        with pytest.raises(RuntimeError), transaction() as session:  # noqa: PT012
            session.execute(ADD, {"key": "t-1"})
            raise RuntimeError
    assert _keys() == set()


def test_what_is_recorded_independently_outlives_the_requests_rollback() -> None:
    with pytest.raises(RuntimeError), transaction() as session:  # noqa: PT012
        record_independently(session, lambda own: own.execute(ADD, {"key": "t-kept"}))
        session.execute(ADD, {"key": "t-lost"})
        raise RuntimeError
    assert _keys() == {"t-kept"}


def test_recording_independently_needs_no_second_connection(one_connection: None) -> None:
    with transaction() as session:
        record_independently(session, lambda own: own.execute(ADD, {"key": "t-1"}))
        session.execute(ADD, {"key": "t-2"})
    assert _keys() == {"t-1", "t-2"}


def test_recording_independently_is_refused_after_the_requests_first_statement() -> None:
    with transaction() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(RuntimeError, match="before the request's first statement"):
            record_independently(session, lambda own: own.execute(ADD, {"key": "t-1"}))
    assert _keys() == set()


def test_what_is_recorded_instead_of_the_requests_work_is_all_that_stays(
    one_connection: None,
) -> None:
    with pytest.raises(RuntimeError), transaction() as session:  # noqa: PT012
        session.execute(ADD, {"key": "t-lost"})
        record_instead(session, lambda own: own.execute(ADD, {"key": "t-kept"}))
        raise RuntimeError
    assert _keys() == {"t-kept"}
