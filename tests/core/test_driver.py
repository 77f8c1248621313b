"""The one-flush driver on a real PostgreSQL, and stock pg8000 beside it where both should agree."""

import io
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pg8000.dbapi
import pytest
import sqlalchemy as sa
from pg8000.converters import timestamptz_in
from pg8000.exceptions import DatabaseError, InterfaceError
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from studypack.core.database import driver
from studypack.core.database.driver import COMMITS, OneFlushConnection, connect
from studypack.core.database.wire import Stream
from tests.core.driver_support import (
    USER,
    Proxy,
    Server,
    counting_proxy,
    rotating_pooler,
    running_server,
    showing,
    trusting,
    write_certificate,
)

Connect = Callable[..., Any]
NOON = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("driver")) as server:
        yield server


@pytest.fixture
def connection(server: Server) -> Iterator[OneFlushConnection]:
    connection = connect(**server.arguments())
    yield connection
    connection.close()


@pytest.fixture
def table(server: Server) -> str:
    """The name of a new table (id integer primary key, word text); it goes with the server."""
    name = f"t_{uuid4().hex}"
    connection = connect(**server.arguments())
    connection.autocommit = True
    connection.execute_simple(f"CREATE TABLE {name} (id integer PRIMARY KEY, word text)")
    connection.close()
    return name


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with counting_proxy(server) as proxy:
        yield proxy


@pytest.fixture
def counted(server: Server, proxy: Proxy) -> Iterator[OneFlushConnection]:
    """A connection through the proxy, whose count starts after connecting."""
    connection = connect(**server.arguments(port=proxy.port))
    proxy.take()
    yield connection
    connection.close()


def rows(connection: Any, statement: str, *values: object) -> list[list[object]]:
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return list(cursor.fetchall())


def terminate(server: Server, connection: OneFlushConnection) -> None:
    """Have the server end the connection's session, and wait until the session is gone."""
    (pid,) = struct.unpack_from("!i", connection._backend_key_data)
    other = connect(**server.arguments())
    assert rows(other, "SELECT pg_terminate_backend(%s, 10000)", pid) == [[True]]
    other.close()


# --- Round trips -----------------------------------------------------------------------------


def test_a_statement_in_autocommit_is_one_round_trip(
    counted: OneFlushConnection, proxy: Proxy
) -> None:
    counted.autocommit = True
    assert rows(counted, "SELECT %s::int + 1", 41) == [[42]]
    assert proxy.take() == 1
    assert rows(counted, "SELECT 42") == [[42]]
    assert proxy.take() == 1


