"""Environments of what we compare ourselves with, made when a benchmark first needs them: what they
pin is none of ours.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from local import bootstrap


class NotMade(Exception):
    """The environment could not be made; the message says why."""


def ensure(name: str, requirements: Path) -> Path:
    """The Python of `.tools/<name>`, which has exactly what the requirements name.

    Raises NotMade, e.g. without a network.
    """
    environment = bootstrap.ROOT / ".tools" / name
    stamp = environment / ".stamp"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    installer = "uv" if shutil.which("uv") else "pip"
    try:
        with bootstrap.one_at_a_time():
            if not (
                stamp.exists()
                and stamp.read_text().strip() == wanted
                and bootstrap.runs(environment, installer)
            ):
                bootstrap.create(installer, environment)
                _install(installer, environment, requirements)
                stamp.write_text(f"{wanted}\n")
    except (bootstrap.BootstrapError, OSError) as error:
        raise NotMade(str(error)) from error
    return environment / "bin" / "python"


def _install(installer: str, environment: Path, requirements: Path) -> None:
    if installer == "uv":
        bootstrap.run(
            "uv", "pip", "sync", "-q", "--require-hashes", "--python", environment, requirements
        )
        return
    once = ("--retries", "1", "--timeout", "10")  # without a network it is to be known soon
    bootstrap.pip(environment, "install", *once, "--require-hashes", "-r", requirements)
