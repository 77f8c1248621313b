"""Small things that tests of a sitting share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any


def parse(moment: str) -> datetime:
    """An ISO time of the API."""
    return datetime.fromisoformat(moment)


def shift_start(session: dict[str, Any], **by: float) -> str:
    """The session's start and so much more, as the API writes times."""
    shifted = parse(session["started_at"]) + timedelta(**by)
    return shifted.isoformat().replace("+00:00", "Z")


def between(start: str, end: str) -> timedelta:
    """How long it is from one of the API's times to another."""
    return parse(end) - parse(start)


def of_type(session: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first item of this type on the form."""
    return next(item for item in session["items"] if item["question"]["type"] == kind)


def fields(answer: Any) -> list[str]:
    """The fields that a refusal names."""
    return [error["field"] for error in answer.json()["errors"]]


def as_stored(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as it comes back: a hot spot's place in floating point."""
    return {name: float(value) if name in {"x", "y"} else value for name, value in answer.items()}
