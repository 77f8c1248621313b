"""Making the virtual environment: which Python is taken, and what is said when none will do.

Each test has a checkout and a PATH of its own. Most use a stand-in for uv that makes the
environment and installs nothing, because what is installed is not the question here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

NEED = "needs Python 3.11, 3.12, 3.13 or 3.14"

UV = f"""#!/bin/sh
echo "$*" >> "$UV_CALLS"
[ -n "${{UV_FAILS:-}}" ] && [ "$1" = "$UV_FAILS" ] && exit 1
if [ "$1" = venv ]; then
    for last do :; done
    exec {sys.executable} -m venv --without-pip "$last"
fi
"""


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a checkout"
        self.path = folder / "bin"
        self.uv_calls = folder / "uv-calls"
        self.environment = self.folder / ".venv"
        self.lock = self.folder / "requirements.lock"
        (self.folder / "local").mkdir(parents=True)
        self.path.mkdir()
        for name in ("bootstrap.sh", "bootstrap.py"):
            shutil.copy(ROOT / "local" / name, self.folder / "local" / name)
        self.lock.write_text("# nothing to install\n")

    def program(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def working_python(self, name: str = "python3") -> Path:
        return self.program(name, f'#!/bin/sh\nexec {sys.executable} "$@"\n')

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", "local/bootstrap.sh", *arguments],
            cwd=self.folder,
            env={"PATH": str(self.path), "UV_CALLS": str(self.uv_calls), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def bootstrap(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, **environment)
        out, err = process.communicate()
        return process.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    checkout.program("uv", UV)
    checkout.working_python()
    status, _, err = checkout.bootstrap()
    assert (status, err) == (0, "")
    return checkout


def test_without_any_python_the_need_is_named(checkout: Checkout) -> None:
    status, out, err = checkout.bootstrap()
    assert (status, out) == (1, "")
    assert NEED in err
    assert "There is no python on PATH" in err
    assert "PYTHON=/path/to/" in err


def test_a_python_that_does_not_run_is_named_with_the_need(checkout: Checkout) -> None:
    checkout.program(
        "python3.13", "#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n"
    )
    status, _, err = checkout.bootstrap()
    assert status == 1
    assert NEED in err
    assert "python3.13 does not run" in err
    assert "pyenv:" not in err


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.15"])
def test_a_python_outside_the_range_is_refused_naming_the_need(
    checkout: Checkout, version: str
) -> None:
    # Python 2 knows no -I and fails at it.
    fails = '[ "$1" = -I ] && exit 2\n' if version == "2.7" else ""
    checkout.program("python", f"#!/bin/sh\n{fails}echo is Python {version}\n")
    status, _, err = checkout.bootstrap()
    assert status == 1
    assert NEED in err
    assert f"python is Python {version}" in err
    assert not checkout.environment.exists()


def test_a_python_without_ensurepip_is_refused_naming_the_package(checkout: Checkout) -> None:
    # The real question, put to a real Python that has no ensurepip.
    hidden = "import sys; sys.modules['ensurepip'] = None; sys.argv = ['-c', sys.argv[2]]; "
    checkout.program(
        "python3",
        f'#!/bin/sh\n[ "$2" = -c ] || exit 1\ncode=$3\n'
        f'exec {sys.executable} -I -c "{hidden}exec(sys.stdin.read())" -c "$4" <<END\n$code\nEND\n',
    )
    status, _, err = checkout.bootstrap()
    assert status == 1
    assert "apt-get install python3-venv" in err


def test_a_broken_shim_is_passed_over_for_a_python_that_works(checkout: Checkout) -> None:
    checkout.program("python3.13", "#!/bin/sh\nexit 127\n")
    checkout.working_python()
    status, out, err = checkout.bootstrap()
    assert (status, err) == (0, "")
    assert "installing 0 packages with pip" in out
    assert (checkout.environment / ".stamp").exists()
    assert (checkout.environment / "bin" / "pip").exists()


def test_the_python_that_is_asked_for_comes_first(checkout: Checkout) -> None:
    checkout.program("uv", UV)
    checkout.program("python3.13", "#!/bin/sh\nexit 127\n")
    wanted = checkout.working_python("my python")
    assert checkout.bootstrap(PYTHON=str(wanted))[0] == 0


def test_a_useless_python_that_was_asked_for_is_said(checkout: Checkout) -> None:
    checkout.program("uv", UV)
    checkout.working_python()
    status, _, err = checkout.bootstrap(PYTHON="/nowhere/python")
    assert status == 0
    assert "PYTHON=/nowhere/python will not do, using python3 instead" in err


def test_uv_is_used_with_hashes_and_without_downloading_a_python(ready: Checkout) -> None:
    version, made, synced = ready.uv_calls.read_text().splitlines()
    assert version == "--version"
    assert "--no-python-downloads" in made
    assert "--require-hashes" in synced
    assert synced.endswith("requirements.lock")


def test_a_second_time_nothing_is_done(ready: Checkout) -> None:
    assert ready.bootstrap() == (0, "", "")


def test_a_changed_lock_is_installed_into_the_same_environment(ready: Checkout) -> None:
    marker = ready.environment / "marker"
    marker.touch()
    ready.lock.write_text("# other\n")
    status, out, _ = ready.bootstrap()
    assert status == 0
    assert "installing" in out
    assert marker.exists()
    assert ready.bootstrap() == (0, "", "")


def test_a_half_made_environment_is_made_anew(ready: Checkout) -> None:
    (ready.environment / ".stamp").unlink()
    (ready.environment / "bin" / "python").unlink()
    status, out, _ = ready.bootstrap()
    assert status == 0
    assert "removing the unfinished or broken .venv" in out
    assert (ready.environment / "bin" / "python").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(ready: Checkout) -> None:
    for link in (ready.environment / "bin").glob("python*"):
        link.unlink()
        link.symlink_to("/nowhere/python")
    status, out, _ = ready.bootstrap()
    assert status == 0
    assert "making .venv" in out


def test_a_failed_installation_leaves_no_stamp_and_is_explained(ready: Checkout) -> None:
    ready.lock.write_text("# other\n")
    status, _, err = ready.bootstrap(UV_FAILS="pip")
    assert status == 1
    assert "this ended with status 1: uv pip sync" in err
    assert not (ready.environment / ".stamp").exists()
    assert ready.bootstrap()[0] == 0


def test_two_at_once_make_one_environment(checkout: Checkout) -> None:
    checkout.program("uv", UV)
    checkout.working_python()
    racers = [checkout.start(), checkout.start()]
    outputs = [racer.communicate()[0] for racer in racers]
    assert [racer.returncode for racer in racers] == [0, 0]
    assert sum("making .venv" in output for output in outputs) == 1


def test_a_tool_gets_an_environment_of_its_own(ready: Checkout) -> None:
    assert ready.bootstrap("tool", "sam", "aws-sam-cli==1.0")[0] == 0
    assert (ready.folder / ".tools" / "sam" / ".stamp").read_text() == "aws-sam-cli==1.0\n"
    assert ready.uv_calls.read_text().splitlines()[-1].endswith("aws-sam-cli==1.0")
    assert ready.bootstrap("tool", "sam", "aws-sam-cli==1.0") == (0, "", "")


def test_make_alone_explains_every_target() -> None:
    shown = subprocess.check_output(["make", "--no-print-directory"], cwd=ROOT, text=True)
    targets = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert targets >= {"run", "demo", "test", "check", "bench", "openapi", "migrate", "seed"}
    assert set(re.findall(r"^  (\S+) +\S", shown, re.MULTILINE)) == targets


def test_continuous_integration_runs_exactly_make_test(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make $*" in "$PWD"\n')
    make.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    shown = subprocess.check_output(
        [ROOT / ".ci" / "run"], cwd="/", env={**os.environ, "PATH": path}, text=True
    )
    assert shown == f"make test in {ROOT}\n"
