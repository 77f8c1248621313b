"""TipTap documents: short to write, and arbitrary ones for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from studypack.core.errors import Unprocessable
from studypack.courses.content import Prepared, prepare

Node = dict[str, Any]


def doc(*blocks: Node) -> Node:
    return {"type": "doc", "content": list(blocks)}


def block(name: str, /, *content: Node, **attributes: Any) -> Node:
    node: Node = {"type": name}
    if attributes:
        node["attrs"] = attributes
    if content:
        node["content"] = list(content)
    return node


def words(text: str, *marks: Node) -> Node:
    return {"type": "text", "text": text, **({"marks": list(marks)} if marks else {})}


def attempt(content: Any, markdown: str | None = None) -> Prepared | Unprocessable:
    """What becomes of content: prepared, or refused."""
    try:
        return prepare(content, markdown)
    except Unprocessable as refused:
        return refused


def paragraph(text: str, *marks: Node) -> Node:
    return block("paragraph", words(text, *marks))


def link(href: str, **attributes: Any) -> Node:
    return {"type": "link", "attrs": {"href": href, **attributes}}


_HOSTILE = st.sampled_from(
    ["<script>alert(1)</script>", "\"onload='x'", "javascript:alert(1)", "&lt;b&gt;", "-->", "]]>"]
)
TEXT = st.one_of(
    _HOSTILE,
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30),
)
_PATH = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=":\\/"),
    min_size=1,
    max_size=15,
)
HREFS = st.one_of(
    st.builds("https://example.org/{}".format, _PATH),
    st.builds("#{}".format, _PATH),
    st.builds("/lessons/{}?a=javascript:b".format, _PATH),
    st.builds("mailto:{}@example.org".format, _PATH),
)
_OPTIONAL = st.none() | TEXT
MARKS = st.lists(
    st.one_of(
        st.sampled_from(
            ["bold", "italic", "strike", "code", "underline", "subscript", "superscript",
             "highlight"]
        ).map(lambda name: {"type": name}),
        st.builds(lambda href, title: link(href, title=title, target="_blank"), HREFS, _OPTIONAL),
    ),
    max_size=4,
    unique_by=lambda mark: mark["type"],
)  # fmt: skip
_LANGUAGE = st.sampled_from([None, "", "python", "c++", "objective-c", "f#"])
_SPAN = st.integers(1, 100)
IMAGES = st.builds(
    lambda src, alt, title, width: block("image", src=src, alt=alt, title=title, width=width),
    st.builds("https://example.org/{}".format, _PATH) | st.just("media/a-1/b.svg"),
    _OPTIONAL,
    _OPTIONAL,
    st.none() | st.integers(1, 10_000),
)
INLINE = st.lists(
    st.one_of(
        st.builds(lambda text, marks: words(text, *marks), TEXT, MARKS),
        st.just(block("hardBreak")),
        IMAGES,
    ),
    max_size=5,
)
LEAVES = st.one_of(
    st.builds(lambda inline: block("paragraph", *inline), INLINE),
    st.builds(
        lambda inline, level: block("heading", *inline, level=level), INLINE, st.integers(1, 6)
    ),
    st.builds(
        lambda code, language: block("codeBlock", words(code), language=language), TEXT, _LANGUAGE
    ),
    st.just(block("horizontalRule")),
    IMAGES,
)


def _around(blocks: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    some = st.lists(blocks, min_size=1, max_size=3)
    items = st.lists(some.map(lambda inner: block("listItem", *inner)), min_size=1, max_size=3)
    tasks = st.lists(
        st.builds(lambda inner, done: block("taskItem", *inner, checked=done), some, st.booleans()),
        min_size=1,
        max_size=3,
    )
    cells = st.builds(
        lambda kind, inner, across, down: block(
            kind, *inner, colspan=across, rowspan=down, colwidth=None
        ),
        st.sampled_from(["tableCell", "tableHeader"]),
        some,
        _SPAN,
        _SPAN,
    )
    rows = st.lists(cells, max_size=3).map(lambda inner: block("tableRow", *inner))
    return st.one_of(
        items.map(lambda inner: block("bulletList", *inner)),
        st.builds(
            lambda inner, at: block("orderedList", *inner, start=at, type=None),
            items,
            st.integers(0, 99),
        ),
        tasks.map(lambda inner: block("taskList", *inner)),
        some.map(lambda inner: block("blockquote", *inner)),
        st.builds(
            lambda inner, kind: block("callout", *inner, kind=kind),
            some,
            st.sampled_from(["note", "tip", "warning"]),
        ),
        st.lists(rows, min_size=1, max_size=3).map(lambda inner: block("table", *inner)),
    )


DOCUMENTS = st.lists(st.recursive(LEAVES, _around, max_leaves=12), min_size=1, max_size=5).map(
    lambda blocks: doc(*blocks)
)
"""Documents that a lesson may have."""