@pytest.mark.parametrize("values", [(), (7,)], ids=["without parameters", "with parameters"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_a_transaction_is_one_round_trip_a_statement_and_one_for_its_end(
    counted: OneFlushConnection, proxy: Proxy, values: tuple[int, ...], end: str
) -> None:
    statement = "SELECT %s::int" if values else "SELECT 7"
    trips = []
    for _ in range(2):
        assert rows(counted, statement, *values) == [[7]]
        trips.append(proxy.take())
    assert counted._in_transaction
    getattr(counted, end)()
    trips.append(proxy.take())
    assert trips == [1, 1, 1]
    assert not counted._in_transaction


def test_the_last_statement_takes_commit_along(
    server: Server, proxy: Proxy, table: str, connection: OneFlushConnection
) -> None:
    engine = one_flush_engine(server, proxy.port)
    add = sa.text(f"INSERT INTO {table} VALUES (:id, 'new')")
    with engine.connect():
        proxy.take()
    for first in ([1], []):
        with engine.begin() as transaction:
            for id in first:
                transaction.execute(add, {"id": id})
            transaction.execute(add, {"id": 2 + len(first)}, execution_options={COMMITS: True})
            assert len(rows(connection, f"SELECT id FROM {table}")) == 2 + (not first)
            connection.commit()
        assert proxy.take() == len(first) + 1
    engine.dispose()


def add_two(engine: sa.Engine, add: sa.TextClause, first: int, last: int) -> None:
    with engine.begin() as transaction:
        transaction.execute(add, {"id": first})
        transaction.execute(add, {"id": last}, execution_options={COMMITS: True})


def test_a_last_statement_that_fails_commits_nothing(
    server: Server, table: str, connection: OneFlushConnection
) -> None:
    engine = one_flush_engine(server)
    add = sa.text(f"INSERT INTO {table} VALUES (:id, 'new')")
    with pytest.raises(sa.exc.IntegrityError):
        add_two(engine, add, 1, 1)
    assert rows(connection, f"SELECT id FROM {table}") == []
    with engine.begin() as transaction:
        transaction.execute(add, {"id": 1})
    engine.dispose()


def test_what_fails_at_the_commit_of_a_last_statement_is_raised_there(
    server: Server, table: str, connection: OneFlushConnection
) -> None:
    connection.autocommit = True
    connection.execute_simple(
        f"ALTER TABLE {table} ADD UNIQUE (word) DEFERRABLE INITIALLY DEFERRED"
    )
    engine = one_flush_engine(server)
    add = sa.text(f"INSERT INTO {table} VALUES (:id, 'new')")
    with pytest.raises(sa.exc.IntegrityError):
        add_two(engine, add, 1, 2)
    assert rows(connection, f"SELECT id FROM {table}") == []
    engine.dispose()


def test_an_end_without_a_transaction_costs_nothing(
    counted: OneFlushConnection, proxy: Proxy
) -> None:
    counted.commit()
    counted.rollback()
    assert proxy.take() == 0


def test_a_large_statement_is_one_round_trip(counted: OneFlushConnection, proxy: Proxy) -> None:
    text = "ä" * 1_000_000
    assert rows(counted, "SELECT length(%s::text)", text) == [[1_000_000]]
    assert proxy.take() == 1


def test_connecting_takes_the_three_round_trips_of_a_scram_handshake(
    server: Server, proxy: Proxy
) -> None:
    connect(**server.arguments(port=proxy.port)).close()
    assert proxy.take() == 3


def test_a_transaction_in_sqlalchemy_is_its_statements_and_its_commit(
    server: Server, proxy: Proxy
) -> None:
    engine = one_flush_engine(server, proxy.port)
    with engine.connect():
        proxy.take()
    with engine.begin() as connection:
        connection.execute(sa.select(sa.literal(1)))
        connection.execute(sa.select(sa.literal(2)))
    assert proxy.take() == 3
    with engine.connect() as connection:
        connection.execute(sa.select(sa.literal(1)))
    assert proxy.take() == 2
    engine.dispose()


def test_going_to_autocommit_and_back_costs_nothing(server: Server, proxy: Proxy) -> None:
    engine = one_flush_engine(server, proxy.port)
    with engine.connect():
        proxy.take()
    with engine.connect() as connection:
        reading = connection.execution_options(isolation_level="AUTOCOMMIT")
        assert reading.scalar(sa.select(sa.literal(1))) == 1
    assert proxy.take() == 1
    with engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT pg_current_xact_id_if_assigned()")) is None
        assert connection.connection.dbapi_connection._in_transaction  # type: ignore[union-attr]
    engine.dispose()


def test_another_isolation_level_is_set_and_taken_back(server: Server) -> None:
    engine = one_flush_engine(server)
    level = sa.text("SHOW transaction_isolation")
    for wanted in ("SERIALIZABLE", "REPEATABLE READ"):
        with engine.connect().execution_options(isolation_level=wanted) as connection:
            assert connection.scalar(level) == wanted.lower()
    with engine.connect() as connection:
        assert connection.scalar(level) == "read committed"
    engine.dispose()


def test_each_flush_is_sent_without_waiting_for_the_last_ones_acknowledgement(
    connection: OneFlushConnection,
) -> None:
    assert connection._usock is not None
    assert connection._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# --- The transaction -------------------------------------------------------------------------


def test_a_statement_never_runs_when_its_begin_fails(
    connection: OneFlushConnection, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_row = f"INSERT INTO {table} VALUES (%s, 'x')"  # the fixture's name
    with monkeypatch.context() as patch:
        patch.setattr(driver, "BEGIN", "begin nonsense")
        for statement, values in (
            (insert_row, (1,)),
            (insert_row.replace("%s", "2"), ()),
            (insert_row.replace("%s", "3") + "; SELECT 1", ()),
        ):
            with pytest.raises(DatabaseError, match="nonsense"):
                connection.cursor().execute(statement, values)
            assert not connection._in_transaction
    assert rows(connection, f"SELECT count(*) FROM {table}") == [[0]]


def test_a_failed_transaction_refuses_statements_until_its_rollback(
    connection: OneFlushConnection,
) -> None:
    with pytest.raises(DatabaseError) as failure:
        rows(connection, "SELECT %s::int / 0", 1)
    assert failure.value.args[0]["C"] == "22012"
    with pytest.raises(DatabaseError) as failure:
        rows(connection, "SELECT %s::int", 1)
    assert failure.value.args[0]["C"] == "25P02"
    connection.rollback()
    assert rows(connection, "SELECT %s::int", 1) == [[1]]


def test_a_commit_of_a_failed_transaction_is_an_error_and_ends_it(
    connection: OneFlushConnection,
) -> None:
    with pytest.raises(DatabaseError):
        rows(connection, "SELECT 1 / 0")
    with pytest.raises(InterfaceError, match="in failed transaction block"):
        connection.commit()
    assert not connection._in_transaction


def test_a_commit_that_a_deferred_constraint_refuses_is_an_error(
    connection: OneFlushConnection,
) -> None:
    connection.cursor().execute(
        "CREATE TEMP TABLE a (id int PRIMARY KEY, "
        "b int REFERENCES a DEFERRABLE INITIALLY DEFERRED); INSERT INTO a VALUES (1, 2)"
    )
    with pytest.raises(pg8000.dbapi.IntegrityError) as failure:
        connection.commit()
    assert failure.value.args[0]["C"] == "23503"
    assert not connection._in_transaction


def test_a_script_runs_in_one_transaction(connection: OneFlushConnection, table: str) -> None:
    insert_row = f"INSERT INTO {table} VALUES"  # the fixture's name
    connection.cursor().execute(f"{insert_row} (1, 'a;b'); {insert_row} (2, NULL);")
    assert connection._in_transaction
    connection.rollback()
    assert rows(connection, f"SELECT count(*) FROM {table}") == [[0]]


def test_a_called_procedure_belongs_to_the_transaction(connection: OneFlushConnection) -> None:
    connection.cursor().execute(
        "CREATE PROCEDURE pg_temp.twice(INOUT n int) LANGUAGE sql AS 'SELECT n * 2'"
    )
    connection.commit()
    cursor = connection.cursor()
    cursor.callproc("pg_temp.twice", (21,))
    assert cursor.fetchall() == ([42],)
    assert connection._in_transaction


def test_two_phases_survive_the_connection_that_prepared_them(server: Server, table: str) -> None:
    preparing = connect(**server.arguments())
    xid = preparing.xid(0, f"x-{uuid4()}", "")
    preparing.tpc_begin(xid)
    rows(preparing, f"INSERT INTO {table} VALUES (%s, 'x') RETURNING id", 1)
    preparing.tpc_prepare()
    preparing.close()
    committing = connect(**server.arguments())
    assert rows(committing, f"SELECT count(*) FROM {table}") == [[0]]
    committing.rollback()
    committing.tpc_commit(xid)
    assert rows(committing, f"SELECT count(*) FROM {table}") == [[1]]
    committing.close()


# --- Errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize(
    ("statement", "values", "sqlstate", "error_class"),
    [
        ("SELEKT %s", (1,), "42601", pg8000.dbapi.ProgrammingError),
        ("SELECT %s::int", ("one",), "22P02", pg8000.dbapi.DataError),
        ("SELECT 1 / %s::int", (0,), "22012", pg8000.dbapi.DataError),
        ("SELECT 1 / 0", (), "22012", pg8000.dbapi.DataError),
        ("SELECT %s::text", ("\0",), "22021", pg8000.dbapi.DataError),
        ("SELECT 1", (1, 2), "08P01", pg8000.dbapi.OperationalError),
        ("SELECT 1; SELECT %s", (1,), "42601", pg8000.dbapi.ProgrammingError),
    ],
    ids=["parse", "bind", "execute", "simple", "zero", "count", "two statements"],
)
def test_a_servers_error_is_the_one_of_stock_pg8000_and_leaves_the_connection_usable(
    server: Server,
    connection: OneFlushConnection,
    autocommit: bool,
    statement: str,
    values: tuple[object, ...],
    sqlstate: str,
    error_class: type[Exception],
) -> None:
    stock = pg8000.dbapi.connect(**server.arguments())
    stock.autocommit = connection.autocommit = autocommit
    with pytest.raises(DatabaseError) as expected:
        rows(stock, statement, *values)
    stock.close()
    with pytest.raises(error_class) as failure:
        rows(connection, statement, *values)
    assert failure.value.args == expected.value.args
    assert failure.value.args[0]["C"] == sqlstate
    connection.rollback()
    assert rows(connection, "SELECT %s::int", 7) == [[7]]


@pytest.mark.parametrize(
    ("statement", "values", "error_class"),
    [
        ("SELECT %s::text", ("\ud800",), UnicodeEncodeError),
        ("SELECT 1\0", (), InterfaceError),
        ("SELECT 1", range(65_536), InterfaceError),
    ],
    ids=["surrogate", "zero character", "too many parameters"],
)
def test_what_cannot_be_sent_is_refused_before_anything_is_sent(
    counted: OneFlushConnection,
    proxy: Proxy,
    statement: str,
    values: tuple[object, ...],
    error_class: type[Exception],
) -> None:
    with pytest.raises(error_class):
        counted.cursor().execute(statement, values)
    assert proxy.take() == 0
    assert rows(counted, "SELECT %s::int", 7) == [[7]]


def test_a_value_that_python_cannot_hold_fails_its_statement_only(
    connection: OneFlushConnection,
) -> None:
    connection.autocommit = True
    connection.register_in_adapter(23, lambda text: 1 // (int(text) - 2))
    with pytest.raises(ZeroDivisionError):
        rows(connection, "SELECT generate_series(1, 1000)")
    assert rows(connection, "SELECT 'next'") == [["next"]]


def test_a_closed_cursor_and_a_closed_connection_say_so(server: Server) -> None:
    connection = connect(**server.arguments())
    cursor = connection.cursor()
    cursor.close()
    with pytest.raises(InterfaceError, match="Cursor closed"):
        cursor.execute("SELECT 1")
    connection.close()
    connection.close()
    for use in (connection.ping, connection.commit, connection.rollback):
        with pytest.raises(InterfaceError, match="connection is closed"):
            use()


def test_refused_credentials_are_an_operational_error(server: Server) -> None:
    with pytest.raises(pg8000.dbapi.OperationalError) as failure:
        connect(**server.arguments(password="wrong"))
    assert failure.value.args[0]["C"] == "28P01"


def test_a_server_that_does_not_listen_is_an_interface_error(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(InterfaceError):
        connect(**server.arguments(port=port))


# --- COPY ------------------------------------------------------------------------------------


@pytest.mark.parametrize("autocommit", [True, False])
@pytest.mark.parametrize(
    "stream",
    [
        io.BytesIO,
        lambda data: io.StringIO(data.decode()),
        lambda data: data.decode().splitlines(True),
    ],
    ids=["bytes", "text", "lines"],
)
def test_copy_in_and_out_belong_to_the_transaction(
    connection: OneFlushConnection, table: str, autocommit: bool, stream: Callable[[bytes], Any]
) -> None:
    connection.autocommit = autocommit
    data = b"".join(b"%d\tw\xc3\xb6rter %d\n" % (n, n) for n in range(20_000))
    cursor = connection.cursor()
    cursor.execute(f"COPY {table} FROM STDIN", stream=stream(data))
    assert cursor.rowcount == 20_000
    assert connection._in_transaction is not autocommit
    for copied in (io.BytesIO(), io.StringIO()):
        cursor.execute(f"COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT", stream=copied)
        value = copied.getvalue()
        assert (value if isinstance(value, bytes) else value.encode()) == data
    connection.rollback()
    left = 20_000 if autocommit else 0
    assert rows(connection, f"SELECT count(*) FROM {table}") == [[left]]


def test_a_bad_line_fails_the_copy_and_leaves_the_connection_in_step(
    connection: OneFlushConnection, table: str
) -> None:
    with pytest.raises(pg8000.dbapi.DataError) as failure:
        connection.cursor().execute(
            f"COPY {table} FROM STDIN", stream=io.BytesIO(b"one\ttwo\n" * 100_000)
        )
    assert failure.value.args[0]["C"] == "22P02"
    assert connection._in_transaction
    connection.rollback()
    assert rows(connection, "SELECT %s::int", 7) == [[7]]


def test_a_failing_stream_fails_the_copy_and_leaves_the_connection_in_step(
    connection: OneFlushConnection, table: str
) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("disk")

        def write(self, data: object) -> int:
            raise OSError("disk")

    for statement in (f"COPY {table} FROM STDIN", "COPY (SELECT generate_series(1, 9)) TO STDOUT"):
        with pytest.raises(OSError, match="disk"):
            connection.cursor().execute(statement, stream=Broken())
        connection.rollback()
        with pytest.raises(InterfaceError, match="stream"):
            connection.cursor().execute(statement)
        connection.rollback()
        assert rows(connection, "SELECT %s::int", 7) == [[7]]


def test_a_copy_hidden_behind_a_comment_closes_the_connection_rather_than_lose_step(
    connection: OneFlushConnection, table: str
) -> None:
    with pytest.raises(InterfaceError, match="network error: COPY FROM STDIN"):
        connection.cursor().execute(f"/* hidden */ COPY {table} FROM STDIN")
    with pytest.raises(InterfaceError, match="connection is closed"):
        connection.ping()


# --- What the server says unasked ------------------------------------------------------------


def test_notices_notifications_and_parameters_do_not_confuse_it(
    server: Server, connection: OneFlushConnection
) -> None:
    connection.autocommit = True
    channel = f"c_{uuid4().hex}"
    connection.execute_simple(f"LISTEN {channel}")
    connection.execute_simple("SET application_name = 'first'")
    rows(connection, "SELECT pg_notify(%s, %s)", channel, "größer")
    connection.execute_simple("DO $$ BEGIN RAISE NOTICE 'by the way'; END $$")
    assert rows(connection, "SELECT %s::text", "ü") == [["ü"]]
    assert [(name, payload) for _, name, payload in connection.notifications] == [
        (channel, "größer")
    ]
    assert connection.notices[-1][b"M"] == b"by the way"
    assert connection.parameter_statuses["application_name"] == "first"
    connection.execute_simple("SET client_encoding = 'LATIN1'")
    assert rows(connection, "SELECT %s::text", "ü") == [["ü"]]


def test_input_is_pending_exactly_when_the_server_has_spoken_unasked(
    server: Server, connection: OneFlushConnection
) -> None:
    connection.autocommit = True
    channel = f"c_{uuid4().hex}"
    connection.execute_simple(f"LISTEN {channel}")
    assert not connection.has_pending_input()
    other = connect(**server.arguments())
    other.autocommit = True
    other.execute_simple(f"NOTIFY {channel}")
    assert_becomes_pending(connection)
    connection.ping()
    assert not connection.has_pending_input()
    assert len(connection.notifications) == 1
    other.close()


def assert_becomes_pending(connection: OneFlushConnection) -> None:
    """Wait until the kernel has bytes (or an end) for the connection, then ask the driver."""
    assert connection._usock is not None
    peeking = socket.socket(fileno=socket.dup(connection._usock.fileno()))
    with peeking:
        peeking.settimeout(10)
        peeking.recv(1, socket.MSG_PEEK)
    # The duplicate shares its file's flags: a timeout made both non-blocking.
    connection._usock.settimeout(connection._usock.gettimeout())
    assert connection.has_pending_input()


def test_a_terminated_session_is_seen_without_a_round_trip(server: Server) -> None:
    connection = connect(**server.arguments())
    assert_a_terminated_session_is_seen(server, connection)


def assert_a_terminated_session_is_seen(server: Server, connection: OneFlushConnection) -> None:
    rows(connection, "SELECT %s::int", 1)
    assert not connection.has_pending_input()
    terminate(server, connection)
    assert_becomes_pending(connection)
    with pytest.raises(InterfaceError, match="network error"):
        connection.ping()
    assert connection.has_pending_input()
    with pytest.raises(InterfaceError, match="connection is closed"):
        connection.rollback()
    connection.close()


# --- Lost connections ------------------------------------------------------------------------


def test_a_broken_network_is_a_network_error(
    server: Server, proxy: Proxy, counted: OneFlushConnection
) -> None:
    rows(counted, "SELECT 1")
    proxy.cut()
    with pytest.raises(InterfaceError, match="network error"):
        rows(counted, "SELECT 1")
    with pytest.raises(InterfaceError, match="connection is closed"):
        rows(counted, "SELECT 1")


def test_a_timeout_closes_the_connection_rather_than_lose_step(server: Server) -> None:
    connection = connect(**server.arguments(timeout=0.2))
    with pytest.raises(InterfaceError, match="network error: timed out"):
        rows(connection, "SELECT 'late', pg_sleep(1)")
    with pytest.raises(InterfaceError, match="connection is closed"):
        rows(connection, "SELECT 'early'")


def test_an_interrupt_closes_the_connection_and_is_passed_on(
    connection: OneFlushConnection,
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    connection.register_in_adapter(23, interrupt)
    with pytest.raises(KeyboardInterrupt):
        rows(connection, "SELECT 1")
    with pytest.raises(InterfaceError, match="connection is closed"):
        connection.ping()


def test_an_answer_out_of_the_protocol_closes_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(1024)
                client.sendall(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")
                client.recv(1024)
                client.sendall(b"?\0\0\0\x04")
                client.recv(1024)

        serving = threading.Thread(target=serve)
        serving.start()
        connection = connect(
            user=USER, host="127.0.0.1", port=listener.getsockname()[1], ssl_context=False
        )
        with pytest.raises(InterfaceError, match="network error: out of step"):
            connection.ping()
        serving.join()


@pytest.mark.parametrize("statement", ["SELECT 1", "SELECT CAST(:n AS int)"])
def test_sqlalchemy_replaces_a_lost_connection(server: Server, statement: str) -> None:
    engine = one_flush_engine(server)
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, OneFlushConnection)
    terminate(server, raw)
    query = sa.text(statement).bindparams(**({"n": 1} if ":n" in statement else {}))
    with engine.connect() as connection:
        with pytest.raises(sa.exc.InterfaceError) as failure:
            connection.scalar(query)
        assert failure.value.connection_invalidated
    with engine.connect() as connection:
        assert connection.scalar(query) == 1
    engine.dispose()


# --- TLS -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    certificate = tmp_path_factory.mktemp("tls") / "server.crt"
    certificate.write_bytes(write_certificate(certificate.with_suffix(".key")))
    return certificate


@pytest.fixture
def tls(server: Server, certificate: Path) -> Iterator[Proxy]:
    context = showing(certificate, certificate.with_suffix(".key"))
    with counting_proxy(server, context) as proxy:
        yield proxy


def test_a_verified_server_is_spoken_to_as_without_tls(
    server: Server, tls: Proxy, certificate: Path
) -> None:
    trusted = trusting(certificate)
    connection = connect(**server.arguments(port=tls.port, ssl_context=trusted))
    assert isinstance(connection._usock, ssl.SSLSocket)
    assert connection._usock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    tls.take()
    assert rows(connection, "SELECT length(%s::text)", "x" * 1_000_000) == [[1_000_000]]
    assert len(rows(connection, "SELECT repeat('x', 100) FROM generate_series(1, 5000)")) == 5000
    connection.commit()
    assert not connection.has_pending_input()
    connection.close()


def test_a_terminated_session_is_seen_through_tls(
    server: Server, tls: Proxy, certificate: Path
) -> None:
    trusted = trusting(certificate)
    connection = connect(**server.arguments(port=tls.port, ssl_context=trusted))
    assert_a_terminated_session_is_seen(server, connection)


def test_bytes_that_tls_has_decrypted_but_nobody_read_are_pending(certificate: Path) -> None:
    near, far = socket.socketpair()
    context = showing(certificate, certificate.with_suffix(".key"))
    with ThreadPoolExecutor(1) as threads, far:
        shaking = threads.submit(context.wrap_socket, far, server_side=True)
        trusted = trusting(certificate)
        client = trusted.wrap_socket(near, server_hostname="127.0.0.1")
        with client, shaking.result() as server_side:
            server_side.sendall(b"ab")
            stream = Stream(client)
            assert client.recv(1) == b"a"
            assert client.pending() == 1
            assert stream.has_input()


def test_a_server_of_an_unknown_authority_is_refused(
    server: Server, tls: Proxy, tmp_path: Path
) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(write_certificate(tmp_path / "other.key"))
    with pytest.raises(InterfaceError, match="CERTIFICATE_VERIFY_FAILED") as failure:
        connect(**server.arguments(port=tls.port, ssl_context=trusting(other)))
    assert isinstance(failure.value.__cause__, ssl.SSLCertVerificationError)


def test_a_server_of_another_name_is_refused(server: Server, tls: Proxy, certificate: Path) -> None:
    elsewhere = server.arguments(host="localhost", port=tls.port, ssl_context=trusting(certificate))
    with pytest.raises(InterfaceError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(**elsewhere)


def test_a_server_without_tls_is_refused_when_tls_is_asked_for(
    server: Server, certificate: Path
) -> None:
    with pytest.raises(InterfaceError, match="refuses SSL"):
        connect(**server.arguments(ssl_context=trusting(certificate)))


# --- A transaction pooler --------------------------------------------------------------------


def test_behind_a_transaction_pooler_every_client_reads_its_own_result(server: Server) -> None:
    def client(number: int) -> list[object]:
        connection = connect(**server.arguments(port=port))
        connection.autocommit = True
        answers = [rows(connection, "SELECT %s::int", number)[0][0] for _ in range(50)]
        connection.autocommit = False
        answers += [rows(connection, "SELECT %s::int", number)[0][0] for _ in range(2)]
        connection.commit()
        connection.close()
        return answers

    with rotating_pooler(server) as port, ThreadPoolExecutor(4) as threads:
        for number, answers in enumerate(threads.map(client, range(4))):
            assert answers == [number] * 52


def test_stock_pg8000_fails_behind_the_same_pooler(server: Server) -> None:
    with rotating_pooler(server) as port:
        connection = pg8000.dbapi.connect(**server.arguments(port=port))
        connection.autocommit = True
        with pytest.raises(DatabaseError) as failure:
            rows(connection, "SELECT %s::int", 1)
        assert failure.value.args[0]["C"] == "26000"  # its Parse went to the other server
        connection.close()


# --- SQLAlchemy, the same on stock pg8000, on this driver alone and with its dialect ---------


class Base(DeclarativeBase):
    pass


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    key: Mapped[UUID] = mapped_column(unique=True)
    name: Mapped[str | None]
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    ratio: Mapped[float | None]
    big: Mapped[int | None] = mapped_column(sa.BigInteger)
    flag: Mapped[bool | None]
    day: Mapped[date | None]
    at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    lasting: Mapped[timedelta | None]
    data: Mapped[bytes | None]
    document: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(sa.Text))
    numbers: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    keys: Mapped[list[UUID] | None] = mapped_column(ARRAY(sa.Uuid))


VALUES: dict[str, Any] = {
    "name": 'it\'s "100 %" %s :name ünïcode 😀 \\',
    "price": Decimal("1234567890.12"),
    "ratio": 0.1 + 0.2,
    "big": 2**63 - 1,
    "flag": True,
    "day": date(2024, 2, 29),
    "at": NOON,
    "lasting": timedelta(days=-3, seconds=5, microseconds=7),
    "data": bytes(range(256)),
    "document": {"a": [1, 2.5, None, "ü", {"b": True}], "empty": {}},
    "tags": ["a", "", 'q"u,o{t}e\\', "NULL", "ü"],
    "numbers": [1, 2, 3],
    "keys": [UUID(int=1), UUID(int=2)],
}


def one_flush_engine(server: Server, port: int | None = None) -> sa.Engine:
    url = sa.URL.create(
        "postgresql+oneflush", USER, server.password, "127.0.0.1", port or server.port, "postgres"
    )
    return sa.create_engine(url, connect_args={"ssl_context": False})


@pytest.fixture(params=["stock", "driver", "dialect"])
def engine(request: pytest.FixtureRequest, server: Server) -> Iterator[sa.Engine]:
    if request.param == "dialect":
        engine = one_flush_engine(server)
    else:
        open_connection: Connect = pg8000.connect if request.param == "stock" else connect
        engine = sa.create_engine(
            "postgresql+pg8000://", creator=lambda: open_connection(**server.arguments())
        )
    schema = f"s_{uuid4().hex}"
    engine = engine.execution_options(schema_translate_map={None: schema})
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
    Base.metadata.create_all(engine)
    yield engine
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()


def test_every_type_comes_back_as_it_went(engine: sa.Engine) -> None:
    full, empty = uuid4(), uuid4()
    with Session(engine) as session, session.begin():
        session.add_all([Thing(key=full, **VALUES), Thing(key=empty)])
    with Session(engine) as session:
        thing = session.scalars(sa.select(Thing).filter_by(key=full)).one()
        assert {name: getattr(thing, name) for name in VALUES} == VALUES
        thing = session.scalars(sa.select(Thing).filter_by(key=empty)).one()
        assert [getattr(thing, name) for name in VALUES] == [None] * len(VALUES)


def test_every_type_can_be_compared_with_a_parameter(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(Thing).values(key=uuid4(), **VALUES))
        for name, value in VALUES.items():
            column = getattr(Thing, name)
            assert connection.scalar(sa.select(sa.func.count()).where(column == value)) == 1, name
            assert connection.scalar(sa.select(sa.func.count()).where(column.in_([value]))) == 1


def test_many_rows_are_inserted_at_once_and_returned_in_order(engine: sa.Engine) -> None:
    keys = [uuid4() for _ in range(2_500)]
    with Session(engine) as session, session.begin():
        things = [Thing(key=key, name=str(n)) for n, key in enumerate(keys)]
        session.add_all(things)
        session.flush()
        assert sorted(thing.id for thing in things) == [thing.id for thing in things]
        found = session.execute(sa.select(Thing.key, Thing.name).order_by(Thing.id)).all()
        assert found == [(key, str(n)) for n, key in enumerate(keys)]


def test_updates_and_deletes_count_their_rows(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.insert(Thing), [{"key": uuid4(), "big": n} for n in range(10)])
        changed = connection.execute(sa.update(Thing).where(Thing.big >= 6).values(name="new"))
        assert changed.rowcount == 4
        returned = connection.execute(
            sa.update(Thing).where(Thing.big == 3).values(name="x").returning(Thing.big)
        )
        assert returned.all() == [(3,)]
        assert connection.execute(sa.delete(Thing)).rowcount == 10
        assert connection.execute(sa.select(Thing)).all() == []


def test_an_upsert_says_what_it_did(engine: sa.Engine) -> None:
    key = uuid4()
    upsert = insert(Thing).values(key=key).on_conflict_do_nothing().returning(Thing.key)
    with engine.begin() as connection:
        assert connection.scalars(upsert).all() == [key]
        assert connection.scalars(upsert).all() == []


def test_a_unique_violation_is_an_integrity_error_and_a_savepoint_survives_it(
    engine: sa.Engine,
) -> None:
    key = uuid4()
    with Session(engine) as session, session.begin():
        session.add(Thing(key=key))
        session.flush()
        savepoint = session.begin_nested()
        session.add(Thing(key=key))
        with pytest.raises(sa.exc.IntegrityError) as failure:
            session.flush()
        savepoint.rollback()
        assert failure.value.orig is not None
        assert failure.value.orig.args[0]["n"] == "things_key_key"
        session.add(Thing(key=uuid4()))
    with Session(engine) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Thing)) == 2


def test_a_syntax_error_is_a_programming_error(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(sa.exc.ProgrammingError):
            connection.execute(sa.text("SELEKT"))
        connection.rollback()
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_a_rolled_back_session_leaves_nothing(engine: sa.Engine) -> None:
    with Session(engine) as session:
        session.add(Thing(key=uuid4()))
        session.flush()
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(Thing)) == 0


def test_a_megabyte_goes_and_comes(engine: sa.Engine) -> None:
    data, name = bytes(1_000_000), "ö" * 1_000_000
    with Session(engine) as session, session.begin():
        session.add(Thing(key=uuid4(), data=data, name=name))
    with Session(engine) as session:
        thing = session.scalars(sa.select(Thing)).one()
        assert thing.data == data
        assert thing.name == name


def test_five_thousand_rows_come_at_once_or_through_a_servers_cursor(engine: sa.Engine) -> None:
    statement = sa.text("SELECT n, 'row ' || n FROM generate_series(1, 5000) AS n")
    expected = [(n, f"row {n}") for n in range(1, 5001)]
    with engine.connect() as connection:
        assert connection.execute(statement).all() == expected
        streamed = connection.execution_options(stream_results=True, yield_per=700)
        assert streamed.execute(statement).all() == expected


def test_empty_queries_and_statements_without_a_result_are_fine(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("")
        connection.exec_driver_sql(";")
        for number in range(3):
            connection.exec_driver_sql(f"CREATE TEMP TABLE e{number} (n int) ON COMMIT DROP")
        connection.exec_driver_sql("DROP TABLE e0; DROP TABLE e1; INSERT INTO e2 VALUES (1)")
        assert connection.exec_driver_sql("SELECT n FROM e2").scalar() == 1
        assert engine.dialect.do_ping(connection.connection.dbapi_connection)  # type: ignore[arg-type]


def test_a_percent_sign_stays_a_percent_sign(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        for text in ("100 %", "%s", "%%"):
            both = sa.select(sa.literal_column(f"'{text}'", sa.Text), sa.literal(text))
            assert connection.execute(both).one() == (text, text)
        assert connection.scalar(sa.select(sa.literal(7) % sa.literal(4))) == 3


def test_the_schema_can_be_inspected(engine: sa.Engine) -> None:
    schema = engine.get_execution_options()["schema_translate_map"][None]
    columns = {column["name"] for column in sa.inspect(engine).get_columns("things", schema)}
    assert columns == set(Thing.__table__.columns.keys())


def test_two_phases_commit_together(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        transaction = connection.begin_twophase()
        connection.execute(sa.insert(Thing).values(key=uuid4()))
        transaction.prepare()
        assert transaction.xid in connection.recover_twophase()
        transaction.commit()
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Thing)) == 1


@pytest.mark.parametrize(
    "text",
    ["2026-11-21 05:17:12.613715+00", "2026-11-21 05:17:12+00", "1999-12-31 23:59:59.5+05:30"],
)
def test_a_time_is_read_as_pg8000_reads_it(text: str) -> None:
    assert driver.read_timestamptz(text) == timestamptz_in(text)


@pytest.mark.parametrize("text", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC"])
def test_a_time_that_python_cannot_hold_stays_what_pg8000_makes_of_it(text: str) -> None:
    assert driver.read_timestamptz(text) == timestamptz_in(text)
