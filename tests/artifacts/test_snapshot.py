"""What SnapStart would freeze into a snapshot that many environments then start from.

A snapshot is taken after the handler's module is imported. Imports belong in it; a connection, a
secret, settings or random state do not, because every environment would have the same.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local import template as sam
from tests.artifacts.conftest import Built

pytestmark = [pytest.mark.artifacts, pytest.mark.timeout(300)]

FUNCTIONS = sam.read().functions

HARMLESS = {
    "opentelemetry/context/__init__.py": "names of keys inside one process (FastAPI imports it)",
    "multiprocessing/process.py": "the key of a manager's socket; boto3 imports it, we have none",
}
"""Who may draw something random at import, and why that may be the same everywhere."""

LOOKS_FOR_IPV6 = "urllib3/util/connection.py"
"""Binds a socket to ::1 and closes it, to see whether the machine has IPv6: no connection."""

PROBE = """
import importlib, json, os, sys, traceback

seen = {"network": [], "random": [], "compiled": [], "processes": []}

def watch(event, arguments):
    if event.startswith("socket.") and event != "socket.__new__":
        caller = traceback.extract_stack(limit=2)[0].filename
        seen["network"].append(f"{event} by {caller}")
    elif event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "_thread.start_new_thread"):
        seen["processes"].append(event)

sys.addaudithook(watch)

def recorded(module, name):
    original = getattr(module, name)
    def call(*arguments, **options):
        caller = traceback.extract_stack(limit=2)[0].filename
        if module is not os or caller != uuid.__file__:
            seen["random"].append(f"{name} by {caller}")
        return original(*arguments, **options)
    setattr(module, name, call)

import uuid
for module, names in ((os, ("urandom", "getrandom")), (uuid, ("uuid1", "uuid4"))):
    for name in names:
        recorded(module, name)

from importlib.machinery import SourceFileLoader
to_code = SourceFileLoader.source_to_code
def noted(self, data, path, **options):
    seen["compiled"].append(str(path))
    return to_code(self, data, path, **options)
SourceFileLoader.source_to_code = noted

importlib.import_module(sys.argv[1])

from studypack.core import aws, config
from studypack.core.database import engine
caches = {
    "connection": engine.get_engine, "settings": config.get_settings, "client": aws.client
}
seen["caches"] = [name for name, each in caches.items() if each.cache_info().currsize]
parameters = sys.modules.get("aws_lambda_powertools.utilities.parameters.base")
if parameters is not None and parameters.DEFAULT_PROVIDERS:
    seen["caches"].append("parameters")
seen["modules"] = sorted(sys.modules)
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def imported(here: Built, python: Path, import_path: tuple[Path, ...]) -> dict[str, dict[str, Any]]:
    """What each function's handler does when it is imported in an environment like Lambda's."""
    found = {}
    for function in FUNCTIONS:
        answer = subprocess.run(
            [python, "-c", PROBE, function.module],
            cwd=here.artifact(function),
            env={
                "PYTHONPATH": os.pathsep.join(map(str, (here.artifact(function), *import_path))),
                "PYTHONDONTWRITEBYTECODE": "1",
                "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
                "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
                "DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/none",
            },
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert answer.returncode == 0, answer.stderr
        found[function.name] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS])
def test_importing_a_handler_opens_no_connection_and_starts_nothing(
    name: str, imported: dict[str, dict[str, Any]]
) -> None:
    looks = f"/{LOOKS_FOR_IPV6}"
    talked = [
        each
        for each in imported[name]["network"]
        if not (each.startswith("socket.bind ") and each.endswith(looks))
    ]

    assert talked == []
    assert imported[name]["processes"] == []


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS])
def test_importing_a_handler_reads_no_settings_and_no_secret(
    name: str, imported: dict[str, dict[str, Any]]
) -> None:
    assert imported[name]["caches"] == []


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS])
def test_importing_a_handler_draws_nothing_random(
    name: str, imported: dict[str, dict[str, Any]]
) -> None:
    drawn = [each for each in imported[name]["random"] if not each.endswith(tuple(HARMLESS))]

    assert drawn == []


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS])
def test_importing_a_handler_compiles_nothing(
    name: str, here: Built, imported: dict[str, dict[str, Any]]
) -> None:
    shipped = [path for path in imported[name]["compiled"] if path.startswith(str(here.folder))]

    assert shipped == []


@pytest.mark.parametrize("name", [each.name for each in FUNCTIONS if each.kind is sam.Kind.API])
def test_an_api_functions_snapshot_holds_what_its_requests_need(
    name: str, imported: dict[str, dict[str, Any]]
) -> None:
    needed = {"fastapi", "mangum", "pydantic", "sqlalchemy.orm", "pg8000"}

    assert needed - set(imported[name]["modules"]) == set()


def test_nothing_of_ours_uses_the_generators_whose_state_a_snapshot_would_copy() -> None:
    """`random` seeds itself when it is imported; `os.urandom` and `secrets` ask the system."""
    used = [
        f"{path.relative_to(sam.ROOT)}:{node.lineno}"
        for folder in ("layers/shared/python/studypack", "functions")
        for path in sorted((sam.ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Import) and any(each.name == "random" for each in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    ]

    assert used == []
