"""The key that signs exam receipts on this machine: made once, kept in the state folder."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAME = "receipt.key"


def ensure(state: Path) -> str:
    """The key's secret text, made at the first call."""
    return kept(state / NAME, lambda: secrets.token_urlsafe(48))


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret text of a file, made if there is none; only this account can read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with suppress(FileExistsError):
            _write_whole(path, make())
    return path.read_text(encoding="ascii").strip()


def _write_whole(path: Path, text: str) -> None:
    """Write under another name first: whoever starts at the same time never reads half a key.

    Raises FileExistsError.
    """
    draft = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.link(draft, path)
    finally:
        draft.unlink()
