"""Fetch pinned packages for another machine, checked against requirements.lock, and slim them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.build.errors import BuildError
from local.build.platforms import Platform
from local.template import ROOT

LOCK = ROOT / "requirements.lock"

UNNEEDED_FOLDERS = {"__pycache__", "tests", "test"}
UNNEEDED_SUFFIXES = {".c", ".h", ".pxd", ".pyi", ".pyx", ".pyc"}
UNNEEDED = {".lock", "bin", "alembic/testing", "sqlalchemy/testing"}
"""For people and tools that develop with the packages; nothing imports them at run time."""

METADATA_KEPT = {"METADATA", "entry_points.txt", "licenses"}
"""importlib.metadata reads the first two (versions, OpenTelemetry's plug-ins)."""


def install(requirements: Path, target: Path, platform: Platform) -> None:
    """Install exactly what a file pins (`name==version` lines), for a platform, without extras.

    Raises BuildError if a pin is not in requirements.lock, whose hashes each wheel must have.
    """
    with tempfile.TemporaryDirectory() as folder:
        hashed = Path(folder) / "requirements.txt"
        hashed.write_text("\n".join(with_hashes(requirements)) + "\n", encoding="utf-8")
        fetch(hashed, target, platform)
    slim(target)


def with_hashes(requirements: Path, lock: Path = LOCK) -> Iterator[str]:
    """The pins of a file, each with the hashes that the lock has for it."""
    blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
    locked = {block.partition(" ")[0]: re.findall(r"--hash=\S+", block) for block in blocks}
    for line in requirements.read_text(encoding="utf-8").splitlines():
        pin = line.partition("#")[0].strip()
        if not pin:
            continue
        if not locked.get(pin):
            raise BuildError(f"{requirements}: {pin} is not in {lock.name}; run make lock")
        yield " ".join([pin, *locked[pin]])


def fetch(requirements: Path, target: Path, platform: Platform) -> None:
    """Install a file of hashed pins into a folder, wheels only: nothing is built here."""
    common = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    common += ["--python-version", platform.python, "--target", str(target)]
    common += ["-r", str(requirements)]
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "-qq", "--no-input", "--no-compile"]
        command += ["--disable-pip-version-check", "--implementation", "cp", *common]
        command += [part for tag in platform.wheel_tags for part in ("--platform", tag)]
    else:
        command = [_uv(), "pip", "install", "-q", "--python", sys.executable, *common]
        command += ["--python-platform", f"{platform.machine}-manylinux_2_28"]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=kept)
    if done.returncode:
        raise BuildError(f"packages for {platform} cannot be installed:\n{done.stderr.strip()}")


def slim(folder: Path) -> None:
    """Remove what no import and no importlib.metadata call needs."""
    for path in sorted(folder.rglob("*")):
        if not path.exists():
            continue  # its folder has gone
        metadata = path.parent.suffix == ".dist-info"
        unneeded = (
            path.name not in METADATA_KEPT
            if metadata
            else path.relative_to(folder).as_posix() in UNNEEDED
            or (path.is_dir() and path.name in UNNEEDED_FOLDERS)
            or (path.is_file() and path.suffix in UNNEEDED_SUFFIXES)
        )
        if unneeded and path.is_dir():
            shutil.rmtree(path)
        elif unneeded:
            path.unlink()


def make_readable(folder: Path) -> None:
    """Let everybody read: a zip keeps modes, and Lambda's user is not the one that built."""
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def ignore_bytecode(_folder: str, names: list[str]) -> set[str]:
    """For `shutil.copytree`: what this machine's Python has left among the sources."""
    return {name for name in names if name == "__pycache__" or name.endswith(".pyc")}


def _uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".tools/uv/bin"))
    if found is None:
        raise BuildError("neither pip nor uv is there; make clean && make build")
    return found
