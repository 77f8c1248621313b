"""The bytes of PostgreSQL's protocol that our driver sends itself: messages, one flush, COPY rows.

What they mean and when they go is driver.py's; the reading of answers is pg8000's.
"""

import select
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from io import IOBase, TextIOBase
from typing import Final

from pg8000.core import (
    BIND,
    DESCRIBE,
    EXECUTE_MSG,
    NULL_BYTE,
    PARSE,
    PORTAL,
    H_pack,
    i_pack,
)
from pg8000.exceptions import InterfaceError

MAX_PARAMETERS: Final = 65_535  # Bind counts them in 16 bits
RECEIVE_SIZE: Final = 65_536
COPY_CHUNK: Final = 65_536


class Stream:
    """The file that pg8000 reads and writes, with one send per flush and known unread bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._outgoing = bytearray()
        self._incoming = b""
        self._position = 0
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            # Nagle would hold a flush back while an earlier one is unacknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def unsent(self) -> int:
        """How many bytes wait for the next flush."""
        return len(self._outgoing)

    def write(self, data: bytes) -> None:
        """Add bytes to the next flush."""
        self._outgoing += data

    def flush(self) -> None:
        """Send what was written, at once."""
        if self._outgoing:
            outgoing, self._outgoing = self._outgoing, bytearray()
            try:
                self._socket.sendall(outgoing)
            except OSError as error:
                raise InterfaceError(f"network error: {error}") from error

    def read(self, size: int) -> bytes:
        """Take exactly so many bytes, waiting for them.

        Raises InterfaceError when the server is gone.
        """
        end = self._position + size
        if end > len(self._incoming):
            self._receive(size)
            end = size
        data = self._incoming[self._position : end]
        self._position = end
        return data

    def _receive(self, size: int) -> None:
        blocks = [self._incoming[self._position :]]
        held = len(blocks[0])
        try:
            while held < size:
                block = self._socket.recv(RECEIVE_SIZE)
                if not block:
                    raise InterfaceError("network error: the server closed the connection")
                blocks.append(block)
                held += len(block)
        except OSError as error:
            raise InterfaceError(f"network error: {error}") from error
        self._incoming = b"".join(blocks)
        self._position = 0

    def has_input(self) -> bool:
        """Tell, without waiting, whether there is anything to read, or the end."""
        if self._position < len(self._incoming):
            return True
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([self._socket], [], [], 0)[0])
        poll = select.poll()  # select() refuses file numbers beyond 1023
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))


def message(code: bytes, data: bytes | bytearray) -> bytes:
    """One message: its code, its length, its content."""
    length: bytes = i_pack(len(data) + 4)
    return b"".join((code, length, data))


def zero_terminated(statement: str, encoding: str) -> bytes:
    """A statement as the protocol writes strings; raises InterfaceError if a zero is within."""
    if "\0" in statement:
        raise InterfaceError("a statement can't contain the zero character")
    return f"{statement}\0".encode(encoding)


def statement_messages(
    statement: str, values: Sequence[str | None], oids: Sequence[int], encoding: str
) -> bytes:
    """Parse, Bind, Describe and Execute of the unnamed statement, everything as text.

    Whole before anything is sent: a value that can't be encoded leaves the connection be. Raises
    InterfaceError beyond MAX_PARAMETERS.
    """
    if len(values) > MAX_PARAMETERS:
        raise InterfaceError(f"{len(values)} parameters: at most {MAX_PARAMETERS} are possible")
    parse = bytearray(NULL_BYTE + zero_terminated(statement, encoding) + H_pack(len(oids)))
    for oid in oids:
        parse += i_pack(0 if oid == -1 else oid)
    # Unnamed portal, unnamed statement, all parameters as text ...
    bind = bytearray(NULL_BYTE + NULL_BYTE + H_pack(0) + H_pack(len(values)))
    for value in values:
        if value is None:
            bind += i_pack(-1)
        else:
            encoded = value.encode(encoding)
            bind += i_pack(len(encoded))
            bind += encoded
    bind += H_pack(0)  # ... and all results
    return b"".join(
        (
            message(PARSE, parse),
            message(BIND, bind),
            message(DESCRIBE, PORTAL + NULL_BYTE),
            EXECUTE_MSG,
        )
    )


def copy_chunks(
    stream: IOBase | Iterable[str | bytes] | None, is_binary: bool, encoding: str
) -> Iterator[bytes]:
    """Yield the stream's content: a text file's, a binary file's, or the items of an iterable."""
    if stream is None:
        raise InterfaceError("COPY FROM STDIN needs the 'stream' parameter: a file or an iterable")
    if isinstance(stream, IOBase):
        end = "" if isinstance(stream, TextIOBase) else b""
        stream = iter(partial(stream.read, COPY_CHUNK), end)
    for item in stream:
        if is_binary and isinstance(item, str):
            raise InterfaceError("COPY FROM STDIN in binary format needs a stream of bytes")
        yield item.encode(encoding) if isinstance(item, str) else bytes(item)
