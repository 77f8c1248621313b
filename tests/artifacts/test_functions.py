"""What the build puts into an artifact, and what it refuses; nothing is fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local import build
from local import template as sam
from local.build import bytecode, functions, packages, sizes
from local.build.platforms import RUNTIME_PYTHON, find_python

HERE = build.Platform("x86_64", "{}.{}".format(*sys.version_info[:2]))
ALONE = [
    function
    for function in sam.read().functions
    if not (sam.ROOT / "functions" / Path(*function.name.split(".")) / "requirements.txt").exists()
]
"""Those that need no packages of their own."""


def contents(folder: Path) -> set[str]:
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if path.suffix != ".pyc"}


@pytest.mark.parametrize("function", ALONE, ids=lambda each: each.name)
def test_an_artifact_holds_its_function_and_nothing_else(
    function: sam.Function, tmp_path: Path
) -> None:
    assert build.build_function(function, tmp_path, HERE)

    place = function.name.replace(".", "/")
    expected = {
        path.relative_to(sam.ROOT / "functions").as_posix()
        for pattern in (f"{place}.py", f"{place}/*.py")
        for path in (sam.ROOT / "functions").glob(pattern)
    }
    assert contents(tmp_path) == expected
    assert function.module.replace(".", "/") + ".py" in expected
    assert sizes.measure(function.name, tmp_path).compiled


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A functions/ folder with two functions of which one is whole."""
    root = tmp_path / "functions"
    files = {
        "api/good/handler.py": "from api.good import routes\nhandler = routes.handler\n",
        "api/good/routes.py": "def handler(event, context): ...\n",
        "cron/job.py": "def handler(event, context): ...\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(functions, "FUNCTIONS", root)
    return root


def function(module: str = "api.good.handler", attribute: str = "handler") -> sam.Function:
    return replace(sam.read().functions[0], logical_id="It", module=module, attribute=attribute)


def test_a_module_may_import_its_own_folder(tree: Path, tmp_path: Path) -> None:
    build.build_function(function(), tmp_path / "built", HERE)

    assert contents(tmp_path / "built") == {"api/good/handler.py", "api/good/routes.py"}


@pytest.mark.parametrize(
    ("module", "attribute", "message"),
    [
        ("api.absent.handler", "handler", "It: Handler api.absent.handler.handler: there is no"),
        ("cron.absent", "handler", "there is no functions/cron/absent.py"),
        ("api.good.handler", "absent", "functions/api/good/handler.py defines no absent"),
    ],
)
def test_a_handler_that_is_not_there_is_named(
    module: str, attribute: str, message: str, tree: Path, tmp_path: Path
) -> None:
    with pytest.raises(build.BuildError, match=message):
        build.build_function(function(module, attribute), tmp_path / "built", HERE)

    assert not (tmp_path / "built").exists()


@pytest.mark.parametrize(
    "line", ["import cron.job", "from cron import job", "from cron.job import handler as other"]
)
def test_an_import_of_a_sibling_is_refused_with_its_file(
    line: str, tree: Path, tmp_path: Path
) -> None:
    (tree / "api/good/routes.py").write_text(f"def handler(event, context):\n    {line}\n")

    with pytest.raises(build.BuildError, match=r"functions/api/good/routes.py imports cron"):
        build.build_function(function(), tmp_path / "built", HERE)


def test_a_syntax_error_is_named_with_its_line(tree: Path, tmp_path: Path) -> None:
    (tree / "api/good/routes.py").write_text("ok = 1\ndef handler(:\n")

    with pytest.raises(build.BuildError, match=r"functions/api/good/routes.py, line 2"):
        build.build_function(function(), tmp_path / "built", HERE)


def test_bytecode_is_read_whatever_the_files_times_and_shows_no_path_of_the_builder(
    tmp_path: Path,
) -> None:
    module = tmp_path / "thing.py"
    module.write_text("def fail():\n    raise ValueError\n")
    assert bytecode.compile_folder(tmp_path, HERE.python)
    module.write_text("raise SystemExit('the source was read')\n")
    os.utime(module, (0, 0))

    found = subprocess.run(
        [sys.executable, "-c", "import thing; print(thing.fail.__code__.co_filename)"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    # Python puts the place it found the file at in again; the compiled name itself is relative.
    assert b"thing.py" in (compiled := next(tmp_path.rglob("*.pyc")).read_bytes())
    assert str(tmp_path).encode() not in compiled


def test_without_the_runtimes_python_nothing_is_compiled_and_the_build_says_so(
    tmp_path: Path,
) -> None:
    (tmp_path / "thing.py").write_text("")

    assert find_python("3.99") is None
    assert not bytecode.compile_folder(tmp_path, "3.99")
    assert not sizes.measure("thing", tmp_path).compiled


def test_the_build_is_for_the_templates_runtime() -> None:
    text = sam.TEMPLATE.read_text(encoding="utf-8")

    assert f"Runtime: python{RUNTIME_PYTHON}" in text
    assert "Architectures: [arm64]" in text
    assert build.LAMBDA.machine == "aarch64"


def test_a_pin_that_the_lock_does_not_have_is_refused(tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("# a comment\nsqlalchemy==0.0.1\n")

    with pytest.raises(build.BuildError, match=r"sqlalchemy==0\.0\.1 is not in requirements\.lock"):
        list(packages.with_hashes(wanted))


def test_every_pin_of_the_layer_has_hashes_in_the_lock() -> None:
    wanted = sam.ROOT / "layers/shared/python/requirements.txt"

    lines = list(packages.with_hashes(wanted))

    assert lines
    assert all(" --hash=sha256:" in line for line in lines)


def test_slimming_keeps_what_importlib_metadata_reads_and_licences(tmp_path: Path) -> None:
    info = "thing-1.dist-info"
    kept = {"thing/__init__.py", "thing/zones.tab", f"{info}/METADATA", f"{info}/entry_points.txt"}
    kept |= {f"{info}/licenses/LICENSE"}
    dropped = {"thing/tests/test_it.py", "thing/fast.pyx", "thing/__init__.pyi", "bin/thing"}
    dropped |= {f"{info}/RECORD", f"{info}/WHEEL"}
    for name in kept | dropped:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    packages.slim(tmp_path)

    assert contents(tmp_path) == kept


def test_an_artifact_beyond_the_limit_is_refused() -> None:
    size = sizes.Size("SharedLayer", 1, 110_000_001, 1, compiled=True)

    with pytest.raises(build.BuildError, match="SharedLayer has 110 MB unpacked"):
        sizes.check([size])
