"""For servers that take several requests at once: no more of them than there are connections.

Lambda gives an environment one request at a time; the one-machine stack does not.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from studypack.core.http.problems import problem

RETRY_AFTER_SECONDS = 2


class Admission:
    """Lets so many requests in at once; the others wait outside, in order, and hold nothing.

    Without it a busy server comes to a standstill: between its steps a request gives its thread
    back and keeps its connection, so that all threads may end up waiting for connections whose
    holders wait for a thread. One who has waited `seconds` is told to come back (503).
    """

    def __init__(self, app: ASGIApp, *, requests: int, seconds: float) -> None:
        self.app = app
        self._places = asyncio.Semaphore(requests)
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                await self._places.acquire()
        except TimeoutError:
            refusal = problem(
                Request(scope),
                503,
                "unavailable",
                "The server is busy; try again.",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
            await refusal(scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            self._places.release()
