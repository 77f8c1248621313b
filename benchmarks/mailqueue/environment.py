"""Their own environment, `.tools/mailqueue`, with what our rendering needs besides: it is the work
that all have in common.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import environments
from benchmarks.environments import NotMade

REQUIREMENTS = Path(__file__).parent / "requirements.txt"

__all__ = ["NotMade", "ensure"]


def ensure() -> Path:
    """Its Python. Raises NotMade, e.g. without a network."""
    return environments.ensure("mailqueue", REQUIREMENTS)
