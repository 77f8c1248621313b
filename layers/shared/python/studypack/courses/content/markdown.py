"""Markdown as a document, so that there is one renderer and one set of rules (pure).

CommonMark with tables and strikethrough, task lists (`- [ ] ...`) and callouts (`> [!NOTE]`, a
block quote on GitHub). Html in it is text. markdown-it is imported when something is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.content.tiptap import (
    DEEPEST,
    LANGUAGE,
    LARGEST,
    MOST_PROBLEMS,
    UNSTORABLE,
)
from studypack.courses.content.urls import image_problem, link_problem

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

Node = dict[str, Any]

_CALLOUT: Final = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*", re.IGNORECASE)
_CALLOUT_KINDS: Final = {
    "NOTE": "note",
    "TIP": "tip",
    "IMPORTANT": "note",
    "WARNING": "warning",
    "CAUTION": "warning",
}
_TASK: Final = re.compile(r"\[([ xX])\]\s+(?=\S)")
_MARKS: Final = {"strong": "bold", "em": "italic", "s": "strike"}
_ALIGNED: Final = re.compile(r"text-align:(left|center|right)")
_BLOCKS: Final = {
    "paragraph": "paragraph",
    "heading": "heading",
    "bullet_list": "bulletList",
    "ordered_list": "orderedList",
    "list_item": "listItem",
    "blockquote": "blockquote",
    "table": "table",
    "tr": "tableRow",
    "th": "tableHeader",
    "td": "tableCell",
}


def normalized(markdown: str) -> str:
    """With line feeds at the ends of lines, as it is kept."""
    return markdown.replace("\r\n", "\n").replace("\r", "\n")


def accept(markdown: str, *, field: str = "content_markdown") -> Node:
    """The document that it stands for.

    Raises Unprocessable whose errors name the lines.
    """
    if UNSTORABLE.search(markdown):
        raise Unprocessable.field(field, "The text has characters that cannot be stored.")
    if len(markdown.encode()) > LARGEST:
        raise Unprocessable.field(
            field, f"The content is larger than {LARGEST // 1000} kB.", code="too_large"
        )
    reader = _Reader(field)
    document = reader.document(markdown)
    if reader.problems:
        raise Unprocessable("The content cannot be used.", errors=reader.problems)
    return document


def to_document(markdown: str) -> Node:
    """The document of a row's Markdown, whatever it is: the renderer leaves out what may not be."""
    return _Reader("content_markdown").document(markdown)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # Beyond `maxNesting` it would drop content silently; we refuse before.
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST + 10})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    # So that a refusal can name the address and its line, instead of showing the Markdown.
    parser.validateLink = _takes_any  # type: ignore[method-assign]
    return parser


def _takes_any(url: str) -> bool:
    return True


