"""The key that signs exam receipts on this machine: made once, kept in the state folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

NAME = "receipt.key"


def ensure(state: Path) -> str:
    """The key's secret text, made at the first call; only this account can read its file."""
    path = state / NAME
    state.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        _write_whole(path, secrets.token_urlsafe(48))
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
