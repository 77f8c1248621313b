"""Every template with each of its previews, as somebody would get it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from jinja2 import meta

from local.emails import Preview, preview_context, previews, render_preview
from studypack.emails.palette import DARK, LIGHT
from studypack.emails.render import TEMPLATES, Rendered, _environment
from studypack.emails.wording import WIDTH
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import EmailTemplate
from tests.support.html import XHTML, parse

PREVIEWS = list(previews())
# fmt: off
TAGS = {
    "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "th", "p", "h1",
    "h2", "h3", "a", "br", "strong", "em", "ul", "ol", "li", "hr", "code", "blockquote",
}
# fmt: on
"""No picture, script, form, frame or font is fetched from anywhere."""
OWN = {"brand", "light", "page", "m", "percent", "rows"}
"""Names that a template has of the environment, or gives itself."""

each_preview = pytest.mark.parametrize("preview", PREVIEWS, ids=lambda preview: preview.name)
each_template = pytest.mark.parametrize("template", list(EmailTemplate))


@cache
def rendered(name: str) -> Rendered:
    [preview] = [preview for preview in PREVIEWS if preview.name == name]
    return render_preview(preview)


@cache
def tree(name: str) -> ET.Element:
    return parse(rendered(name).html)


def hrefs(name: str) -> set[str]:
    return {element.attrib["href"] for element in tree(name).iter(f"{XHTML}a")}


def words(name: str) -> str:
    body = tree(name).find(f"{XHTML}body")
    assert body is not None
    return " ".join("".join(body.itertext()).split())


@each_template
def test_every_template_has_its_files_and_a_preview(template: EmailTemplate) -> None:
    folder = TEMPLATES / template.lower()
    assert {path.name for path in folder.iterdir()} == {
        "subject.txt",
        "body.html",
        "body.txt",
        "preview.json",
    }


def test_no_template_is_left_over() -> None:
    folders = {path.name for path in TEMPLATES.iterdir() if path.is_dir()}
    assert folders == {template.lower() for template in EmailTemplate}


@each_template
def test_a_template_uses_just_the_facts_that_the_catalogue_names(template: EmailTemplate) -> None:
    entry = CATALOGUE[template]
    folder = TEMPLATES / template.lower()
    used: set[str] = set()
    for path in folder.glob("*.*t*"):
        if path.suffix in {".html", ".txt"}:
            parsed = _environment("text").parse(path.read_text())
            used |= meta.find_undeclared_variables(parsed)
    of_data = used - OWN - preview_context(template).keys()
    promised = entry.needs | entry.may_have
    # The three that follow a first video are enqueued with the same facts.
    shared = CATALOGUE[EmailTemplate.ABANDONMENT_1] == entry
    silent = promised - of_data
    assert of_data <= promised
    assert not silent or shared, f"nothing uses {silent}"


@each_preview
def test_previews_have_what_the_catalogue_names_and_no_more(preview: Preview) -> None:
    entry = CATALOGUE[preview.template]
    assert entry.needs <= preview.data.keys() <= entry.needs | entry.may_have


@each_template
def test_some_preview_has_every_fact_and_some_only_what_is_needed(template: EmailTemplate) -> None:
    entry = CATALOGUE[template]
    cases = [preview.data.keys() for preview in PREVIEWS if preview.template is template]
    assert frozenset().union(*cases) == entry.needs | entry.may_have
    if template not in {EmailTemplate.TRIAL_ENDING}:
        assert entry.needs in cases


@each_preview
def test_nothing_is_left_unfilled(preview: Preview) -> None:
    mail = rendered(preview.name)
    for text in (mail.subject, words(preview.name), mail.text):
        assert not re.search(r"\{[{%#]|[}%#]\}|\bNone\b|[Uu]ndefined|TODO|[Ll]orem|<built-in", text)
        assert "  ," not in text
        assert " ." not in text


@each_preview
def test_subjects_are_short_lines(preview: Preview) -> None:
    subject = rendered(preview.name).subject
    assert 0 < len(subject) < 60
    assert subject.isprintable()


@each_preview
def test_mails_do_not_shout(preview: Preview) -> None:
    mail = rendered(preview.name)
    assert "!" not in mail.subject + mail.text + words(preview.name)
    assert not re.search(r"\b(FREE|NOW|URGENT|ACT|HURRY|LAST CHANCE)\b", mail.subject + mail.text)


@each_preview
def test_html_is_well_formed_and_made_of_what_mail_clients_know(preview: Preview) -> None:
    html = rendered(preview.name).html
    assert html.startswith("<!DOCTYPE html>")
    root = tree(preview.name)
    assert {element.tag.removeprefix(XHTML) for element in root.iter()} <= TAGS
    assert root.attrib["lang"] == "en"
    assert len(list(root.iter(f"{XHTML}h1"))) == 1
    title = root.find(f"{XHTML}head/{XHTML}title")
    assert title is not None
    assert title.text == rendered(preview.name).subject


@each_preview
def test_tables_for_layout_say_so(preview: Preview) -> None:
    for table in tree(preview.name).iter(f"{XHTML}table"):
        has_headers = any(True for _ in table.iterfind(f"{XHTML}tr/{XHTML}th"))
        assert has_headers != (table.attrib.get("role") == "presentation")
        if has_headers:
            assert all(th.attrib["scope"] == "row" for th in table.iter(f"{XHTML}th"))


@each_preview
def test_mails_are_small(preview: Preview) -> None:
    mail = rendered(preview.name)
    assert len(mail.html.encode()) < 60 * 1024  # Gmail cuts at 102 KB
    assert max(map(len, mail.html.splitlines())) < 998  # RFC 5322


@each_preview
def test_links_are_absolute_https(preview: Preview) -> None:
    links = {href for href in hrefs(preview.name) if not href.startswith("mailto:")}
    assert links
    assert all(urlsplit(link).scheme == "https" and urlsplit(link).netloc for link in links)


@each_preview
def test_html_and_text_lead_to_the_same_places(preview: Preview) -> None:
    of_html = {href.removeprefix("mailto:") for href in hrefs(preview.name)}
    text = rendered(preview.name).text
    of_text = set(re.findall(r"https?://[^\s)]+", text))
    of_text |= {address for address in of_html if "@" in address and address in text}
    assert of_html == of_text


@each_preview
def test_links_say_where_they_lead(preview: Preview) -> None:
    for link in tree(preview.name).iter(f"{XHTML}a"):
        label = "".join(link.itertext()).strip()
        assert label
        assert label.lower() not in {"here", "click here", "link", "more"}


@each_preview
def test_each_mail_says_why_it_came_and_from_whom(preview: Preview) -> None:
    for text in (words(preview.name), " ".join(rendered(preview.name).text.split())):
        assert "You get this mail because" in text
        assert "StudyPack Learning AB, Storgatan 12, 111 51 Stockholm, Sweden" in text


@each_preview
def test_just_what_can_be_unsubscribed_offers_it(preview: Preview) -> None:
    entry = CATALOGUE[preview.template]
    offers = [link for link in hrefs(preview.name) if "/api/email/unsubscribe?token=" in link]
    assert bool(offers) is entry.can_be_unsubscribed
    assert ("Unsubscribe" in rendered(preview.name).text) is entry.can_be_unsubscribed
    assert ("cannot be switched off" in words(preview.name)) is not (
        entry.can_be_unsubscribed or entry.is_to_another
    )


@each_preview
def test_text_bodies_are_wrapped(preview: Preview) -> None:
    for line in rendered(preview.name).text.splitlines():
        assert len(line) <= WIDTH or line.startswith("  ") or " " not in line.strip()
    assert "\n\n\n" not in rendered(preview.name).text


@each_preview
def test_previews_in_the_inbox_do_not_repeat_the_subject_alone(preview: Preview) -> None:
    hidden = next(iter(tree(preview.name).iter(f"{XHTML}div")))
    assert "display:none" in hidden.attrib["style"]
    line = re.sub("[\u034f\u2007]", "", "".join(hidden.itertext())).strip()
    assert line
    if preview.template is not EmailTemplate.BROADCAST:
        assert line != rendered(preview.name).subject


# Colours.


def luminance(colour: str) -> float:
    """WCAG 2.2, "relative luminance"."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio": 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)


