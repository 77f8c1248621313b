"""Which schema the code was built for, and which one the database has."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from studypack.core import outages
from studypack.core.database.errors import sqlstate
from studypack.core.errors import Outage

REVISIONS = (
    "68d46eb08fa3",
    "8c2e3d0f5a12",
    "7b1d2c9e4f01",
    "9d3f4e1a6b23",
    "a04f5b2c7d34",
    "b15a6c3d8e45",
    "c26b7d4e9f56",
    "d37c8e5fa067",
    "f59e0a71c289",
)
"""Every migration that this code knows, oldest first. The migrations themselves are not in the
layer, so they are named here; tests/core/test_schema.py holds both together.
"""

NOT_MIGRATED = "database_not_migrated"
BEHIND = "database_behind"

_UNDEFINED_TABLE = "42P01"
_UNDEFINED = {_UNDEFINED_TABLE, "42703", "42704", "42883", "3F000"}
"""Table, column, object, function, schema: what a statement misses in an older schema."""

_SECONDS_UNTIL_MIGRATED = 30


class SchemaState(StrEnum):
    """The database's schema beside the one that this code was built for."""

    CURRENT = "current"
    AHEAD = "ahead"
    BEHIND = "behind"
    NOT_MIGRATED = "not migrated"


def schema_state(connection: Connection) -> SchemaState:
    """Compare the revision that the migrations recorded with those that this code knows.

    A revision that is unknown here is a newer one: every migration works with the code before it.
    """
    try:
        recorded = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DBAPIError as error:
        if sqlstate(error) != _UNDEFINED_TABLE:
            raise
        recorded = None
    if recorded is None:
        return SchemaState.NOT_MIGRATED
    if recorded == REVISIONS[-1]:
        return SchemaState.CURRENT
    return SchemaState.BEHIND if recorded in REVISIONS else SchemaState.AHEAD


def require_schema(connection: Connection) -> None:
    """Raise Outage (`database_not_migrated`, `database_behind`) unless this code can work with the
    database's schema.
    """
    match schema_state(connection):
        case SchemaState.NOT_MIGRATED:
            raise Outage(
                "The database has no schema yet.",
                code=NOT_MIGRATED,
                retry_after_seconds=_SECONDS_UNTIL_MIGRATED,
            )
        case SchemaState.BEHIND:
            raise Outage(
                "The database's schema is older than this build.",
                code=BEHIND,
                retry_after_seconds=_SECONDS_UNTIL_MIGRATED,
            )
        case _:
            outages.over(NOT_MIGRATED, BEHIND)


def may_come_of_an_old_schema(error: DBAPIError) -> bool:
    """Whether a statement named something that the database does not have."""
    return sqlstate(error) in _UNDEFINED
