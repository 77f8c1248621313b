"""Where things stand: SQL below the routes, commits in core/database, nothing too long to read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "shared" / "python" / "studypack"
FUNCTIONS = ROOT / "functions"
DATABASE = LAYER / "core" / "database"

LONGEST_MODULE = 450
LONGEST_FUNCTION = 60

LONGER_MODULES: dict[str, str] = {}
"""By path below studypack, with the reason."""

LONGER_FUNCTIONS = {
    "exams/sessions.py: load": "one statement with its seven joins, and the view made of its rows",
}
"""By path below studypack and name, with the reason."""

COMMITTING = {
    "functions/ops/migrate/schema.py": "Alembic's connection, and the lock that outlives it",
}
"""Outside core/database, by path, with the reason."""

SQL_MAKERS = {"select", "insert", "update", "delete", "text", "func", "literal_column"}
SQL_SENDERS = {"execute", "scalar", "scalars", "stream", "stream_scalars", "get", "add", "add_all"}
ENDINGS = {"commit", "rollback"}


def sources(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, folder
    return found


def sql_in(source: str) -> Iterator[str]:
    """What a route must not do itself: import SQLAlchemy, write a statement, send one."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(name)) if name.partition(".")[0] == "sqlalchemy":
                # A session's type is no statement.
                yield from (each.name for each in node.names if each.name != "Session")
            case ast.Import(names=names):
                yield from (each.name for each in names if each.name.startswith("sqlalchemy"))
            case ast.Call(func=ast.Name(id=name)) if name in SQL_MAKERS:
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="session"), attr=name)):
                if name in SQL_SENDERS:
                    yield f"session.{name}()"


def endings_in(source: str) -> Iterator[int]:
    """The lines that end a transaction, as a call or as a function handed over."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ENDINGS:
            yield node.lineno


def functions_of(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's name and how many lines it has, from `def` to its end."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def below(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def test_routes_hold_no_sql() -> None:
    routes = sorted(FUNCTIONS.glob("api/**/routes.py"))
    assert len(routes) >= 4

    found = {below(ROOT, path): list(sql_in(path.read_text(encoding="utf-8"))) for path in routes}

    assert {path: sql for path, sql in found.items() if sql} == {}


@pytest.mark.parametrize(
    "source",
    [
        "from sqlalchemy import select",
        "import sqlalchemy as sa",
        "def route(session): return session.execute(statement)",
        "def route(session): return session.scalar(statement)",
        "found = text('SELECT 1')",
    ],
)
def test_sql_in_a_route_is_found(source: str) -> None:
    assert list(sql_in(source))


def test_nothing_but_core_database_ends_a_transaction() -> None:
    found = {
        below(ROOT, path): list(endings_in(path.read_text(encoding="utf-8")))
        for folder in (LAYER, FUNCTIONS)
        for path in sources(folder)
        if DATABASE not in path.parents
    }
    ending = {path: lines for path, lines in found.items() if lines}

    assert {path: lines for path, lines in ending.items() if path not in COMMITTING} == {}
    assert set(COMMITTING) <= set(ending), "an exception that nothing needs any more"


@pytest.mark.parametrize(
    "source", ["session.commit()", "connection.rollback()", "run(session.commit)"]
)
def test_the_end_of_a_transaction_is_found(source: str) -> None:
    assert list(endings_in(source))


def test_no_module_of_the_layer_is_too_long_to_read() -> None:
    lengths = {
        below(LAYER, path): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(LAYER)
    }
    longer = {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE}

    assert {path: lines for path, lines in longer.items() if path not in LONGER_MODULES} == {}
    assert set(LONGER_MODULES) <= set(longer), "an exception that nothing needs any more"


def test_no_function_of_the_layer_is_too_long_to_read() -> None:
    longer = {
        f"{below(LAYER, path)}: {name}": lines
        for path in sources(LAYER)
        for name, lines in functions_of(path)
        if lines > LONGEST_FUNCTION
    }

    assert {name: lines for name, lines in longer.items() if name not in LONGER_FUNCTIONS} == {}
    assert set(LONGER_FUNCTIONS) <= set(longer), "an exception that nothing needs any more"
