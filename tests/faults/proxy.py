"""A TCP proxy before PostgreSQL that fails as networks and sleeping databases do."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from sqlalchemy import make_url

from tests.faults.client import HOST

_RECEIVE = 1 << 16
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close by RST
_STARTING_UP = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


class Sleep(StrEnum):
    """How a database that sleeps meets a client."""

    REFUSES = "refuses"
    STALLS = "accepts and says nothing"
    HANGS_UP = "accepts and hangs up"
    STARTING = "says that it is starting"


class _Link:
    """One client's connection, told by a socket pair what is to become of it."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self.silent = False
        self.orders, self._order = socket.socketpair()

    def order(self, what: bytes) -> None:
        with suppress(OSError):
            self._order.send(what)

    def run(self, port: int) -> None:
        with (
            self.orders,
            self._order,
            self.client,
            suppress(OSError),
            socket.create_connection((HOST, port)) as upstream,
        ):
            self._pass_on(upstream)

    def _pass_on(self, upstream: socket.socket) -> None:
        for side in (self.client, upstream):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            for source in select.select([self.orders, self.client, upstream], [], [])[0]:
                data = source.recv(_RECEIVE)
                if source is self.orders:
                    if data.startswith(b"reset"):
                        for side in (self.client, upstream):
                            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                        return
                    self.silent = True  # nobody hears anything any more, not even a goodbye
                    continue
                if self.silent and data:
                    continue
                if not data:
                    return
                (upstream if source is self.client else self.client).sendall(data)


class Proxy:
    """A running proxy, awake unless made with a way to sleep."""

    def __init__(self, upstream_port: int, sleep: Sleep | None) -> None:
        self._upstream_port = upstream_port
        self._sleep = sleep
        self._awake = threading.Event()
        self._ended = False
        self._links: list[_Link] = []
        self._listener = socket.socket()
        self._listener.bind((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        if sleep is None:
            self._awake.set()
        if sleep is not Sleep.REFUSES:
            self._listen()

    def wake(self) -> None:
        """From now on the database answers."""
        self._awake.set()
        if self._sleep is Sleep.REFUSES:
            self._listen()

    def reset(self) -> None:
        """Cut every connection by RST."""
        for link in self._links:
            link.order(b"reset")

    def silence(self) -> None:
        """Drop, from now on, what existing connections send, without a word."""
        for link in self._links:
            link.order(b"silence")

    def end(self) -> None:
        """Stop and close everything."""
        self._ended = True
        self._awake.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        self._listener.listen(128)
        self._start(self._accept)

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while not self._ended:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._meet, client)

    def _meet(self, client: socket.socket) -> None:
        if not self._awake.is_set():
            match self._sleep:
                case Sleep.HANGS_UP:
                    client.close()
                    return
                case Sleep.STARTING:
                    with client, suppress(OSError):
                        client.recv(_RECEIVE)
                        length = (len(_STARTING_UP) + 4).to_bytes(4, "big")
                        client.sendall(b"E" + length + _STARTING_UP)
                    return
                case _:
                    self._awake.wait()
        link = _Link(client)
        self._links.append(link)
        if self._ended:
            client.close()
        else:
            link.run(self._upstream_port)


@contextmanager
def proxied(url: str, sleep: Sleep | None = None) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the database, and the URL that leads through it."""
    parts = make_url(url)
    assert parts.port is not None
    proxy = Proxy(parts.port, sleep)
    try:
        through = parts.set(host=HOST, port=proxy.port)
        yield proxy, through.render_as_string(hide_password=False)
    finally:
        proxy.end()
