from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studypack.emails.markdown import to_html, to_text
from tests.support.html import parse


def parsed(body: str) -> ET.Element:
    return parse(f"<body>{to_html(body)}</body>")


def test_paragraphs_lists_and_links() -> None:
    body = "# Big\n\nA *b* **c** [d](https://a.example/?x=1&y=2)\n\n1. one\n2. two\n\n- x\n- y\n"
    assert [element.tag for element in parsed(body)] == ["h2", "p", "ol", "ul"]
    assert to_text(body) == (
        "Big\n\nA b c d (https://a.example/?x=1&y=2)\n\n1. one\n2. two\n\n- x\n- y"
    )


def test_html_is_text() -> None:
    body = "<script>alert(1)</script>\n\na <b onclick=x>b</b>\n\n<!-- c -->"
    assert {element.tag for element in parsed(body)} == {"p"}
    assert "<script>alert(1)</script>" in to_text(body)


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", "data:text/html,x", "http://a.example/", "/x", "vbscript:x"]
)
def test_links_that_are_unsafe_are_text(target: str) -> None:
    assert not list(parsed(f"[a]({target}) <{target}>").iter("a"))


def test_pictures_become_links() -> None:
    body = "![A cat](https://a.example/cat.png)"
    assert not list(parsed(body).iter("img"))
    assert "https://a.example/cat.png" in to_text(body)


def test_an_address_alone_is_written_once() -> None:
    assert to_text("<https://a.example/x>") == "https://a.example/x"


def test_parts_are_styled_for_light_and_dark() -> None:
    for element in parsed("a [b](https://a.example) **c**\n\n> d\n\n---\n\n`e`").iter():
        if element.tag not in {"body", "em"}:
            assert element.attrib["style"]
            assert element.attrib["class"]


@settings(deadline=None)
@given(st.text(alphabet="ab#*_-`>[]()<!&\"'1. \n\\:/https", max_size=200))
def test_any_text_becomes_well_formed_html_with_the_same_links(body: str) -> None:
    links = {element.attrib["href"] for element in parsed(body).iter("a")}
    assert all(link.startswith("https://") for link in links)
    assert all(link in to_text(body) for link in links)
    assert not re.search(r"\n{3}", to_text(body))
