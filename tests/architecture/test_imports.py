"""Who may import whom: the floors, the functions apart from each other, and what a cold start pays.

Each import runs in an interpreter of its own, because this one has loaded everything already.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local import template as sam

ROOT = sam.ROOT
LAYER = ROOT / "layers" / "shared" / "python"
FUNCTIONS = sam.read().functions

WEB = {"fastapi", "starlette", "mangum", "anyio", "email_validator"}
NEVER_AT_IMPORT = {
    "boto3": "AWS clients are made where a call is made (core/aws.py)",
    "botocore.session": "the same; Powertools itself loads botocore.config",
    "stripe": "0.15 s, for the few calls that need it",
    "jinja2": "mails are rendered by a worker",
    "argon2": "hashing is imported where a password is checked",
    "cryptography": "22 ms, for the few requests that sign a receipt or check a signature",
    "aws_xray_sdk": "0.4 s; Lambda traces without it",
    "numpy": "nothing here needs it",
    "moto": "a stand-in of the local stack",
    "alembic": "migrations are not a function's work",
    "local": "the one-machine stack does not exist on Lambda",
}
"""Together these would double a cold start."""

HEAVY: dict[sam.Kind, set[str]] = {
    sam.Kind.API: set(NEVER_AT_IMPORT),
    sam.Kind.CRON: set(NEVER_AT_IMPORT) | WEB,
    sam.Kind.WORKER: set(NEVER_AT_IMPORT) | WEB,
    sam.Kind.WEBHOOK: set(NEVER_AT_IMPORT) | WEB,
    sam.Kind.OPS: set(NEVER_AT_IMPORT) | WEB,
}

MODEL_MODULES = sorted(
    ".".join(path.relative_to(LAYER).with_suffix("").parts)
    for path in LAYER.glob("studypack/**/models.py")
)

LOOK = """
import importlib, json, os, sys
# What every function loads anyway; each look is then a fork, so that it sees its own imports only.
import aws_lambda_powertools, pg8000, pydantic, sqlalchemy.orm, sqlalchemy.dialects.postgresql

def look(module):
    importlib.import_module(module)
    loaded = sorted(sys.modules)
    from studypack.core.database import Base
    tables = Base.metadata.tables
    try:
        sqlalchemy.orm.configure_mappers()
        keys = [key for table in tables.values() for key in table.foreign_keys]
        missing = [key.target_fullname for key in keys if key.column.table.fullname not in tables]
    except sqlalchemy.exc.SQLAlchemyError as error:
        missing = [str(error)]
    return {"module": module, "loaded": loaded, "tables": sorted(tables), "missing": missing}

for module in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        print(json.dumps(look(module)), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{module} cannot be imported alone")
"""


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """What each module loads when it is the first of our code that an interpreter sees, with the
    import path of a function.
    """
    path = os.pathsep.join(str(each) for each in (LAYER, ROOT / "functions"))
    modules = [*(function.module for function in FUNCTIONS), *MODEL_MODULES]
    found = subprocess.run(
        [sys.executable, "-c", LOOK, *modules],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(sys.prefix),
        env={
            "PYTHONPATH": path,
            "AWS_LAMBDA_FUNCTION_NAME": "test",
            "DATABASE_URL": "postgresql://127.0.0.1/none",
        },
    )
    assert found.returncode == 0, found.stderr
    return {look["module"]: look for look in map(json.loads, found.stdout.splitlines())}


def test_every_import_contract_of_the_project_is_kept() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(LAYER), "functions", "."])},
    )

    assert found.returncode == 0, found.stdout + found.stderr
    assert "0 broken" in found.stdout


def test_every_package_of_the_layer_stands_on_a_floor() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = project["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name.strip() for floor in floors for name in floor.split("|")}
    packages = {f"studypack.{path.parent.name}" for path in LAYER.glob("studypack/*/__init__.py")}

    assert packages == named


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_handler_loads_no_sibling_and_nothing_heavy(
    function: sam.Function, alone: dict[str, Any]
) -> None:
    loaded = set(alone[function.module]["loaded"])
    kinds = {each.name.partition(".")[0] for each in FUNCTIONS}
    own = function.name if function.kind is sam.Kind.CRON else function.package
    siblings = {
        name
        for name in loaded
        if name.partition(".")[0] in kinds
        and "." in name
        and name != own
        and not name.startswith(f"{own}.")
    }

    assert function.module in loaded
    assert siblings == set()
    assert loaded & HEAVY[function.kind] == set()


def test_there_are_models_to_look_at() -> None:
    assert len(MODEL_MODULES) >= 7


@pytest.mark.parametrize("module", [*(each.module for each in FUNCTIONS), *MODEL_MODULES])
def test_a_flush_that_starts_from_one_module_finds_every_table_it_points_to(
    module: str, alone: dict[str, Any]
) -> None:
    # A mapper or a foreign key that needs a table which nobody imported fails at the first flush.
    assert alone[module]["missing"] == []
    assert alone[module]["tables"] or module not in MODEL_MODULES
