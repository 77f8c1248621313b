"""Faults, caused for real, and what they cost: one table at the end, and its JSON.

`make faults` runs them all, on a durable PostgreSQL of their own. A plain run of the tests takes
only those marked `quick`, and fewer of everything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local import environment, migrate, postgres, seed
from tests.faults import classroom
from tests.faults.classroom import Learner
from tests.faults.figures import COLUMNS, Figures
from tests.faults.processes import orders_for
from tests.faults.victim import Orders

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "faults.json"
PROPERTY = "figures"
MAIL_PROPERTY = "mail figures"
WIDTH = 130

_opened = pytest.StashKey[list[Figures]]()
_failed = pytest.StashKey[bool]()


def _whole(config: pytest.Config) -> bool:
    """Whether every fault is to be caused: `-m faults`."""
    return "faults" in config.getoption("markexpr")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: causes faults; `make faults` runs all of them")
    config.addinivalue_line("markers", "quick: a fault that is also caused by a plain run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what is in this folder; without `-m faults` keep the quick ones only."""
    ours = [item for item in items if item.path.parent == HERE]
    for item in ours:
        item.add_marker(pytest.mark.faults)
    if not _whole(config):
        slow = [item for item in ours if item.get_closest_marker("quick") is None]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table and write its JSON."""
    rows: dict[str, dict[str, Any]] = {}
    mails: list[dict[str, Any]] = []
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "when", None) != "call":
                continue
            for name, document in report.user_properties:
                if name == PROPERTY:
                    _merge(rows, document, kept=report.passed)
                if name == MAIL_PROPERTY:
                    mails.append(document)
    if not rows or not _whole(config):
        return
    terminalreporter.ensure_newline()
    _print(list(rows.values()))
    _print_mails(mails)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(list(rows.values()), indent=2) + "\n", encoding="utf-8")
    terminalreporter.write_line(f"written to {RESULTS.relative_to(ROOT)}")


def _merge(rows: dict[str, dict[str, Any]], document: dict[str, Any], *, kept: bool) -> None:
    row = rows.setdefault(document["fault"], {"fault": document["fault"]})
    for name, value in document.items():
        if isinstance(value, int) and not isinstance(value, bool):
            row[name] = row.get(name, 0) + value
    row["kept"] = row.get("kept", True) and kept and document["checked"]


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Faults", title_justify="left", title_style="bold")
    table.add_column("fault", overflow="fold")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    table.add_column("promise")
    for row in rows:
        verdict = "kept" if row["kept"] else "[bold red]BROKEN"
        table.add_row(row["fault"], *(f"{row[column]:,}" for column in COLUMNS), verdict)
    console = Console()
    console.width = max(console.width, WIDTH)  # names of faults are sentences
    console.print(table)


def _print_mails(rows: list[dict[str, Any]]) -> None:
    """What became of mails, a column a case."""
    from rich.console import Console
    from rich.table import Table

    if not rows:
        return
    table = Table(title="Mails", title_justify="left", title_style="bold")
    table.add_column("")
    for row in rows:
        table.add_column(row["case"], justify="right")
    for name in [name for name in rows[0] if name != "case"]:
        table.add_row(name, *(f"{row[name]:,}" for row in rows))
    Console().print(table)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Callable[..., Figures]]:
    """Opens a row of the table: `figures("name of the fault")`."""
    opened: list[Figures] = []

    def open_row(fault: str, **details: Any) -> Figures:
        row = Figures(fault, **details)
        opened.append(row)
        return row

    request.node.stash[_opened] = opened
    yield open_row
    if not request.node.stash.get(_failed, False):
        assert all(row.checked for row in opened), "a test has to hold its figures to the promise"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Iterator[Any]:
    """Send a test's rows along with its report, also when it failed."""
    if call.when == "call":
        item.stash[_failed] = call.excinfo is not None
        for row in item.stash.get(_opened, []):
            item.user_properties.append((PROPERTY, row.document()))
    return (yield)


@pytest.fixture(scope="session")
def whole(pytestconfig: pytest.Config) -> bool:
    """Whether this is `make faults`: the numbers of the promise, not a sample of them."""
    return _whole(pytestconfig)


@pytest.fixture(scope="session")
def fault_cluster(request: pytest.FixtureRequest, whole: bool) -> Iterator[postgres.Cluster]:
    """A durable PostgreSQL of our own; in a plain run the one that all tests share."""
    if not whole:
        yield request.getfixturevalue("cluster")
        return
    with postgres.running(state() / "faults") as started:
        yield started


def state() -> Path:
    """Where the clusters of the tests are."""
    return Path(os.environ.get("STUDYPACK_TEST_STATE", ROOT / ".local" / "tests"))


@pytest.fixture(scope="session")
def prepared(
    request: pytest.FixtureRequest, fault_cluster: postgres.Cluster, whole: bool
) -> Iterator[tuple[str, list[Learner]]]:
    """A database where 200 learners (a plain run: 24) sit an exam, to be cloned."""
    name = f"faults_{uuid4().hex[:12]}"
    if whole:
        url = prepare(fault_cluster, name)
    else:
        template = request.getfixturevalue("template_database")
        url = postgres.clone_database(fault_cluster, template, name)
    yield name, classroom.enrol(url, 200 if whole else 24)
    postgres.drop_database(fault_cluster, name)


def prepare(cluster: postgres.Cluster, name: str) -> str:
    """A database with schema and sample content."""
    url = postgres.ensure_database(cluster, name)
    migrate.upgrade(url)
    with environment.applied({"DATABASE_URL": url}):
        seed.seed(settings=seed.EVERYTHING_FREE)
    return url


@pytest.fixture
def learners(prepared: tuple[str, list[Learner]]) -> list[Learner]:
    """Each with a running exam in the test's own database."""
    return prepared[1]


@pytest.fixture
def url(fault_cluster: postgres.Cluster, prepared: tuple[str, list[Learner]]) -> Iterator[str]:
    """A database of this test's own, with the learners."""
    name = f"fault_{uuid4().hex[:12]}"
    made = postgres.clone_database(fault_cluster, prepared[0], name)
    yield made
    postgres.drop_database(fault_cluster, name)


@pytest.fixture
def orders(url: str, tmp_path: Path) -> Orders:
    """How processes of the product run on that database; their log is in the test's folder."""
    return orders_for(url, tmp_path / "victims.log")
