"""A client over real HTTP that never raises: a connection that breaks is an answer, too."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Barrier
from typing import Any

HOST = "127.0.0.1"
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when the connection broke, so that nobody knows what was done."""

    status: int
    body: Any = None
    retry_after: str | None = None


@dataclass
class Client:
    """One caller with one connection, opened anew after it broke."""

    port: int
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    host: str = HOST
    _connection: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request once."""
        headers = {"Content-Type": "application/json", **self.headers}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        payload = None if body is None else json.dumps(body)
        connection = self._open()
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(0)
        if response.will_close:
            self.close()
        document = json.loads(content) if content else None
        return Answer(response.status, document, response.getheader("Retry-After"))

    def get(self, path: str) -> Answer:
        """GET."""
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        """POST."""
        return self.request("POST", path, body)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_SECONDS)
            connection.connect()
            # Head and body go in two writes: Nagle would hold the second one back.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection = connection
        return self._connection


@contextmanager
def calling(
    port: int, token: str = "", *, host: str = HOST, headers: Mapping[str, str] | None = None
) -> Iterator[Client]:
    """A client for a while."""
    client = Client(port, token, dict(headers or {}), host)
    try:
        yield client
    finally:
        client.close()


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run each call in a thread of its own, released together; their results in order."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE_SECONDS)
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))
