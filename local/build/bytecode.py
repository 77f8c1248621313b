"""Compile sources ahead, so that a cold start does not: Lambda's file system is read-only."""

from __future__ import annotations

import subprocess
from pathlib import Path

from local.build.errors import BuildError
from local.build.platforms import find_python


def compile_folder(folder: Path, version: str) -> bool:
    """Compile a folder's modules for a Python version; False where there is no such Python here.

    The files are of the unchecked-hash kind: a zip changes the times that the usual kind is checked
    against, and every import would compile again. Without the version's own Python nothing is
    written, because no other version's files would be read.
    """
    python = find_python(version)
    if python is None:
        return False
    where = str(folder.resolve())
    command = [str(python), "-I", "-m", "compileall", "-q", "-f", "-j", "0"]
    # -s: tracebacks must name files as they are on Lambda, not as on this machine.
    command += ["--invalidation-mode", "unchecked-hash", "-s", where, where]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{folder} cannot be compiled:\n{done.stdout}{done.stderr}")
    return True
