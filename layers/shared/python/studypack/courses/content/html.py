"""A document as html that is safe to show (pure).

Nothing of a document reaches the html but escaped text and attributes from a fixed list; addresses
are looked at again, whoever wrote the row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any, Final

from studypack.courses.content.plain import inline_text
from studypack.courses.content.tiptap import ALIGNMENTS, CALLOUTS, INLINE, LANGUAGE, MARKS
from studypack.courses.content.urls import image_problem, link_problem

Node = dict[str, Any]

REL: Final = "noopener noreferrer nofollow"

_MARK_ORDER: Final = tuple(MARKS)
_MARK_TAGS: Final = {
    "bold": "strong",
    "italic": "em",
    "strike": "s",
    "underline": "u",
    "subscript": "sub",
    "superscript": "sup",
    "highlight": "mark",
    "code": "code",
}
_CONTAINERS: Final = {
    "paragraph": "p",
    "bulletList": "ul",
    "listItem": "li",
    "blockquote": "blockquote",
}
_NOT_IN_A_SLUG: Final = re.compile(r"[^\w]+")
_LONGEST_SLUG: Final = 80


def render(document: Node | None, *, media_base: str | None = None) -> str:
    """The html of a document. `media_base`: what stands in front of a file of the course, instead
    of `media`, e.g. `/media/python-programming`.
    """
    if document is None:
        return ""
    return _Renderer(media_base).blocks(document.get("content", ()))


class _Renderer:
    """Renders one document; headings' ids are unique within it."""

    def __init__(self, media_base: str | None) -> None:
        self.media_base = media_base
        self.ids: set[str] = set()
        self.of: dict[str, Callable[[Node], str]] = {
            "heading": self._heading,
            "orderedList": self._ordered_list,
            "taskList": lambda node: f'<ul class="tasks">{self._inside(node)}</ul>',
            "taskItem": self._task,
            "callout": self._callout,
            "codeBlock": self._code_block,
            "horizontalRule": lambda _: "<hr>",
            "image": self._image,
            "table": self._table,
        }

    def blocks(self, nodes: Iterable[Node]) -> str:
        """Blocks one below the other; neighbours within a line together."""
        written: list[str] = []
        line: list[Node] = []
        for node in nodes:
            if node.get("type") in INLINE and node.get("type") != "image":
                line.append(node)
                continue
            written += [self._line(line), self._block(node)]
            line = []
        return "".join([*written, self._line(line)])

    def _block(self, node: Node) -> str:
        name = node.get("type")
        if name in self.of:
            return self.of[name](node)
        inside = self._inside(node)
        tag = _CONTAINERS.get(str(name))
        return f"<{tag}>{inside}</{tag}>" if tag else inside

    def _inside(self, node: Node) -> str:
        content = node.get("content", ())
        return self._line(content) if node.get("type") == "paragraph" else self.blocks(content)

    def _heading(self, node: Node) -> str:
        level = _attributes(node).get("level")
        tag = f"h{level}" if level in range(1, 7) else "h6"
        return f'<{tag} id="{escape(self._id(node))}">{self._line(node.get("content", ()))}</{tag}>'

    def _id(self, node: Node) -> str:
        base = slug(inline_text(node))
        found, number = base, 1
        while found in self.ids:
            number += 1
            found = f"{base}-{number}"
        self.ids.add(found)
        return found

    def _ordered_list(self, node: Node) -> str:
        start = _whole(_attributes(node).get("start"))
        opening = f'<ol start="{start}">' if start not in {None, 1} else "<ol>"
        return f"{opening}{self._inside(node)}</ol>"

    def _task(self, node: Node) -> str:
        checked = " checked" if _attributes(node).get("checked") is True else ""
        box = f'<input type="checkbox" disabled{checked}>'
        return f"<li>{box}<div>{self._inside(node)}</div></li>"

    def _callout(self, node: Node) -> str:
        kind = _attributes(node).get("kind")
        kind = kind if kind in CALLOUTS else CALLOUTS[0]
        return f'<aside class="callout callout-{kind}" role="note">{self._inside(node)}</aside>'

    def _code_block(self, node: Node) -> str:
        language = _attributes(node).get("language")
        known = isinstance(language, str) and LANGUAGE.fullmatch(language)
        of_class = f' class="language-{escape(language)}"' if known and language else ""
        code = "".join(str(child.get("text", "")) for child in node.get("content", ()))
        return f"<pre><code{of_class}>{escape(code)}</code></pre>"

    def _image(self, node: Node) -> str:
        given = _attributes(node)
        source = given.get("src")
        alternative = _text(given.get("alt"))
        if not isinstance(source, str) or image_problem(source) is not None:
            return escape(alternative)
        if self.media_base is not None and source.startswith("media/"):
            source = self.media_base.rstrip("/") + source.removeprefix("media")
        attributes = [f'src="{escape(source)}"', f'alt="{escape(alternative)}"']
        if title := _text(given.get("title")):
            attributes.append(f'title="{escape(title)}"')
        attributes += [
            f'{name}="{size}"' for name in ("width", "height") if (size := _whole(given.get(name)))
        ]
        return f'<img {" ".join(attributes)} loading="lazy">'

    def _table(self, node: Node) -> str:
        rows = [
            "".join(self._cell(cell, in_head=number == 0) for cell in row.get("content", ()))
            for number, row in enumerate(node.get("content", ()))
        ]
        return f"<table><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"

    def _cell(self, node: Node, *, in_head: bool) -> str:
        given = _attributes(node)
        tag, attributes = "td", ""
        if node.get("type") == "tableHeader":
            tag, attributes = "th", f' scope="{"col" if in_head else "row"}"'
        for name in ("colspan", "rowspan"):
            span = _whole(given.get(name))
            if span is not None and span > 1:
                attributes += f' {name}="{span}"'
        if given.get("align") in ALIGNMENTS:
            attributes += f' class="align-{given["align"]}"'
        return f"<{tag}{attributes}>{self._inside(node)}</{tag}>"

    def _line(self, nodes: Sequence[Node]) -> str:
        """Text with its marks; what neighbours share is opened once."""
        written: list[str] = []
        opened: list[tuple[str, str]] = []
        for node in nodes:
            wanted = _marks(node)
            same = 0
            while same < min(len(opened), len(wanted)) and opened[same] == wanted[same]:
                same += 1
            written += [f"</{_tag(opening)}>" for opening, _ in reversed(opened[same:])]
            written += [opening for opening, _ in wanted[same:]]
            opened = wanted
            written.append(self._inline(node))
        written += [f"</{_tag(opening)}>" for opening, _ in reversed(opened)]
        return "".join(written)

    def _inline(self, node: Node) -> str:
        match node.get("type"):
            case "text":
                return escape(_text(node.get("text")))
            case "hardBreak":
                return "<br>"
            case _:
                return self._block(node)


