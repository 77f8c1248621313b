from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from studypack.core.http.admission import Admission

T = TypeVar("T")


class Room:
    """An application that keeps its requests until the door is opened."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.entered = asyncio.Semaphore(0)
        self.door = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.entered.release()
        await self.door.wait()
        self.inside -= 1
        await PlainTextResponse(Request(scope).url.path)(scope, receive, send)


def _run(scenario: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run does, but for the event loop of this thread, which it would take away: Lambda
    handlers in later tests need one.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(scenario)


async def _call(app: Admission, path: str) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("api.example.com", 80),
        "root_path": "",
    }
    await app(scope, receive, send)
    return sent


def test_more_requests_than_places_wait_for_their_turn_and_are_all_answered() -> None:
    async def scenario() -> tuple[int, list[int]]:
        room = Room()
        app = Admission(room, requests=2, seconds=60)
        calls = [asyncio.ensure_future(_call(app, f"/{number}")) for number in range(7)]
        await room.entered.acquire()
        await room.entered.acquire()
        room.door.set()
        return room.most, [sent[0]["status"] for sent in await asyncio.gather(*calls)]

    assert _run(scenario()) == (2, [200] * 7)


def test_who_has_waited_too_long_is_told_to_come_back_and_takes_nobodys_place() -> None:
    async def scenario() -> tuple[Any, Any]:
        room = Room()
        app = Admission(room, requests=1, seconds=0.01)
        first = asyncio.ensure_future(_call(app, "/first"))
        await room.entered.acquire()
        refused = await _call(app, "/second")
        room.door.set()
        await first
        return refused[0], (await _call(app, "/third"))[0]

    refused, third = _run(scenario())
    assert refused["status"] == 503
    assert (b"retry-after", b"2") in refused["headers"]
    assert third["status"] == 200
