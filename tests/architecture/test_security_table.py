"""docs/security.md says of each item of OWASP ASVS where it is kept and by which test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEVEL_1 = {
    "1.2": (1, 2, 3, 4, 5),
    "1.3": (1, 2),
    "1.5": (1,),
    "2.1": (1,),
    "2.2": (1, 2),
    "2.3": (1,),
    "3.2": (1, 2),
    "3.3": (1,),
    "3.4": (1, 2),
    "3.5": (1, 2, 3),
    "4.1": (1,),
    "4.4": (1,),
    "5.2": (1, 2),
    "5.3": (1, 2),
    "6.1": (1,),
    "6.2": (1, 2, 3, 4, 5, 6, 7, 8),
    "6.3": (1, 2),
    "6.4": (1, 2),
    "7.2": (1, 2, 3, 4),
    "7.4": (1, 2),
    "8.1": (1,),
    "8.2": (1, 2),
    "8.3": (1,),
    "9.1": (1, 2, 3),
    "9.2": (1,),
    "10.4": (1, 2, 3, 4, 5),
    "11.3": (1, 2),
    "11.4": (1,),
    "12.1": (1,),
    "12.2": (1, 2),
    "13.4": (1,),
    "14.2": (1,),
    "14.3": (1,),
    "15.1": (1,),
    "15.2": (1,),
    "15.3": (1,),
}
"""The items of level 1 in version 5.0.0, by section."""

LEVEL_2 = {
    "2.1": (2, 3),
    "2.2": (3,),
    "2.3": (2, 3, 4),
    "2.4": (1,),
    "6.1": (2, 3),
    "6.2": (9, 10, 11, 12),
    "6.3": (3, 4),
    "6.4": (3, 4),
    "6.5": (1, 2, 3, 4, 5),
    "6.6": (1, 2, 3),
    "6.8": (1, 2, 3, 4),
    "7.1": (1, 2, 3),
    "7.3": (1, 2),
    "7.4": (3, 4, 5),
    "7.5": (1, 2),
    "7.6": (1, 2),
    "8.1": (2,),
    "8.2": (3,),
    "8.4": (1,),
}
"""Those of level 2 on validation, authentication, sessions and access control."""


@dataclass(frozen=True)
class Row:
    """One item."""

    item: str
    level: int
    asks: str
    state: str
    where: str
    test: str

    @property
    def files(self) -> list[str]:
        return re.findall(r"`([\w./-]+/[\w.-]+|Makefile|\w+\.(?:yaml|toml))`", self.where)


def _rows() -> list[Row]:
    lines = (ROOT / "docs/security.md").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"\d+\.\d+\.\d+", cells[0]):
            item, level, asks, state, where, test = cells
            found.append(Row(item, int(level), asks, state, where, test))
    return found


ROWS = _rows()


@lru_cache
def _tests_of(path: str) -> frozenset[str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))


def _expected(sections: dict[str, tuple[int, ...]]) -> set[str]:
    return {f"{section}.{number}" for section, numbers in sections.items() for number in numbers}


def test_no_item_is_missing_or_twice() -> None:
    assert sorted(Counter(row.item for row in ROWS)) == sorted(row.item for row in ROWS)
    assert len(_expected(LEVEL_1)) == 70
    assert {row.item for row in ROWS if row.level == 1} == _expected(LEVEL_1)
    assert _expected(LEVEL_2) - {row.item for row in ROWS if row.level == 2} == set()


def test_every_item_that_is_kept_names_files_and_a_test_that_exist() -> None:
    missing = []
    for row in ROWS:
        if row.state != "kept":
            continue
        files = row.files
        missing += [f"{row.item}: {file}" for file in files if not (ROOT / file).is_file()]
        named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", row.test)
        if not files or named is None:
            missing.append(f"{row.item}: names no file or no test")
        elif not (ROOT / named[1]).is_file() or named[2] not in _tests_of(named[1]):
            missing.append(f"{row.item}: {row.test}")

    assert missing == []


def test_every_other_item_says_why(record_property: Callable[[str, object], None]) -> None:
    assert {row.state for row in ROWS} == {"kept", "n/a", "GAP"}
    assert [row.item for row in ROWS if row.state != "kept" and len(row.where) < 4] == []

    for level in (1, 2):
        counted = Counter(row.state for row in ROWS if row.level == level)
        figures = ", ".join(f"{counted[state]} {state}" for state in ("kept", "n/a", "GAP"))
        gaps = ", ".join(row.item for row in ROWS if row.level == level and row.state == "GAP")
        told = f"ASVS level {level}: {figures} (gaps: {gaps})"
        record_property("figure", told)
        print(told)
