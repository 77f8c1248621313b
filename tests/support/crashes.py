"""A process that dies at a given moment of its work with the database: before or after the n-th
statement, or around a COMMIT. What it held is gone with its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from studypack.billing import inbox
from studypack.core.database.engine import dispose_engine, get_engine
from tests.support import bank, lifecycle
from tests.support.lifecycle import Lifecycle


class Died(BaseException):
    """No handler of exceptions sees it, as none sees a kill."""


@contextmanager
def dying_at(moment: int) -> Iterator[Callable[[], int]]:
    """Die at the n-th moment (from 1): before and after each statement, before and after each
    COMMIT; how many moments have passed.
    """
    passed = 0

    def pass_by(*_args: Any, **_options: Any) -> None:
        nonlocal passed
        passed += 1
        if passed == moment:
            raise Died(f"moment {moment}")

    engine = get_engine()
    listeners = [
        (engine, "before_cursor_execute"),
        (engine, "after_cursor_execute"),
        (engine, "commit"),
        (Session, "after_commit"),
    ]
    for target, name in listeners:
        event.listen(target, name, pass_by)
    try:
        yield lambda: passed
    finally:
        for target, name in listeners:
            event.remove(target, name, pass_by)


def crash_everywhere(life: Lifecycle, types: Sequence[str]) -> int:
    """Process the first event of each type, with a crash at every moment of it before it is done;
    how many crashes there were. Each leaves all of the event or nothing.
    """
    chosen = [next(each for each in life.events if each["type"] == name) for name in types]
    tried = 0
    for told in chosen:
        before = lifecycle.fingerprint()
        inbox.record(told)
        moment = 1
        while _crash(told["id"], moment):
            tried += 1
            moment += 1
            done = _is_done(told["id"])
            assert done or lifecycle.fingerprint() == before, f"half of {told['type']}: {moment}"
            if done:  # it died after the COMMIT
                whole = lifecycle.state()
                lifecycle.tell([told])
                assert lifecycle.differences(whole, lifecycle.state()) == []
                lifecycle.begin(life)
                lifecycle.tell(chosen[: chosen.index(told)])
                before = lifecycle.fingerprint()
                inbox.record(told)
        assert _is_done(told["id"])
    return tried


def _crash(event_id: str, moment: int) -> bool:
    """Whether the process died before it was through."""
    with dying_at(moment):
        try:
            done = inbox.process(event_id)
        except Died:
            dispose_engine()  # the process is gone, and its connection with it
            return True
    assert done.outcome is not inbox.Outcome.FAILED, done.error
    return False


def _is_done(event_id: str) -> bool:
    return bool(
        bank.value(
            "SELECT processed_at IS NOT NULL FROM payments.stripe_events WHERE id = :id",
            id=event_id,
        )
    )
