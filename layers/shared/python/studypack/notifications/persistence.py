"""Statements of the sender: each commits by itself, and is said again when the database was away.

What a provider took must be written down, or it would be sent twice: so the sender waits for a
database that restarts. Whatever is executed here may be executed twice with the same result.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import TextClause
from sqlalchemy.exc import DBAPIError

from studypack.core.database import autocommit
from studypack.core.database.errors import sqlstate
from studypack.core.errors import Outage

PAUSES: Final = (0.05, 0.25, 1.0, 2.0)
"""Seconds; connecting anew waits for a database that wakes up by itself (core/database/engine)."""
_WORTH_ANOTHER_TRY: Final = frozenset({"40001", "40P01", "57P01", "57P02", "57P03"})
"""Serialization failure, deadlock, shutting down, crashed, starting up."""


def execute(statement: TextClause, given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Run one statement in autocommit and return its rows."""
    for pause in PAUSES:
        try:
            return _execute(statement, given)
        except (DBAPIError, Outage) as error:
            if not _is_passing(error):
                raise
        time.sleep(pause)
    return _execute(statement, given)


def _execute(statement: TextClause, given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    with autocommit() as connection:
        result = connection.execute(statement, dict(given))
        return [dict(row) for row in result.mappings()] if result.returns_rows else []


def _is_passing(error: DBAPIError | Outage) -> bool:
    if isinstance(error, Outage):
        return True
    return error.connection_invalidated or sqlstate(error) in _WORTH_ANOTHER_TRY
