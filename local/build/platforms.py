"""Which machine and which Python an artifact is for, and where such a Python is here."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from local.build.errors import BuildError

RUNTIME_PYTHON = "3.13"
"""The version in template.yaml's Runtime; a test compares them."""


@dataclass(frozen=True)
class Platform:
    """A machine and a Python that packages are fetched for."""

    machine: str
    """As wheels name it: aarch64, x86_64."""
    python: str
    """Major and minor version, e.g. 3.13."""

    @property
    def wheel_tags(self) -> tuple[str, ...]:
        """Newest first; Lambda's Amazon Linux 2023 has glibc 2.34, so it runs both."""
        return (f"manylinux_2_28_{self.machine}", f"manylinux2014_{self.machine}")

    def __str__(self) -> str:
        return f"{self.machine}, Python {self.python}"


LAMBDA = Platform("aarch64", RUNTIME_PYTHON)


def local_platform() -> Platform:
    """This machine with the runtime's Python where there is one, else with the one that runs this.

    Raises BuildError where Lambda's Linux wheels do not run.
    """
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
    if sys.platform != "linux" or machine not in {"aarch64", "x86_64"}:
        raise BuildError(f"Lambda's packages run on Linux on x86_64 or aarch64, not on {machine}")
    if find_python(RUNTIME_PYTHON):
        return Platform(machine, RUNTIME_PYTHON)
    return Platform(machine, "{}.{}".format(*sys.version_info[:2]))


@lru_cache
def find_python(version: str) -> Path | None:
    """An interpreter of this major and minor version that really runs; None if there is none.

    PYTHON names one; otherwise PATH, pyenv's and uv's folders are searched. A pyenv shim is found
    on PATH and fails when it is run: only running it tells.
    """
    for candidate in _candidates(version):
        probe = "import sys; print('{}.{}'.format(*sys.version_info[:2]))"
        try:
            answer = subprocess.run(
                [candidate, "-I", "-c", probe],
                capture_output=True,
                text=True,
                check=True,
                timeout=30,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if answer.stdout.strip() == version:
            return candidate
    return None


def _candidates(version: str) -> Iterator[Path]:
    name = f"python{version}"
    found = [shutil.which(each) for each in (os.environ.get("PYTHON", ""), name)]
    yield from (Path(each) for each in found if each)
    yield Path(sys.executable)
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", home / ".local/share/uv/python"))
    for folder, pattern in ((pyenv / "versions", f"{version}.*"), (uv, f"cpython-{version}.*")):
        yield from sorted(folder.glob(f"{pattern}/bin/{name}"), reverse=True)
