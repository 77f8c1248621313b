"""The cluster of one state folder: started once, shared by its users, stopped by the last.

Every start and stop of a folder happens under one file lock. Whoever uses the cluster holds a
shared lock on a second file, which the kernel drops with the process, so `running` knows when the
last user leaves, whatever became of the others.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pg8000.native

from local.postgres import server
from local.postgres.home import (
    SUPERUSER,
    Home,
    PostgresError,
    abandoned_homes,
    existing_home,
    explained,
    make_home,
    passwords,
    read_record,
    remove_home,
    update_record,
)
from local.postgres.server import HOST, Postmaster

_log = logging.getLogger(__name__)

# Below the ports that Linux and macOS hand out to outgoing connections, so that ours stays free.
_PORTS = range(20_000, 30_000)

_UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",  # a gigabyte of log that nobody will read would lie in memory
    "wal_init_zero": "off",
}


@dataclass
class _Use:
    handle: int
    count: int


# The locks that say which clusters this process uses.
_uses: dict[Path, _Use] = {}


@dataclass(frozen=True)
class Cluster:
    """A running server and what one needs to reach it as its superuser."""

    state: Path
    host: str
    port: int
    data_directory: Path
    log: Path
    pid: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The superuser's URL of the maintenance database; applications use `database_url`."""
        return f"postgresql://{SUPERUSER}:{self.password}@{self.host}:{self.port}/postgres"


def start(
    state: Path,
    *,
    port: int | None = None,
    durable: bool = True,
    settings: Mapping[str, str] | None = None,
) -> Cluster:
    """Make the cluster of a state folder if there is none, and start it unless it runs already.

    It stays up until `stop`, or until the last process that uses it leaves a `running` block.
    `durable=False` turns off fsync: for tests, whose data nobody misses after a power cut.
    `settings` are PostgreSQL's own parameters. Raises PostgresError, which says what helps.
    """
    state = state.absolute()
    with explained(state):
        state.mkdir(parents=True, exist_ok=True)
        state = state.resolve()
        with _exclusive(state):
            cluster = _start(state, port=port, durable=durable, settings=settings or {})
            _register(state)
            return cluster


def stop(cluster: Cluster) -> None:
    """Stop the server in order and wait until it is down, whoever else uses it."""
    with explained(cluster.state), _exclusive(cluster.state):
        _unregister(cluster.state, entirely=True)
        home = existing_home(cluster.state)
        if home is not None:
            server.halt(home)


def status(state: Path) -> Cluster | None:
    """The running cluster of a state folder, or None. Changes nothing."""
    state = state.resolve()
    with explained(state):
        home = existing_home(state)
        found = server.find_ready(home) if home is not None else None
        return _cluster(home, found) if home is not None and found is not None else None


def remove(state: Path) -> bool:
    """Stop the cluster and delete its data for good; false if there was none."""
    state = state.resolve()
    with explained(state):
        if not state.is_dir():
            return False
        with _exclusive(state):
            home = existing_home(state)
            if home is None:
                return False
            _unregister(state, entirely=True)
            server.halt(home)
            remove_home(home)
            return True


@contextmanager
def running(
    state: Path,
    *,
    port: int | None = None,
    durable: bool = True,
    settings: Mapping[str, str] | None = None,
    keep: bool = True,
) -> Iterator[Cluster]:
    """Use the cluster for a while; the last one of all processes to leave stops it, and unless it
    is to `keep` them deletes its data.
    """
    cluster = start(state, port=port, durable=durable, settings=settings)
    try:
        yield cluster
    finally:
        _leave(cluster, keep=keep)


def connect(cluster: Cluster, database: str = "postgres") -> pg8000.native.Connection:
    """Open a connection as the superuser; each statement commits by itself."""
    return server.connect(cluster.port, cluster.password, database)


