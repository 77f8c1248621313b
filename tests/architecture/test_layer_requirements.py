"""What the code imports is there on Lambda: in the layer's requirements, or in the runtime."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from local import template as sam

LAYER = sam.ROOT / "layers" / "shared" / "python"
FUNCTIONS = sam.ROOT / "functions"
MIGRATE = FUNCTIONS / "ops" / "migrate"
PRINTS = {
    LAYER / "studypack" / "billing" / "invoice_pdf.py": FUNCTIONS / "api" / "billing",
    LAYER / "studypack" / "courses" / "certificate_pdf.py": FUNCTIONS / "api" / "courses",
}
"""The modules of the layer that import what only one function carries, and which."""

RUNTIME = {"boto3", "botocore", "urllib3"}
"""What Lambda's Python image brings (urllib3 as botocore's own HTTP client)."""
OURS = {"studypack", *(path.name for path in FUNCTIONS.iterdir() if path.is_dir())}


def distributions(requirements: Path) -> set[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in lines)
    return {_normalized(name[0]) for name in names if name}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> Iterator[str]:
    """The outermost packages that a module imports anywhere, also within functions and for types
    (whatever stands there may move out of TYPE_CHECKING some day).
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


@lru_cache(maxsize=1)
def _owners() -> Mapping[str, list[str]]:
    return packages_distributions()


def missing(path: Path, available: set[str]) -> set[str]:
    owners = _owners()
    foreign = set(imported(path)) - sys.stdlib_module_names - OURS - RUNTIME
    return {
        name
        for name in foreign
        if not {_normalized(owner) for owner in owners.get(name, [])} & available
    }


MODULES = sorted([*LAYER.rglob("studypack/**/*.py"), *FUNCTIONS.rglob("*.py")])


@pytest.fixture(scope="module")
def layer() -> set[str]:
    return distributions(LAYER / "requirements.txt")


def test_every_import_of_the_layer_and_the_functions_is_installed_on_lambda(
    layer: set[str],
) -> None:
    migrations = layer | distributions(MIGRATE / "requirements.txt")
    printing = {
        module: layer | distributions(function / "requirements.txt")
        for module, function in PRINTS.items()
    }
    found = {
        str(path.relative_to(sam.ROOT)): names
        for path in MODULES
        if (
            names := missing(
                path,
                migrations if path.is_relative_to(MIGRATE) else printing.get(path, layer),
            )
        )
    }

    assert len(MODULES) > 50
    assert found == {}


def test_an_import_that_only_this_machine_can_do_is_found(tmp_path: Path, layer: set[str]) -> None:
    module = tmp_path / "module.py"
    module.write_text("import json\n\ndef late():\n    from moto.server import main\n")

    assert missing(module, layer) == {"moto"}


@pytest.mark.parametrize("module", PRINTS, ids=lambda path: path.stem)
def test_only_the_function_that_carries_them_prints_documents(module: Path) -> None:
    package, name = module.parent.name, module.stem
    importing = {
        path
        for path in MODULES
        for source in [path.read_text(encoding="utf-8")]
        if f"studypack.{package}.{name}" in source
        or re.search(rf"studypack\.{package} import [^\n]*\b{name}\b", source)
    }

    assert importing
    assert all(path.is_relative_to(PRINTS[module]) for path in importing)
