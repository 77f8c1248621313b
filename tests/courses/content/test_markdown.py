"""Markdown: what it may say, what it becomes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studypack.core.errors import Unprocessable
from studypack.courses.content import markdown as reader
from studypack.courses.content import prepare, tiptap, to_html
from tests.support.safe_html import SafeHtml
from tests.support.tiptap import attempt, block, doc, link, paragraph, words


def rendered(markdown: str) -> str:
    prepared = prepare(None, markdown)
    markup = to_html(None, prepared.content_markdown)
    assert SafeHtml(markup).problems == []
    return markup


def refusal(markdown: str) -> list[tuple[str, str, str]]:
    with pytest.raises(Unprocessable) as refused:
        prepare(None, markdown)
    return [(error.field, error.code, error.message) for error in refused.value.errors]


PIECES = st.sampled_from(
    ["# ", "> ", "- ", "- [ ] ", "1. ", "```python\n", "```\n", "    ", "**", "*", "~~", "`",
     "[a](/b)", "[a](javascript:b)", "![a](media/b.png)", "<b onclick=x>", "<!-- x -->",
     "<https://a.org>", "\n", "\n\n", "| a | b |\n|---|:-:|\n", "| 1 ", "&colon;",
     "&#106;avascript", "\\", "---\n", "> [!NOTE]\n", "  \n", "[a]: javascript:x\n", "[a]",
     "<script>", "x", " ", "a word "]
)  # fmt: skip
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)


@given(st.lists(PIECES | WORDS, max_size=25).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_markdown_is_refused_or_safe_and_prepared_once(markdown: str) -> None:
    once = attempt(None, markdown)
    if isinstance(once, Unprocessable):
        assert {error.field for error in once.errors} == {"content_markdown"}
        return
    assert prepare(once.content, once.content_markdown) == once
    assert SafeHtml(to_html(None, once.content_markdown)).problems == []


@given(st.lists(PIECES, max_size=25).map("".join))
@settings(max_examples=200, deadline=None)
def test_what_it_becomes_is_a_document_that_an_editor_may_open(markdown: str) -> None:
    if isinstance(attempt(None, markdown), Unprocessable):
        return
    document = reader.to_document(markdown)
    if document["content"]:
        _fill(document)
        tiptap.accept(document)


def _fill(node: dict[str, object]) -> None:
    """Markdown knows items without anything in them."""
    children = node.get("content")
    if isinstance(children, list):
        for child in children:
            _fill(child)
        if not children and tiptap.NODES[str(node["type"])].needs_content:
            children.append({"type": "paragraph"})


def test_the_rules_for_addresses_are_those_of_tiptap_and_name_the_line() -> None:
    found = refusal("# Fine\n\nOne\n[bad](javascript:alert(1)) and\n![x](http://example.org/a.png)")

    assert [(field, code) for field, code, _ in found] == [
        ("content_markdown", "invalid_address"),
        ("content_markdown", "invalid_address"),
    ]
    assert "Line 4: 'javascript:alert(1)'" in found[0][2]
    assert "Line 5: 'http://example.org/a.png'" in found[1][2]


@pytest.mark.parametrize(
    "markdown",
    [
        "[x](javascript&colon;alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](JAVASCRIPT:alert(1))",
        "[x](<java\tscript:alert(1)>)",
        "[x][y]\n\n[y]: data:text/html;base64,x",
        "<javascript:alert(1)>",
        "![x](//example.org/x.png)",
        "![x](media/../secret)",
    ],
)
def test_an_address_in_disguise_is_refused_or_no_address(markdown: str) -> None:
    found = attempt(None, markdown)

    if isinstance(found, Unprocessable):
        assert found.errors[0].code == "invalid_address"
    else:
        assert SafeHtml(rendered(markdown)).tags == ["p"]


def test_html_is_text() -> None:
    assert rendered("a <b>c</b>\n\n<script>x</script>") == (
        "<p>a &lt;b&gt;c&lt;/b&gt;</p><p>&lt;script&gt;x&lt;/script&gt;</p>"
    )


def test_it_stands_for_the_document_that_an_editor_would_write() -> None:
    markdown = "## Loops & more\n\nA **bold** [link](/x 'T').\n\n3. `three`\n"

    assert reader.accept(markdown) == doc(
        block("heading", words("Loops & more"), level=2),
        block("paragraph", words("A "), words("bold", {"type": "bold"}), words(" "),
              words("link", link("/x", title="T")), words(".")),
        block("orderedList", block("listItem", paragraph("three", {"type": "code"})), start=3),
    )  # fmt: skip


def test_code_keeps_its_lines_and_its_language() -> None:
    markup = rendered('```python title="x"\nif a < b:\n\n    c\n```\n\n``` js"onload=x\ny\n```')

    assert '<pre><code class="language-python">if a &lt; b:\n\n    c</code></pre>' in markup
    assert "<pre><code>y</code></pre>" in markup


def test_tables_task_lists_and_callouts_are_understood() -> None:
    markup = rendered(
        "| a | b |\n|---|--:|\n| 1 | ~~2~~ |\n\n- [x] done\n- [ ] to do\n\n"
        "> [!WARNING]\n> Hot\n\n> [!TIP] not one, the text goes on\n\n- [x] one\n- two"
    )

    assert '<td class="align-right"><p><s>2</s></p></td>' in markup
    assert '<ul class="tasks"><li><input type="checkbox" disabled checked>' in markup
    assert '<aside class="callout callout-warning" role="note"><p>Hot</p></aside>' in markup
    assert "<blockquote><p>[!TIP] not one" in markup
    assert "<ul><li><p>[x] one</p></li><li><p>two</p></li></ul>" in markup


def test_what_search_reads_is_what_a_reader_sees() -> None:
    markdown = (
        "# Title\n\nA [link](https://example.org 'not this') and *marks*  \nnext\n\n"
        "- item\n\n| h |\n|---|\n| cell |\n\n![a picture](media/x.png)\n\n```py\ncode()\n```"
    )

    assert prepare(None, markdown).body_text == (
        "Title\nA link and marks\nnext\nitem\nh\ncell\na picture\ncode()"
    )


def test_lines_end_with_a_line_feed_whatever_the_author_has() -> None:
    assert prepare(None, "a\r\n\r\nb\rc").content_markdown == "a\n\nb\nc"


@pytest.mark.parametrize(
    ("markdown", "code"),
    [("a\0b", "invalid"), ("a\ud800", "invalid"), ("x" * 500_001, "too_large")],
)
def test_what_cannot_be_stored_is_refused(markdown: str, code: str) -> None:
    assert [found for _, found, _ in refusal(markdown)] == [code]


def test_blocks_too_deep_are_refused_and_never_dropped_silently() -> None:
    for depth in range(1, 70):
        markdown = "> " * depth + "end"
        found = attempt(None, markdown)
        if isinstance(found, Unprocessable):
            assert found.errors[0].code == "too_deep"
            assert depth >= 40
        else:
            assert "end" in rendered(markdown)


@pytest.mark.parametrize(
    "piece", ["*a ", "[", "![", "`", "<", "> ", "- ", "**a ", "[a](", "\\", "|", "&#", "_a", "~~"]
)
def test_a_hostile_text_takes_no_longer_than_a_request_may(piece: str) -> None:
    found = attempt(None, piece * (20_000 // len(piece)))

    if not isinstance(found, Unprocessable):
        to_html(None, found.content_markdown)
