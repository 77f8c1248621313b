"""`python -m benchmarks [NAME ...]`: run them, print their tables, write their results."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "benchmark"  # as on Lambda: routes run inline
os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"  # they would go to the terminal

from benchmarks.report import Report

NAMES = (
    "round_trips",
    "autosave",
    "imports",
    "scoring",
    "webhooks",
    "email_triggers",
    "email_queue",
    "courses",
)
WIDTH = 120
"""Where there is no terminal to ask."""
WITHOUT_DATABASE = {"imports"}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; else all")
    names = parser.parse_args(arguments).names or list(NAMES)
    unknown = set(names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    started = time.perf_counter()
    for report in _reports(names, console):
        path = report.write()
        report.show(console)
        console.print(f"written to {path.parent.parent.name}/{path.parent.name}/{path.name}\n")
    console.print(f"all in {time.perf_counter() - started:.0f} s")
    return 0


def _reports(names: list[str], console: Console) -> list[Report]:
    reports = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        ExitStack() as parts,
        Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bars,
    ):
        databases = None
        if set(names) - WITHOUT_DATABASE:
            from benchmarks.application import STATE, Databases
            from local import postgres

            task = bars.add_task("PostgreSQL, schema, sample content", total=1)
            # Without fsync: the alternatives differ above the disk, whose pauses would hide it.
            databases = Databases(
                parts.enter_context(postgres.running(STATE, durable=False, keep=False))
            )
            databases.prepare()
            bars.update(task, completed=1)
        for name in names:
            task = bars.add_task(name, total=None)
            module = importlib.import_module(f"benchmarks.{name}")

            def progress(done: int, total: int, task: object = task) -> None:
                bars.update(task, completed=done, total=total)  # type: ignore[arg-type]

            reports.append(
                module.run(progress)
                if name in WITHOUT_DATABASE
                else module.run(databases, progress)
            )
            bars.update(task, completed=1, total=1)
    return reports


if __name__ == "__main__":
    sys.exit(main())
