"""A PostgreSQL for the driver's tests, a proxy that counts round trips, and a pooler."""

import select
import socket
import socketserver
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pg8000.dbapi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local import postgres

USER = "postgres"


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL, on loopback, and its superuser's password."""

    port: int
    password: str = field(repr=False)

    def arguments(self, **more: Any) -> dict[str, Any]:
        """Return pg8000's arguments for a plain connection, with `more` added or replaced."""
        plain = {
            "host": "127.0.0.1",
            "port": self.port,
            "user": USER,
            "password": self.password,
            "database": "postgres",
            "ssl_context": False,
        }
        return plain | more


@contextmanager
def running_server(state: Path) -> Iterator[Server]:
    """Run a new PostgreSQL and remove it afterwards."""
    settings = {"max_prepared_transactions": "5"}
    try:
        with postgres.running(state, durable=False, settings=settings) as cluster:
            yield Server(cluster.port, cluster.password)
    finally:
        postgres.remove(state)


def write_certificate(key_file: Path) -> bytes:
    """Write a new key for 127.0.0.1 and return its self-signed certificate, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    key_file.chmod(0o600)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def showing(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a server's context that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def trusting(certificate: Path) -> ssl.SSLContext:
    """Return a context that verifies host name and certificate, and trusts only this one."""
    return ssl.create_default_context(cafile=str(certificate))


@dataclass
class Proxy:
    """Passes bytes on, and counts each time the server's bytes follow the client's."""

    port: int
    round_trips: int = 0
    clients: list[socket.socket] = field(default_factory=list)

    def take(self) -> int:
        """Return the round trips since the last time."""
        taken, self.round_trips = self.round_trips, 0
        return taken

    def cut(self) -> None:
        """Break every client's connection, as a failing network does."""
        for client in self.clients:
            client.shutdown(socket.SHUT_RDWR)


class _Threads(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def _listening(handle: Any) -> Iterator[int]:  # a function of one socket
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            handle(self.request)

    with _Threads(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def counting_proxy(server: Server, tls: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    """Run a proxy in front of the server, which speaks TLS to its clients if given a context.

    The embedded server is built without TLS: the proxy ends it, as many a pooler does.
    """
    proxy = Proxy(0)

    def handle(client: socket.socket) -> None:
        if tls is not None:
            client.recv(8)  # SSLRequest
            client.sendall(b"S")
            try:
                client = tls.wrap_socket(client, server_side=True)
            except OSError:
                return  # the client has refused our certificate
        with socket.create_connection(("127.0.0.1", server.port)) as upstream, suppress(OSError):
            proxy.clients.append(client)
            _pass_on(client, upstream, proxy)
        client.close()

    with _listening(handle) as proxy.port:
        yield proxy


def _pass_on(client: socket.socket, upstream: socket.socket, proxy: Proxy) -> None:
    asked = False
    while True:
        for source in select.select([client, upstream], [], [])[0]:
            data = source.recv(1 << 16)  # more than a TLS record: nothing stays behind unseen
            if not data:
                return
            if source is upstream and asked:
                proxy.round_trips += 1
            asked = source is client
            (client if source is upstream else upstream).sendall(data)


@contextmanager
def rotating_pooler(server: Server, size: int = 2) -> Iterator[int]:
    """Run a transaction pooler that gives every transaction the next of its `size` servers.

    It yields its port. A real one gives the first that is free: what always breaks here breaks
    there sometimes.
    """
    backends = deque(pg8000.dbapi.connect(**server.arguments()) for _ in range(size))
    free = threading.Lock()

    def handle(client: socket.socket) -> None:
        length = int.from_bytes(client.recv(4))
        client.recv(length - 4)
        encoding = _packed(b"S", b"client_encoding\0UTF8\0")
        client.sendall(_packed(b"R", bytes(4)) + encoding + _packed(b"Z", b"I"))
        while True:
            data = client.recv(1 << 20)
            if not data or data[:1] == b"X":
                return
            with free:
                backends.rotate()
                backend = backends[0]
                status = _relay(data, backend, client)
                while status != b"I":
                    status = _relay(client.recv(1 << 20), backend, client)

    try:
        with _listening(handle) as port:
            yield port
    finally:
        for backend in backends:
            backend.close()


def _relay(data: bytes, backend: Any, client: socket.socket) -> bytes:  # pg8000's
    """Pass on one flush and its whole answer, and return the transaction's status after it."""
    backend._sock.write(data)
    backend._sock.flush()
    answer = bytearray()
    while True:
        head = backend._sock.read(5)
        body = backend._sock.read(int.from_bytes(head[1:]) - 4)
        answer += head + body
        if head[:1] == b"Z":
            client.sendall(answer)
            return bytes(body)


def _packed(code: bytes, data: bytes) -> bytes:
    return code + (len(data) + 4).to_bytes(4) + data
