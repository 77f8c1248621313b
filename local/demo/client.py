"""A learner's device: an HTTP client that remembers what it last sent and got."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from local.demo import markup

TIMEOUT_SECONDS = 30
_SECRET = {"password", "token"}


@dataclass(frozen=True)
class Exchange:
    """A request and its answer."""

    method: str
    path: str
    sent: Any
    status: int
    received: Any
    """Parsed JSON, or the text of another type."""
    at: float = field(default_factory=time.monotonic)

    @property
    def request(self) -> str:
        """The request for people, without its secrets."""
        path = self.path.partition("?")[0]
        if self.sent is None:
            return f"{self.method} {path}"
        return f"{self.method} {path} {json.dumps(_without_secrets(self.sent))}"

    @property
    def answer(self) -> str:
        """The answer's document for people, shortened."""
        if isinstance(self.received, str):
            return self.received[:300]
        return json.dumps(_without_secrets(self.received), indent=2)[:2000]


class Unexpected(Exception):
    """Something came back that should not have; the exchange says what."""

    def __init__(self, message: str, exchange: Exchange | None = None) -> None:
        super().__init__(message)
        self.exchange = exchange


class Device:
    """One of the learner's devices, signed in with a bearer token of its own."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self.token: str | None = None
        self.last: Exchange | None = None
        self._base_url = base_url
        self._agent = f"StudyPack demo ({name})"
        self._http = httpx2.Client(
            base_url=base_url, timeout=TIMEOUT_SECONDS, headers={"User-Agent": self._agent}
        )

    def close(self) -> None:
        """Give its connections back."""
        self._http.close()

    def get(self, path: str, *, expect: int = 200) -> Any:
        """GET a path or whole address; raises Unexpected unless the status is the expected one."""
        return self.send("GET", path, expect=expect)

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        expect: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """POST a document; raises Unexpected unless the status is the expected one."""
        return self.send("POST", path, body, expect=expect, headers=headers)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        expect: int | None = 200,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a request and return the answer's document (text, if it is a page).

        Raises Unexpected unless the status is the expected one; None expects any.
        """
        self._http.cookies.clear()  # the token alone signs in; a cookie would need an Origin
        answer = self._http.request(
            method, path, json=body, headers={**self._authorization(), **(headers or {})}
        )
        is_json = "json" in answer.headers.get("content-type", "")
        received = answer.json() if is_json else answer.text
        self.last = Exchange(method, path, body, answer.status_code, received)
        if expect is not None and answer.status_code != expect:
            raise Unexpected(f"{expect} was expected, {answer.status_code} came", self.last)
        return received

    def download(self, path: str) -> tuple[str, bytes]:
        """GET a file: its type and its bytes; raises Unexpected unless it is there."""
        answer = self._http.get(path, headers=self._authorization())
        kind = answer.headers.get("content-type", "")
        told = f"{kind}, {len(answer.content)} bytes"
        self.last = Exchange("GET", path, None, answer.status_code, told)
        if answer.status_code != 200:
            raise Unexpected(f"200 was expected, {answer.status_code} came", self.last)
        return kind, answer.content

    def refused(self, method: str, path: str, body: Any, *, code: str, status: int = 409) -> Any:
        """Send what must be refused, and return the problem document.

        Raises Unexpected unless the refusal has this status and code.
        """
        problem = self.send(method, path, body, expect=status)
        if problem["code"] != code:
            raise Unexpected(f"{code} was expected, {problem['code']} came", self.last)
        return problem

    def send_and_die(self, path: str, body: Any) -> None:
        """Send a POST whole and cut the connection without reading an answer."""
        address = urlsplit(self._base_url)
        secure = address.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            **self._authorization(),
        }
        connection.request("POST", path, json.dumps(body), headers)
        connection.close()

    def _authorization(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}


def mailed_link(outbox_page: str, address: str, template: str) -> str:
    """The link of the newest such mail, read from the outbox page as a person would.

    Raises Unexpected when the page shows no such mail.
    """
    for row in markup.rows(outbox_page):
        if address in row.texts and template in row.texts and row.links:
            return row.links[0]
    raise Unexpected(f"the outbox shows no {template} to {address}")


def form_target(page: str) -> str:
    """Where the button of a landing page posts the token; raises Unexpected if it has none."""
    for form in markup.forms(page):
        if form.path:
            return form.path
    raise Unexpected("the page has no form")


def _without_secrets(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    return {name: "..." if name in _SECRET else value for name, value in document.items()}
