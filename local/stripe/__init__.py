"""A stateful stand-in for Stripe: its REST API for the official SDK, pages for a browser, and
signed events; docs/stripe-standin.md says what it does and what it does not.
"""

from local.stripe.application import application
from local.stripe.errors import ApiError
from local.stripe.standin import API_KEY, Endpoint, StandIn
from local.stripe.switches import Switches

__all__ = ["API_KEY", "ApiError", "Endpoint", "StandIn", "Switches", "application"]
