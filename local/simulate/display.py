"""Timelines for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.simulate.play import OWN, Entry, Kind, Played
from local.simulate.scenario import START

_STYLES = {
    Kind.ACT: "bold",
    Kind.SEND: "green",
    Kind.WITHHOLD: "yellow",
    Kind.DEFER: "blue",
    Kind.CANCEL: "red",
    Kind.MAIL: "bold green",
}
_MARKS = {Kind.ACT: "·", Kind.MAIL: "✉"}


def show(console: Console, played: Played) -> None:
    """One scenario: what its person did, what was decided, what they got."""
    scenario = played.scenario
    table = Table(box=box.SIMPLE_HEAD, title=Text(f"{scenario.name}: {scenario.story.strip()}"))
    table.title_justify = "left"
    for name in ("day", f"time ({scenario.timezone})", "", "what", "rule", "reason", "mail"):
        table.add_column(name, no_wrap=name != "mail")
    for entry in played.entries:
        table.add_row(*_row(entry, ZoneInfo(scenario.timezone)), style=_STYLES[entry.kind])
    console.print(table)
    for difference in played.differences:
        console.print(Text(f"  ✗ {difference}", "bold red"))


def _row(entry: Entry, zone: ZoneInfo) -> tuple[str, ...]:
    local = entry.at.astimezone(zone)
    day = (entry.at - START).days + 1
    mark = _MARKS.get(entry.kind, entry.kind.value)
    return str(day), f"{local:%a %H:%M}", mark, entry.what, entry.rule, entry.reason, entry.detail


def summarize(console: Console, all_played: Sequence[Played]) -> None:
    """How many of each mail were sent, and why the others were not."""
    sent: Counter[str] = Counter()
    reasons: dict[tuple[str, Kind], Counter[str]] = {}
    for played in all_played:
        for entry in played.entries:
            if entry.kind is Kind.MAIL:
                sent[entry.what] += 1
            elif entry.kind in {Kind.WITHHOLD, Kind.DEFER, Kind.CANCEL}:
                reasons.setdefault((entry.what, entry.kind), Counter())[entry.reason] += 1
    table = Table(box=box.SIMPLE_HEAD, title=f"{len(all_played)} scenarios")
    for name in ("mail", "sent", "withheld", "put off", "cancelled"):
        table.add_column(name, justify="right" if name == "sent" else "left")
    names = (sent.keys() | {template for template, _ in reasons}) - OWN
    for name in sorted(names):
        said = (
            ", ".join(f"{reason} {n}" for reason, n in reasons.get((name, kind), {}).items())
            for kind in (Kind.WITHHOLD, Kind.DEFER, Kind.CANCEL)
        )
        table.add_row(name, str(sent[name]), *said)
    console.print(table)
