"""Text made fit for a mail: other people's words cleaned, moments and names written for people,
lines wrapped. Pure.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

WIDTH: Final = 72
"""Columns of a text body (RFC 3676 asks for at most 78)."""
NAME_LENGTH: Final = 40

_KEEPS_LINES: Final = frozenset({"body"})
"""Keys of `data` that hold more than one line: a broadcast's Markdown."""
# Not the calendar module's: that one speaks the process's language.
# fmt: off
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)
_DAYS: Final = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)
# fmt: on
_BREAKS_OUT: Final = re.compile(r"[\s<>\"']")
_ADDRESS: Final = re.compile(r"[/@\\<>]|\bwww\.|\w\.\w{2,}")


class UnsafeLink(ValueError):
    """A link of a mail is neither https nor to this machine."""


def cleaned(value: Any, key: str = "") -> Any:
    """`value` without what could break out of its line: control characters, line and paragraph
    separators and marks that turn the direction of writing become spaces, in nested values too.
    """
    if isinstance(value, str):
        if key in _KEEPS_LINES:
            return "\n".join(_line(part) for part in value.replace("\r\n", "\n").split("\n"))
        return " ".join(_line(value).split())
    if isinstance(value, Mapping):
        return {name: cleaned(item, str(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(item) for item in value]
    return value


def _line(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value
    return "".join(" " if _is_unprintable(character) else character for character in value)


def _is_unprintable(character: str) -> bool:
    """Joiners stay: some scripts and many emoji are written with them."""
    if character in "\u200c\u200d":
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def person(name: str | None, fallback: str) -> str:
    """A name that somebody gave of themselves, or `fallback` where it is no name: one who signs up
    with others' addresses may write "You won, see evil.example" there, and our mail would carry it.
    """
    if name is None or _ADDRESS.search(name) or not any(map(str.isalpha, name)):
        return fallback
    return short(name, NAME_LENGTH)


def short(value: str, length: int) -> str:
    """At most `length` characters, the last of them an ellipsis where something was cut."""
    return value if len(value) <= length else value[: length - 1].rstrip() + "…"


def safe_url(url: str) -> str:
    """The same URL.

    Raises UnsafeLink unless it is absolute and https, or http to this machine.
    """
    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost"}
    if not (parts.hostname and (parts.scheme == "https" or is_local)) or _BREAKS_OUT.search(url):
        raise UnsafeLink("a mail's links are absolute and https")
    return url


def day(value: str | date | datetime, timezone: str) -> str:
    """A date, or the date of a moment where the reader is: `3 March 2026`."""
    local = _local(value, timezone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def weekday(value: str | date | datetime, timezone: str) -> str:
    """Likewise with its day: `Tuesday, 3 March 2026`."""
    local = _local(value, timezone)
    return f"{_DAYS[local.weekday()]}, {day(local, timezone)}"


def moment(value: str | datetime, timezone: str) -> str:
    """A moment where the reader is: `3 March 2026 at 14:05 (CET)`."""
    local = _local(value, timezone)
    if not isinstance(local, datetime):
        raise TypeError("a moment has a time and an offset")
    name = local.tzname() or ""
    zone = name if name.isalpha() else f"UTC{local:%z}"
    return f"{day(local, timezone)} at {local:%H:%M} ({zone})"


def _local(value: str | date | datetime, timezone: str) -> date | datetime:
    if isinstance(value, str):
        value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("a moment has an offset")
    return value.astimezone(_zone(timezone))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def hours(minutes: int) -> str:
    """A length of time: `45 minutes`, `2 hours`, `2 h 5 min`."""
    whole, rest = divmod(minutes, 60)
    if whole and rest:
        return f"{whole} h {rest} min"
    if whole:
        return counted(whole, "hour")
    return counted(rest, "minute")


def counted(number: int, noun: str) -> str:
    """`1 day`, `3 days`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def aligned(rows: Iterable[tuple[str, str]]) -> str:
    """Facts for a text body: a line each, indented, the values below each other."""
    listed = list(rows)
    width = max(len(label) for label, _ in listed) + 1
    return "\n".join(f"  {label + ':':<{width}} {value}" for label, value in listed)


def wrapped(text: str) -> str:
    """A text body with its paragraphs filled to WIDTH columns. A line that is indented (a fact, a
    link) stays as it is; one that begins a list's item starts anew; no word is broken.
    """
    paragraphs = (_filled(block) for block in re.split(r"\n\s*\n", text.strip()))
    return "\n\n".join(paragraphs) + "\n"


def _filled(block: str) -> str:
    lines: list[str] = []
    for line in block.strip("\n").split("\n"):
        starts = not lines or line.startswith((" ", "- ", "--")) or lines[-1].startswith(" ")
        if starts or lines[-1] == "--" or re.match(r"\d+\. ", line):
            lines.append(line.rstrip())
        else:
            lines[-1] += f" {line.strip()}"
    return "\n".join(_fitted(line) for line in lines)


def _fitted(line: str) -> str:
    if len(line) <= WIDTH or line.startswith(" "):
        return line
    mark = re.match(r"(- |\d+\. )", line)
    return textwrap.fill(
        line,
        WIDTH,
        subsequent_indent=" " * len(mark.group()) if mark else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
