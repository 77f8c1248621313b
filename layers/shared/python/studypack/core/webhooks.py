"""Webhooks as Lambda handlers: one shape for bodies, answers, logs and metrics."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from studypack.core.config import ConfigurationError
from studypack.core.errors import AppError
from studypack.core.telemetry import MetricUnit, get_logger, get_metrics

MAX_BODY_BYTES: Final = 1024 * 1024
RETRY_AFTER_SECONDS: Final = 60
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

Answer = dict[str, Any]
Handler = Callable[[dict[str, Any], Any], Answer]


class Refused(Exception):
    """A delivery that is not taken, however often it comes: status and a stable word."""

    def __init__(self, status: int, outcome: str) -> None:
        super().__init__(outcome)
        self.status = status
        self.outcome = outcome


class Failed(Exception):
    """A delivery that did not take effect and has to come again; why is logged already."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def webhook(source: str) -> Callable[[Callable[[bytes, Mapping[str, str]], str]], Handler]:
    """Make a Lambda handler (API Gateway events of format 2.0) of a function that is given a body
    and its headers (small letters), lets it take effect and says what became of it.

    What it returns is a 200; anything but that and `Refused` is a 5xx, so that it is sent again.
    """

    def decorate(receive: Callable[[bytes, Mapping[str, str]], str]) -> Handler:
        def handler(event: dict[str, Any], context: Any) -> Answer:
            logger = get_logger()
            logger.set_correlation_id(context.aws_request_id)
            started = time.perf_counter()
            status, outcome = _answered(receive, event)
            _count(source, status, outcome, time.perf_counter() - started)
            return _answer(status, outcome)

        handler.__doc__ = receive.__doc__
        return handler

    return decorate


def _answered(
    receive: Callable[[bytes, Mapping[str, str]], str], event: dict[str, Any]
) -> tuple[int, str]:
    logger = get_logger()
    try:
        body = _body(event)
        given = event.get("headers") or {}
        return 200, receive(body, {str(name).lower(): value for name, value in given.items()})
    except Refused as refused:
        return refused.status, refused.outcome
    except Failed as failed:
        return 500, failed.outcome
    except ConfigurationError:
        logger.exception("service not set up")
        return 503, "not_set_up"
    except AppError as error:
        logger.exception("service unavailable", extra={"code": error.code})
        return 503, error.code
    except (DBAPIError, PoolTimeout):
        logger.exception("database unavailable")
        return 503, "unavailable"
    except Exception:
        logger.exception("webhook failed")
        return 500, "failed"


def _body(event: Mapping[str, Any]) -> bytes:
    """The bytes that were sent: a signature holds for them and for no other spelling of the same
    document.
    """
    text = event.get("body")
    if not isinstance(text, str):
        raise Refused(400, "unreadable")
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise Refused(400, "unreadable") from None
    else:
        body = text.encode("utf-8", "surrogatepass")
    if len(body) > MAX_BODY_BYTES:
        raise Refused(413, "content_too_large")
    return body


def _answer(status: int, outcome: str) -> Answer:
    headers = dict(_HEADERS)
    if status >= 500:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return {
        "statusCode": status,
        "headers": headers,
        "body": json.dumps({"outcome": outcome}),
        "isBase64Encoded": False,
    }


def _count(source: str, status: int, outcome: str, seconds: float) -> None:
    get_logger().info(
        "webhook answered",
        extra={
            "source": source,
            "status": status,
            "outcome": outcome,
            "milliseconds": round(seconds * 1000, 1),
        },
    )
    metrics = get_metrics()
    metrics.add_dimension(name="webhook", value=source)
    metrics.add_metric("EventsProcessed", MetricUnit.Count, 1 if status == 200 else 0)
    metrics.add_metric("EventsFailed", MetricUnit.Count, 1 if status >= 500 else 0)
    metrics.add_metric("EventSeconds", MetricUnit.Seconds, seconds)
    metrics.flush_metrics()
    metrics.clear_metrics()
