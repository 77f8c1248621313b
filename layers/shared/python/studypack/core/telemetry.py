"""Logs and metrics in the form CloudWatch reads, through Powertools. No personal data goes in."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import MetricUnit

from studypack.core.config import ConfigurationError
from studypack.core.errors import Outage

NAMESPACE = "StudyPack"

__all__ = ["MetricUnit", "begin_request", "get_logger", "get_metrics", "note", "note_event"]

_request_facts: ContextVar[dict[str, Any] | None] = ContextVar("request_facts", default=None)


class PrivateFormatter(LambdaPowertoolsFormatter):
    """Tells of an error its kind, place and causes, but not its text.

    A text quotes what the error was about: PostgreSQL's DETAIL a row, pydantic's the input,
    KeyError's the key. The lines of a traceback are code and hold no values.
    """

    def _extract_log_exception(self, log_record: logging.LogRecord) -> Any:
        error = log_record.exc_info[1] if log_record.exc_info else None
        if error is None:
            return None, None, None
        return "".join(_told(error)), type(error).__name__, None


def _told(error: BaseException) -> Iterator[str]:
    """A traceback as Python prints it, each error by its kind alone."""
    if error.__cause__ is not None:
        yield from _told(error.__cause__)
        yield "\nThe above exception was the direct cause of the following exception:\n\n"
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _told(error.__context__)
        yield "\nDuring handling of the above exception, another exception occurred:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    yield f"{kind}{_server_code(error)}{_own_text(error)}\n"
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield "\nIn the group above:\n\n"
            yield from _told(inner)


def _own_text(error: BaseException) -> str:
    """The text of errors that name a setting or an outage, which quote nobody's data."""
    return f": {error}" if isinstance(error, (ConfigurationError, Outage)) else ""


def _server_code(error: BaseException) -> str:
    """PostgreSQL's code and constraint, which name the fault without the row."""
    original = getattr(error, "orig", None) or error
    fields = original.args[0] if original.args else None
    if not isinstance(fields, dict):
        return ""
    found = [str(fields[name]) for name in ("C", "n") if fields.get(name)]
    return f" [{', '.join(found)}]" if found else ""


@lru_cache(maxsize=1)
def get_logger() -> Logger:
    """The structured logger: JSON lines with the request's correlation id. POWERTOOLS_LOG_LEVEL
    sets its level.
    """
    formatter = PrivateFormatter(utc=True, serialize_stacktrace=False)
    return Logger(service="studypack", logger_formatter=formatter)


@lru_cache(maxsize=1)
def get_metrics() -> Metrics:
    """Metrics in the embedded metric format; POWERTOOLS_METRICS_DISABLED=true silences them
    locally.
    """
    return Metrics(namespace=NAMESPACE, service="studypack")


def begin_request() -> dict[str, Any]:
    """Start the collection of what the request's line in the log tells beside route and status."""
    facts: dict[str, Any] = {}
    _request_facts.set(facts)
    return facts


def note(**facts: Any) -> None:
    """Add to the line of the request under way: codes and opaque ids, nothing that a person wrote.

    Outside of a request nothing is noted.
    """
    collected = _request_facts.get()
    if collected is not None:
        collected.update(facts)


def note_event(name: str) -> None:
    """Add a security event, such as `account.password_changed`, to the request's line."""
    collected = _request_facts.get()
    if collected is not None:
        collected.setdefault("events", []).append(name)
