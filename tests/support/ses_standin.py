"""Amazon SES as a real HTTP server that can fail on purpose: it throttles, refuses, breaks down, or
takes a mail and says nothing.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote
from uuid import uuid4


@dataclass(frozen=True)
class Answer:
    """How one request to send is answered."""

    status: int = 200
    code: str = ""
    message: str = "of no interest"
    takes: bool = False
    """The mail is taken (whatever the answer says)."""
    speaks: bool = True
    """There is an answer; else the connection is closed, as by a crash on the way."""
    waits_for: threading.Event | None = None
    """Nothing is said before this is set."""


TAKE = Answer(takes=True)
THROTTLE = Answer(429, "TooManyRequestsException", "Maximum sending rate exceeded.")
REJECT = Answer(400, "MessageRejected", "Email address is on the suppression list.")
BREAK_DOWN = Answer(500, "InternalFailure")
UNAVAILABLE = Answer(503, "ServiceUnavailable")
TAKE_AND_FALL_SILENT = Answer(takes=True, speaks=False)
FALL_SILENT = Answer(speaks=False)


@dataclass(frozen=True)
class Taken:
    """A mail that was taken."""

    provider_id: str
    to: str
    raw: bytes
    tags: dict[str, str]
    configuration_set: str | None

    @property
    def message(self) -> EmailMessage:
        """As a mail client reads it."""
        return message_from_bytes(self.raw, policy=policy.default)  # type: ignore[return-value]


@dataclass
class SesStandIn:
    """What it does next, and what it was asked."""

    answer: Callable[[str], Answer] = lambda _to: TAKE
    """By the address that a mail is for."""
    account: dict[str, Any] = field(
        default_factory=lambda: {
            "SendingEnabled": True,
            "EnforcementStatus": "HEALTHY",
            "SendQuota": {"Max24HourSend": 1e6, "MaxSendRate": 1e6, "SentLast24Hours": 0.0},
        }
    )
    account_answer: Answer = Answer()
    taken: list[Taken] = field(default_factory=list)
    offered: Counter[str] = field(default_factory=Counter)
    """Requests to send, by address."""
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Be as good as new, at the same address."""
        new = SesStandIn()
        self.answer, self.account, self.account_answer = new.answer, new.account, Answer()
        self.taken.clear()
        self.offered.clear()

    def answers(self, *answers: Answer) -> None:
        """Answer the next requests like this, one after the other; then take mails."""
        coming = list(answers)

        def next_one(_to: str) -> Answer:
            with self._lock:
                return coming.pop(0) if coming else TAKE

        self.answer = next_one

    def to(self, address: str) -> list[Taken]:
        """What was taken for an address."""
        return [each for each in self.taken if each.to == address]

    def offer(self, request: dict[str, Any]) -> tuple[Answer, str]:
        """One request to send; how it is answered and the mail's id."""
        [to] = request["Destination"]["ToAddresses"]
        with self._lock:
            self.offered[to] += 1
        answer = self.answer(to)
        provider_id = str(uuid4())
        if answer.takes:
            mail = Taken(
                provider_id=provider_id,
                to=to,
                raw=base64.b64decode(request["Content"]["Raw"]["Data"]),
                tags={each["Name"]: each["Value"] for each in request.get("EmailTags", ())},
                configuration_set=request.get("ConfigurationSetName"),
            )
            with self._lock:
                self.taken.append(mail)
        return answer, provider_id


def share(text: str) -> float:
    """A number from 0 to 1 that a text always gives: who is refused is refused each time."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32


@contextmanager
def running(standin: SesStandIn | None = None) -> Iterator[SesStandIn]:
    """Serve it on a free loopback port."""
    standin = standin or SesStandIn()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(standin))
    server.daemon_threads = True
    standin.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(standin: SesStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            assert unquote(self.path) == "/v2/email/account", self.path
            if standin.account_answer.status == 200:
                self._say(200, standin.account)
            else:
                self._fail(standin.account_answer)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert unquote(self.path) == "/v2/email/outbound-emails", self.path
            answer, provider_id = standin.offer(json.loads(body))
            if answer.waits_for is not None:
                answer.waits_for.wait(60)
            if not answer.speaks:
                self.close_connection = True
            elif answer.status == 200:
                self._say(200, {"MessageId": provider_id})
            else:
                self._fail(answer)

        def _fail(self, answer: Answer) -> None:
            self._say(answer.status, {"message": answer.message}, answer.code)

        def _say(self, status: int, document: dict[str, Any], error: str = "") -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
