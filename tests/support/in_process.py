"""The official SDK over a stand-in in this process: the same requests without sockets, for tests
that send thousands.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import stripe

from local.stripe import API_KEY, StandIn
from local.stripe.api import Request


class InProcess(stripe.HTTPClient):
    """Hands the SDK's requests to a stand-in."""

    name = "in_process"

    def __init__(self, standin: StandIn) -> None:
        super().__init__()
        self._standin = standin
        self.requests: list[str] = []

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_options: Any
    ) -> tuple[str, int, dict[str, str]]:
        parts = urlsplit(url)
        lower = {name.lower(): value for name, value in headers.items()}
        encoded = post_data if method.upper() == "POST" else parts.query
        self.requests.append(f"{method.upper()} {parts.path}")
        answer = self._standin.answer(
            Request(
                method=method.upper(),
                path=parts.path,
                encoded=encoded or "",
                key=str(lower.get("authorization", "")).partition(" ")[2],
                version=lower.get("stripe-version"),
                idempotency_key=lower.get("idempotency-key"),
            )
        )
        return json.dumps(answer.document), answer.status, answer.headers

    def close(self) -> None:
        """Nothing is open."""


def client_of(standin: StandIn) -> tuple[stripe.StripeClient, InProcess]:
    """The SDK's client over a stand-in, and the list of what it asked for."""
    transport = InProcess(standin)
    return stripe.StripeClient(API_KEY, http_client=transport), transport
