"""A TCP proxy in front of PostgreSQL: it counts statements and round trips, or adds a delay.

A round trip is a client's bytes followed by the server's. Run as a program
(`python -m benchmarks.proxy PORT MILLISECONDS`) it delays in a process of its own, so that it does
not take turns with what is measured: it prints its port and ends with its standard input.
"""

from __future__ import annotations

import select
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
_RECEIVE = 1 << 16
_PARSE, _QUERY = b"P", b"Q"
_TRANSACTION_CONTROL = ("begin", "commit", "rollback", "savepoint", "release")


@dataclass
class Traffic:
    """What went over the wire since the last `take`."""

    round_trips: int = 0
    texts: list[str] = field(default_factory=list)
    """Every statement's text in order, BEGIN and COMMIT among them."""

    @property
    def statements(self) -> int:
        """Statements but those that only begin or end a transaction."""
        return sum(
            not text.lstrip().lower().startswith(_TRANSACTION_CONTROL) for text in self.texts
        )


class _Frontend:
    """Finds the statements in what one client sends (PostgreSQL's protocol, version 3)."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._started = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The statements that these bytes complete."""
        self._held += data
        while True:
            head = 1 if self._started else 0  # the startup message alone has no type
            if len(self._held) < head + 4:
                return
            end = head + int.from_bytes(self._held[head : head + 4])
            if len(self._held) < end:
                return
            kind, body = bytes(self._held[:head]), bytes(self._held[head + 4 : end])
            del self._held[:end]
            self._started = True
            if kind == _QUERY:
                yield body.split(b"\0", 1)[0].decode()
            elif kind == _PARSE:
                yield body.split(b"\0", 2)[1].decode()  # after the statement's name


class Proxy:
    """A running proxy."""

    def __init__(self, upstream_port: int, *, round_trip_delay: float = 0.0) -> None:
        self.port = 0
        self.upstream_port = upstream_port
        self._one_way = round_trip_delay / 2
        self._traffic = Traffic()

    def take(self) -> Traffic:
        """What there was since the last time."""
        taken, self._traffic = self._traffic, Traffic()
        return taken

    def look(self) -> int:
        """The round trips since the last `take`."""
        return self._traffic.round_trips

    def serve(self, client: socket.socket) -> None:
        """Pass on one client's connection until a side closes it."""
        with (
            suppress(OSError),
            socket.create_connection((HOST, self.upstream_port)) as upstream,
        ):
            for each in (client, upstream):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass_on(client, upstream)

    def _pass_on(self, client: socket.socket, upstream: socket.socket) -> None:
        frontend = _Frontend()
        on_its_way: deque[tuple[float, socket.socket, bytes]] = deque()
        asked = False
        while True:
            wait = max(0.0, on_its_way[0][0] - time.perf_counter()) if on_its_way else None
            for source in select.select([client, upstream], [], [], wait)[0]:
                data = source.recv(_RECEIVE)
                if not data:
                    return
                if source is client:
                    self._traffic.texts += frontend.feed(data)
                elif asked:
                    self._traffic.round_trips += 1
                asked = source is client
                target = upstream if source is client else client
                on_its_way.append((time.perf_counter() + self._one_way, target, data))
            while on_its_way and on_its_way[0][0] <= time.perf_counter():
                _, target, data = on_its_way.popleft()
                target.sendall(data)


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def counting(upstream_port: int) -> Iterator[Proxy]:
    """A proxy in this process that counts."""
    with _listening(Proxy(upstream_port)) as proxy:
        yield proxy


@contextmanager
def _listening(proxy: Proxy) -> Iterator[Proxy]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            proxy.serve(self.request)

    with _Threads((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        proxy.port = server.server_address[1]
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def delaying(upstream_port: int, milliseconds: float) -> Iterator[int]:
    """The port of a proxy in a process of its own that adds this much to every round trip."""
    command = [sys.executable, "-m", "benchmarks.proxy", str(upstream_port), str(milliseconds)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as child:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("the proxy was started without its pipes")
        try:
            yield int(child.stdout.readline())
        finally:
            child.stdin.close()


def measured(ask: Callable[[], object], *, times: int = 200) -> float:
    """The median seconds of a question that costs one round trip."""
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - started)
    return sorted(seconds)[times // 2]


def main(arguments: list[str]) -> int:
    """Serve until standard input ends."""
    upstream_port, milliseconds = int(arguments[0]), float(arguments[1])
    with _listening(Proxy(upstream_port, round_trip_delay=milliseconds / 1000)) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
