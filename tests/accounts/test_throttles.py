from __future__ import annotations

import pytest

from studypack.accounts.throttles import Limit, forgive, take
from studypack.core.database import transaction
from studypack.core.errors import TooManyRequests
from tests.support.accounts import execute, value
from tests.support.concurrency import at_once


@pytest.fixture(autouse=True)
def _own_database(database_url: str) -> None:
    """Each test counts from nothing."""


def _limit(subject: str = "a", hits: int = 2, seconds: int = 60, scope: str = "test") -> Limit:
    return Limit(scope, subject, hits, seconds)


def _take(*limits: Limit) -> int | None:
    """Try once; how long to wait, None when the try was allowed."""
    try:
        with transaction() as session:
            take(session, *limits)
    except TooManyRequests as refused:
        return int(refused.headers["Retry-After"])
    return None


def test_as_many_tries_as_the_limit_says_are_allowed_and_then_none() -> None:
    assert [_take(_limit()) for _ in range(2)] == [None, None]
    wait = _take(_limit())
    assert wait is not None
    assert 50 < wait <= 60


def test_tries_during_the_wait_do_not_make_it_longer() -> None:
    for _ in range(3):
        _take(_limit())
    execute("UPDATE auth.throttles SET resets_at = now() + interval '5 seconds'")
    wait = _take(_limit())
    assert wait is not None
    assert wait <= 5


def test_a_window_that_is_over_counts_from_one_again() -> None:
    for _ in range(5):
        _take(_limit())
    execute("UPDATE auth.throttles SET resets_at = now() - interval '1 second'")
    assert [_take(_limit()) is None for _ in range(3)] == [True, True, False]


def test_subjects_and_scopes_are_counted_apart_and_case_is_not() -> None:
    assert [_take(_limit(subject)) for subject in ("a", "A")] == [None, None]
    assert _take(_limit("a")) is not None
    assert _take(_limit("b")) is None
    assert _take(_limit("a", scope="other")) is None


def test_of_several_limits_the_longest_wait_is_told_and_each_is_counted() -> None:
    short, long = _limit("a", 1, 60), _limit("b", 1, 600)
    assert _take(short, long) is None
    wait = _take(short, long)
    assert wait is not None
    assert 500 < wait <= 600
    assert value("SELECT min(hits) FROM auth.throttles") == 2


@pytest.mark.usefixtures("wide_pool")
def test_two_that_count_the_same_pair_in_either_order_do_not_deadlock() -> None:
    # Each row takes its time, so that both are between their two rows at the same moment.
    execute(
        "CREATE FUNCTION public.linger() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(0.05); RETURN NEW; END $$"
    )
    execute(
        "CREATE TRIGGER linger BEFORE INSERT ON auth.throttles"
        " FOR EACH ROW EXECUTE FUNCTION public.linger()"
    )
    one, two = _limit("a", 9), _limit("b", 9)
    assert at_once(lambda: _take(one, two), lambda: _take(two, one)) == [None, None]
    assert value("SELECT min(hits) FROM auth.throttles") == 2


def test_a_count_is_forgiven_with_the_requests_own_transaction() -> None:
    for _ in range(2):
        _take(_limit())
    with pytest.raises(RuntimeError), transaction() as session:  # noqa: PT012 (rolled back)
        forgive(session, [_limit()])
        raise RuntimeError
    assert _take(_limit()) is not None
    with transaction() as session:
        forgive(session, [_limit()])
    assert _take(_limit()) is None


def test_counting_costs_one_statement_for_any_number_of_limits(statements) -> None:
    _take(_limit("a"), _limit("b"), _limit("c"))
    assert len(statements()) == 1


def test_of_a_shared_limit_only_the_try_itself_is_taken_back() -> None:
    own, shared = _limit("own", 9), _limit("shared", 9)
    for _ in range(3):
        _take(own, shared)
    with transaction() as session:
        forgive(session, [own], this_try=[shared])
    assert value("SELECT array_agg(hits ORDER BY hits) FROM auth.throttles") == [0, 2]
