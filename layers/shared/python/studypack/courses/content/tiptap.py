"""TipTap documents: which blocks, marks and attributes a lesson may have (pure).

Names are those of TipTap's own extensions: the starter kit's, image, table, task list, underline,
subscript, superscript, highlight; and `callout`, which is ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.content.urls import image_problem, link_problem

Node = dict[str, Any]

LARGEST: Final = 500_000
"""Bytes of a document as JSON, and of Markdown."""
DEEPEST: Final = 50
MOST_NODES: Final = 10_000
MOST_PROBLEMS: Final = 20
"""So many are named at once."""

CALLOUTS: Final = ("note", "tip", "warning")
ALIGNMENTS: Final = ("left", "center", "right")
LANGUAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+#.-]{0,39}")
UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")
_LONGEST_WORDS: Final = 1_000
"""Characters of an attribute that is shown."""
_LARGEST_SPAN: Final = 100


class _Wrong(ValueError):
    """What is wrong with a value, as the end of a sentence."""


Check = Callable[[Any], Any]
"""From a value as it came to the one that is kept; raises _Wrong."""


def _integer(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, float) and abs(value) <= most:
            value = round(value)  # an editor that resizes a picture writes fractions
        if type(value) is not int or not least <= value <= most:
            raise _Wrong(f"must be a whole number from {least} to {most}")
        return value

    return check


def _one_of(*allowed: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise _Wrong(f"must be one of {', '.join(allowed)}")
        return value

    return check


def _words(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_WORDS:
        raise _Wrong(f"must be text of at most {_LONGEST_WORDS} characters")
    if UNSTORABLE.search(value):
        raise _Wrong("has characters that cannot be stored")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("must be true or false")
    return value


def _language(value: Any) -> str | None:
    if value == "":
        return None
    if not isinstance(value, str) or not LANGUAGE.fullmatch(value):
        raise _Wrong("must be a language's short name, such as python")
    return value


def _address(problem_of: Callable[[str], str | None]) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise _Wrong("must be an address")
        problem = problem_of(value)
        if problem is not None:
            raise _Wrong(f"cannot be used: {problem}")
        return value

    return check


@dataclass(frozen=True)
class _Kind:
    """What a block or mark may have."""

    holds: tuple[str, ...] = ()
    needs_content: bool = False
    attributes: Mapping[str, Check] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    """Attributes that TipTap writes of itself and we decide on: not refused, not kept."""


INLINE: Final = ("text", "hardBreak", "image")
BLOCKS: Final = (
    "paragraph", "heading", "bulletList", "orderedList", "taskList", "blockquote", "callout",
    "codeBlock", "horizontalRule", "image", "table",
)  # fmt: skip
_CELL: Final = _Kind(
    BLOCKS,
    needs_content=True,
    attributes={
        "colspan": _integer(1, _LARGEST_SPAN),
        "rowspan": _integer(1, _LARGEST_SPAN),
        "align": _one_of(*ALIGNMENTS),
    },
    dropped=("colwidth",),
)
NODES: Final[Mapping[str, _Kind]] = {
    "doc": _Kind(BLOCKS, needs_content=True),
    "paragraph": _Kind(INLINE),
    "text": _Kind(),
    "heading": _Kind(INLINE, attributes={"level": _integer(1, 6)}, required=("level",)),
    "bulletList": _Kind(("listItem",), needs_content=True),
    "orderedList": _Kind(
        ("listItem",),
        needs_content=True,
        attributes={"start": _integer(0, 999_999_999)},
        dropped=("type",),
    ),
    "listItem": _Kind(BLOCKS, needs_content=True),
    "taskList": _Kind(("taskItem",), needs_content=True),
    "taskItem": _Kind(BLOCKS, needs_content=True, attributes={"checked": _truth}),
    "blockquote": _Kind(BLOCKS, needs_content=True),
    "callout": _Kind(
        BLOCKS, needs_content=True, attributes={"kind": _one_of(*CALLOUTS)}, required=("kind",)
    ),
    "codeBlock": _Kind(("text",), attributes={"language": _language}),
    "hardBreak": _Kind(),
    "horizontalRule": _Kind(),
    "image": _Kind(
        attributes={
            "src": _address(image_problem),
            "alt": _words,
            "title": _words,
            "width": _integer(1, 10_000),
            "height": _integer(1, 10_000),
        },
        required=("src",),
    ),
    "table": _Kind(("tableRow",), needs_content=True),
    "tableRow": _Kind(("tableHeader", "tableCell")),
    "tableHeader": _CELL,
    "tableCell": _CELL,
}
MARKS: Final[Mapping[str, _Kind]] = {
    "link": _Kind(
        attributes={"href": _address(link_problem), "title": _words},
        required=("href",),
        dropped=("target", "rel", "class"),
    ),
    "bold": _Kind(),
    "italic": _Kind(),
    "strike": _Kind(),
    "underline": _Kind(),
    "subscript": _Kind(),
    "superscript": _Kind(),
    "highlight": _Kind(dropped=("color",)),
    "code": _Kind(),
}
"""From the outermost to the innermost, as they are rendered."""


def accept(content: Any, *, field: str = "content") -> Node:
    """The document as it is kept: without what is null, empty or ours to decide. Accepting it
    again changes nothing.

    Raises Unprocessable whose errors name the paths, e.g. `content.content.3.marks.0.type`.
    """
    reader = _Reader()
    document = reader.node(content, field, 1, ("doc",), "a lesson's content")
    if reader.problems:
        raise Unprocessable("The content cannot be used.", errors=reader.problems)
    size = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    if size > LARGEST:
        raise Unprocessable.field(
            field, f"The content is larger than {LARGEST // 1000} kB.", code="too_large"
        )
    return document


class _Reader:
    """Walks a document once, and notes everything that is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[FieldError] = []
        self.nodes = 0

    def node(self, value: Any, path: str, depth: int, allowed: tuple[str, ...], where: str) -> Node:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise Unprocessable.field(
                path, f"The content has more than {MOST_NODES} blocks.", code="too_many_blocks"
            )
        if depth > DEEPEST:
            self._note(path, "too_deep", f"Blocks lie more than {DEEPEST} deep in each other.")
            return {}
        name = self._name(value, path, allowed, f"{where} may hold", "block")
        if name is None:
            return {}
        kind = NODES[name]
        known = {"type", "attrs", "marks", "text"} if name == "text" else _KEYS
        self._unknown_keys(value, path, known)
        node: Node = {"type": name}
        if attributes := self._attributes(value.get("attrs"), f"{path}.attrs", name, kind):
            node["attrs"] = attributes
        if name == "text":
            node["text"] = self._text(value.get("text"), f"{path}.text")
        if children := self._children(value.get("content"), path, depth, name, kind):
            node["content"] = children
        if marks := self._marks(value.get("marks"), f"{path}.marks", name, where):
            node["marks"] = marks
        return node

    def _name(
        self, value: Any, path: str, allowed: tuple[str, ...], may: str, what: str
    ) -> str | None:
        if not isinstance(value, dict):
            self._note(path, "not_an_object", f"A {what} is an object with a type.")
            return None
        name = value.get("type")
        if isinstance(name, str) and name in allowed:
            return name
        options = ", ".join(allowed) or "nothing"
        self._note(f"{path}.type", f"unknown_{what}", f"{_shown(name)}: {may} only: {options}.")
        return None

    def _children(self, value: Any, path: str, depth: int, name: str, kind: _Kind) -> list[Node]:
        place = f"{path}.content"
        if value is not None and not isinstance(value, list):
            self._note(place, "not_a_list", "Content is a list of blocks.")
            return []
        if not value:
            if kind.needs_content:
                self._note(place, "empty", f"{name} must hold something.")
            return []
        children = []
        for number, child in enumerate(value):
            if len(self.problems) >= MOST_PROBLEMS:
                break
            children.append(self.node(child, f"{place}.{number}", depth + 1, kind.holds, name))
        return children

    def _attributes(self, value: Any, path: str, name: str, kind: _Kind) -> dict[str, Any]:
        if value is not None and not isinstance(value, dict):
            self._note(path, "not_an_object", "Attributes are an object.")
            return {}
        given = value or {}
        kept: dict[str, Any] = {}
        for key, raw in given.items():
            check = kind.attributes.get(key)
            if check is None:
                if key not in kind.dropped:
                    options = ", ".join(kind.attributes) or "none"
                    self._note(
                        f"{path}.{_part(key)}",
                        "unknown_attribute",
                        f"{_shown(key)}: {name} has only these attributes: {options}.",
                    )
            elif raw is not None:
                try:
                    kept[key] = check(raw)
                except _Wrong as wrong:
                    self._note(f"{path}.{key}", "invalid", f"{key} {wrong}.")
        for key in kind.required:
            if given.get(key) is None:
                self._note(f"{path}.{key}", "missing", f"{name} needs {key}.")
        return {key: kept[key] for key in kind.attributes if kept.get(key) is not None}

    def _text(self, value: Any, path: str) -> str:
        if not isinstance(value, str) or not value:
            self._note(path, "empty", "Text must not be empty.")
            return ""
        if UNSTORABLE.search(value):
            self._note(path, "invalid", "The text has characters that cannot be stored.")
        return value

    def _marks(self, value: Any, path: str, name: str, where: str) -> list[Node]:
        if not value:
            return []
        if not isinstance(value, list):
            self._note(path, "not_a_list", "Marks are a list.")
            return []
        if name not in INLINE or where == "codeBlock":
            self._note(path, "marks_not_allowed", f"No marks on {name} in {where}.")
            return []
        marks: list[Node] = []
        for number, raw in enumerate(value[: len(MARKS) + 1]):
            place = f"{path}.{number}"
            kind_name = self._name(raw, place, tuple(MARKS), "text may have", "mark")
            if kind_name is None:
                continue
            if any(mark["type"] == kind_name for mark in marks):
                self._note(f"{place}.type", "given_twice", f"{kind_name} is there already.")
                continue
            self._unknown_keys(raw, place, {"type", "attrs"})
            mark: Node = {"type": kind_name}
            kind = MARKS[kind_name]
            if found := self._attributes(raw.get("attrs"), f"{place}.attrs", kind_name, kind):
                mark["attrs"] = found
            marks.append(mark)
        return marks

    def _unknown_keys(self, value: Mapping[str, Any], path: str, known: set[str]) -> None:
        for key in value:
            if key not in known:
                self._note(
                    f"{path}.{_part(key)}",
                    "unknown_field",
                    f"{_shown(key)}: only these are known: {', '.join(sorted(known))}.",
                )

    def _note(self, path: str, code: str, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(FieldError(path, code, message))


_KEYS: Final = {"type", "attrs", "content", "marks"}


def _shown(value: Any) -> str:
    """A value of the author's in a sentence: short, and in characters that can be shown."""
    if not isinstance(value, str):
        return "No name" if value is None else "Something that is no name"
    return ascii(value[:40])


def _part(key: str) -> str:
    """A name of the author's as part of a path."""
    return ascii(key[:40])[1:-1]