class _Reader:
    """Builds a document from the parser's tokens, and notes what may not be."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.problems: list[FieldError] = []

    def document(self, markdown: str) -> Node:
        root: Node = {"type": "doc", "content": []}
        opened = [root]
        line = 1
        for token in _parser().parse(markdown):
            line = token.map[0] + 1 if token.map else line
            if token.level >= DEEPEST:
                self._note(line, "too_deep", f"blocks lie more than {DEEPEST} deep in each other")
                break
            name = _BLOCKS.get(token.type.removesuffix("_open").removesuffix("_close"))
            if name is not None and token.nesting == 1:
                node: Node = {"type": name, "content": [], **_attributes(name, token)}
                opened[-1]["content"].append(node)
                opened.append(node)
            elif name is not None and token.nesting == -1:
                _finish(opened.pop())
            elif token.type == "inline":
                opened[-1]["content"] += self._inline(token.children or (), line)
            elif token.type in {"fence", "code_block"}:
                opened[-1]["content"].append(_code_block(token))
            elif token.type == "hr":
                opened[-1]["content"].append({"type": "horizontalRule"})
        return root

    def _inline(self, tokens: Sequence[Token], line: int) -> Iterator[Node]:
        held: dict[str, list[Node]] = {}
        for token in tokens:
            kind = token.type.removesuffix("_open").removesuffix("_close")
            if kind == "link" and token.nesting == 1:
                held.setdefault("link", []).append(self._link(token, line))
            elif kind in _MARKS and token.nesting == 1:
                held.setdefault(kind, []).append({"type": _MARKS[kind]})
            elif token.nesting == -1 and held.get(kind):
                held[kind].pop()
            else:
                marks = [stack[-1] for stack in held.values() if stack]
                node = self._leaf(token, line, marks)
                if node is not None:
                    yield {**node, "marks": marks} if marks and "marks" not in node else node
            if token.type in {"softbreak", "hardbreak"}:
                line += 1

    def _leaf(self, token: Token, line: int, marks: Sequence[Node]) -> Node | None:
        match token.type:
            case "softbreak":
                return {"type": "text", "text": "\n"}
            case "hardbreak":
                return {"type": "hardBreak"}
            case "image":
                return self._image(token, line)
            case "code_inline":
                code = {"type": "text", "text": token.content, "marks": [*marks, {"type": "code"}]}
                return code if token.content else None
            case _:
                return {"type": "text", "text": token.content} if token.content else None

    def _link(self, token: Token, line: int) -> Node:
        address = str(token.attrGet("href") or "")
        self._check(address, link_problem(address), line)
        return {"type": "link", "attrs": {"href": address, **_title(token)}}

    def _image(self, token: Token, line: int) -> Node:
        address = str(token.attrGet("src") or "")
        self._check(address, image_problem(address), line)
        words = " ".join(_described(token.children or ()).split())
        return {"type": "image", "attrs": {"src": address, "alt": words, **_title(token)}}

    def _check(self, address: str, problem: str | None, line: int) -> None:
        if problem is not None:
            self._note(line, "invalid_address", f"{address[:80]!a} cannot be used: {problem}")

    def _note(self, line: int, code: str, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(FieldError(self.field, code, f"Line {line}: {message}."))


def _attributes(name: str, token: Token) -> Node:
    match name:
        case "heading":
            return {"attrs": {"level": int(token.tag[1:])}}
        case "orderedList" if (start := token.attrGet("start")) is not None:
            return {"attrs": {"start": int(start)}}
        case "tableHeader" | "tableCell":
            aligned = _ALIGNED.search(str(token.attrGet("style") or ""))
            return {"attrs": {"align": aligned[1]}} if aligned else {}
        case _:
            return {}


def _finish(node: Node) -> None:
    """What can only be told when all of a block is there."""
    content = node["content"]
    if node["type"] in {"tableHeader", "tableCell"}:
        node["content"] = [{"type": "paragraph", "content": content}]
    elif node["type"] == "bulletList" and all(_TASK.match(_first_words(each)) for each in content):
        node["type"] = "taskList"
        for item in content:
            mark = _cut(item, _TASK)
            item |= {"type": "taskItem", "attrs": {"checked": mark[1] in "xX"}}
    elif node["type"] == "blockquote" and _is_callout(node):
        mark = _cut(node, _CALLOUT)
        node |= {"type": "callout", "attrs": {"kind": _CALLOUT_KINDS[mark[1].upper()]}}


def _first_words(block: Node) -> str:
    """The text that a list item or block quote begins with."""
    first = next(iter(block["content"]), None)
    if first is None or first["type"] != "paragraph":
        return ""
    words = next(iter(first["content"]), None)
    return words["text"] if words and words["type"] == "text" and "marks" not in words else ""


def _is_callout(block: Node) -> bool:
    if not _CALLOUT.fullmatch(_first_words(block)):
        return False
    return len(block["content"]) > 1 or len(block["content"][0]["content"]) > 1


def _cut(block: Node, pattern: re.Pattern[str]) -> re.Match[str]:
    """Take what the pattern finds from a block's first words."""
    line = block["content"][0]["content"]
    found = pattern.match(line[0]["text"])
    if found is None:
        raise AssertionError("looked at before")
    rest = line[0]["text"][found.end() :]
    if rest:
        line[0]["text"] = rest
    else:
        del line[0]
        if line and line[0].get("text") == "\n":
            del line[0]
        if not line:
            del block["content"][0]
    return found


def _code_block(token: Token) -> Node:
    node: Node = {"type": "codeBlock", "content": []}
    language = token.info.split(maxsplit=1)[0] if token.info.strip() else ""
    if LANGUAGE.fullmatch(language):
        node["attrs"] = {"language": language}
    if code := token.content.removesuffix("\n"):
        node["content"] = [{"type": "text", "text": code}]
    return node


def _title(token: Token) -> Node:
    title = token.attrGet("title")
    return {"title": str(title)} if title else {}


def _described(tokens: Sequence[Token]) -> str:
    """The words of a picture's description, without its own marks."""
    return "".join(
        _described(token.children) if token.children else _plain(token) for token in tokens
    )


def _plain(token: Token) -> str:
    return " " if token.type in {"softbreak", "hardbreak"} else token.content
