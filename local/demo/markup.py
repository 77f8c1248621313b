"""What a person sees on a page: rows of tables, forms, complaints, words."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"br", "hr", "img", "input", "link", "meta"}


@dataclass
class Form:
    """A form with what is filled in already."""

    action: str
    path: str | None
    """Of the API, where a script of the page sends it."""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


@dataclass
class Row:
    """A row of a table: its texts, and where its links and forms lead."""

    texts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


def rows(page: str) -> list[Row]:
    """The rows of a page's tables."""
    found = _Rows()
    found.feed(page)
    return found.rows


def forms(page: str) -> list[Form]:
    """The forms of a page."""
    found = _Forms()
    found.feed(page)
    return found.forms


def alert(page: str) -> str:
    """What a page complains about."""
    found = _Alert()
    found.feed(page)
    return found.text.strip()


def words(page: str) -> str:
    """A page's text, for somebody who looks at what went wrong."""
    found = _Words()
    found.feed(page)
    return " ".join(" ".join(found.texts).split())


class _Rows(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "tr":
            self.rows.append(Row())
        elif self.rows and tag == "a":
            self.rows[-1].links.append(given.get("href") or "")
        elif self.rows and tag == "form":
            self.rows[-1].actions.append(given.get("action") or "")

    def handle_data(self, data: str) -> None:
        if self.rows and data.strip():
            self.rows[-1].texts.append(data.strip())


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = True
            self.forms.append(Form(given.get("action", ""), given.get("data-path")))
        elif self._inside and tag == "button" and "name" in given:
            self.forms[-1].buttons.append((given["name"], given.get("value", "")))
        elif self._inside and tag == "input" and "name" in given:
            form = self.forms[-1]
            form.names.add(given["name"])
            if given.get("type") not in {"radio", "checkbox"} or "checked" in given:
                form.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class _Alert(HTMLParser):
    """The text of the element that is an alert."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._depth or dict(attrs).get("role") == "alert":
            self._depth += tag not in _VOID

    def handle_endtag(self, tag: str) -> None:
        self._depth -= bool(self._depth)

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.text += data


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
