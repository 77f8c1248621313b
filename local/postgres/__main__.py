"""`python -m local.postgres status|stop|remove [STATE]`: look after a cluster that nobody holds."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local.postgres import PostgresError, remove, status, stop


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status; 3 when `status` finds nothing running."""
    parser = argparse.ArgumentParser(prog="python -m local.postgres", description=__doc__)
    parser.add_argument("command", choices=("status", "stop", "remove"))
    parser.add_argument("state", nargs="?", type=Path, default=Path(".local"))
    given = parser.parse_args(arguments)
    try:
        return _run(given.command, given.state)
    except PostgresError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _run(command: str, state: Path) -> int:
    if command == "remove":
        removed = remove(state)
        print("PostgreSQL stopped, its data removed" if removed else "there is no PostgreSQL data")
        return 0
    cluster = status(state)
    if cluster is None:
        print("PostgreSQL is not running")
        return 3 if command == "status" else 0
    if command == "stop":
        stop(cluster)
        print("PostgreSQL stopped; its data stays")
    else:
        print(f"PostgreSQL runs on {cluster.host}:{cluster.port}, data in {cluster.data_directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
