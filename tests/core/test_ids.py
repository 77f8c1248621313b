from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from studypack.core.ids import derived_uuid7, smallest_uuid7, time_of, uuid7

TIMES = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 (hypothesis adds the zone)
    max_value=datetime(2999, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
MILLISECOND = timedelta(milliseconds=1)


@given(TIMES)
def test_an_id_is_a_version_7_uuid_of_its_time(at: datetime) -> None:
    made = uuid7(at)
    assert made.version == 7
    assert made.variant == RFC_4122
    assert abs(time_of(made) - at) <= MILLISECOND


@given(TIMES, st.integers(min_value=2, max_value=10**9))
def test_ids_sort_by_the_millisecond_they_were_made_in(at: datetime, later: int) -> None:
    assert uuid7(at) < uuid7(at + later * MILLISECOND)


@given(TIMES)
def test_the_smallest_id_of_a_time_bounds_all_ids_from_then_on(at: datetime) -> None:
    bound = smallest_uuid7(at)
    assert bound <= uuid7(at)
    assert uuid7(at - 2 * MILLISECOND) < bound
    assert (bound.version, bound.variant) == (7, RFC_4122)


def test_ids_of_one_moment_differ() -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    assert len({uuid7(at) for _ in range(1_000)}) == 1_000


def test_without_a_time_an_id_is_of_the_present() -> None:
    before = datetime.now(UTC)
    made = time_of(uuid7())
    assert before - MILLISECOND <= made <= datetime.now(UTC) + MILLISECOND


def test_the_database_makes_ids_of_the_same_kind(session) -> None:
    made, bound, now = session.execute(
        text("SELECT public.uuid7(now()), public.smallest_uuid7(now()), now()")
    ).one()
    assert isinstance(made, UUID)
    assert (made.version, made.variant) == (7, RFC_4122)
    assert abs(time_of(made) - now) <= MILLISECOND
    assert abs(bound.int - smallest_uuid7(now).int) >> 80 <= 1
    assert bound <= made


def test_a_derived_id_is_the_same_each_time_and_of_the_time_of_what_it_is_derived_from() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    reference, other = uuid7(noon), uuid7(noon)

    derived = derived_uuid7(reference, "purchase_completed")

    assert derived == derived_uuid7(reference, "purchase_completed")
    assert (derived.version, time_of(derived)) == (7, noon)
    assert len({derived, derived_uuid7(reference, "x"), derived_uuid7(other, "x"), reference}) == 4
