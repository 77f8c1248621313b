"""A database whose clock is ours.

PostgreSQL looks functions up along the search path. In a database whose path begins with a schema
of ours, before `pg_catalog`, `now()` is our function: for every statement of the product, for its
migrations' column defaults, with nothing in the product knowing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pg8000.native

from local import migrate, postgres

_CLOCK = """
    CREATE SCHEMA simulated;
    CREATE TABLE simulated.clock (at timestamptz NOT NULL);
    CREATE FUNCTION simulated.now() RETURNS timestamptz
        LANGUAGE sql STABLE AS 'SELECT at FROM simulated.clock';
    CREATE FUNCTION simulated.clock_timestamp() RETURNS timestamptz
        LANGUAGE sql STABLE AS 'SELECT at FROM simulated.clock';
    CREATE FUNCTION simulated.statement_timestamp() RETURNS timestamptz
        LANGUAGE sql STABLE AS 'SELECT at FROM simulated.clock';
    CREATE FUNCTION simulated.transaction_timestamp() RETURNS timestamptz
        LANGUAGE sql STABLE AS 'SELECT at FROM simulated.clock'
"""


class Clock:
    """What time the database thinks it is."""

    def __init__(self, connection: pg8000.native.Connection, start: datetime) -> None:
        self._connection = connection
        self.now = start
        connection.run("INSERT INTO simulated.clock VALUES (:at)", at=start)

    def set(self, moment: datetime) -> None:
        """Move to a moment; never back."""
        if moment > self.now:
            self.now = moment
            self._connection.run("UPDATE simulated.clock SET at = :at", at=moment)


@contextmanager
def simulated_database(state: Path, start: datetime) -> Iterator[tuple[str, Clock]]:
    """A migrated, empty database of its own with a clock that begins at `start`; removed
    afterwards.
    """
    name = f"simulated_{uuid4().hex}"
    with postgres.running(state, durable=False) as cluster:
        url = postgres.ensure_database(cluster, name)
        owner = _connect(cluster, name)
        try:
            owner.run(_CLOCK)
            owner.run(f"GRANT ALL ON SCHEMA simulated TO {postgres.OWNER}")
            owner.run(f"GRANT ALL ON ALL TABLES IN SCHEMA simulated TO {postgres.OWNER}")
            owner.run(f"ALTER DATABASE {name} SET search_path = simulated, pg_catalog, public")
            clock = Clock(owner, start)
            migrate.upgrade(url)
            yield url, clock
        finally:
            owner.close()
            postgres.drop_database(cluster, name)


def _connect(cluster: postgres.Cluster, name: str) -> pg8000.native.Connection:
    from local.postgres.cluster import connect

    return connect(cluster, name)
