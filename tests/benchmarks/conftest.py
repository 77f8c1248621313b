"""Which of the benchmarks' tests a plain run leaves out."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker."""
    config.addinivalue_line(
        "markers", "beside_others: installs and runs what ours is compared with (make bench-test)"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Installing other people's software takes longer than all that it would show here."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("beside_others")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