def _leave(cluster: Cluster, *, keep: bool) -> None:
    with explained(cluster.state), _exclusive(cluster.state):
        _unregister(cluster.state)
        handle = _open_lock(cluster.state / "postgres.users")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else still uses it
        finally:
            os.close(handle)
        home = existing_home(cluster.state)
        if home is not None:
            server.halt(home)
            if not keep:
                remove_home(home)


def _start(state: Path, *, port: int | None, durable: bool, settings: Mapping[str, str]) -> Cluster:
    home = existing_home(state)
    wanted = {**({} if durable else _UNSAFE), **settings}
    found = server.find_running(home) if home is not None else None
    if home is not None and found is not None:
        _check_reusable(state, found, port=port, durable=durable, wanted=wanted)
        return _cluster(home, found)
    home = make_home(state, disposable=not durable)
    _sweep()  # after our own record says that we are here
    if home.data.is_dir():
        server.check_version(home)
    else:
        server.initialise(home, durable=durable)
    launched = _launch_on_free_port(home, port, wanted)
    update_record(state, port=launched.port, settings=wanted)
    return _cluster(home, launched)


def _check_reusable(
    state: Path,
    found: Postmaster,
    *,
    port: int | None,
    durable: bool,
    wanted: Mapping[str, str],
) -> None:
    if port is not None and port != found.port:
        raise PostgresError(
            f"PostgreSQL of {state} already runs on port {found.port}, not {port}: "
            "stop it first, or leave the port open"
        )
    recorded = read_record(state).get("settings", {})
    if durable and recorded.get("fsync", "on") != wanted.get("fsync", "on"):
        raise PostgresError(
            f"PostgreSQL of {state} runs without fsync (it was started for tests): "
            "stop it first, or use another state folder"
        )
    if recorded != dict(wanted):
        _log.warning("PostgreSQL runs already, with other settings: they hold after a restart")


def _launch_on_free_port(home: Home, fixed: int | None, settings: Mapping[str, str]) -> Postmaster:
    kept = read_record(home.state).get("port")
    for port in [fixed] if fixed is not None else _candidates(home.state, kept):
        if not _is_free(port):
            continue
        with suppress(server.PortTakenError):
            launched = server.launch_patiently(home, port, settings)
            if fixed is None and kept not in (None, port):
                _log.warning("port %s is taken: PostgreSQL now listens on %s", kept, port)
            return launched
    if fixed is not None:
        raise PostgresError(f"port {fixed} is taken: choose another for PostgreSQL, or free it")
    raise PostgresError(f"no port is free between {_PORTS.start} and {_PORTS.stop} on {HOST}")


def _candidates(state: Path, kept: int | None) -> Iterator[int]:
    if kept is not None:
        yield kept
    first = zlib.crc32(os.fsencode(state)) % len(_PORTS)  # checkouts side by side start apart
    for step in range(len(_PORTS)):
        yield _PORTS[(first + step) % len(_PORTS)]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _cluster(home: Home, postmaster: Postmaster) -> Cluster:
    return Cluster(
        state=home.state,
        host=HOST,
        port=postmaster.port,
        data_directory=home.data,
        log=home.log,
        pid=postmaster.pid,
        password=passwords(home.state, create=False)[SUPERUSER],
    )


def _sweep() -> None:
    """Delete what killed test runs left behind."""
    for home in abandoned_homes():
        with suppress(OSError, PostgresError):
            server.halt(home)
            shutil.rmtree(home.folder)


@contextmanager
def _exclusive(state: Path) -> Iterator[None]:
    handle = _open_lock(state / "postgres.lock")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _register(state: Path) -> None:
    use = _uses.get(state)
    if use is not None:
        use.count += 1
        return
    handle = _open_lock(state / "postgres.users")
    fcntl.flock(handle, fcntl.LOCK_SH)
    _uses[state] = _Use(handle, 1)


def _unregister(state: Path, *, entirely: bool = False) -> None:
    use = _uses.get(state)
    if use is None:
        return
    use.count -= 1
    if entirely or use.count == 0:
        os.close(use.handle)
        del _uses[state]
