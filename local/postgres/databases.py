"""Databases of a cluster: made with the extensions StudyPack needs, cloned for tests, dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pg8000.native
from pg8000.exceptions import DatabaseError

from local.postgres.cluster import Cluster, connect
from local.postgres.home import OWNER, PostgresError, passwords

EXTENSIONS = ("vector", "pg_trgm")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LOCK = 0x53_50_44_42  # "SPDB": two processes that prepare the same database take turns


def database_url(cluster: Cluster, name: str) -> str:
    """The URL of a database as its owner, who is not a superuser: what DATABASE_URL should be."""
    password = passwords(cluster.state, create=False)[OWNER]
    return f"postgresql://{OWNER}:{password}@{cluster.host}:{cluster.port}/{_checked(name)}"


def ensure_database(cluster: Cluster, name: str) -> str:
    """Make the database, its owner role and its extensions where they are missing; return its URL.

    Raises ValueError for a name other than lower case letters, digits and underscores.
    """
    _checked(name)
    with _session(cluster) as session:
        session.run("SELECT pg_advisory_lock(:key)", key=_LOCK)
        if not session.run("SELECT 1 FROM pg_roles WHERE rolname = :role", role=OWNER):
            password = passwords(cluster.state, create=False)[OWNER]
            session.run(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{password}'")
        if not session.run("SELECT 1 FROM pg_database WHERE datname = :name", name=name):
            session.run(f"CREATE DATABASE {name} OWNER {OWNER}")
        with _session(cluster, name) as inside:
            for extension in EXTENSIONS:
                inside.run(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    return database_url(cluster, name)


def clone_database(cluster: Cluster, template: str, name: str) -> str:
    """Copy a database that nobody is connected to; return the copy's URL.

    Raises PostgresError if the template is missing or in use, or the name taken.
    """
    with _session(cluster) as session:
        try:
            session.run(
                # WAL_LOG copies 11 MB in 0.06 s; FILE_COPY, which checkpoints twice, takes 0.09 s.
                f"CREATE DATABASE {_checked(name)} TEMPLATE {_checked(template)} "
                f"OWNER {OWNER} STRATEGY wal_log"
            )
        except DatabaseError as error:
            raise PostgresError(f"cannot clone {template} as {name}: {_message(error)}") from None
    return database_url(cluster, name)


def drop_database(cluster: Cluster, name: str) -> None:
    """Delete a database if it exists, ending its sessions."""
    with _session(cluster) as session:
        session.run(f"DROP DATABASE IF EXISTS {_checked(name)} WITH (FORCE)")


@contextmanager
def _session(cluster: Cluster, database: str = "postgres") -> Iterator[pg8000.native.Connection]:
    connection = connect(cluster, database)
    try:
        yield connection
    finally:
        connection.close()


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a plain database name: {name!r}")
    return name


def _message(error: DatabaseError) -> str:
    details = error.args[0] if error.args else ""
    if not isinstance(details, dict):
        return str(error)
    return ". ".join(details[part] for part in ("M", "D") if part in details)
