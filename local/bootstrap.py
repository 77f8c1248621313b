"""Make `.venv` from requirements.lock, or a tool's own environment under `.tools/`.

Started by bootstrap.sh with a Python that can do it. Only the standard library: nothing else is
there yet. One process at a time; an environment without its stamp was interrupted and is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


class BootstrapError(Exception):
    """A step failed; the message says which and what helps."""


def main(arguments: Sequence[str]) -> int:
    """Run `INSTALLER [tool NAME PACKAGE]` and return the exit status."""
    installer, *rest = arguments
    try:
        with one_at_a_time():
            if rest[:1] == ["tool"]:
                _, name, package = rest
                make_tool(installer, name, package)
            else:
                make_environment(installer)
    except (BootstrapError, OSError) as error:
        sys.stderr.write(f"bootstrap: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("bootstrap: interrupted; the next make starts over\n")
        return 130
    return 0


def make_environment(installer: str) -> None:
    """Bring `.venv` to exactly what requirements.lock names."""
    environment = ROOT / ".venv"
    stamp = environment / ".stamp"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and runs(environment, installer):
        if stamp.read_text().strip() == wanted:
            stamp.touch()  # make compares dates, and a checkout may have renewed the lock's
            return
        stamp.unlink()
    else:
        create(installer, environment)
    say(f"installing {count_packages()} packages with {installer} (the first time takes a minute)")
    if installer == "uv":
        run("uv", "pip", "sync", "-q", "--require-hashes", "--python", environment, LOCK)
    else:
        pip(environment, "install", "--require-hashes", "-r", LOCK)
    stamp.write_text(f"{wanted}\n")
    say("ready")


def make_tool(installer: str, name: str, package: str) -> None:
    """Install one heavy tool into an environment of its own, so that it pins nothing of ours."""
    environment = ROOT / ".tools" / name
    stamp = environment / ".stamp"
    if stamp.exists() and runs(environment, installer) and stamp.read_text().strip() == package:
        stamp.touch()
        return
    create(installer, environment)
    say(f"installing {package} with {installer}")
    if installer == "uv":
        run("uv", "pip", "install", "-q", "--python", environment, package)
    else:
        pip(environment, "install", package)
    stamp.write_text(f"{package}\n")


def create(installer: str, environment: Path) -> None:
    """Make an empty environment with this very Python, in place of what may be left there."""
    if environment.exists():
        say(f"removing the unfinished or broken {environment.relative_to(ROOT)}")
        shutil.rmtree(environment)
    version = ".".join(map(str, sys.version_info[:3]))
    say(f"making {environment.relative_to(ROOT)} with Python {version} ({sys.executable})")
    if installer == "uv":
        run("uv", "venv", "-q", "--no-python-downloads", "--python", sys.executable, environment)
        return
    try:
        run(sys.executable, "-m", "venv", environment)
    except BootstrapError as error:
        raise BootstrapError(
            f"{error}\nIf it is ensurepip that is missing: apt-get install python3-venv "
            "(Debian, Ubuntu), or install uv"
        ) from None


def pip(environment: Path, *arguments: str | Path) -> None:
    """Run the environment's own pip; it shows errors only."""
    quiet = ("-qq", "--disable-pip-version-check", "--no-input")
    run(environment / "bin" / "python", "-m", "pip", *quiet, *arguments)


def run(*command: str | Path) -> None:
    """Run a program, showing what it prints; raise BootstrapError if it fails."""
    # Outside variables must not redirect us: PYTHONPATH is the project's, VIRTUAL_ENV another's.
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    try:
        subprocess.run([str(part) for part in command], check=True, env=environment)
    except subprocess.CalledProcessError as error:
        shown = " ".join(str(part) for part in command)
        raise BootstrapError(f"this ended with status {error.returncode}: {shown}") from None


def runs(environment: Path, installer: str) -> bool:
    """Whether the environment's Python starts and has the installer.

    The Python it was made with may be gone, and uv makes environments without pip.
    """
    probe = "import pip" if installer == "pip" else ""
    try:
        subprocess.run(
            [environment / "bin" / "python", "-I", "-c", probe], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def count_packages() -> int:
    """How many packages the lock names."""
    return sum("==" in line and line[:1].isalnum() for line in LOCK.read_text().splitlines())


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for another make that is doing the same."""
    folder = ROOT / ".tools"
    folder.mkdir(exist_ok=True)
    with (folder / "bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another make to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    """Show one line of progress."""
    print(f"bootstrap: {message}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
