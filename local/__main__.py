"""The one-machine stack: `python -m local run | migrate | seed | clean-data | stripe-sync`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from local import stack

_console = Console(highlight=False)
_STATE = Path(__file__).resolve().parent.parent / ".local"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(BaseException):
    """Somebody asked us to stop."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start everything; Ctrl-C stops it, data stays")
    run.add_argument("--port", type=int, help="HTTP port; else 8000 or the next free one")
    run.add_argument("--no-crons", action="store_true", help="don't run the scheduled jobs")
    migration = commands.add_parser("migrate", help="bring the database to the newest schema")
    seeding = commands.add_parser("seed", help="load the sample content and demo accounts")
    cleaning = commands.add_parser("clean-data", help="stop the database and remove all data")
    syncing = commands.add_parser("stripe-sync", help="bring Stripe up to the price list")
    for each in (run, migration, seeding, cleaning, syncing):
        each.add_argument("--state", type=Path, default=_STATE, help="folder of the data")
    given = parser.parse_args(arguments)
    for number in _SIGNALS:
        signal.signal(number, _stop)
    try:
        return _obey(given)
    except _Stopped:
        _console.print("Stopped; data stays.", style="dim")
        return 0


def _obey(given: argparse.Namespace) -> int:
    # Imported here, because it takes a second in which Ctrl-C should not show a traceback.
    from local.postgres import PostgresError
    from local.server import PortTakenError

    try:
        if given.command == "run":
            _run(given.state, port=given.port, crons=not given.no_crons)
        elif given.command == "migrate":
            _migrate(given.state)
        elif given.command == "clean-data":
            _clean_data(given.state)
        elif given.command == "stripe-sync":
            return _sync(given.state)
        else:
            _seed(given.state)
    except (PostgresError, PortTakenError) as error:
        _console.print(f"[bold red]Not started:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:  # a second Ctrl-C must not cut the orderly stop short
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


def _run(state: Path, *, port: int | None, crons: bool) -> None:
    from local import stack

    _configure_logs()
    started = time.monotonic()
    with stack.running(port=port, state=state, crons=crons, access_log=True, step=_step) as local:
        if port is None and not local.base_url.endswith(f":{stack.PREFERRED_PORT}"):
            _console.print(f"Port {stack.PREFERRED_PORT} is taken: this one is the next free.")
        _console.print()
        _print_addresses(local)
        _print_accounts(local)
        seconds = time.monotonic() - started
        _console.print(f"Ready in {seconds:.1f} s. Ctrl-C stops everything; data stays.\n")
        threading.Event().wait()


def _migrate(state: Path) -> None:
    from local import migrate, stack
    from local.environment import is_here

    with stack.database(state, step=_step) as url:
        if not is_here(url):
            with _step("Schema") as detail:
                migrate.upgrade(url)
                detail(migrate.head())


def _seed(state: Path) -> None:
    from local import stack
    from local.seed import seed

    with stack.database(state, step=_step), _step("Sample content") as detail:
        seed(detail)


def _clean_data(state: Path) -> None:
    from local import payments, postgres

    removed = postgres.remove(state)
    paid = payments.forget(state)
    told = "PostgreSQL stopped, its data removed" if removed else "there is no PostgreSQL data"
    _console.print(told + (", and what the Stripe stand-in kept" if paid else ""))


def _sync(state: Path) -> int:
    from local import stack
    from studypack.billing.catalogue_sync import sync_products
    from studypack.core.config import ConfigurationError
    from studypack.core.errors import AppError

    try:
        with stack.database(state, step=_step), _step("Price list") as detail:
            detail(str(sync_products()))
    except (AppError, ConfigurationError) as error:
        _console.print(f"[bold red]Not done:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


@contextmanager
def _step(title: str) -> Iterator[Callable[[str], None]]:
    details: list[str] = []
    started = time.monotonic()
    with _console.status(f"{title} ..."):
        yield details.append
    seconds = f"{time.monotonic() - started:5.2f} s"
    first, *more = details or [""]
    _console.print(f"  [green]✓[/] {title:<19}[dim]{seconds}[/]  {escape(first)}", soft_wrap=True)
    for line in more:
        _console.print(" " * 32 + escape(line), soft_wrap=True)


def _print_addresses(local: stack.Stack) -> None:
    for name, address, _is_link in local.addresses:
        _console.print(f"  [bold]{name:<28}[/]{escape(address)}", soft_wrap=True)
    _console.print()


def _print_accounts(local: stack.Stack) -> None:
    from local.environment import is_here
    from local.seed import demo_accounts

    if not is_here(local.database_url):
        return
    accounts = demo_accounts()
    # A narrow terminal may fold the notes, but never what one copies.
    whole = ("Demo login", "Password", "Role")
    table = Table(box=None, padding=(0, 2))
    for title, values in zip(
        whole,
        zip(*((each.email, each.password, str(each.role)) for each in accounts), strict=True),
        strict=True,
    ):
        table.add_column(title, no_wrap=True, min_width=max(map(len, (title, *values))))
    table.add_column("Who", overflow="fold")
    for account in accounts:
        who = f"{account.first_name} {account.last_name}: {account.note}"
        table.add_row(account.email, account.password, str(account.role), who)
    _console.print(table)
    _console.print()


def _configure_logs() -> None:
    """One line a request and a line for what jobs and workers did; warnings of all others."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )
    logging.getLogger("local").setLevel(logging.INFO)
    access = logging.getLogger("uvicorn.access")
    access.setLevel(logging.INFO)
    access.addFilter(lambda record: "/_local/status.json" not in record.getMessage())


if __name__ == "__main__":
    sys.exit(main())
