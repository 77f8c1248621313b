"""Artifacts as they are deployed, and the same for this machine, so that they can be run.

Tests marked `artifacts` need `make build` and the SAM CLI: `make artifacts-test` runs them, and a
plain `make test` leaves them out.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from local import build
from local import template as sam
from local.build import packages, sizes
from local.build.platforms import find_python

IMAGE_BRINGS = {"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"}
ZIP_EPOCH = 315_532_800
"""1980-01-01, the oldest time in a zip; what sam uploads has other times than what was compiled."""


@dataclass(frozen=True)
class Built:
    """The artifacts of all functions and the layer, for a machine."""

    folder: Path
    platform: build.Platform

    @property
    def layer(self) -> Path:
        """What Lambda unpacks to /opt."""
        return self.folder / "SharedLayer"

    def artifact(self, function: sam.Function) -> Path:
        """What Lambda unpacks to /var/task."""
        return self.folder / function.logical_id


@dataclass(frozen=True)
class Measured:
    """How one function did on the emulator."""

    name: str
    init: float
    first: float
    warm: float
    peak: float
    """Megabytes; the others are milliseconds."""


@dataclass
class Figures:
    """What the run prints at its end."""

    rows: list[Measured] = field(default_factory=list)
    built: Built | None = None


MEASURED = pytest.StashKey[Figures]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker, and a place for the figures."""
    config.addinivalue_line("markers", "artifacts: needs make build (make artifacts-test)")
    config.stash[MEASURED] = Figures()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs `make build`, unless it was asked for."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("artifacts")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def deployed() -> Built:
    """What `sam build` has made for Lambda."""
    folder = sam.ROOT / ".aws-sam" / "build"
    if not (folder / "template.yaml").is_file():
        pytest.fail("there is nothing built: use make artifacts-test")
    return Built(folder, build.LAMBDA)


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Built:
    """The same by the same code for this machine, with the times that a zip leaves."""
    built = Built(tmp_path_factory.mktemp("artifacts"), build.local_platform())
    build.build_layer(built.layer, built.platform)
    for function in sam.read().functions:
        built.artifact(function).mkdir()
        build.build_function(function, built.artifact(function), built.platform)
    for path in built.folder.rglob("*"):
        os.utime(path, (ZIP_EPOCH, ZIP_EPOCH))
    pytestconfig.stash[MEASURED].built = built
    return built


@pytest.fixture(scope="session")
def python(here: Built) -> Path:
    """The interpreter that the artifacts of this machine were made for."""
    found = find_python(here.platform.python)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, here: Built) -> Path:
    """What Lambda's image has in /var/runtime: the runtime's client and boto3."""
    folder = tmp_path_factory.mktemp("image")
    packages.fetch(Path(__file__).with_name("requirements.txt"), folder, here.platform)
    lock = packages.LOCK.read_text(encoding="utf-8")
    pins = [
        pin for pin in re.findall(r"^\S+==\S+", lock, re.M) if pin.split("==")[0] in IMAGE_BRINGS
    ]
    wanted = folder / "boto3.txt"
    wanted.write_text("\n".join(pins), encoding="utf-8")
    packages.install(wanted, folder, here.platform)
    return folder


@pytest.fixture(scope="session")
def import_path(here: Built, image: Path) -> tuple[Path, ...]:
    """Where the runtime looks after the artifact itself: /opt/python, /var/runtime."""
    return (here.layer / "python", image)


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> list[Measured]:
    """The rows of the table at the end."""
    return pytestconfig.stash[MEASURED].rows


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Print how the functions did."""
    found = config.stash[MEASURED]
    if not found.rows or found.built is None:
        return
    functions = {function.name: function for function in sam.read().functions}
    layer = sizes.measure("layer", found.built.layer)
    console = Console(width=100)
    table = Table(
        title=f"Artifacts on AWS's runtime emulator ({found.built.platform})",
        caption=f"layer: {layer.unpacked / 1e6:.1f} MB unpacked, {layer.zipped / 1e6:.1f} MB zipped"
        f" ({found.built.platform})",
        title_justify="left",
        caption_justify="left",
        title_style="bold",
    )
    table.add_column("function", no_wrap=True)
    for column in ("init ms", "first ms", "warm ms", "peak MB", "artifact kB"):
        table.add_column(column, justify="right")
    for row in sorted(found.rows, key=lambda each: list(functions).index(each.name)):
        size = sizes.measure(row.name, found.built.artifact(functions[row.name]))
        table.add_row(
            row.name,
            f"{row.init:.0f}",
            f"{row.first:.1f}",
            f"{row.warm:.2f}",
            f"{row.peak:.0f}",
            f"{size.unpacked / 1000:.1f}",
        )
    console.print()
    console.print(table)
