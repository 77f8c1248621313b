"""The connection pool as it is on Lambda, and a database that cannot be reached."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from studypack.core.business_settings import forget_business_settings
from studypack.core.config import get_settings
from studypack.core.database.engine import dispose_engine


def _start_anew() -> None:
    dispose_engine()
    get_settings.cache_clear()
    forget_business_settings()


@pytest.fixture
def one_connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A pool of one, as an execution environment on Lambda has, and nothing in memory yet."""
    monkeypatch.setenv("DATABASE_POOL_SIZE", "1")
    monkeypatch.setenv("DATABASE_CONNECT_SECONDS", "1")
    _start_anew()
    yield
    monkeypatch.undo()
    _start_anew()


@pytest.fixture
def unreachable_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A DATABASE_URL at which nobody listens, and little patience."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connecting is refused
        port = taken.getsockname()[1]
        monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody:x@127.0.0.1:{port}/none")
        monkeypatch.setenv("DATABASE_CONNECT_SECONDS", "0.15")
        _start_anew()
        yield
        monkeypatch.undo()
        _start_anew()
