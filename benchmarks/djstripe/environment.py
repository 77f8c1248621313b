"""dj-stripe's own environment, `.tools/djstripe`, made when the benchmark first needs it: what it
pins is none of ours.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from local import bootstrap

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
ENVIRONMENT = bootstrap.ROOT / ".tools" / "djstripe"
PYTHON = ENVIRONMENT / "bin" / "python"


class NotMade(Exception):
    """The environment could not be made; the message says why."""


def ensure() -> Path:
    """The Python of the environment, which has exactly what requirements.txt names.

    Raises NotMade, e.g. without a network.
    """
    stamp = ENVIRONMENT / ".stamp"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    installer = "uv" if shutil.which("uv") else "pip"
    try:
        with bootstrap.one_at_a_time():
            if (
                stamp.exists()
                and stamp.read_text().strip() == wanted
                and bootstrap.runs(ENVIRONMENT, installer)
            ):
                return PYTHON
            bootstrap.create(installer, ENVIRONMENT)
            _install(installer)
            stamp.write_text(f"{wanted}\n")
    except (bootstrap.BootstrapError, OSError) as error:
        raise NotMade(str(error)) from error
    return PYTHON


def _install(installer: str) -> None:
    if installer == "uv":
        bootstrap.run(
            "uv", "pip", "sync", "-q", "--require-hashes", "--python", ENVIRONMENT, REQUIREMENTS
        )
        return
    once = ("--retries", "1", "--timeout", "10")  # without a network it is to be known soon
    bootstrap.pip(ENVIRONMENT, "install", *once, "--require-hashes", "-r", REQUIREMENTS)
