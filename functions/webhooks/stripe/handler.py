"""POST /api/webhooks/stripe: Stripe tells what happened.

An event is acknowledged when it has taken effect, or is of a type that nobody handles; anything
else is a 5xx, so that Stripe sends it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from studypack.billing import inbox, owed
from studypack.billing.inbox import Outcome
from studypack.core.webhooks import Failed, Refused, webhook
from studypack.integrations.stripe import webhook_secrets

TOLERANCE_SECONDS: Final = 300


@webhook("stripe")
def handler(body: bytes, headers: Mapping[str, str]) -> str:
    """Answer one delivery."""
    if not is_signed(body, headers.get("stripe-signature")):
        raise Refused(400, "refused")
    try:
        document = json.loads(body)
        event_id = inbox.record(document)
    except (inbox.Malformed, ValueError, TypeError, RecursionError):
        raise Refused(400, "refused") from None
    done = inbox.process(event_id, document)
    if done.outcome is Outcome.FAILED:
        raise Failed(done.outcome.value)
    owed.settle_at_once(done.owed_refunds, done.owed_cancellations)
    return done.outcome.value


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
