"""What a benchmark hands back: rows to print and to write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"

Value = float | int | str


@dataclass(frozen=True)
class Row:
    """One comparison; `ratio` is ours / other unless a median of pairs is given."""

    name: str
    ours: float
    other: float | None
    """None: it could not be measured."""
    unit: str
    ratio: float | None = None
    details: Mapping[str, Value] = field(default_factory=dict)
    """Further columns of this benchmark."""

    def document(self) -> dict[str, Value | None]:
        """The row as it is written."""
        ratio = self.ratio
        if ratio is None and self.other:
            ratio = self.ours / self.other
        return {
            "name": self.name,
            "ours": round(self.ours, 4),
            "other": None if self.other is None else round(self.other, 4),
            "ratio": None if ratio is None else round(ratio, 3),
            "unit": self.unit,
            **self.details,
        }


@dataclass(frozen=True)
class Report:
    """A benchmark's table."""

    name: str
    title: str
    other: str
    """What it is compared with, unless a row names something else."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def write(self, folder: Path = RESULTS) -> Path:
        """Write the rows as JSON and return the file."""
        folder.mkdir(exist_ok=True)
        path = folder / f"{self.name}.json"
        documents = [row.document() for row in self.rows]
        path.write_text(json.dumps(documents, indent=2) + "\n", encoding="utf-8")
        return path

    def show(self, console: Console) -> None:
        """Print the table and what there is to say about it."""
        documents = [row.document() for row in self.rows]
        units = {row.unit for row in self.rows}
        title = f"{self.title} ({units.pop()})" if len(units) == 1 else self.title
        table = Table(title=title, title_justify="left", title_style="bold")
        columns = list(dict.fromkeys(column for document in documents for column in document))
        if not units:
            columns.remove("unit")
        for column in columns:
            is_text = all(isinstance(document.get(column), str) for document in documents)
            table.add_column(
                column.replace("_", " "),
                justify="left" if is_text else "right",
                overflow="fold",
            )
        for document in documents:
            table.add_row(*(_shown(document.get(column)) for column in columns))
        console.print(table)
        console.print(f"other: {self.other}; ratio = ours / other", style="dim", highlight=False)
        for note in self.notes:
            console.print(note, style="dim", highlight=False)
        console.print()


def _shown(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.2f}" if abs(value) >= 0.1 else f"{value:,.3f}"
