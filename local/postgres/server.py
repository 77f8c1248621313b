"""The server process of one home: its data directory made, the process started, found and ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from local.postgres.home import (
    SUPERUSER,
    Home,
    PostgresError,
    find_wheel,
    passwords,
    with_hint,
)

HOST = "127.0.0.1"

_START_SECONDS = 120.0  # recovery after a crash may take this long
_STOP_SECONDS = 60.0
_ANSWER_SECONDS = 60.0
_ORPHANS_SECONDS = 15.0  # sessions of a killed server notice its death within this time
_POLL_SECONDS = 0.01
_LOG_BYTES = 5_000_000
_NO_PID = 4_194_305  # above the highest pid of Linux and of macOS

# Servers that this process started: to reap them when they end.
_children: dict[int, subprocess.Popen[bytes]] = {}


class PortTakenError(Exception):
    """Another process took the port between our look and the server's."""


class _OrphansError(Exception):
    """Sessions of a killed server still have its shared memory."""


@dataclass(frozen=True)
class Postmaster:
    """What a server writes about itself into postmaster.pid."""

    pid: int
    port: int
    status: str


def connect(port: int, password: str, database: str) -> pg8000.native.Connection:
    """Open a connection as the superuser."""
    # A socket of ours, because pg8000 leaves its own open when the server refuses.
    channel = socket.create_connection((HOST, port), timeout=_ANSWER_SECONDS)
    try:
        # By default pg8000 loads all authorities, 20 ms, before it learns that we speak no TLS.
        return pg8000.native.Connection(
            SUPERUSER, password=password, database=database, sock=channel, ssl_context=False
        )
    except BaseException:
        channel.close()
        raise


def find_ready(home: Home) -> Postmaster | None:
    """The server on this home's data if it answers now."""
    postmaster = _read_postmaster(home)
    if postmaster is None or postmaster.status != "ready" or not _is_alive(home, postmaster):
        return None
    return postmaster if _answers(home, postmaster) else None


def find_running(home: Home) -> Postmaster | None:
    """The server if it is up; waits for one that is on its way up or down."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        postmaster = _read_postmaster(home)
        if postmaster is None:
            return None
        if not _is_alive(home, postmaster):
            _disown(home, postmaster)
            return None
        if postmaster.status == "ready" and _answers(home, postmaster):
            return postmaster
        if time.monotonic() > deadline:
            raise PostgresError(
                f"process {postmaster.pid} has the data in {home.data} but does not answer on port "
                f"{postmaster.port}; see {home.log}, or end that process"
            )
        time.sleep(_POLL_SECONDS)


def check_version(home: Home) -> None:
    """Raise PostgresError when the data was made by another major version than the wheel's."""
    found = (home.data / "PG_VERSION").read_text().strip()
    wheel = find_wheel()
    if found != wheel.major:
        raise PostgresError(
            f"the data in {home.data} was made by PostgreSQL {found}, and this checkout runs "
            f"{wheel.major}. To keep it, dump it with a checkout that still has {found} and load "
            "it here; to throw it away and start afresh: `make clean-data`"
        )


def initialise(home: Home, *, durable: bool) -> None:
    """Create the data directory in one step: an interrupted attempt is never taken for one."""
    fresh = home.folder / "data.new"
    if fresh.exists():
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o700)
    if home.account is not None:
        os.chown(fresh, home.account.uid, home.account.gid)
    password = passwords(home.state, create=True)[SUPERUSER]
    made = _run_initdb(home, fresh, password, () if durable else ("--no-sync",))
    if made.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise PostgresError(with_hint(f"initdb failed in {home.folder}:\n{made.stderr.strip()}"))
    fresh.rename(home.data)


def launch_patiently(home: Home, port: int, settings: Mapping[str, str]) -> Postmaster:
    """Start the server and wait until it answers, also while sessions of a killed one linger.

    Raises PortTakenError, or PostgresError with the last lines of the log.
    """
    deadline = time.monotonic() + _ORPHANS_SECONDS
    while True:
        try:
            return _launch(home, port, settings)
        except _OrphansError as error:
            if time.monotonic() > deadline:
                raise PostgresError(
                    f"sessions of a server that was killed still use {home.data}: "
                    f"end the remaining postgres processes\n{error}"
                ) from None
            time.sleep(10 * _POLL_SECONDS)


def halt(home: Home) -> None:
    """Fast shutdown: sessions end, everything is written out. Waits until the process is gone."""
    postmaster = _read_postmaster(home)
    if postmaster is None or not _is_alive(home, postmaster):
        return
    for stop_signal in (signal.SIGINT, signal.SIGQUIT):
        with suppress(ProcessLookupError):
            os.kill(postmaster.pid, stop_signal)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if not _is_alive(home, postmaster):
                return
            time.sleep(_POLL_SECONDS)
    raise PostgresError(f"PostgreSQL (process {postmaster.pid}) does not stop; see {home.log}")


def _answers(home: Home, postmaster: Postmaster) -> bool:
    password = passwords(home.state, create=False)[SUPERUSER]
    try:
        connect(postmaster.port, password, "postgres").close()
    except (InterfaceError, OSError):  # OSError: it went away while we were connecting
        return False
    except DatabaseError as error:
        details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        code = details.get("C", "")
        if code == "28P01":
            raise PostgresError(
                f"the server on port {postmaster.port} does not know the password in {home.state}: "
                "restore postgres.secrets.json, or start afresh with `make clean-data`"
            ) from None
        if code == "53300":  # every connection is taken: it is up, and that was the question
            return True
        if code == "57P03":  # starting up or shutting down
            return False
        raise
    return True


