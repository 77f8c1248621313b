"""Check an exam receipt without the database: `python -m local.verify_receipt FILE`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local import receipt_key
from studypack.exams.receipt import LogEvent, Problem, verify
from studypack.exams.receipt_keys import InvalidKey, read_key_ring, read_public_keys

STATE = Path(__file__).resolve().parent.parent / ".local"
NOT_READ = 2


def main(arguments: list[str] | None = None, console: Console | None = None) -> int:
    """Run the command line: 0 when the receipt holds, 1 when not, 2 when there is none to check."""
    parser = argparse.ArgumentParser(prog="python -m local.verify_receipt", description=__doc__)
    parser.add_argument("file", type=Path, help="the receipt, as downloaded")
    parser.add_argument(
        "--key",
        type=Path,
        help="public keys: what /api/exams/receipt-keys answers, or PEM; else this machine's",
    )
    given = parser.parse_args(arguments)
    console = console or Console(highlight=False)
    try:
        document = json.loads(given.file.read_text(encoding="utf-8"))
        keys = _keys(given.key)
    except (OSError, ValueError, RecursionError) as error:
        console.print(f"[bold red]Not checked:[/] {escape(_reason(error))}", soft_wrap=True)
        return NOT_READ
    problems = verify(document, keys)
    if not any(problem.code == "malformed" for problem in problems):
        _show_course(console, document["entries"], problems)
    if not problems:
        console.print("[bold green]Valid:[/] nothing was changed since it was signed.")
        return 0
    console.print("[bold red]This receipt does not hold:[/]")
    for problem in problems:
        console.print(f"  [red]✗[/] {escape(problem.message)} [dim]({problem.code})[/]")
    return 1


def _keys(path: Path | None) -> Mapping[str, bytes]:
    if path is not None:
        return read_public_keys(path.read_text(encoding="utf-8"))
    own = STATE / receipt_key.NAME
    if not own.exists():
        raise InvalidKey("this machine has no key of its own: name a file with public keys")
    return read_key_ring(own.read_text(encoding="ascii").strip()).public_keys


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"the file is no JSON: {error}"
    return str(error) or type(error).__name__


def _show_course(
    console: Console, entries: Sequence[dict[str, Any]], problems: Sequence[Problem]
) -> None:
    wrong = {problem.sequence for problem in problems}
    table = Table(title="What the receipt says (times in UTC)", title_justify="left", box=None)
    table.add_column("#", justify="right")
    for title in ("When", "What", "Details"):
        table.add_column(title, no_wrap=title == "What", overflow="fold")
    places = _places(entries)
    for logged in entries:
        entry = logged["entry"]
        mark = "red" if entry["sequence"] in wrong else None
        table.add_row(
            str(entry["sequence"]),
            escape(_time(entry, "at")),
            escape(str(entry["event"])),
            escape(_details(str(entry["event"]), entry["data"], places)),
            style=mark,
        )
    console.print(table)


def _places(entries: Sequence[dict[str, Any]]) -> dict[str, int]:
    """The place of each question on the form; the receipt names questions by id."""
    form = entries[0]["entry"]["data"].get("form")
    places = form if isinstance(form, list) else []
    return {
        str(place.get("question")): number
        for number, place in enumerate(places, start=1)
        if isinstance(place, dict)
    }


def _details(event: str, data: Mapping[str, Any], places: Mapping[str, int]) -> str:
    match event:
        case LogEvent.STARTED:
            return (
                f"{data.get('title')}: {len(places)} questions, {data.get('duration_minutes')} min"
                f" x {data.get('time_factor')} (accommodation), until {_time(data, 'deadline_at')};"
                f" learner {data.get('learner')}"
            )
        case LogEvent.ANSWERED:
            place = places.get(str(data.get("question")), "?")
            answer = _answer(data["answer"]) if "answer" in data else "answer unchanged"
            return f"item {place}, revision {data.get('revision')}: {answer}"
        case LogEvent.PAUSED:
            return f"at most until {_time(data, 'ends_at_latest')}"
        case LogEvent.RESUMED:
            return f"at {_time(data, 'resumed_at')}, deadline now {_time(data, 'deadline_at')}"
        case LogEvent.SUBMITTED:
            return (
                f"by {data.get('by')}: raw score {data.get('score_raw')} of {data.get('items')}"
                f" ({data.get('score_percent')} %), {data.get('answered')} answered"
            )
        case _:
            return json.dumps(data, ensure_ascii=False)


def _answer(answer: object) -> str:
    if answer is None:
        return "no answer"
    if not isinstance(answer, dict):
        return json.dumps(answer, ensure_ascii=False)
    parts = [value for name, value in answer.items() if name != "type"]
    flat = [each for part in parts for each in (part if isinstance(part, list) else [part])]
    # The first eight characters tell the options of one item apart; the file has them whole.
    return " ".join(str(each)[:8] for each in flat)


def _time(data: Mapping[str, Any], name: str) -> str:
    return str(data.get(name))[:19].replace("T", " ")


if __name__ == "__main__":
    sys.exit(main())
