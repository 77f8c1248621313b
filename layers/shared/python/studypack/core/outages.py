"""What keeps this process from its work, told in the log once and not again at every request."""

from __future__ import annotations

from typing import Any

from studypack.core.telemetry import get_logger

_told: set[str] = set()


def tell(code: str, **facts: Any) -> None:
    """Log that the service is unavailable and why, unless that was told and is not over yet."""
    if code in _told:
        return
    _told.add(code)
    get_logger().error("service unavailable", extra={"code": code, **facts})


def over(*codes: str) -> None:
    """Log that these have ended, those of them that were told."""
    ended = sorted(_told.intersection(codes))
    if ended:
        _told.difference_update(ended)
        get_logger().warning("service available again", extra={"codes": ended})


def forget() -> None:
    """Tell each of them anew."""
    _told.clear()
