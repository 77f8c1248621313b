"""Cold import of each function's handler against the libraries it cannot do without.

A fresh interpreter each, with compiled files in place, as functions/Makefile ships them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pairs import MINIMUM_PAIRS, median_ratio
from benchmarks.report import Report, Row
from local import template as sam

ROOT = Path(__file__).parent.parent
ROUNDS = MINIMUM_PAIRS
BARE = {
    sam.Kind.API: "fastapi, mangum, sqlalchemy, pg8000",
    sam.Kind.CRON: "sqlalchemy, pg8000",
}
"""By kind of function; others are not measured until there are any."""

_CHILD = """
import sys, time
before = set(sys.modules)
started = time.perf_counter()
import {modules}
seconds = time.perf_counter() - started
import json
loaded = set(sys.modules) - before
packages = {{
    name for name in loaded
    if "." not in name and "site-packages" in str(getattr(sys.modules[name], "__file__", ""))
}}
print(json.dumps({{"seconds": seconds, "modules": len(loaded), "packages": sorted(packages)}}))
"""


@dataclass(frozen=True)
class Import:
    """What one import took and loaded."""

    seconds: float
    modules: int
    packages: frozenset[str]
    """Top-level packages of others."""


def run(
    progress: Callable[[int, int], None],
    *,
    rounds: int = ROUNDS,
    names: Collection[str] = (),
) -> Report:
    """Import every handler (or those of these `names`) and its kind's bare set, in turns."""
    functions = [
        each
        for each in sam.read().functions
        if each.kind in BARE and (not names or each.name in names)
    ]
    targets = [*BARE.values(), *(function.module for function in functions)]
    for target in targets:
        import_anew(target)  # compiles what is not compiled yet
    runs: dict[str, list[Import]] = {target: [] for target in targets}
    for number in range(rounds):
        for place in range(len(targets)):
            target = targets[(number + place) % len(targets)]
            runs[target].append(import_anew(target))
        progress(number + 1, rounds)
    rows = [
        _row(function.name, runs[function.module], runs[BARE[function.kind]])
        for function in functions
    ]
    return Report(
        "imports",
        f"Cold import of each handler, median of {rounds} fresh interpreters",
        "import of "
        + "; ".join(f"{modules} ({kind.value} functions)" for kind, modules in BARE.items()),
        tuple(rows),
        ("beyond_bare: packages of others that the bare set does not load",),
    )


def _row(name: str, ours: list[Import], bare: list[Import]) -> Row:
    seconds, bare_seconds = [each.seconds for each in ours], [each.seconds for each in bare]
    return Row(
        name,
        statistics.median(seconds) * 1000,
        statistics.median(bare_seconds) * 1000,
        "ms",
        median_ratio(seconds, bare_seconds),
        {
            "modules": ours[0].modules,
            "modules_other": bare[0].modules,
            "beyond_bare": " ".join(sorted(ours[0].packages - bare[0].packages)),
        },
    )


def import_anew(modules: str) -> Import:
    """Import in a fresh interpreter; raises CalledProcessError when that fails."""
    ours = [str(ROOT / part) for part in ("layers/shared/python", "functions")]
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join(ours),
        "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
        "DATABASE_URL": "postgresql://127.0.0.1/none",
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(modules=modules)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Import(found["seconds"], found["modules"], frozenset(found["packages"]))
