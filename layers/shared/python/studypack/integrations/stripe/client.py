"""Stripe's own client, with our address, time-outs and errors."""

from __future__ import annotations

import time
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
WAIT_SECONDS: Final = 8.0
"""How long one waits for the same request of another process."""
_STEP_SECONDS: Final = 0.25
_UNDER_WAY: Final = 409


class UnderWay(Unavailable):
    """The same request (by its idempotency key) is being carried out for somebody else."""


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

    Raises Unavailable (`payments_unavailable`) when Stripe cannot be reached or is at fault, and
    then UnderWay when it carries out the same request already; Conflict (`payment_refused`, with
    Stripe's `reason`) when it refuses what was asked, `idempotency_key_reused` among them. Stripe's
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
    except stripe.IdempotencyError as error:
        _log(error)
        raise Conflict(
            "The payment provider refused this.",
            code="payment_refused",
            reason="idempotency_key_reused",
        ) from None
    except stripe.StripeError as error:
        _log(error)
        kind = UnderWay if error.http_status == _UNDER_WAY else Unavailable
        raise kind(
            "Payments are not available at the moment; try again.", code="payments_unavailable"
        ) from None


def call_once(request: Callable[[StripeClient], T], *, seconds: float = WAIT_SECONDS) -> T:
    """`call` for a request with an idempotency key: whoever comes second waits for the first one's
    answer, which is theirs too.
    """
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return call(request)
        except UnderWay:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_STEP_SECONDS)


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
