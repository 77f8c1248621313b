"""A PostgreSQL driver that spends one round trip on a statement: pg8000, its messages together.

On a serverless database the round trip is what costs. Stock pg8000 makes three of a statement with
parameters, and one more of BEGIN; behind a transaction pooler in autocommit its Parse and its Bind
may even reach two different servers. Here Parse, Bind, Describe, Execute and Sync travel in one
flush, and BEGIN rides in front of the transaction's first statement. Why pg8000, and what this
costs: docs/decisions/0003-one-flush-driver.md.

How engine.py uses it: import this module (which registers the dialect) and give SQLAlchemy the URL
with its driver's name replaced; everything else is SQLAlchemy's own pg8000 dialect:

    url = make_url(settings.database_url).set(drivername="postgresql+oneflush")
    engine = create_engine(url, connect_args={"ssl_context": context, "timeout": 10})

`ssl_context=False` is no TLS (loopback), a context is TLS as verified as that context demands;
pg8000's default, None, asks for TLS (a round trip) and verifies nothing. At the pool's checkout
`has_pending_input()` tells without a round trip whether the server has spoken since, most often to
say goodbye; only then is `ping()` worth its round trip. A read in autocommit is
`execution_options(isolation_level="AUTOCOMMIT")`: going there and back costs no round trip here.
"""

# ruff: noqa: N802 (pg8000 calls its handlers handle_MESSAGE, each with data and context)

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

import pg8000.dbapi
from pg8000.converters import TIMESTAMPTZ, make_params, timestamptz_in
from pg8000.core import (
    COPY_DATA,
    COPY_DONE_MSG,
    NULL_BYTE,
    QUERY,
    READY_FOR_QUERY,
    SYNC_MSG,
    Context,
    bh_unpack,
    ci_unpack,
    i_unpack,
)
from pg8000.dbapi import convert_paramstyle
from pg8000.exceptions import DatabaseError, InterfaceError
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

from studypack.core.database.wire import (
    COPY_CHUNK,
    Stream,
    copy_chunks,
    message,
    statement_messages,
    zero_terminated,
)

BEGIN: Final = "begin transaction"
COMMIT: Final = "commit"
COMMITS: Final = "oneflush_commits"
"""The execution option of a transaction's last statement: COMMIT rides behind it."""
COPY_FAIL: Final = b"f"
CACHEABLE_STATEMENT: Final = 16_384  # characters: multi-row inserts are long and rarely come twice

# What the extended protocol refuses (several statements in one string) or makes ambiguous (COPY).
# Taking too much for a script costs one round trip, and only at the start of a transaction.
_SCRIPT_OR_COPY = re.compile(r"\A\s*copy\b|;\s*\S", re.IGNORECASE)

# By SQLSTATE class; the classes missing here are a ProgrammingError, as nearly all are with stock
# pg8000, which tells apart 23505 alone.
_ERROR_CLASSES: Final[dict[str, type[DatabaseError]]] = {
    "08": pg8000.dbapi.OperationalError,  # connection exception
    "0A": pg8000.dbapi.NotSupportedError,
    "22": pg8000.dbapi.DataError,
    "23": pg8000.dbapi.IntegrityError,
    "28": pg8000.dbapi.OperationalError,  # invalid authorization
    "40": pg8000.dbapi.OperationalError,  # serialization failure, deadlock
    "53": pg8000.dbapi.OperationalError,  # insufficient resources
    "54": pg8000.dbapi.OperationalError,  # program limit exceeded
    "55": pg8000.dbapi.OperationalError,  # lock not available
    "57": pg8000.dbapi.OperationalError,  # statement timeout, shutting down, starting up
    "58": pg8000.dbapi.OperationalError,  # system error
    "XX": pg8000.dbapi.InternalError,
}
_LAST_WORDS: Final = ("FATAL", "PANIC")  # the severities after which the server hangs up


class _Answer(Context):  # type: ignore[misc] # pg8000 is untyped
    """What the server answers to one flush: `synced` if it ended in a Sync, not a simple Query."""

    def __init__(self, statement: str, stream: object = None, *, synced: bool) -> None:
        super().__init__(statement, stream=stream)
        self.synced = synced