def _read_postmaster(home: Home) -> Postmaster | None:
    with suppress(FileNotFoundError):
        lines = (home.data / "postmaster.pid").read_text().splitlines()
        with suppress(ValueError, IndexError):
            state = lines[7].strip() if len(lines) > 7 else "starting"
            return Postmaster(int(lines[0]), int(lines[3]), state)
    return None


def _is_alive(home: Home, postmaster: Postmaster) -> bool:
    """Whether that pid is a server on this very data, not another process that got the number."""
    child = _children.get(postmaster.pid)
    alive = (child is None or child.poll() is None) and _has_process(home, postmaster)
    if child is not None and not alive:
        with suppress(subprocess.TimeoutExpired):
            child.wait(1)
            del _children[postmaster.pid]
    return alive


def _has_process(home: Home, postmaster: Postmaster) -> bool:
    process = Path("/proc") / str(postmaster.pid)
    if process.parent.joinpath("self").exists():
        try:
            if (process / "comm").read_text().strip() != "postgres":
                return False
            # A server's working directory is its data, even after the checkout was renamed.
            return (process / "cwd").samefile(home.data)
        except PermissionError:  # a container's root may not look there
            return os.fsencode(home.data) in (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
    listed = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(postmaster.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return "postgres" in listed.stdout and str(home.data) in listed.stdout


def _disown(home: Home, stale: Postmaster) -> None:
    """Let the server start although the pid of a killed one now belongs to another process.

    PostgreSQL refuses while any process has that pid. The file itself must stay: by the shared
    memory it names, the server knows whether sessions of the killed one still write.
    """
    try:
        os.kill(stale.pid, 0)
    except ProcessLookupError:
        return
    except PermissionError:
        pass
    path = home.data / "postmaster.pid"
    fresh = home.data / "postmaster.pid.new"
    lines = path.read_text().splitlines()
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        if home.account is not None:
            os.fchown(handle, home.account.uid, home.account.gid)
        os.write(handle, ("\n".join([str(_NO_PID), *lines[1:]]) + "\n").encode())
    finally:
        os.close(handle)
    fresh.replace(path)


def _run_initdb(
    home: Home, data: Path, password: str, more: tuple[str, ...]
) -> subprocess.CompletedProcess[str]:
    # The password goes through a pipe: the account cannot read the file in `.local`, and a
    # temporary one might stay behind.
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin:
        with os.fdopen(writer, "wb") as stream:
            stream.write(password.encode() + b"\n")
        if home.account is not None:
            os.fchown(reader, home.account.uid, home.account.gid)  # it reopens /dev/stdin
        return subprocess.run(
            [
                *(home.binary("initdb"), "-D", data, "-U", SUPERUSER, "--pwfile=/dev/stdin"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *more,
            ],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            **home.popen_as(),
        )


def _launch(home: Home, port: int, settings: Mapping[str, str]) -> Postmaster:
    begin, process = _spawn(home, port, settings)
    try:
        postmaster = _wait_until_ready(home, process)
    except BaseException:  # Ctrl-C, too: leave no server behind that nobody knows of
        _interrupt(process)
        raise
    if postmaster is not None:
        return postmaster
    said = _log_since(home.log, begin)
    if "Address already in use" in said:
        raise PortTakenError(said)
    if "pre-existing shared memory block" in said:
        raise _OrphansError(said)
    raise PostgresError(with_hint(f"PostgreSQL did not start; {home.log} ends with:\n{said}"))


def _spawn(
    home: Home, port: int, settings: Mapping[str, str]
) -> tuple[int, subprocess.Popen[bytes]]:
    """Start the server's process; also return where in the log its messages begin."""
    parameters = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "cluster_name": "studypack",
        **settings,
    }
    options = [part for name, value in parameters.items() for part in ("-c", f"{name}={value}")]
    if home.log.exists() and home.log.stat().st_size > _LOG_BYTES:
        home.log.replace(home.log.with_name(f"{home.log.name}.1"))
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        begin = os.fstat(log).st_size
        process = subprocess.Popen(
            [home.binary("postgres"), "-D", home.data, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in our terminal is ours to handle, not the server's
            **home.popen_as(),
        )
    finally:
        os.close(log)
    for earlier in [child for child in _children.values() if child.poll() is not None]:
        del _children[earlier.pid]
    _children[process.pid] = process
    return begin, process


def _wait_until_ready(home: Home, process: subprocess.Popen[bytes]) -> Postmaster | None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        postmaster = _read_postmaster(home)
        if (
            postmaster is not None
            and postmaster.pid == process.pid
            and postmaster.status == "ready"
            and _answers(home, postmaster)
        ):
            return postmaster
        if process.poll() is not None:
            del _children[process.pid]
            return None
        time.sleep(_POLL_SECONDS)
    raise PostgresError(f"PostgreSQL was not ready after {_START_SECONDS:.0f} s; see {home.log}")


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
    _children.pop(process.pid, None)


def _log_since(log: Path, begin: int, lines: int = 15) -> str:
    with log.open("rb") as stream:
        stream.seek(begin)
        text = stream.read().decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-lines:])
