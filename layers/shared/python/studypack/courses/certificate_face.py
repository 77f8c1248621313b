"""What is written on a certificate (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Face:
    """The words of a certificate."""

    recipient: str
    course: str
    issued_on: date
    code: str
    address: str
    """Where it can be verified."""
