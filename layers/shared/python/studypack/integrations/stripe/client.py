"""Stripe's own client, with our address, time-outs and errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

from studypack.core.config import get_settings
from studypack.core.errors import Conflict, Unavailable
from studypack.core.telemetry import get_logger
from studypack.integrations.stripe.secrets import api_key

if TYPE_CHECKING:
    from stripe import StripeClient

T = TypeVar("T")
TIMEOUT_SECONDS: Final = 10
"""A gateway call lasts 30 s at most: one try and one repetition fit into it."""


def get_stripe() -> StripeClient:
    """The client of this process. Never call it inside of a transaction: it waits for another
    service while rows are locked.

    Raises ConfigurationError naming the setting that is missing.
    """
    return _client(api_key(), get_settings().stripe_api_base)


@lru_cache(maxsize=1)
def _client(key: str, base: str | None) -> StripeClient:
    import stripe

    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else {},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        max_network_retries=1,
    )


def forget_client() -> None:
    """Make it anew at the next use."""
    _client.cache_clear()


def call(request: Callable[[StripeClient], T]) -> T:
    """What Stripe answers to a request that somebody waits for.

    Raises Unavailable (`payments_unavailable`) when Stripe cannot be reached or is at fault,
    Conflict (`payment_refused`, with Stripe's `reason`) when it refuses what was asked. Stripe's
    own sentences are neither shown nor logged: they may quote somebody's data.
    """
    import stripe

    try:
        return request(get_stripe())
    except stripe.InvalidRequestError as error:
        _log(error)
        raise Conflict(
            "The payment provider refused this.",
            code="payment_refused",
            reason=error.code or "invalid_request",
        ) from None
    except stripe.CardError as error:
        _log(error)
        raise Conflict(
            "The card was declined.", code="payment_refused", reason=error.code or "card_error"
        ) from None
    except stripe.StripeError as error:
        _log(error)
        raise Unavailable(
            "Payments are not available at the moment; try again.", code="payments_unavailable"
        ) from None


def _log(error: Exception) -> None:
    get_logger().warning(
        "stripe refused",
        extra={
            "kind": type(error).__name__,
            "stripe_code": getattr(error, "code", None),
            "param": getattr(error, "param", None),
            "http_status": getattr(error, "http_status", None),
            "stripe_request_id": getattr(error, "request_id", None),
        },
    )
