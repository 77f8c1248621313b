"""Stripe: the client that services call, and the signatures of its webhooks. The stand-in that runs
on one machine is local/stripe.
"""

from studypack.integrations.stripe.client import (
    UnderWay,
    call,
    call_once,
    forget_client,
    get_stripe,
)
from studypack.integrations.stripe.secrets import webhook_secrets

__all__ = ["UnderWay", "call", "call_once", "forget_client", "get_stripe", "webhook_secrets"]
