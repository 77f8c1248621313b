"""The product as Lambda runs it, on a database of the benchmark's own, over a chosen driver."""

from __future__ import annotations

import importlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pg8000.dbapi
import pg8000.native
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from local import environment, migrate, postgres, seed
from studypack.core.config import get_settings
from studypack.core.database import engine as engines
from studypack.core.telemetry import get_logger

ROOT = Path(__file__).parent.parent
STATE = ROOT / ".local" / "bench"
TEMPLATE = "bench_template"
PASSWORD = "violet canal lantern"  # noqa: S105 (of accounts that live as long as a run)
HOST = "api.example.com"

_transactions = importlib.import_module("studypack.core.database.transaction")
"""The module, whose name in its package is the function's."""

MakeEngine = Callable[[str], Engine]


def one_flush_engine(url: str) -> Engine:
    """The product's own engine."""
    return engines.make_engine(get_settings().model_copy(update={"database_url": url}))


def stock_engine(url: str) -> Engine:
    """The same engine as one would make it without a driver of our own: SQLAlchemy on pg8000."""
    parts = make_url(url)
    return create_engine(
        "postgresql+pg8000://",
        creator=lambda: pg8000.dbapi.connect(
            user=parts.username,
            password=parts.password,
            host=parts.host,
            port=parts.port,
            database=parts.database,
            ssl_context=False,
            application_name="studypack",
            tcp_keepalive=True,
            timeout=engines.SOCKET_SECONDS,
        ),
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
        query_cache_size=1000,
    )


def through(url: str, port: int) -> str:
    """The same database by way of a proxy."""
    parts: URL = make_url(url).set(host="127.0.0.1", port=port)
    return parts.render_as_string(hide_password=False)


@contextmanager
def raw_connection(url: str) -> Iterator[pg8000.native.Connection]:
    """A connection of stock pg8000, with nothing around it."""
    parts = make_url(url)
    connection = pg8000.native.Connection(
        parts.username or "",
        password=parts.password,
        host=parts.host,
        port=parts.port,
        database=parts.database,
        ssl_context=False,
    )
    try:
        yield connection
    finally:
        connection.close()


class Databases:
    """The benchmarks' cluster and its migrated, seeded template."""

    def __init__(self, cluster: postgres.Cluster, template: str | None = None) -> None:
        """`template` is one that exists already; else the benchmarks' own is made."""
        self.cluster = cluster
        self.template = template or TEMPLATE
        self._prepared = template is not None

    def prepare(self) -> None:
        """Make the template anew, unless this run has."""
        if self._prepared:
            return
        postgres.drop_database(self.cluster, self.template)
        url = postgres.ensure_database(self.cluster, self.template)
        migrate.upgrade(url)
        with application(url):
            seed.seed(settings=seed.EVERYTHING_FREE)
        self._prepared = True

    @contextmanager
    def clone(self, of: str | None = None) -> Iterator[str]:
        """The URL of a database of one's own, dropped afterwards."""
        self.prepare()
        name = f"bench_{uuid4().hex[:12]}"
        url = postgres.clone_database(self.cluster, of or self.template, name)
        try:
            yield url
        finally:
            postgres.drop_database(self.cluster, name)


class Application:
    """Which engine the product uses now."""

    def __init__(self) -> None:
        self._made: list[Engine] = []
        self.engine: Engine | None = None

    def open(self, make: MakeEngine, url: str) -> Engine:
        """Make an engine, to be closed with the application, and use it."""
        self.engine = make(url)
        self._made.append(self.engine)
        return self.engine

    def current(self) -> Engine:
        """What the product gets for `get_engine()`."""
        if self.engine is None:
            raise RuntimeError("no engine is open")
        return self.engine

    def close(self) -> None:
        """Close every connection."""
        for engine in self._made:
            engine.dispose()


