"""What only the exams' tests ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def wide_pool(api: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Enough connections for two dozen requests that all wait for the same lock."""
    from studypack.core.config import get_settings
    from studypack.core.database.engine import dispose_engine

    def forget() -> None:
        dispose_engine()
        get_settings.cache_clear()

    monkeypatch.setenv("DATABASE_POOL_SIZE", "26")
    forget()
    yield
    forget()
