"""What was built, measured: files, bytes as Lambda unpacks them, bytes as they are uploaded."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from local.build.errors import BuildError
from local.build.layer import LIMIT_MEGABYTES

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Size:
    """One artifact's size."""

    name: str
    files: int
    unpacked: int
    """Bytes."""
    zipped: int
    """Bytes."""
    compiled: bool
    """Every module has its bytecode."""


def measure(name: str, folder: Path) -> Size:
    """Measure one artifact; it is really zipped, as the upload is."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    with tempfile.TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder))
        zipped = packed.tell()
    return Size(
        name=name,
        files=len(files),
        unpacked=sum(path.stat().st_size for path in files),
        zipped=zipped,
        compiled=all(_has_bytecode(path) for path in files if path.suffix == ".py"),
    )


def _has_bytecode(source: Path) -> bool:
    return any((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))


def built(folder: Path) -> Iterator[tuple[str, Path]]:
    """Logical id and folder of each artifact that `sam build` left there."""
    template = folder / "template.yaml"
    try:
        resources = yaml.safe_load(template.read_text(encoding="utf-8"))["Resources"]
    except OSError:
        raise BuildError(f"there is no {template}; make build writes it") from None
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        place = {
            "AWS::Serverless::Function": properties.get("CodeUri"),
            "AWS::Serverless::LayerVersion": properties.get("ContentUri"),
        }.get(resource["Type"])
        # What has no build method stays where it is, and its path then leads out of here.
        if isinstance(place, str) and not place.startswith(".."):
            yield logical_id, folder / place


def show(sizes: list[Size], console: Console) -> None:
    """Print a table, largest last."""
    table = Table(title="Artifacts", title_justify="left", title_style="bold")
    table.add_column("artifact", no_wrap=True)
    for column in ("files", "unpacked kB", "zipped kB"):
        table.add_column(column, justify="right")
    table.add_column("bytecode")
    for size in sorted(sizes, key=lambda each: each.unpacked):
        table.add_row(
            size.name,
            f"{size.files:,}",
            f"{size.unpacked / 1000:,.1f}",
            f"{size.zipped / 1000:,.1f}",
            "yes" if size.compiled else "[red]no: slow cold starts[/red]",
        )
    console.print(table)


def check(sizes: list[Size]) -> None:
    """Raise BuildError if an artifact is larger than we allow ourselves."""
    for size in sizes:
        if size.unpacked > LIMIT_MEGABYTES * MEGABYTE:
            raise BuildError(
                f"{size.name} has {size.unpacked / MEGABYTE:.0f} MB unpacked;"
                f" {LIMIT_MEGABYTES} are allowed"
            )