def texts(
    element: ET.Element, scheme: str, ink: str, ground: str
) -> Iterator[tuple[str, str, str]]:
    """Each text with the colours that it is seen in."""
    style = dict(
        part.split(":", 1) for part in element.attrib.get("style", "").split(";") if ":" in part
    )
    if style.get("display") == "none":
        return
    ink = style.get("color", ink)
    ground = style.get("background-color", ground)
    if scheme == "dark":
        for name in element.attrib.get("class", "").split():
            kind, _, role = name.partition("-")
            ink = DARK[role] if kind == "t" else ink
            ground = DARK[role] if kind == "b" else ground
    if (element.text or "").strip():
        yield (element.text or "").strip(), ink, ground
    for child in element:
        yield from texts(child, scheme, ink, ground)
        if (child.tail or "").strip():
            yield (child.tail or "").strip(), ink, ground


@pytest.mark.parametrize("scheme", ["light", "dark"])
@each_preview
def test_every_word_stands_out_from_its_ground(preview: Preview, scheme: str) -> None:
    body = tree(preview.name).find(f"{XHTML}body")
    assert body is not None
    # What sets no colour shows the client's own, which nobody knows: grey fails on any ground.
    seen = list(texts(body, scheme, "#808080", "#808080"))
    assert len(seen) > 8
    palette = set((LIGHT if scheme == "light" else DARK).values())
    for text, ink, ground in seen:
        assert {ink, ground} <= palette, f"{text!r} keeps its colours in the {scheme}"
        assert contrast(ink, ground) >= 4.5, f"{text!r}: {ink} on {ground}"


@each_preview
def test_colours_are_those_of_the_palette_and_turn_over_in_the_dark(preview: Preview) -> None:
    html = rendered(preview.name).html
    body = html[html.index("<body") :]
    assert set(re.findall(r"(?<!&)#[0-9a-fA-F]{6}\b", body)) <= set(LIGHT.values())
    classes = {
        name for element in tree(preview.name).iter() for name in element.get("class", "").split()
    }
    coloured = {name for name in classes if name[1] == "-"}
    assert {name[2:] for name in coloured} <= DARK.keys()
    rules = html[html.index("prefers-color-scheme: dark") : html.index("[data-ogsc]")]
    for name in coloured:
        assert re.search(rf"\.{name} \{{ [a-z-]*color: {DARK[name[2:]]} !important; \}}", rules)
