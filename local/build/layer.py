"""The layer: the package studypack and what it needs, for Lambda's machine and Python."""

from __future__ import annotations

import shutil
from pathlib import Path

from local.build import packages
from local.build.bytecode import compile_folder
from local.build.platforms import Platform
from local.template import ROOT

SOURCES = ROOT / "layers" / "shared" / "python"
LIMIT_MEGABYTES = 110
"""Unzipped. Lambda's own limit, functions and layers together, is 250."""


def build_layer(target: Path, platform: Platform) -> bool:
    """Build the layer below `target`, in `python/` as /opt has it; whether it could be compiled.

    boto3 is not in it: Lambda's image brings it.
    """
    folder = target / "python"
    folder.mkdir(parents=True)
    packages.install(SOURCES / "requirements.txt", folder, platform)
    shutil.copytree(SOURCES / "studypack", folder / "studypack", ignore=packages.ignore_bytecode)
    compiled = compile_folder(folder, platform.python)
    packages.make_readable(target)
    return compiled
