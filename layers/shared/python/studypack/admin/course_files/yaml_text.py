"""YAML as course files have it: read strictly, written the same each time."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

import yaml

try:  # libyaml is ten times faster, and not everywhere
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # pragma: no cover
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_DEPTH: Final = 50
WIDTH: Final = 100
_LONG: Final = 80
_ESCAPED: Final = frozenset("\x7f\x85\u2028\u2029\ufeff")
"""What YAML takes for an end of line, or drops."""


class YamlProblem(ValueError):
    """A text that is no YAML, or more than plain data."""


class _Loader(_SafeLoader):
    """Refuses a key that stands twice, of which the last would win unseen."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise YamlProblem(f"line {key_node.start_mark.line + 1}: a key must be a text")
            if key in seen:
                raise YamlProblem(f"line {key_node.start_mark.line + 1}: {key} stands there twice")
            seen.add(key)
        made: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return made


def load(text: str) -> Any:
    """The data that a text stands for.

    Raises YamlProblem, with the line: also for anchors and aliases (a small text could stand for
    gigabytes), keys that stand there twice, and what is nested too deeply.
    """
    try:
        _check_events(text)
        return yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise YamlProblem(" ".join(str(error).split())) from None
    except (ValueError, RecursionError, OverflowError) as error:
        if isinstance(error, YamlProblem):
            raise
        raise YamlProblem(str(error)) from None


def _check_events(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, _SafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = f"line {event.start_mark.line + 1}: " if event.start_mark else ""
            raise YamlProblem(f"{line}anchors and aliases are not used in course files")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlProblem(f"more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


class _Dumper(yaml.SafeDumper):
    """PyYAML's own emitter, not libyaml's, so that every machine writes the same bytes."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if not _ESCAPED.isdisjoint(text) or any(ord(each) < 32 and each != "\n" for each in text):
        style = '"'  # which escapes them
    elif "\n" in text:
        style = "|"
    elif len(text) > _LONG and "  " not in text and text == text.strip():
        style = ">"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(data: Any) -> str:
    """The text of plain data (dict, list, str, int, float, bool, None), keys in their order."""
    written = _dumped(data, _Dumper)
    if yaml.load(written, _SafeLoader) != data:
        # A text that block style does not keep, e.g. with white space at the ends of lines.
        written = _dumped(data, yaml.SafeDumper)
    return written


def _dumped(data: Any, dumper: type[yaml.SafeDumper]) -> str:
    made: str = yaml.dump(
        data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=WIDTH, indent=2
    )
    return made
