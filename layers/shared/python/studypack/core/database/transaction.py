"""Where transactions begin and end. Services flush; only this module commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Executable
from sqlalchemy.orm import Session

from studypack.core.database.driver import COMMITS
from studypack.core.database.engine import get_engine

T = TypeVar("T")


@contextmanager
def transaction() -> Iterator[Session]:
    """One transaction: committed when the block ends, rolled back when it raises.

    The first statement opens it, so a block that touches no row costs no round trip.
    """
    with Session(get_engine(), expire_on_commit=False) as session:
        try:
            yield session
        except BaseException:
            session.rollback()
            raise
        session.commit()


def commit_with(session: Session, last: Executable, parameters: Mapping[str, Any]) -> None:
    """Do one more statement and commit, both in one round trip. Then there is nothing left to do:
    the block that opened the session returns, and its own COMMIT costs nothing.
    """
    session.flush()
    session.execute(last, parameters, execution_options={COMMITS: True})


@contextmanager
def read_session() -> Iterator[Session]:
    """A session in autocommit: one round trip a statement, for requests that only read."""
    engine = get_engine().execution_options(isolation_level="AUTOCOMMIT")
    with Session(engine, expire_on_commit=False) as session:
        yield session


@contextmanager
def autocommit() -> Iterator[Connection]:
    """A bare connection in autocommit, for the authenticating statement and health checks."""
    with get_engine().connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def record_independently(session: Session, work: Callable[[Session], T]) -> T:
    """Do `work` in a short transaction of its own and commit it, whatever becomes of the
    request's.

    For what must outlive a refusal: throttle counters, audit of refusals. It comes before the
    request's first statement, because an environment has ONE connection, which a request's open
    transaction would hold.
    """
    if session.in_transaction():
        raise RuntimeError("record_independently comes before the request's first statement")
    with transaction() as independent:
        return work(independent)


def record_instead(session: Session, work: Callable[[Session], T]) -> T:
    """Undo what the request has done so far, which is about to be refused, and do `work` in a
    transaction of its own that outlives the refusal.
    """
    session.rollback()
    return record_independently(session, work)
