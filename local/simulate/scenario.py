"""Scenarios: YAML files that say who does what when, and which mails must come of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

FOLDER = Path(__file__).parent / "scenarios"
START = datetime(2026, 3, 2, tzinfo=UTC)
"""Day 1 of every scenario: a Monday."""

_MOMENT = re.compile(r"day (\d+), (\d\d):(\d\d)")


def moment(text: str) -> datetime:
    """`day 3, 14:05` in UTC. Raises ValueError for anything else."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not like 'day 3, 14:05'")
    day, hour, minute = map(int, match.groups())
    return START + timedelta(days=day - 1, hours=hour, minutes=minute)


def _check(text: str) -> str:
    moment(text)
    return text


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Part):
    """Something that happens."""

    at: Annotated[str, AfterValidator(_check)]
    do: str
    """A method of local/simulate/world.py."""
    facts: dict[str, Any] = Field(default_factory=dict, alias="with")

    @property
    def moment(self) -> datetime:
        return moment(self.at)


class Expected(_Part):
    """What must come of it; nothing else may."""

    sent: tuple[str, ...] = ()
    """Templates in the order in which they are sent; the account's own are left out."""
    cancelled: tuple[str, ...] = ()
    """`TEMPLATE reason`, in any order."""
    withheld: tuple[str, ...] = ()
    """`TEMPLATE reason` of those that matter here, in any order; there may be others."""
    put_off: tuple[str, ...] = ()
    """`TEMPLATE reason`, in any order."""


class Scenario(_Part):
    """One person's story."""

    name: str
    story: str
    timezone: str = "UTC"
    until: Annotated[str, AfterValidator(_check)]
    steps: tuple[Step, ...]
    expect: Expected

    @property
    def end(self) -> datetime:
        return moment(self.until)


def read(names: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios of these names, or all.

    Raises ValueError for a name that there is no file for, or a file that makes no sense.
    """
    known = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no scenario {', '.join(unknown)}; there are {', '.join(known)}")
    return [
        Scenario.model_validate(
            {"name": name, **yaml.safe_load(known[name].read_text(encoding="utf-8"))}
        )
        for name in names or known
    ]