@contextmanager
def application(url: str) -> Iterator[Application]:
    """The product's settings as on Lambda, for this database, with its own engine open.

    Its log lines are made and thrown away: they belong to a request's cost, not into a table.
    """
    variables = environment.variables(
        database_url=url,
        web_base_url="https://app.example.com",
        receipt_signing_key="only-for-benchmarks-and-long-enough-to-be-taken",
        given=os.environ,
    )
    variables |= {
        "DATABASE_POOL_SIZE": "1",
        "COOKIE_SECURE": "true",
    }
    used = Application()
    before = _transactions.get_engine
    with environment.applied(variables), _log_lines_thrown_away():
        _transactions.get_engine = used.current  # type: ignore[attr-defined]
        try:
            used.open(one_flush_engine, url)
            yield used
        finally:
            _transactions.get_engine = before  # type: ignore[attr-defined]
            used.close()


@contextmanager
def _log_lines_thrown_away() -> Iterator[None]:
    logger = get_logger()
    level = logger.log_level
    handlers = [each for each in logger.handlers if isinstance(each, logging.StreamHandler)]
    streams = [handler.stream for handler in handlers]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        try:
            logger.setLevel("INFO")
            for handler in handlers:
                handler.stream = nowhere  # setStream would flush the other, which may be closed
            yield
        finally:
            logger.setLevel(level)
            for handler, stream in zip(handlers, streams, strict=True):
                handler.stream = stream


@contextmanager
def session(application: Application) -> Iterator[Session]:
    """A transaction on the engine in use, to prepare and to look."""
    with Session(application.current(), expire_on_commit=False) as opened, opened.begin():
        yield opened


@dataclass(frozen=True)
class Answer:
    """What a handler answered."""

    status: int
    body: Any


class Client:
    """Calls a function's Lambda handler with events as API Gateway sends them."""

    def __init__(self, function: str) -> None:
        self._handler = importlib.import_module(f"api.{function}.handler").handler

    def request(
        self, method: str, path: str, body: Any = None, *, token: str = "", key: str = ""
    ) -> Answer:
        """Send a request; raises RuntimeError unless it succeeds."""
        answer = self.send(event(method, path, body, token=token, key=key))
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body}")
        return answer

    def send(self, event: dict[str, Any]) -> Answer:
        """Call the handler."""
        result = self._handler(event, None)
        text_body = result.get("body")
        return Answer(result["statusCode"], json.loads(text_body) if text_body else None)

    def call(self, event: dict[str, Any]) -> None:
        """Call the handler and look at nothing but the status, for timing."""
        status = self._handler(event, None)["statusCode"]
        if status >= 400:
            raise RuntimeError(f"the answer is {status}")


def event(
    method: str, path: str, body: Any = None, *, token: str = "", key: str = ""
) -> dict[str, Any]:
    """An event of API Gateway's HTTP API (payload format 2.0)."""
    raw_path, _, query = path.partition("?")
    headers = {
        "accept": "application/json",
        "host": HOST,
        "user-agent": "benchmark",
        "origin": "https://app.example.com",
    }
    if token:
        headers["authorization"] = f"Bearer {token}"
    if key:
        headers["idempotency-key"] = key
    document = {
        "version": "2.0",
        "routeKey": f"{method} {raw_path}",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "sample",
            "domainName": HOST,
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "benchmark",
            },
            "requestId": "benchmark",
            "stage": "$default",
            "timeEpoch": 1795262400000,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        headers["content-type"] = "application/json"
        document["body"] = json.dumps(body)
    return document


@dataclass(frozen=True)
class Person:
    """Somebody signed up."""

    id: str
    email: str
    token: str


def sign_up(auth: Client, application: Application) -> Person:
    """A new learner; the benchmarks' many sign-ups come from one address and are not throttled."""
    with session(application) as opened:
        opened.execute(text("DELETE FROM auth.throttles"))
    email = f"{uuid4().hex[:12]}@example.com"
    body = auth.request("POST", "/api/auth/signup", {"email": email, "password": PASSWORD}).body
    return Person(body["user_id"], email, body["token"])
