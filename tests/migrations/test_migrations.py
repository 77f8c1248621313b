"""The schema's way up and down on a fresh database, and what the migrations' own functions do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import RFC_4122, uuid4

import pg8000.native
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local import migrate, postgres
from local.postgres.cluster import connect
from studypack.core.ids import smallest_uuid7, time_of, uuid7

MONTHS_AHEAD = 3
DAWN = datetime(1970, 1, 2, tzinfo=UTC)
TIMES = st.timedeltas(timedelta(), timedelta(days=84_000)).map(lambda after: DAWN + after)
"""Until 2199."""


@dataclass(frozen=True)
class Fresh:
    """An empty database whose owner is a role of its own: migrations change settings of the role,
    which other tests' databases would share.
    """

    cluster: postgres.Cluster
    name: str
    url: str

    @contextmanager
    def owner(self) -> Iterator[pg8000.native.Connection]:
        """A new session of the owner."""
        credentials, _, place = self.url.removeprefix("postgresql://").partition("@")
        user, password = credentials.split(":")
        address, database = place.split("/")
        host, port = address.split(":")
        session = pg8000.native.Connection(
            user, host=host, port=int(port), password=password, database=database
        )
        try:
            yield session
        finally:
            session.close()

    def column(self, sql: str) -> list[Any]:
        """The first column of a query, asked by the owner."""
        with self.owner() as session:
            return [row[0] for row in session.run(sql)]


@pytest.fixture
def fresh(cluster: postgres.Cluster) -> Iterator[Fresh]:
    name = f"migrated_{uuid4().hex}"
    superuser = connect(cluster)
    superuser.run(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    superuser.run(f"CREATE DATABASE {name} OWNER {name}")
    yield Fresh(cluster, name, f"postgresql://{name}:{name}@{cluster.host}:{cluster.port}/{name}")
    superuser.run(f"DROP DATABASE {name} WITH (FORCE)")
    superuser.run(f"DROP ROLE {name}")
    superuser.close()


@pytest.fixture
def db(cluster: postgres.Cluster, database_url: str) -> Iterator[pg8000.native.Connection]:
    """A superuser's session on a migrated database."""
    session = connect(cluster, database_url.rpartition("/")[2])
    yield session
    session.close()


OWN_OBJECTS = """
    SELECT 'schema ' || nspname FROM pg_namespace
     WHERE nspname NOT LIKE 'pg\\_%' AND nspname NOT IN ('information_schema', 'public')
    UNION ALL
    SELECT 'relation ' || oid::regclass FROM pg_class
     WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace
                                 WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')
    UNION ALL
    SELECT 'function ' || oid::regprocedure FROM pg_proc
     WHERE pronamespace NOT IN (SELECT oid FROM pg_namespace
                                 WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')
    UNION ALL
    SELECT 'type ' || typname FROM pg_type
     WHERE typnamespace NOT IN (SELECT oid FROM pg_namespace
                                 WHERE nspname LIKE 'pg\\_%' OR nspname = 'information_schema')
    UNION ALL
    SELECT 'setting ' || unnest(setconfig) FROM pg_db_role_setting
     WHERE setrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    ORDER BY 1
"""

ALEMBICS_OWN = [
    "relation alembic_version",
    "relation alembic_version_pkc",
    "type _alembic_version",
    "type alembic_version",
]


def test_up_and_down_and_up_again_ends_the_same_and_the_base_leaves_nothing(fresh: Fresh) -> None:
    assert fresh.column(OWN_OBJECTS) == []

    migrate.upgrade(fresh.url)
    first = fresh.column(OWN_OBJECTS)
    assert fresh.column("SELECT version_num FROM alembic_version") == [migrate.head()]
    assert {"schema auth", "schema learning", "relation auth.users"} <= set(first)

    migrate.downgrade(fresh.url)
    assert fresh.column(OWN_OBJECTS) == ALEMBICS_OWN
    assert fresh.column("SELECT version_num FROM alembic_version") == []

    migrate.upgrade(fresh.url)
    assert fresh.column(OWN_OBJECTS) == first


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(fresh: Fresh) -> None:
    migrate.upgrade(fresh.url)
    written = "SELECT xmin::text FROM alembic_version"
    before = fresh.column(written)

    migrate.upgrade(fresh.url)

    assert fresh.column(written) == before


def test_two_upgrades_at_once_take_turns(fresh: Fresh) -> None:
    # Alembic's context is one a process; two deployments are two processes.
    import subprocess
    import sys

    from local.template import ROOT

    script = "import sys; from local import migrate; migrate.upgrade(sys.argv[1])"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, fresh.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={"PYTHONPATH": "layers/shared/python:functions:."},
        )
        for _ in range(2)
    ]
    ended = [(each.communicate(timeout=60), each.returncode) for each in started]

    assert [code for _output, code in ended] == [0, 0], ended
    assert fresh.column("SELECT version_num FROM alembic_version") == [migrate.head()]


