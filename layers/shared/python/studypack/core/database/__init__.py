"""PostgreSQL: `engine` (one connection per environment), `transaction`, `base` (models),
`types`, `driver`.
"""

from studypack.core.database.base import Base, SoftDelete, Timestamps, foreign_key, new_id, one_of
from studypack.core.database.transaction import (
    autocommit,
    commit_with,
    read_session,
    record_independently,
    record_instead,
    transaction,
)
from studypack.core.database.types import EnumText

__all__ = [
    "Base",
    "EnumText",
    "SoftDelete",
    "Timestamps",
    "autocommit",
    "commit_with",
    "foreign_key",
    "new_id",
    "one_of",
    "read_session",
    "record_independently",
    "record_instead",
    "transaction",
]