class OneFlushCursor(pg8000.dbapi.Cursor):  # type: ignore[misc] # pg8000 is untyped
    """pg8000's cursor, leaving it to the connection how a statement and its BEGIN travel."""

    _input_oids: Sequence[int]
    commits = False
    """Whether the next statement is the last of its transaction."""

    def execute(self, operation: str, args: Sequence[object] = (), stream: object = None) -> None:
        """Run one statement; without parameters and stream it may also be a script of several."""
        if self._c is None:
            raise InterfaceError("Cursor closed")
        oids, self._input_oids = self._input_oids, ()
        commits, self.commits = self.commits, False
        statement = operation if not len(args) and stream is None else numbered(operation)
        if commits:
            self._context = self._c.run_last(statement, args, oids)
        else:
            self._context = self._c.run(statement, args, oids, stream)
        self._row_iter = None if self._context.rows is None else iter(self._context.rows)

    def callproc(self, procname: str, parameters: Sequence[object] | None = None) -> None:
        """CALL a procedure, inside the transaction like any other statement."""
        args = () if parameters is None else parameters
        self.execute(f"CALL {procname}({', '.join('%s' for _ in args)})", args)


def read_timestamptz(text: str) -> datetime | str:
    """Read a time as PostgreSQL writes it, ten times faster than pg8000 does with strptime.

    What `fromisoformat` cannot read (infinity, BC, years past 9999) pg8000 reads as ever.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        value: datetime | str = timestamptz_in(text)
        return value


class OneFlushConnection(pg8000.dbapi.Connection):  # type: ignore[misc] # pg8000 is untyped
    """A pg8000 connection on which every statement is one flush and one round trip.

    Only unnamed statements and portals are used, and one flush asks for one ReadyForQuery, so a
    transaction pooler may give every transaction (in autocommit: every statement) another server.
    Whatever fails in the middle of an answer closes the connection at once: an InterfaceError that
    SQLAlchemy takes for a disconnect, never a connection that would give the next caller the rest
    of somebody else's answer.
    """

    _usock: socket.socket | None
    _stream: Stream | None = None
    _connected = False
    session_isolation_level: str | None = None  # None is the server's default

    def __init__(self, **kwargs: Any) -> None:  # pg8000 types none of them
        try:
            super().__init__(**kwargs)
        except OSError as error:  # a failed TLS handshake, which pg8000 lets through as it is
            raise InterfaceError(f"can't connect: {error}") from error
        self.register_in_adapter(TIMESTAMPTZ, read_timestamptz)
        self._connected = True

    # pg8000 keeps the socket's makefile() here. Standing in its place gives the handshake and
    # everything inherited the same buffers, without patching pg8000's functions.
    @property
    def _sock(self) -> Stream | None:
        return self._stream

    @_sock.setter
    def _sock(self, file: object) -> None:
        self._stream = None if file is None or self._usock is None else Stream(self._usock)

    def cursor(self) -> OneFlushCursor:
        """Return a new cursor."""
        return OneFlushCursor(self)

    def commit(self) -> None:
        """Commit in one round trip; in none when no transaction has begun."""
        self._end_transaction(COMMIT)

    def rollback(self) -> None:
        """Roll back in one round trip; in none when no transaction has begun."""
        self._end_transaction("rollback")

    def _end_transaction(self, statement: str) -> None:
        self._live_stream()  # on a lost connection silence would pass for success
        if self._in_transaction:
            self.execute_simple(statement)

    def close(self) -> None:
        """Close the connection; a second time, and on a lost connection, there is nothing to do."""
        if self._usock is not None:
            # Whether the goodbye arrives does not matter: the server rolls back either way.
            with suppress(InterfaceError):
                super().close()

    def has_pending_input(self) -> bool:
        """Tell, without a round trip, whether the server has spoken or hung up since its answer."""
        return self._stream is None or self._stream.has_input()

    def wait_at_most(self, seconds: float) -> None:
        """Let the connection be lost when the server says nothing for so long."""
        if self._usock is not None:
            self._usock.settimeout(seconds)

    def ping(self) -> None:
        """Make one round trip to the server; raises InterfaceError when the connection is lost."""
        self.execute_simple("")

    def run(
        self, statement: str, values: Sequence[object], oids: Sequence[int], stream: object
    ) -> Context:
        """Run a statement with `$1` placeholders, with BEGIN before it where one is due."""
        if self.autocommit or self._in_transaction:
            return self.execute_unnamed(statement, values, oids, stream)
        if len(values) or (stream is None and not _SCRIPT_OR_COPY.search(statement)):
            # No Sync between: if BEGIN fails the server skips the statement, which thus never runs
            # outside a transaction.
            begin = self._without_parameters(BEGIN)
            return self._run_extended(statement, values, oids, stream, begin)
        self.execute_simple(BEGIN)
        return self.execute_simple(statement, stream)

    def run_last(self, statement: str, values: Sequence[object], oids: Sequence[int]) -> Context:
        """Run a transaction's last statement with COMMIT behind it, in one round trip.

        No Sync between: if the statement fails the server skips COMMIT, and what is left is to roll
        back.
        """
        if self.autocommit:
            return self.execute_unnamed(statement, values, oids)
        before = b"" if self._in_transaction else self._without_parameters(BEGIN)
        after = self._without_parameters(COMMIT)
        return self._run_extended(statement, values, oids, None, before, after)

    def _without_parameters(self, statement: str) -> bytes:
        return statement_messages(statement, (), (), self._client_encoding)

    def execute_unnamed(
        self,
        statement: str,
        vals: Sequence[object] = (),
        oids: Sequence[int] = (),
        stream: object = None,
    ) -> Context:
        """Run a statement as it is, without BEGIN, in one flush."""
        if len(vals):
            return self._run_extended(statement, vals, oids, stream)
        return self.execute_simple(statement, stream)

    def execute_simple(self, statement: str, stream: object = None) -> Context:
        """Run one or several statements without parameters by a simple Query, without BEGIN."""
        answer = _Answer(statement, stream, synced=False)
        self._exchange(message(QUERY, zero_terminated(statement, self._client_encoding)), answer)
        return answer

    def _run_extended(
        self,
        statement: str,
        values: Sequence[object],
        oids: Sequence[int],
        stream: object,
        before: bytes = b"",
        after: bytes = b"",
    ) -> Context:
        answer = _Answer(statement, stream, synced=True)
        messages = statement_messages(
            statement, make_params(self.py_types, values), oids, self._client_encoding
        )
        self._exchange(before + messages + after + SYNC_MSG, answer)
        return answer

    def _live_stream(self) -> Stream:
        if self._stream is None:
            raise InterfaceError("connection is closed")
        return self._stream

    def _exchange(self, messages: bytes, answer: _Answer) -> None:
        stream = self._live_stream()
        try:
            stream.write(messages)
            stream.flush()
        except BaseException:
            self._abandon()
            raise
        self.handle_messages(answer)

    def handle_messages(self, context: Context) -> None:
        """Read up to ReadyForQuery, then raise the error in the answer; if reading fails, close."""
        stream = self._live_stream()
        try:
            code = b""
            while code != READY_FOR_QUERY:
                code, length = ci_unpack(stream.read(5))
                self.message_types[code](stream.read(length - 4), context)
        except BaseException as error:
            self._abandon()
            if isinstance(error, InterfaceError) or not isinstance(error, Exception):
                raise
            raise InterfaceError(f"network error: out of step ({error!r})") from error
        if context.error is not None:
            raise context.error

    def _abandon(self) -> None:
        if self._usock is not None:
            with suppress(OSError):
                self._usock.close()
        self._usock = None
        self._sock = None

    def handle_ERROR_RESPONSE(self, data: bytes, context: Context) -> None:
        """Keep an answer's first error, classed by SQLSTATE; a FATAL one ends the connection."""
        first = context.error
        super().handle_ERROR_RESPONSE(data, context)
        fields = context.error.args[0]
        if self._connected and fields.get("V", fields["S"]) in _LAST_WORDS:
            lost = f"network error: {fields['M']} ({fields['C']})"
            raise InterfaceError(lost) from context.error
        error_class = _ERROR_CLASSES.get(fields["C"][:2], pg8000.dbapi.ProgrammingError)
        context.error = first or error_class(fields)

    def handle_DATA_ROW(self, data: bytes, context: Context) -> None:
        """Convert a row; a value that Python can't hold fails the statement, not the connection."""
        if context.error is None:
            try:
                super().handle_DATA_ROW(data, context)
            except Exception as error:
                context.error = error

    def handle_NOTIFICATION_RESPONSE(self, data: bytes, context: Context) -> None:
        """Keep a notification; pg8000 itself expects channel and payload to be ASCII."""
        channel, payload, _ = data[4:].decode(self._client_encoding).split("\0")
        self.notifications.append((i_unpack(data)[0], channel, payload))

    def handle_COPY_IN_RESPONSE(self, data: bytes, context: Context) -> None:
        """Send the stream's rows; if the stream fails, have the server fail the COPY."""
        stream = self._live_stream()
        if context.synced:
            # COPY swallows our Sync, unless it failed before reading: one ReadyForQuery, or two.
            raise InterfaceError("network error: COPY FROM STDIN has to be the only statement")
        chunks = copy_chunks(context.stream, bool(bh_unpack(data)[0]), self._client_encoding)
        while True:
            try:
                chunk = next(chunks, None)
            except Exception as error:
                context.error = error
                stream.write(message(COPY_FAIL, b"the client's stream failed" + NULL_BYTE))
                break
            if chunk is None:
                stream.write(COPY_DONE_MSG)
                break
            stream.write(message(COPY_DATA, chunk))
            if stream.unsent >= COPY_CHUNK:
                stream.flush()
        stream.flush()

    def handle_COPY_OUT_RESPONSE(self, data: bytes, context: Context) -> None:
        """Prepare for rows; without a fitting stream they are dropped and the statement fails."""
        try:
            super().handle_COPY_OUT_RESPONSE(data, context)
        except InterfaceError as error:
            context.error = error

    def handle_COPY_DATA(self, data: bytes, context: Context) -> None:
        """Write a row to the stream; once that has failed, drop the rest."""
        if context.error is None:
            try:
                context.stream_write(data)
            except Exception as error:
                context.error = error


