"""One function's artifact: its own files, and nothing of a sibling."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from local.build import packages
from local.build.bytecode import compile_folder
from local.build.errors import BuildError
from local.build.platforms import Platform
from local.template import ROOT, Function

FUNCTIONS = ROOT / "functions"
REQUIREMENTS = "requirements.txt"

ALSO: Mapping[str, tuple[Path, ...]] = {"ops.migrate": (ROOT / "layers/shared/migrations",)}
"""Folders that a function needs beside its code, and that the layer spares the others."""


def build_function(function: Function, target: Path, platform: Platform) -> bool:
    """Build a function's artifact in an empty folder; whether it could be compiled.

    Raises BuildError if the handler is not there, or a module imports a sibling's.
    """
    files = own_files(function)
    check(function, files)
    requirements = _home(function) / REQUIREMENTS
    if requirements.is_file():
        packages.install(requirements, target, platform)
    for path in files:
        destination = target / path.relative_to(FUNCTIONS)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, destination)
    for folder in ALSO.get(function.name, ()):
        destination = target / _home(function).relative_to(FUNCTIONS) / folder.name
        shutil.copytree(folder, destination, ignore=packages.ignore_bytecode)
    compiled = compile_folder(target, platform.python)
    packages.make_readable(target)
    return compiled


def own_files(function: Function) -> list[Path]:
    """The files of functions/ that belong to a function: its folder, or its one module."""
    home = _home(function)
    if home.is_dir():
        files = (path for path in home.rglob("*") if path.is_file())
        unneeded = {".pyc", REQUIREMENTS}
        return sorted(path for path in files if not unneeded & {path.suffix, path.name})
    return [home] if home.is_file() else []


def check(function: Function, files: list[Path]) -> None:
    """Raise BuildError unless the files define the handler and import no sibling."""
    handler = FUNCTIONS / Path(*function.module.split(".")).with_suffix(".py")
    who = f"{function.logical_id}: Handler {function.module}.{function.attribute}"
    if handler not in files:
        raise BuildError(f"{who}: there is no functions/{handler.relative_to(FUNCTIONS)}")
    if function.attribute not in _defined(_tree(handler)):
        raise BuildError(
            f"{who}: functions/{handler.relative_to(FUNCTIONS)} defines no {function.attribute}"
        )
    inside = {_module(path) for path in files if path.suffix == ".py"}
    kinds = {path.name for path in FUNCTIONS.iterdir()}
    for path in files:
        if path.suffix != ".py":
            continue
        for names in _imported(_tree(path)):
            if names[0].partition(".")[0] in kinds and not inside.intersection(names):
                raise BuildError(
                    f"{function.logical_id}: functions/{path.relative_to(FUNCTIONS)} imports"
                    f" {names[0]}, which is not in its artifact; what functions share belongs in"
                    " the layer"
                )


def _home(function: Function) -> Path:
    """Its folder (`api/exams/`), or for a function of one module its file (`cron/job.py`)."""
    place = FUNCTIONS / Path(*function.name.split("."))
    return place if function.module != function.name else place.with_suffix(".py")


def _module(path: Path) -> str:
    return ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts)


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        where = f"functions/{path.relative_to(FUNCTIONS)}, line {error.lineno}"
        raise BuildError(f"{where}: {error.msg}") from None


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (each.asname or each.name for each in node.names)


def _imported(tree: ast.Module) -> Iterator[tuple[str, ...]]:
    """Each import as the modules that it may mean: `from a import b` loads a, or a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((each.name,) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, f"{node.module}.{each.name}") for each in node.names)