def slug(words: str) -> str:
    """A heading's id: its words in small letters with hyphens between, in any script."""
    plain = unicodedata.normalize("NFKC", words).casefold()
    return _NOT_IN_A_SLUG.sub("-", plain).strip("-_")[:_LONGEST_SLUG].rstrip("-") or "section"


def _marks(node: Node) -> list[tuple[str, str]]:
    """The opening tags of an inline node's marks, the outermost first, each with its mark."""
    by_name = {str(mark.get("type")): mark for mark in node.get("marks", ())}
    found = []
    for name in _MARK_ORDER:
        mark = by_name.get(name)
        if mark is None:
            continue
        opening = _link(_attributes(mark)) if name == "link" else f"<{_MARK_TAGS[name]}>"
        if opening:
            found.append((opening, name))
    return found


def _link(given: Node) -> str:
    address = given.get("href")
    if not isinstance(address, str) or link_problem(address) is not None:
        return ""
    title = f' title="{escape(words)}"' if (words := _text(given.get("title"))) else ""
    return f'<a href="{escape(address)}"{title} rel="{REL}">'


def _tag(opening: str) -> str:
    return opening[1:].split(" ", 1)[0].rstrip(">")


def _attributes(node: Node) -> Node:
    found = node.get("attrs")
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None
