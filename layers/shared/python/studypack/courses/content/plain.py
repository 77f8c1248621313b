"""A document's words without markup: what search reads (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

Node = dict[str, Any]

APART: Final = "\x1f"
"""Ascii, because beyond it a database without a locale takes everything for letters."""
_LIKE_A_TAG: Final = re.compile(r"<(?=[^\W\d]|[/!?])")

_LINES: Final = frozenset({"paragraph", "heading", "codeBlock", "image"})
"""Blocks that hold words themselves; each is a line, or several."""


def to_text(document: Node | None) -> str:
    """Everything that a reader sees, a block a line; of a picture its description."""
    if document is None:
        return ""
    return "\n".join(line for line in _lines(document) if line)


def searchable(words: str) -> str:
    """Text as PostgreSQL's parser reads every word of it: it takes `<b` for the beginning of a tag,
    and drops what stands up to the next `>`. A control character keeps them apart.
    """
    return _LIKE_A_TAG.sub(f"<{APART}", words)


def inline_text(node: Node) -> str:
    """The words of one heading or paragraph, on one line."""
    return " ".join(_words(node).split())


def _lines(node: Node) -> Iterator[str]:
    if node.get("type") == "codeBlock":
        yield _words(node).strip("\n")
    elif node.get("type") in _LINES:
        yield _words(node).strip()
    else:
        for child in node.get("content", ()):
            yield from _lines(child)


def _words(node: Node) -> str:
    match node.get("type"):
        case "text":
            return str(node.get("text", ""))
        case "hardBreak":
            return "\n"
        case "image":
            alternative = (node.get("attrs") or {}).get("alt")
            return f" {alternative} " if alternative else " "
        case _:
            return "".join(_words(child) for child in node.get("content", ()))