def test_a_migration_that_fails_leaves_the_database_as_it_was(fresh: Fresh) -> None:
    from sqlalchemy.exc import ProgrammingError

    with fresh.owner() as session:
        # The migration makes its functions last: by then every table is there.
        session.run(
            "CREATE FUNCTION public.uuid7(at timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )

    with pytest.raises(ProgrammingError, match="uuid7"):
        migrate.upgrade(fresh.url)

    left = [each for each in fresh.column(OWN_OBJECTS) if each not in ALEMBICS_OWN]
    assert left == ["function uuid7(timestamp with time zone)"]


def test_a_scaled_template_that_has_no_scale_goes_off_the_offer(fresh: Fresh) -> None:
    migrate.upgrade(fresh.url, "7b1d2c9e4f01")
    with fresh.owner() as session:
        session.run(
            "INSERT INTO learning.courses (id, slug, title) VALUES (public.uuid7(), 'c', 'c')"
        )
        session.run(
            "INSERT INTO learning.exam_templates (id, course_id, slug, title, duration_minutes,"
            " scoring_mode, blueprint, scale_minimum, pass_score, scale_maximum)"
            " SELECT public.uuid7(), c.id, t.slug, t.slug, 15, 'scaled', '{}', 300, 450, t.maximum"
            " FROM learning.courses c,"
            " (VALUES ('whole', 600), ('without-maximum', NULL)) AS t (slug, maximum)"
        )

    migrate.upgrade(fresh.url)

    stored = (
        "SELECT (slug, scoring_mode, is_active)::text FROM learning.exam_templates ORDER BY slug"
    )
    assert fresh.column(stored) == ["(whole,scaled,t)", "(without-maximum,raw,f)"]


def test_the_owner_is_held_to_timeouts_from_the_next_session_on(fresh: Fresh) -> None:
    shown = "SELECT current_setting(name) FROM pg_settings WHERE name = ANY ({names}) ORDER BY name"
    names = "ARRAY['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']"
    migrate.upgrade(fresh.url)

    assert fresh.column(shown.format(names=names)) == ["30s", "5s", "25s"]
    migrate.downgrade(fresh.url)
    assert fresh.column(shown.format(names=names)) == ["0", "0", "0"]


def test_the_application_connects_with_those_timeouts(session: Any) -> None:
    from sqlalchemy import text

    assert session.scalar(text("SHOW statement_timeout")) == "25s"
    assert session.scalar(text("SHOW lock_timeout")) == "5s"


# --- Ids made by SQL --------------------------------------------------------------------------


def test_sql_ids_are_version_7_and_carry_their_time(db: pg8000.native.Connection) -> None:
    millisecond = timedelta(milliseconds=1)
    [[before]] = db.run("SELECT clock_timestamp()")
    made_now = [row[0] for row in db.run("SELECT public.uuid7() FROM generate_series(1, 500)")]
    [[after]] = db.run("SELECT clock_timestamp()")
    made_for = db.run(
        "SELECT public.uuid7(at), at FROM generate_series(1, 500) AS n"
        " CROSS JOIN LATERAL (SELECT now() + n * interval '1 ms') AS t (at)"
    )
    ids = [*made_now, *(row[0] for row in made_for)]

    assert {each.version for each in ids} == {7}
    assert {each.variant for each in ids} == {RFC_4122}
    assert len(set(ids)) == 1_000
    assert all(before - millisecond <= time_of(each) <= after for each in made_now)
    assert all(timedelta() <= at - time_of(each) <= millisecond for each, at in made_for)


def test_sql_ids_differ_in_every_random_bit(db: pg8000.native.Connection) -> None:
    rows = db.run("SELECT public.uuid7('2026-01-01T00:00:00Z') FROM generate_series(1, 400)")
    ids = [row[0].int for row in rows]
    fixed = {*range(80, 128), *range(76, 80), 62, 63}

    for bit in range(128):
        ones = sum(number >> bit & 1 for number in ids)
        if bit in fixed:
            assert ones in {0, 400}, bit
        else:
            # 400 fair coins fall outside of 100 to 300 once in 10^23.
            assert 100 < ones < 300, bit


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(times=st.lists(TIMES, min_size=1, max_size=20))
def test_sql_and_python_order_ids_alike(
    db: pg8000.native.Connection, times: list[datetime]
) -> None:
    rows = db.run(
        "SELECT public.smallest_uuid7(at), public.uuid7(at)"
        "  FROM unnest(CAST(:times AS timestamptz[])) WITH ORDINALITY AS t (at, n) ORDER BY n",
        times=[at.isoformat() for at in times],
    )

    assert [row[0] for row in rows] == [smallest_uuid7(at) for at in times]
    for (smallest, made), at in zip(rows, times, strict=True):
        following = smallest_uuid7(at + timedelta(milliseconds=1))
        assert smallest <= made < following
        assert smallest <= uuid7(at) < following


# --- Partitions of the analytics events --------------------------------------------------------


def _month(at: datetime, ahead: int = 0) -> date:
    months = at.year * 12 + at.month - 1 + ahead
    return date(months // 12, months % 12 + 1, 1)


def _insert_event(db: pg8000.native.Connection, at: datetime) -> str:
    """Store an event made at this time; the table it landed in."""
    [[table]] = db.run(
        "INSERT INTO activity.analytics_events (id, event_name, event_time)"
        " VALUES (:id, 'looked', :at) RETURNING tableoid::regclass::text",
        id=uuid7(at),
        at=at,
    )
    return str(table)


def _create(db: pg8000.native.Connection, month: date) -> bool:
    [[made]] = db.run("SELECT activity.create_event_partition(:month)", month=month)
    return bool(made)


def test_this_month_and_the_next_three_have_partitions(db: pg8000.native.Connection) -> None:
    [[now]] = db.run("SELECT now()")
    for ahead in range(MONTHS_AHEAD + 1):
        month = _month(now, ahead)
        start = datetime(month.year, month.month, 1, tzinfo=UTC)
        after = _month(now, ahead + 1)
        end = datetime(after.year, after.month, 1, tzinfo=UTC) - timedelta(milliseconds=1)
        table = f"activity.analytics_events_{month:%Y_%m}"

        assert [_insert_event(db, start), _insert_event(db, end)] == [table, table]


def test_an_event_of_a_far_month_lands_in_the_default_partition(
    db: pg8000.native.Connection,
) -> None:
    assert (
        _insert_event(db, datetime(2099, 6, 1, tzinfo=UTC)) == "activity.analytics_events_default"
    )
    assert _insert_event(db, DAWN) == "activity.analytics_events_default"


def test_a_partition_is_made_once(db: pg8000.native.Connection) -> None:
    assert _create(db, date(2099, 6, 15)) is True
    assert _create(db, date(2099, 6, 1)) is False
    assert _insert_event(db, datetime(2099, 6, 30, 23, 59, tzinfo=UTC)).endswith("_2099_06")
    assert _insert_event(db, datetime(2099, 7, 1, tzinfo=UTC)).endswith("_default")


def test_a_month_is_the_same_in_every_time_zone(db: pg8000.native.Connection) -> None:
    db.run("SET TimeZone = 'Pacific/Auckland'")
    assert _create(db, date(2099, 6, 1))

    assert _insert_event(db, datetime(2099, 6, 1, tzinfo=UTC)).endswith("_2099_06")
    assert _insert_event(db, datetime(2099, 5, 31, 23, 59, tzinfo=UTC)).endswith("_default")


def test_events_that_fell_into_the_default_move_when_their_month_gets_its_partition(
    db: pg8000.native.Connection,
) -> None:
    # As after months in which the job did not run: it must be able to catch up.
    inside, outside = datetime(2099, 6, 10, tzinfo=UTC), datetime(2099, 7, 10, tzinfo=UTC)
    _insert_event(db, inside)
    _insert_event(db, outside)

    assert _create(db, date(2099, 6, 1)) is True

    found = db.run(
        "SELECT event_time, tableoid::regclass::text FROM activity.analytics_events"
        " WHERE event_time > '2099-01-01' ORDER BY 1"
    )
    assert found == [
        [inside, "activity.analytics_events_2099_06"],
        [outside, "activity.analytics_events_default"],
    ]


def test_a_partition_has_every_index_of_the_whole(db: pg8000.native.Connection) -> None:
    _insert_event(db, datetime(2099, 6, 10, tzinfo=UTC))
    _create(db, date(2099, 6, 1))

    def indexes(table: str) -> list[str]:
        rows = db.run(
            "SELECT replace(pg_get_indexdef(indexrelid), indexrelid::regclass::text, '')"
            "  FROM pg_index WHERE indrelid = CAST(:table AS regclass)",
            table=table,
        )
        return sorted(row[0].partition(" USING ")[2] for row in rows)

    whole = indexes("activity.analytics_events")
    assert len(whole) == 5
    assert indexes("activity.analytics_events_2099_06") == whole


def test_two_jobs_at_once_make_a_partition_once_and_neither_fails(
    cluster: postgres.Cluster, database_url: str
) -> None:
    together = threading.Barrier(2)

    def make() -> list[bool]:
        session = connect(cluster, database_url.rpartition("/")[2])
        try:
            together.wait(timeout=10)
            return [_create(session, date(2099, month, 1)) for month in range(1, 7)]
        finally:
            session.close()

    with ThreadPoolExecutor(2) as pool:
        one, two = (each.result(timeout=30) for each in [pool.submit(make) for _ in range(2)])

    assert [(a, b) for a, b in zip(one, two, strict=True) if a == b] == []


def test_the_nightly_job_counts_what_it_made(
    cluster: postgres.Cluster, database_url: str, db: pg8000.native.Connection
) -> None:
    from cron.maintain_partitions import handler
    from tests.support.exams import JobContext

    [[now]] = db.run("SELECT now()")
    furthest = _month(now, MONTHS_AHEAD)
    db.run(f"DROP TABLE activity.analytics_events_{furthest:%Y_%m}")

    reports = [handler({}, JobContext()) for _ in range(2)]

    assert [(report["processed"], report["complete"]) for report in reports] == [
        (1, True),
        (0, True),
    ]
