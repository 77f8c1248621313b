"""What would let input run as code or as a command is called nowhere in what is deployed."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.test_ownership import OPERATIONS

ROOT = Path(__file__).parents[2]
DEPLOYED = [ROOT / "layers/shared/python/studypack", ROOT / "functions"]
CALLS = {"eval", "exec", "compile", "__import__"}
MODULES = {"pickle", "marshal", "shelve", "subprocess", "ctypes", "xml", "yaml", "pty", "jinja2"}
YAML = "layers/shared/python/studypack/admin/course_files/yaml_text.py"
ALLOWED = {
    # Mails are made of the templates in its own folder, and of nothing that is told at run time.
    "layers/shared/python/studypack/emails/render.py": {"jinja2", "jinja2.runtime"},
    YAML: {"yaml"},
}


def _dangers(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                found.append(name)
            case ast.Attribute(value=ast.Name(id="os"), attr=("system" | "popen") as name):
                found.append(f"os.{name}")
            case ast.Attribute(attr="from_string"):
                found.append("from_string")
            case ast.Import(names=names):
                found += [n.name for n in names if n.name.partition(".")[0] in MODULES]
            case ast.ImportFrom(module=str(name)) if name.partition(".")[0] in MODULES:
                found.append(name)
    return found


def test_nothing_that_is_deployed_runs_text_starts_programs_or_reads_pickles() -> None:
    sources = [path for folder in DEPLOYED for path in folder.rglob("*.py")]
    assert len(sources) > 50

    found = {
        name: set(_dangers(path.read_text(encoding="utf-8"))) - ALLOWED.get(name, set())
        for path in sources
        if (name := str(path.relative_to(ROOT)))
    }

    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "source",
    [
        "eval(x)",
        "exec(x)",
        "import os\nos.system(x)",
        "import pickle",
        "from subprocess import run",
        "environment.from_string(x)",
    ],
)
def test_a_dangerous_call_is_found(source: str) -> None:
    assert _dangers(source)


def test_yaml_is_read_without_making_objects() -> None:
    tree = ast.parse((ROOT / YAML).read_text(encoding="utf-8"))
    loaders = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "yaml"
        for alias in node.names
    }
    assert {each for each in loaders if "Loader" in each} == {"CSafeLoader", "SafeLoader"}
    unsafe = {"unsafe_load", "full_load", "Loader", "FullLoader", "UnsafeLoader", "CLoader"}
    assert unsafe.isdisjoint(
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
    )


def test_transport_outside_is_tls_1_2_with_a_certificate_of_acm() -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")

    assert template.count("SecurityPolicy: TLS_1_2") == template.count("SecurityPolicy:") == 1
    assert "CertificateArn: !Ref" in template


NOTED_WHEN_READ = {
    "/oauth/": "a trip to a provider begins: in a row that the visitor's own cookie points to",
    "/api/certificates/{code}": "whoever tries codes is counted",
}


def test_what_is_only_read_changes_nothing(
    learner: Any, admin: Any, statements: Callable[[], list[str]]
) -> None:
    statements()
    tried = 0
    for operation in OPERATIONS:
        if operation.method != "GET" or operation.parameters:
            continue
        if any(part in operation.path for part in NOTED_WHEN_READ):
            continue
        for caller in (learner, admin):
            tried += 1
            assert caller.get(operation.path).status_code < 500
        writes = [
            sql
            for sql in statements()
            if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        ]
        assert writes == [], operation.name
    assert tried >= 20
