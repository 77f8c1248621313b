"""What becomes of content in a browser: nothing runs, and nothing is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studypack.core.errors import Unprocessable
from studypack.courses.content import Prepared, html, plain, prepare, to_html, to_text
from tests.support.safe_html import SafeHtml
from tests.support.tiptap import DOCUMENTS, Node, attempt, block, doc, link, paragraph, words

XSS = [
    # OWASP's XSS filter evasion cheat sheet
    "<SCRIPT SRC=https://example.org/xss.js></SCRIPT>",
    "javascript:/*--></title></style></textarea></script></xmp><svg/onload='+/\"`/+/onmouseover=1/+/[*/[]/+alert(42);//'>",
    "<IMG SRC=\"javascript:alert('XSS');\">",
    "<IMG SRC=javascript:alert('XSS')>",
    "<IMG SRC=JaVaScRiPt:alert('XSS')>",
    "<IMG SRC=javascript:alert(&quot;XSS&quot;)>",
    "<IMG SRC=`javascript:alert(\"RSnake says, 'XSS'\")`>",
    "<a onmouseover=\"alert(document.cookie)\">xxs link</a>",
    "<IMG \"\"\"><SCRIPT>alert(\"XSS\")</SCRIPT>\"\\>",
    "<IMG SRC=# onmouseover=\"alert('xxs')\">",
    "<IMG SRC=/ onerror=\"alert(String.fromCharCode(88,83,83))\"></img>",
    "<IMG SRC=&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;alert('XSS')>",
    "<IMG SRC=&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A&#x61&#x6C&#x65&#x72&#x74>",
    "<IMG SRC=\"jav\tascript:alert('XSS');\">",
    "<IMG SRC=\"jav&#x09;ascript:alert('XSS');\">",
    "<IMG SRC=\" &#14; javascript:alert('XSS');\">",
    "<SCRIPT/XSS SRC=\"https://example.org/xss.js\"></SCRIPT>",
    "<BODY onload!#$%&()*~+-_.,:;?@[/|\\]^`=alert(\"XSS\")>",
    "<<SCRIPT>alert(\"XSS\");//\\<</SCRIPT>",
    "<SCRIPT SRC=https://example.org/xss.js?< B >",
    "<IMG SRC=\"`<javascript:alert>`('XSS')\"",
    "</TITLE><SCRIPT>alert(\"XSS\");</SCRIPT>",
    "<INPUT TYPE=\"IMAGE\" SRC=\"javascript:alert('XSS');\">",
    "<BODY BACKGROUND=\"javascript:alert('XSS')\">",
    "<svg/onload=alert('XSS')>",
    "<LINK REL=\"stylesheet\" HREF=\"javascript:alert('XSS');\">",
    "<STYLE>@import'https://example.org/xss.css';</STYLE>",
    "<META HTTP-EQUIV=\"refresh\" CONTENT=\"0;url=data:text/html base64,PHNjcmlwdD4=\">",
    "<IFRAME SRC=\"javascript:alert('XSS');\"></IFRAME>",
    "<TABLE><TD BACKGROUND=\"javascript:alert('XSS')\">",
    "<DIV STYLE=\"width: expression(alert('XSS'));\">",
    "<!--[if gte IE 4]><SCRIPT>alert('XSS');</SCRIPT><![endif]-->",
    "<BASE HREF=\"javascript:alert('XSS');//\">",
    "<OBJECT TYPE=\"text/x-scriptlet\" DATA=\"https://example.org/scriptlet.html\"></OBJECT>",
    "<EMBED SRC=\"data:image/svg+xml;base64,PHN2Zz4=\" type=\"image/svg+xml\">",
    "<? echo('<SCR)';echo('IPT>alert(\"XSS\")</SCRIPT>'); ?>",
    "<A HREF=\"//example.org/\">XSS</A>",
    "<math><a xlink:href=\"javascript:alert(1)\">x</a></math>",
    "<details open ontoggle=alert(1)>",
    "{{constructor.constructor('alert(1)')()}}",
]  # fmt: skip
BAD_ADDRESSES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
    "java\tscript:alert(1)", "\x01javascript:alert(1)", "javascript\n:alert(1)",
    "vbscript:msgbox(1)", "data:text/html;base64,PHNjcmlwdD4=", "data:image/svg+xml,<svg onload=x>",
    "//example.org", "\\\\example.org", "/\\example.org", "http://example.org", "file:///etc/passwd",
    "blob:https://example.org/x", "https:example.org", "https://", "https:///x", "https://[::1",
    "https://good.example@evil.example/", "https://exa mple.org", "ftp://example.org", "mailto:",
    "x:alert(1)", ":alert(1)", "feed:javascript:alert(1)", "view-source:https://example.org", "",
    "\u00a0javascript:alert(1)", "https://example.org/" + "a" * 2_000, "javascript\\:alert(1)",
]  # fmt: skip


def read(markup: str) -> SafeHtml:
    found = SafeHtml(markup)
    assert found.problems == [], markup
    return found


def test_an_attack_is_shown_as_the_text_that_it_is() -> None:
    for attack in XSS:
        document = doc(
            paragraph(attack),
            block("heading", words(attack), level=2),
            block("codeBlock", words(attack)),
            block("image", src="https://example.org/a.png", alt=attack, title=attack),
            paragraph("x", link("https://example.org", title=attack)),
        )
        prepared = prepare(document, None)

        found = read(to_html(prepared.content, None))

        assert found.text.count(attack) == 3
        assert found.first("img")["alt"] == attack
        assert found.first("a")["title"] == attack


@pytest.mark.parametrize("attack", XSS)
def test_an_attack_in_markdown_is_shown_or_refused(attack: str) -> None:
    for markdown in (attack, f"# {attack}", f"- {attack}", f"> {attack}", f"[{attack}](/x)"):
        found = attempt(None, markdown)
        if isinstance(found, Prepared):
            read(to_html(None, found.content_markdown))


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_an_address_that_may_run_or_lead_astray_is_refused(address: str) -> None:
    for node in (paragraph("x", link(address)), block("image", src=address)):
        with pytest.raises(Unprocessable):
            prepare(doc(node), None)


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_it_is_left_out_even_of_a_row_that_nobody_checked(address: str) -> None:
    unchecked = doc(paragraph("words", link(address)), block("image", src=address, alt="picture"))

    found = read(to_html(unchecked, None))

    assert found.text == "wordspicture"
    assert {"a", "img"}.isdisjoint(found.tags)


def test_other_parts_of_an_unchecked_row_reach_no_browser_either() -> None:
    unchecked = doc(
        block("script", words("alert(1)")),
        block("heading", words("h"), level='1 onload="x"'),
        block("codeBlock", words("c"), language='x" onload="y'),
        block("callout", paragraph("k"), kind='x" onload="y'),
        block("orderedList", block("listItem", paragraph("l")), start='1" onload="y'),
        block("table", block("tableRow", block("tableCell", paragraph("t"), colspan='2" x="'))),
        paragraph("m", {"type": "onload"}, {"type": "bold", "attrs": {"onload": "x"}}),
    )  # fmt: skip

    found = read(to_html(unchecked, None))

    assert found.text == "alert(1)hckltm"
    assert found.first("h6") == {"id": "h"}


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org", "HTTPS://example.org/a?b=c&d=e#f", "https://example.org:8443/ä",
        "mailto:help@example.org?subject=x", "/courses/python", "#loops", "?page=2",
        "../basics/loops", "a/b:c", "#a:b", "javascript%3Aalert(1)", "javascript&colon;alert(1)",
    ],
)  # fmt: skip
def test_a_link_keeps_its_address(address: str) -> None:
    prepared = prepare(doc(paragraph("x", link(address))), None)

    assert read(to_html(prepared.content, None)).first("a") == {
        "href": address,
        "rel": "noopener noreferrer nofollow",
    }


def test_a_file_of_the_course_is_found_where_its_files_lie() -> None:
    prepared = prepare(doc(block("image", src="media/loops/a.svg", alt="A loop")), None)

    plain = read(to_html(prepared.content, None))
    placed = read(to_html(prepared.content, None, media_base="https://cdn.example.org/python/"))

    assert plain.first("img")["src"] == "media/loops/a.svg"
    assert placed.first("img")["src"] == "https://cdn.example.org/python/loops/a.svg"


@pytest.mark.parametrize(
    "source", ["media/../x.svg", "media/", "media", "media//x", "media/%2e%2e/x", "/media/x.svg"]
)
def test_a_picture_is_of_the_course_or_from_elsewhere_by_https(source: str) -> None:
    with pytest.raises(Unprocessable):
        prepare(doc(block("image", src=source)), None)


@given(DOCUMENTS)
@settings(max_examples=120, deadline=None)
def test_any_accepted_document_is_safe_and_says_all_its_words(document: Node) -> None:
    prepared = prepare(document, None)

    found = read(to_html(prepared.content, None))

    shown = found.text + "".join(
        given["alt"] or "" for tag, given in found.elements if tag == "img"
    )
    said = to_text(prepared.content, None)
    assert sorted(_characters(shown)) == sorted(_characters(said))
    assert prepared.body_text == plain.searchable(said)


def _characters(text: str) -> str:
    """What counts, whatever became of the spaces, and of line ends, which html makes one."""
    return re.sub(r"\s", "", text)


@given(DOCUMENTS)
@settings(max_examples=60, deadline=None)
def test_ids_of_headings_are_unique_and_have_no_spaces(document: Node) -> None:
    found = read(to_html(document, None))

    ids = [given["id"] or "" for tag, given in found.elements if "id" in given]
    assert len(ids) == len(set(ids))
    assert all(each and not re.search(r"\s", each) for each in ids)


def test_headings_of_the_same_words_are_told_apart() -> None:
    same = [
        block("heading", words(text), level=2) for text in ("Für alle!", "für  alle", "???", "")[:3]
    ]

    found = read(to_html(doc(*same, block("heading", level=3)), None))

    assert [given["id"] for _, given in found.elements] == [
        "für-alle", "für-alle-2", "section", "section-2",
    ]  # fmt: skip


def test_marks_that_neighbours_share_are_opened_once() -> None:
    bold, there = {"type": "bold"}, link("/x")
    line = block(
        "paragraph", words("a", there), words("b", bold, there), words("c", bold), words("d")
    )

    assert to_html(doc(line), None) == (
        f'<p><a href="/x" rel="{html.REL}">a<strong>b</strong></a><strong>c</strong>d</p>'
    )


def test_every_block_and_mark_has_its_element() -> None:
    document = doc(
        block("heading", words("H"), level=1),
        block("paragraph", *(words(name, {"type": name}) for name in html._MARK_TAGS)),
        block("orderedList", block("listItem", paragraph("3")), start=3),
        block("taskList", block("taskItem", paragraph("done"), checked=True)),
        block("blockquote", paragraph("q")),
        block("callout", paragraph("w"), kind="warning"),
        block("codeBlock", words("if a < b:\n    c"), language="python"),
        block("horizontalRule"),
        block("table", block("tableRow", block("tableHeader", paragraph("h"), colspan=2))),
    )

    markup = to_html(prepare(document, None).content, None)

    assert read(markup).tags == [
        "h1", "p", "strong", "em", "s", "u", "sub", "sup", "mark", "code", "ol", "li", "p",
        "ul", "li", "input", "div", "p", "blockquote", "p", "aside", "p", "pre", "code", "hr",
        "table", "tbody", "tr", "th", "p",
    ]  # fmt: skip
    assert '<ol start="3">' in markup
    assert '<code class="language-python">if a &lt; b:\n    c</code>' in markup
    assert 'class="callout callout-warning"' in markup
    assert '<th scope="col" colspan="2">' in markup
    assert "disabled checked" in markup


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_slug_fits_an_address(text: str) -> None:
    slug = html.slug(text)

    assert re.fullmatch(r"[\w-]{1,80}", slug)
    assert html.slug(slug) == slug
