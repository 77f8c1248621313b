"""What Stripe would answer to refetches, from a recorded state: a small, quick server in a process
of its own that counts what it is asked.

    python -m benchmarks.stripe_answers STATE

It prints its port and ends with its standard input. It answers by the stand-in's own API, with what
that leaves out: the account, and a client of another version. Each answer is made once. It can be
told to answer late, as a server elsewhere does.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode
from urllib.request import urlopen

from local.stripe import API_KEY
from local.stripe.account import Account
from local.stripe.api import Api, Request
from local.stripe.state import Store
from local.stripe.switches import Switches

HOST = "127.0.0.1"
COUNT = "/requests"
"""Answers how many requests there were since it was last asked."""
DELAY = "/milliseconds/"
"""Followed by a number: from now on each answer takes so long."""
ACCOUNT = {
    "id": "acct_benchmark0000000",
    "object": "account",
    "country": "US",
    "default_currency": "usd",
    "livemode": False,
    "settings": {"branding": {"icon": None, "logo": None}},
    "type": "standard",
}


class Answers:
    """Answers by path and query, made at the first question."""

    def __init__(self, state: Path) -> None:
        store = Store(state)
        now = max(event["created"] for event in store.all("event"))
        account = Account(store, f"http://{HOST}", Switches(), lambda: now)
        self._api = Api(account, threading.RLock(), API_KEY)
        self._made: dict[str, bytes] = {}
        self._asked = 0
        self.delay_seconds = 0.0

    def answer(self, target: str) -> bytes:
        """The whole HTTP answer to a GET."""
        if target == COUNT:
            asked, self._asked = self._asked, 0
            return _http(200, {"requests": asked})
        if target.startswith(DELAY):
            self.delay_seconds = int(target.removeprefix(DELAY)) / 1000
            return _http(200, {})
        self._asked += 1
        if target not in self._made:
            self._made[target] = self._make(target)
        return self._made[target]

    def _make(self, target: str) -> bytes:
        path, _, query = target.partition("?")
        if path.endswith("/features"):
            return _http(200, {"object": "list", "data": [], "has_more": False, "url": path})
        if path in ("/v1/account", f"/v1/accounts/{ACCOUNT['id']}"):
            return _http(200, ACCOUNT)
        parameters = [
            (name, value) for name, value in parse_qsl(query) if not name.startswith("expand")
        ]
        expanded = [value for name, value in parse_qsl(query) if name.startswith("expand")]
        while True:
            encoded = urlencode([*parameters, *(("expand[]", each) for each in expanded)])
            answer = self._api.answer(Request("GET", path, encoded, API_KEY))
            if answer.status != 400 or not expanded:
                return _http(answer.status, answer.document)
            expanded.pop()  # a field that the stand-in does not know


def _http(status: int, document: object) -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRequest-Id: req_benchmark\r\n\r\n"
    )
    return head.encode() + body


async def _serve(answers: Answers) -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                _method, target, _version = head.split(b"\r\n", 1)[0].decode().split(" ")
                answer = answers.answer(target)
                if target.startswith("/v1/"):
                    await asyncio.sleep(answers.delay_seconds)
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(converse, HOST, 0)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def answering(state: Path) -> Iterator[str]:
    """A running server's address."""
    command = [sys.executable, "-m", "benchmarks.stripe_answers", str(state)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the server was started without its pipes")
        try:
            yield f"http://{HOST}:{int(child.stdout.readline())}"
        finally:
            child.stdin.close()


def take_count(address: str) -> int:
    """How many requests there were since the last time."""
    return int(ask(address, COUNT)["requests"])


@contextmanager
def late(address: str, milliseconds: int) -> Iterator[None]:
    """Every answer takes so long, for a while."""
    ask(address, f"{DELAY}{milliseconds}")
    try:
        yield
    finally:
        ask(address, f"{DELAY}0")


def ask(address: str, target: str) -> dict[str, Any]:
    """What a running server answers."""
    with urlopen(f"{address}{target}", timeout=10) as answer:  # noqa: S310 (our own server)
        found: dict[str, Any] = json.load(answer)
        return found


def main(arguments: list[str]) -> int:
    """Serve until standard input ends."""
    asyncio.run(_serve(Answers(Path(arguments[0]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
