"""POST /api/webhooks/stripe: Stripe tells what happened.

An event is acknowledged when it has taken effect, or is of a type that nobody handles; anything
else is a 5xx, so that Stripe sends it again.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from studypack.billing import inbox, owed
from studypack.billing.inbox import Outcome
from studypack.core.config import ConfigurationError
from studypack.core.errors import AppError
from studypack.core.telemetry import MetricUnit, get_logger, get_metrics
from studypack.integrations.stripe import webhook_secrets

MAX_BODY_BYTES: Final = 1024 * 1024
TOLERANCE_SECONDS: Final = 300
RETRY_AFTER_SECONDS: Final = 60
_HEADERS: Final = {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}

Answer = dict[str, Any]


def handler(event: dict[str, Any], context: Any) -> Answer:
    """Answer one delivery (an API Gateway event of format 2.0)."""
    logger = get_logger()
    logger.set_correlation_id(context.aws_request_id)
    started = time.perf_counter()
    try:
        answer, outcome = _receive(event)
    except ConfigurationError:
        logger.exception("service not set up")
        answer, outcome = _later(503, "not_set_up"), None
    except AppError as error:
        logger.exception("service unavailable", extra={"code": error.code})
        answer, outcome = _later(503, error.code), None
    except (DBAPIError, PoolTimeout):
        logger.exception("database unavailable")
        answer, outcome = _later(503, "unavailable"), None
    except Exception:
        logger.exception("webhook failed")
        answer, outcome = _later(500, "failed"), None
    _count(answer, outcome, time.perf_counter() - started)
    return answer


def _receive(event: dict[str, Any]) -> tuple[Answer, Outcome | None]:
    body = _body(event)
    if body is None or len(body) > MAX_BODY_BYTES:
        status = 400 if body is None else 413
        return _answer(status, "unreadable" if body is None else "content_too_large"), None
    headers = {str(name).lower(): value for name, value in (event.get("headers") or {}).items()}
    if not is_signed(body, headers.get("stripe-signature")):
        return _answer(400, "refused"), None
    try:
        document = json.loads(body)
        event_id = inbox.record(document)
    except (inbox.Malformed, json.JSONDecodeError, TypeError, RecursionError):
        return _answer(400, "refused"), None
    done = inbox.process(event_id, document)
    if done.outcome is Outcome.FAILED:
        return _later(500, "failed"), done.outcome
    owed.settle_at_once(done.owed_refunds, done.owed_cancellations)
    return _answer(200, done.outcome.value), done.outcome


def _body(event: dict[str, Any]) -> bytes | None:
    """The bytes that were sent: a signature holds for them and for no other spelling of the same
    document.
    """
    text = event.get("body")
    if not isinstance(text, str):
        return None
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def is_signed(body: bytes, signature: Any) -> bool:
    """Whether the body was signed within the last five minutes with a secret that is in force.

    Raises ConfigurationError when there is no secret.
    """
    from stripe import SignatureVerificationError, WebhookSignature

    secrets = webhook_secrets()
    if not isinstance(signature, str):
        return False
    for secret in secrets:
        try:
            WebhookSignature.verify_header(body, signature, secret, TOLERANCE_SECONDS)
        except (SignatureVerificationError, ValueError, OverflowError):
            continue
        return True
    return False


def _answer(status: int, outcome: str, **headers: str) -> Answer:
    return {
        "statusCode": status,
        "headers": {**_HEADERS, **headers},
        "body": json.dumps({"outcome": outcome}),
        "isBase64Encoded": False,
    }


def _later(status: int, outcome: str) -> Answer:
    return _answer(status, outcome, **{"Retry-After": str(RETRY_AFTER_SECONDS)})


def _count(answer: Answer, outcome: Outcome | None, seconds: float) -> None:
    status = answer["statusCode"]
    get_logger().info(
        "webhook answered",
        extra={
            "source": "stripe",
            "status": status,
            "outcome": None if outcome is None else outcome.value,
            "milliseconds": round(seconds * 1000, 1),
        },
    )
    metrics = get_metrics()
    metrics.add_dimension(name="webhook", value="stripe")
    metrics.add_metric("EventsProcessed", MetricUnit.Count, 1 if status == 200 else 0)
    metrics.add_metric("EventsFailed", MetricUnit.Count, 1 if status >= 500 else 0)
    metrics.add_metric("EventSeconds", MetricUnit.Seconds, seconds)
    metrics.flush_metrics()
    metrics.clear_metrics()