def numbered(statement: str) -> str:
    """Return a statement with `$1`, `$2`, ... in place of each `%s`, and `%` in place of `%%`."""
    # pg8000 scans character by character, which takes longer than sending the result: remember it.
    if len(statement) <= CACHEABLE_STATEMENT:
        return _remembered_numbered(statement)
    return _numbered(statement)


def _numbered(statement: str) -> str:
    converted: str = convert_paramstyle("format", statement, ())[0]
    return converted


_remembered_numbered = lru_cache(maxsize=512)(_numbered)


def connect(**kwargs: Any) -> OneFlushConnection:  # pg8000 types none of them
    """Connect with the keyword arguments of `pg8000.dbapi.connect`.

    Raises InterfaceError if the server can't be reached or trusted, OperationalError if it refuses.
    """
    return OneFlushConnection(**kwargs)


dbapi = ModuleType("oneflush", "pg8000.dbapi, connecting by this module's connect().")
vars(dbapi).update(
    {name: value for name, value in vars(pg8000.dbapi).items() if not name.startswith("_")},
    __version__=pg8000.dbapi.__version__,
    connect=connect,
)


class OneFlushDialect(PGDialect_pg8000):
    """SQLAlchemy's pg8000 dialect on this driver, as `postgresql+oneflush://`."""

    driver = "oneflush"
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return the module-like object through which SQLAlchemy connects."""
        return dbapi

    def do_execute(
        self, cursor: Any, statement: str, parameters: Any, context: Any = None
    ) -> None:  # as its base
        """Run a statement; with COMMIT behind it where it is said to be its transaction's last."""
        cursor.commits = context is not None and context.execution_options.get(COMMITS, False)
        cursor.execute(statement, parameters)

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:  # as its base
        """Set the level; the way back from AUTOCOMMIT to the session's own level is free."""
        level = level.replace("_", " ")
        session_level = dbapi_connection.session_isolation_level or self.default_isolation_level
        if level == session_level:
            dbapi_connection.autocommit = False
            return
        super().set_isolation_level(dbapi_connection, level)  # type: ignore[no-untyped-call]
        if level != "AUTOCOMMIT":
            dbapi_connection.session_isolation_level = level


registry.register("postgresql.oneflush", __name__, "OneFlushDialect")
