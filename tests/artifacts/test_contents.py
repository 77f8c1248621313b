"""What is deployed, looked at file by file: for whose machine, how large, and nothing else's."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest

from local import template as sam
from local.build import sizes
from tests.artifacts.conftest import Built

pytestmark = [pytest.mark.artifacts, pytest.mark.timeout(300)]

FUNCTIONS = sam.read().functions
AARCH64 = 183
"""ELF's e_machine."""

COMES_WITH_THE_IMAGE = {"boto3", "botocore", "s3transfer", "awslambdaric"}
FOR_OTHERS = {
    "alembic",
    "moto",
    "numpy",
    "pytest",
    "rich",
    "uvicorn",
    "migrations",
    "local",
    "tests",
}


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def top_level(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.name)
def test_a_deployed_artifact_holds_only_its_own_function(
    function: sam.Function, deployed: Built
) -> None:
    folder = deployed.artifact(function)
    place = function.name.replace(".", "/")
    roots = {each.name.partition(".")[0] for each in FUNCTIONS}
    ours = [path for path in files(folder) if path.relative_to(folder).parts[0] in roots]
    names = {path.relative_to(folder).as_posix().replace("__pycache__/", "") for path in ours}
    own = re.compile(rf"{place}(/.*|\.py|\.cpython-313\.pyc)")

    assert [name for name in names if not own.fullmatch(name)] == []
    assert function.module.replace(".", "/") + ".py" in names
    requirements = sam.ROOT / "functions" / place / "requirements.txt"
    if not requirements.is_file():
        assert top_level(folder) == {function.name.partition(".")[0]}


def test_the_migrating_function_has_the_migrations_and_alembic_and_nobody_else_has(
    deployed: Built,
) -> None:
    have = {
        function.name
        for function in FUNCTIONS
        if list(deployed.artifact(function).rglob("migrations/env.py"))
    }
    alembic = {each.name for each in FUNCTIONS if (deployed.artifact(each) / "alembic").is_dir()}

    assert have == alembic == {each.name for each in FUNCTIONS if each.name == "ops.migrate"}


def test_the_layer_holds_the_package_its_pins_and_nothing_of_the_image_or_of_tests(
    deployed: Built,
) -> None:
    folder = deployed.layer / "python"
    names = top_level(folder)
    pins = (sam.ROOT / "layers/shared/python/requirements.txt").read_text(encoding="utf-8")
    pinned = {
        f"{name.replace('-', '_').lower()}-{version}.dist-info"
        for name, version in re.findall(r"^(\S+)==(\S+)$", pins, re.MULTILINE)
    }

    assert top_level(deployed.layer) == {"python"}
    assert {name.lower() for name in names if name.endswith(".dist-info")} == pinned
    assert names & (COMES_WITH_THE_IMAGE | FOR_OTHERS) == set()
    assert [path for path in folder.rglob("*") if path.name in {"tests", "test"}] == []
    sources = sam.ROOT / "layers/shared/python/studypack"
    assert {
        path.relative_to(folder / "studypack") for path in folder.glob("studypack/**/*.py")
    } == {path.relative_to(sources) for path in sources.rglob("*.py")}


def test_every_native_module_is_for_lambdas_machine_and_python(deployed: Built) -> None:
    native = [path for path in files(deployed.folder) if re.search(r"\.so(\.|$)", path.name)]

    assert len(native) >= 5
    for path in native:
        header = path.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", path
        assert struct.unpack_from("<H", header, 18) == (AARCH64,), path
        assert "cpython-3" not in path.name or "cpython-313-aarch64" in path.name, path


def test_no_native_module_needs_a_newer_glibc_than_lambdas(deployed: Built) -> None:
    for path in files(deployed.folder):
        if ".so" in path.suffixes:
            needed = re.findall(rb"GLIBC_2\.(\d+)", path.read_bytes())
            assert max(map(int, needed), default=0) <= 34, path


def test_all_bytecode_is_of_the_runtimes_python_and_no_path_of_this_machine_is_in_it(
    deployed: Built,
) -> None:
    compiled = [path for path in files(deployed.folder) if path.suffix == ".pyc"]

    for path in compiled:
        assert path.name.endswith(".cpython-313.pyc"), path
        content = path.read_bytes()
        assert struct.unpack_from("<I", content, 4) == (0b01,), f"{path} is checked at import"
        assert str(sam.ROOT).encode() not in content, path


def test_everybody_may_read_what_is_deployed(deployed: Built) -> None:
    closed = [path for path in files(deployed.folder) if not path.stat().st_mode & 0o004]

    assert closed == []


def test_everything_is_within_lambdas_limits_and_our_own(deployed: Built) -> None:
    measured = {name: sizes.measure(name, folder) for name, folder in sizes.built(deployed.folder)}
    layer = measured["SharedLayer"]

    assert set(measured) == {"SharedLayer", *(each.logical_id for each in FUNCTIONS)}
    sizes.check(list(measured.values()))
    for size in measured.values():
        assert size.unpacked + layer.unpacked < 250 * sizes.MEGABYTE
        assert size.zipped < 50 * sizes.MEGABYTE


def test_the_artifacts_of_this_machine_are_the_deployed_ones_but_for_native_modules(
    deployed: Built, here: Built
) -> None:
    def sources(built: Built) -> dict[str, bytes]:
        found = (path for path in files(built.folder) if path.suffix == ".py")
        return {str(path.relative_to(built.folder)): path.read_bytes() for path in found}

    ran, deploys = sources(here), sources(deployed)
    different = [name for name in ran.keys() | deploys if ran.get(name) != deploys.get(name)]
    assert sorted(different) == []


def test_every_module_of_the_layer_can_be_imported_from_it_alone(
    here: Built, python: Path, import_path: tuple[Path, ...]
) -> None:
    folder = here.layer / "python"
    modules = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.glob("studypack/**/*.py")
    )
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"

    found = subprocess.run(
        [python, "-c", program, *modules],
        cwd=here.folder,
        env={"PYTHONPATH": ":".join(map(str, import_path)), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )

    assert found.returncode == 0, found.stderr
    assert len(modules) > 40
