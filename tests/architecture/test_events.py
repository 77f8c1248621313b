"""Events that mails and figures rest on are our own: named in one place, for whoever takes events
from browsers to refuse.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from studypack.activity.service import RESERVED_EVENTS

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers/shared/python/studypack"
FOLDERS = [LAYER, ROOT / "functions"]
RECORDERS = {"record_event", "record_event_once", "record_first_event"}
WRAPPERS = {"billing/events/consequences.py": "tell"}
"""Functions that hand the name on: their own calls count."""
NAME = re.compile(r"event_name (?:=|IN) \(?((?:'\w+'(?:, )?)+)")


def _names(source: str, recorders: set[str], skipping: str | None) -> Iterator[ast.expr]:
    """What stands in the place of the name in each call that records an event."""
    tree = ast.parse(source)
    handed_on = {
        id(call)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name == skipping
        for call in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in handed_on:
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in recorders:
                yield node.args[1]


def recorded() -> set[str]:
    """All names, each of which is written where the event is recorded."""
    found = set()
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            wrapper = WRAPPERS.get(str(path.relative_to(folder)))
            # A wrapper's name is too common to look for it elsewhere.
            recorders = RECORDERS | (
                {"tell"} if path.is_relative_to(LAYER / "billing/events") else set()
            )
            for name in _names(path.read_text(encoding="utf-8"), recorders, wrapper):
                assert isinstance(name, ast.Constant), f"{path}:{name.lineno}"
                found.add(name.value)
    return found


def test_every_event_of_our_own_has_a_reserved_name() -> None:
    # Nothing of the product begins a module anew yet; mails know the event already.
    assert recorded() | {"module_reset"} == RESERVED_EVENTS


def test_mails_rest_on_reserved_events_only() -> None:
    from studypack.lifecycle.onboarding import STARTED

    read = set(STARTED)
    for path in (LAYER / "lifecycle").glob("*.py"):
        for names in NAME.findall(path.read_text(encoding="utf-8")):
            read |= set(re.findall(r"\w+", names))
    assert read >= {"video_1_completed", "module_completed", "module_reset"}
    assert read <= RESERVED_EVENTS
