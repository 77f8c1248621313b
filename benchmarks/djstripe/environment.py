"""dj-stripe's own environment, `.tools/djstripe`."""

from __future__ import annotations

from pathlib import Path

from benchmarks import environments
from benchmarks.environments import NotMade

REQUIREMENTS = Path(__file__).parent / "requirements.txt"

__all__ = ["NotMade", "ensure"]


def ensure() -> Path:
    """Its Python. Raises NotMade, e.g. without a network."""
    return environments.ensure("djstripe", REQUIREMENTS)
