"""One engine, and on Lambda one connection, per execution environment, made at first use."""

from __future__ import annotations

import json
import ssl
import time
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import QueuePool

from studypack.core import outages
from studypack.core.config import ConfigurationError, Settings, get_settings
from studypack.core.database.driver import OneFlushConnection, connect
from studypack.core.database.errors import sqlstate
from studypack.core.errors import Outage

IDLE_SECONDS_BEFORE_PING = 60
"""By the wall clock, because a monotonic one may stand still while Lambda freezes the
environment.
"""

SOCKET_SECONDS = 30
"""A server that has gone silent for longer than any statement may take (migrations set 25 s) is
gone.
"""

PING_SECONDS = 3
"""A connection that was dropped silently answers nothing at all: waiting for it as long as for a
statement would use up the request's time.
"""

SHORTEST_TRY_SECONDS = 0.5

_STARTING_UP = {"57P03", "53300"}
"""cannot_connect_now, too_many_connections: worth another try."""

UNAVAILABLE, REFUSED, MISSING = "database_unavailable", "database_refused", "database_missing"
_REFUSED = {"28P01", "28000"}
"""invalid_password, invalid_authorization_specification."""
_MISSING = "3D000"
_SECONDS_UNTIL_MENDED = 30

_LOOPBACK = {"localhost", "127.0.0.1", "::1", None}


def database_url(settings: Settings) -> URL:
    """Where the database is: DATABASE_URL, else the secret named by DATABASE_SECRET_ARN.

    Raises ConfigurationError if neither is set, the secret has no host and DATABASE_HOST gives
    none, or the URL is not PostgreSQL's.
    """
    text = settings.database_url
    if text is None and settings.database_secret:
        from aws_lambda_powertools.utilities import parameters

        try:
            secret = json.loads(str(parameters.get_secret(settings.database_secret)))
            name, password = secret["username"], secret["password"]
        except Exception as error:
            # No such secret, no right to read it, no JSON in it: the text may quote the secret.
            raise ConfigurationError(
                f"DATABASE_SECRET_ARN: the secret cannot be used ({type(error).__name__})"
            ) from None
        # RDS keeps only the name and the password in the secrets that it manages itself.
        host = secret.get("host") or settings.database_host
        if not host:
            raise ConfigurationError("DATABASE_HOST: the secret of DATABASE_SECRET_ARN has no host")
        return URL.create(
            "postgresql",
            username=name,
            password=password,
            host=host,
            port=int(secret.get("port", 5432)),
            database=secret.get("dbname", "studypack"),
        )
    if text is None:
        raise ConfigurationError("set DATABASE_URL or DATABASE_SECRET_ARN")
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigurationError("DATABASE_URL: this is no URL") from None
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError("DATABASE_URL: only PostgreSQL is supported")
    return url


def _ssl_context(settings: Settings, url: URL) -> ssl.SSLContext | bool:
    """Verified TLS outside loopback: pg8000 would otherwise not verify at all."""
    if url.host in _LOOPBACK:
        return False
    return ssl.create_default_context(cafile=settings.database_ca_file)


def _open(settings: Settings, url: URL) -> OneFlushConnection:
    """Connect, trying again while a database at rest wakes up (Aurora takes about 15 s).

    Raises Outage: `database_unavailable` when it has not within DATABASE_CONNECT_SECONDS, at once
    `database_refused` (our name or password) and `database_missing`.
    """
    from pg8000.exceptions import DatabaseError, InterfaceError

    give_up_at = time.monotonic() + settings.database_connect_seconds
    pause = 0.1
    while True:
        try:
            connection = connect(
                user=url.username or "studypack",
                password=url.password,
                host=url.host or "127.0.0.1",
                port=url.port or 5432,
                database=url.database,
                ssl_context=_ssl_context(settings, url),
                application_name="studypack",
                tcp_keepalive=True,
                # A host that accepts and says nothing must not outlast what we promise to wait.
                timeout=max(give_up_at - time.monotonic(), SHORTEST_TRY_SECONDS),
            )
            connection.wait_at_most(SOCKET_SECONDS)
            outages.over(UNAVAILABLE, REFUSED, MISSING)
            return connection
        except DatabaseError as error:
            code = sqlstate(error)
            if code in _REFUSED or code == _MISSING:
                raise _mended_by_people(code) from error
            if code not in _STARTING_UP:
                raise
            failure: Exception = error
        except (InterfaceError, OSError) as error:
            failure = error
        if time.monotonic() + pause > give_up_at:
            raise Outage("The database cannot be reached.", code=UNAVAILABLE) from failure
        time.sleep(pause)
        pause = min(pause * 2, 2)


def _mended_by_people(code: str | None) -> Outage:
    if code == _MISSING:
        return Outage(
            "The database server has no such database.",
            code=MISSING,
            retry_after_seconds=_SECONDS_UNTIL_MENDED,
        )
    return Outage(
        "The database refuses our credentials.",
        code=REFUSED,
        retry_after_seconds=_SECONDS_UNTIL_MENDED,
    )


def make_engine(settings: Settings) -> Engine:
    """An engine on the one-flush driver with a pool of DATABASE_POOL_SIZE connections and no
    overflow.
    """
    database_url(settings)  # what is missing is told before the first connection
    engine = create_engine(
        "postgresql+oneflush://",
        # Read again for each connection: Secrets Manager changes the password while we run.
        creator=lambda: _open(settings, database_url(settings)),
        poolclass=QueuePool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_connect_seconds,
        query_cache_size=1000,
        # An error's text goes to the log, and parameters are addresses, hashes, answers.
        hide_parameters=True,
    )
    event.listen(engine, "checkin", _remember_use)
    event.listen(engine, "checkout", _check_before_use)
    return engine


def _remember_use(_connection: Any, record: Any) -> None:
    record.info["used_at"] = time.time()


def _check_before_use(connection: Any, record: Any, _proxy: Any) -> None:
    """Replace a connection that died while idle (a thaw, a failover) before a request depends on
    it.

    Costs nothing while requests follow each other: the server's goodbye is seen on the socket, and
    only after a long pause, when a network may have dropped it silently, is a round trip spent.
    """
    used_at = record.info.get("used_at")
    if used_at is None:
        return
    if connection.has_pending_input() or time.time() - used_at > IDLE_SECONDS_BEFORE_PING:
        try:
            connection.wait_at_most(PING_SECONDS)
            connection.ping()
            connection.wait_at_most(SOCKET_SECONDS)
        except Exception as error:
            raise DisconnectionError("the connection died while it was idle") from error


@lru_cache(maxsize=1)
def get_engine() -> Engine:
    """The engine of this process."""
    return make_engine(get_settings())


def has_free_connection() -> bool:
    """Whether another connection could be had now, beside those that requests hold."""
    pool = get_engine().pool
    return isinstance(pool, QueuePool) and pool.checkedout() < pool.size()


def dispose_engine() -> None:
    """Close its connections and forget it, so that the next use reads the settings again."""
    if get_engine.cache_info().currsize:
        get_engine().dispose()
    get_engine.cache_clear()
