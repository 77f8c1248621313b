"""Which TipTap documents a lesson may have, and what is said of those that it may not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studypack.core.errors import Unprocessable
from studypack.courses.content import Prepared, prepare, tiptap
from tests.support.tiptap import DOCUMENTS, Node, attempt, block, doc, link, paragraph, words


def refusal(content: Any) -> dict[str, tuple[str, str]]:
    """Code and message by field."""
    with pytest.raises(Unprocessable) as refused:
        prepare(content, None)
    return {error.field: (error.code, error.message) for error in refused.value.errors}


def kept(*blocks: Node) -> list[Node]:
    content = prepare(doc(*blocks), None).content
    assert content is not None
    nodes: list[Node] = content["content"]
    return nodes


@given(DOCUMENTS)
@settings(max_examples=80, deadline=None)
def test_to_prepare_what_was_prepared_changes_nothing(document: Node) -> None:
    once = prepare(document, None)

    assert prepare(once.content, once.content_markdown) == once
    assert json.loads(json.dumps(once.content)) == once.content


def test_an_unknown_mark_is_named_by_its_path_with_what_is_allowed() -> None:
    four = [paragraph("a"), paragraph("b"), paragraph("c"), paragraph("d", {"type": "blink"})]

    [(field, (code, message))] = refusal(doc(*four)).items()

    assert (field, code) == ("content.content.3.content.0.marks.0.type", "unknown_mark")
    assert "'blink'" in message
    assert "bold" in message


def test_an_unknown_block_is_named_by_its_path_with_what_is_allowed() -> None:
    inside = block("blockquote", block("iframe", src="https://example.org"))

    [(field, (code, message))] = refusal(doc(inside)).items()

    assert (field, code) == ("content.content.0.content.0.type", "unknown_block")
    assert "'iframe'" in message
    assert "blockquote may hold only: paragraph, heading" in message


@pytest.mark.parametrize(
    ("node", "path", "code"),
    [
        (block("paragraph", words("x"), onclick="alert(1)"), "attrs.onclick", "unknown_attribute"),
        (block("heading", words("x"), level=7), "attrs.level", "invalid"),
        (block("heading", words("x"), level=True), "attrs.level", "invalid"),
        (block("heading", words("x")), "attrs.level", "missing"),
        (block("callout", paragraph("x"), kind="danger"), "attrs.kind", "invalid"),
        (block("image", src="javascript:alert(1)"), "attrs.src", "invalid"),
        (block("image", src="data:image/svg+xml,<svg/>"), "attrs.src", "invalid"),
        (block("image", alt="no address"), "attrs.src", "missing"),
        (block("image", src="https://example.org/a", width="100%"), "attrs.width", "invalid"),
        (block("codeBlock", words("x"), language='py" onload="'), "attrs.language", "invalid"),
        (block("codeBlock", words("x", {"type": "bold"})), "content.0.marks", "marks_not_allowed"),
        (block("codeBlock", block("hardBreak")), "content.0.type", "unknown_block"),
        (block("paragraph", words("")), "content.0.text", "empty"),
        (block("paragraph", words("a\ud800b")), "content.0.text", "invalid"),
        (block("paragraph", words("a\0b")), "content.0.text", "invalid"),
        (block("paragraph", {"type": "text"}), "content.0.text", "empty"),
        (block("bulletList"), "content", "empty"),
        (block("bulletList", paragraph("x")), "content.0.type", "unknown_block"),
        (
            block("orderedList", block("listItem", paragraph("x")), start="1"),
            "attrs.start",
            "invalid",
        ),
        (
            block("table", block("tableRow", paragraph("x"))),
            "content.0.content.0.type",
            "unknown_block",
        ),
        ({"type": "paragraph", "content": "x"}, "content", "not_a_list"),
        ({"type": "paragraph", "attrs": [1]}, "attrs", "not_an_object"),
        ({"type": "paragraph", "innerHTML": "<b>"}, "innerHTML", "unknown_field"),
        ({"type": "paragraph", "marks": [{"type": "bold"}]}, "marks", "marks_not_allowed"),
        (
            paragraph("x", {"type": "bold"}, {"type": "bold"}),
            "content.0.marks.1.type",
            "given_twice",
        ),
        (paragraph("x", link("vbscript:x")), "content.0.marks.0.attrs.href", "invalid"),
        (paragraph("x", {"type": "link"}), "content.0.marks.0.attrs.href", "missing"),
        (
            paragraph("x", {"type": "bold", "html": "<b>"}),
            "content.0.marks.0.html",
            "unknown_field",
        ),
        ("<p>x</p>", None, "not_an_object"),
        ({}, "type", "unknown_block"),
        ({"type": ["paragraph"]}, "type", "unknown_block"),
    ],
)
def test_what_may_not_be_is_refused_where_it_stands(node: Any, path: str | None, code: str) -> None:
    field = "content.content.0" + (f".{path}" if path else "")

    assert {name: found for name, (found, _) in refusal(doc(node)).items()} == {field: code}


def test_everything_wrong_is_told_at_once_but_not_without_end() -> None:
    bad = [block("marquee") for _ in range(100)]

    assert len(refusal(doc(*bad[:3]))) == 3
    assert len(refusal(doc(*bad))) == tiptap.MOST_PROBLEMS


def test_a_document_without_blocks_is_refused() -> None:
    assert refusal({"type": "doc"}) == {"content.content": ("empty", "doc must hold something.")}
    assert list(refusal({"type": "paragraph"})) == ["content.type"]


def nested(depth: int) -> Node:
    node = paragraph("x")
    for _ in range(depth - 3):  # doc, paragraph and text count too
        node = block("blockquote", node)
    return doc(node)


def test_blocks_may_lie_fifty_deep_and_no_deeper() -> None:
    prepare(nested(tiptap.DEEPEST), None)

    assert [code for code, _ in refusal(nested(tiptap.DEEPEST + 1)).values()] == ["too_deep"]


def test_a_document_of_absurd_depth_is_refused_as_well() -> None:
    assert [code for code, _ in refusal(nested(20_000)).values()] == ["too_deep"]


def test_more_than_ten_thousand_blocks_are_refused() -> None:
    many = [block("horizontalRule")] * (tiptap.MOST_NODES - 1)
    prepare(doc(*many), None)

    assert [code for code, _ in refusal(doc(*many, *many[:1])).values()] == ["too_many_blocks"]


def test_more_than_half_a_megabyte_is_refused_in_bytes() -> None:
    prepare(doc(paragraph("ä" * 200_000)), None)

    assert refusal(doc(paragraph("ä" * 250_000)))["content"][0] == "too_large"


def test_what_an_editor_writes_of_itself_is_dropped() -> None:
    href = "https://example.org"
    own = link(href, target="_blank", rel="noopener", **{"class": None, "title": None})
    cell = block("tableCell", paragraph("x", own), colspan=1, rowspan=1, colwidth=[120])

    [table, listed, picture] = kept(
        block("table", block("tableRow", cell)),
        block("orderedList", block("listItem", paragraph("x")), start=1, type=None),
        block("image", src="https://example.org/a.png", alt=None, width=120.4, height=None),
    )

    [kept_cell] = table["content"][0]["content"]
    assert kept_cell["attrs"] == {"colspan": 1, "rowspan": 1}
    assert kept_cell["content"][0]["content"][0]["marks"] == [link(href)]
    assert listed["attrs"] == {"start": 1}
    assert picture["attrs"] == {"src": "https://example.org/a.png", "width": 120}


def test_empty_parts_are_dropped() -> None:
    assert kept({"type": "paragraph", "attrs": {}, "content": [], "marks": []}) == [
        {"type": "paragraph"}
    ]


def test_a_lesson_has_one_kind_of_content() -> None:
    with pytest.raises(Unprocessable) as refused:
        prepare(doc(paragraph("x")), "x")

    assert [(error.field, error.code) for error in refused.value.errors] == [
        ("content_markdown", "two_contents")
    ]


def test_no_content_is_none() -> None:
    assert prepare(None, None) == prepare(None, " \r\n\t") == Prepared(None, None, "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "attrs", "content", "marks", "text", "href", "src", "level"])
            | st.text(max_size=5),
            inner | st.sampled_from([*tiptap.NODES, *tiptap.MARKS]),
            max_size=4,
        ),
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_accepted_or_refused_with_its_place(content: Any) -> None:
    found = attempt(content if isinstance(content, dict) else doc(content))

    if isinstance(found, Prepared):
        assert attempt(found.content) == found
    else:
        assert found.errors
        assert all(error.field.split(".")[0] == "content" for error in found.errors)
        assert all(error.message.endswith(".") for error in found.errors)
