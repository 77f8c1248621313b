"""What the stand-in knows: JSON documents by kind, in memory and, with a path, in SQLite."""

from __future__ import annotations

import json
import secrets
import sqlite3
from pathlib import Path
from typing import Any

from local.stripe.ids import Ids

Doc = dict[str, Any]

HIDDEN = "~"
"""Keys that begin with this are the stand-in's own: nobody outside sees them."""


class Store:
    """Documents by kind, each kind in the order of making.

    A changed document is written by the next `commit`; whoever uses the store holds the lock.
    """

    def __init__(self, path: Path | None = None, seed: str | None = None) -> None:
        self._documents: dict[str, dict[str, Doc]] = {}
        self._dirty: dict[tuple[str, str], Doc | None] = {}
        self._file: sqlite3.Connection | None = None
        count = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS documents (position INTEGER PRIMARY KEY, kind TEXT, "
                "id TEXT, document TEXT, UNIQUE (kind, id))"
            )
            for kind, identifier, document in self._file.execute(
                "SELECT kind, id, document FROM documents ORDER BY position"
            ):
                self._documents.setdefault(kind, {})[identifier] = json.loads(document)
            kept = self.find("~ids", "ids")
            if kept is not None:
                seed, count = kept["seed"], kept["count"]
        self.ids = Ids(seed or secrets.token_hex(8), count)

    def add(self, document: Doc) -> Doc:
        """Keep a new document under its `object` and `id`."""
        self._documents.setdefault(document["object"], {})[document["id"]] = document
        self.changed(document)
        return document

    def changed(self, document: Doc) -> None:
        """Have the document written at the next commit."""
        self._dirty[document["object"], document["id"]] = document

    def remove(self, document: Doc) -> None:
        """Forget a document."""
        self._documents.get(document["object"], {}).pop(document["id"], None)
        self._dirty[document["object"], document["id"]] = None

    def find(self, kind: str, identifier: str) -> Doc | None:
        """A document, if there is one."""
        return self._documents.get(kind, {}).get(identifier)

    def all(self, kind: str) -> list[Doc]:
        """Every document of a kind, oldest first."""
        return list(self._documents.get(kind, {}).values())

    def commit(self) -> None:
        """Write what changed, all of it or nothing."""
        dirty, self._dirty = self._dirty, {}
        if self._file is None or not dirty:
            return
        counter = {"seed": self.ids.seed, "count": self.ids.count}
        gone = [key for key, document in dirty.items() if document is None]
        rows = [
            (kind, identifier, json.dumps(document))
            for (kind, identifier), document in [*dirty.items(), (("~ids", "ids"), counter)]
            if document is not None
        ]
        with self._file:
            self._file.executemany("DELETE FROM documents WHERE kind = ? AND id = ?", gone)
            self._file.executemany(
                "INSERT INTO documents (kind, id, document) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET document = excluded.document",
                rows,
            )

    def close(self) -> None:
        """Write and let go of the file."""
        self.commit()
        if self._file is not None:
            self._file.close()
            self._file = None


def shown(value: Any) -> Any:
    """A deep copy without what is hidden."""
    if isinstance(value, dict):
        return {key: shown(each) for key, each in value.items() if not key.startswith(HIDDEN)}
    if isinstance(value, list):
        return [shown(each) for each in value]
    return value


def difference(before: Any, after: Any) -> Doc:
    """What the changed fields of `after` were before, as an event's previous_attributes say it."""
    changed: Doc = {}
    for key in {**before, **after}:
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        both = isinstance(was, dict) and isinstance(now, dict)
        changed[key] = difference(was, now) if both else was
    return changed
