"""A parser that reads html as a browser's does, and says what in it may not be."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

ALLOWED = {
    "h1": {"id"}, "h2": {"id"}, "h3": {"id"}, "h4": {"id"}, "h5": {"id"}, "h6": {"id"},
    "p": set(), "strong": set(), "em": set(), "s": set(), "u": set(), "sub": set(), "sup": set(),
    "mark": set(), "code": {"class"}, "pre": set(), "a": {"href", "title", "rel"},
    "ul": {"class"}, "ol": {"start"}, "li": set(), "div": set(), "br": set(), "hr": set(),
    "blockquote": set(), "aside": {"class", "role"}, "input": {"type", "disabled", "checked"},
    "img": {"src", "alt", "title", "width", "height", "loading"},
    "table": set(), "tbody": set(), "tr": set(),
    "td": {"class", "colspan", "rowspan"}, "th": {"class", "colspan", "rowspan", "scope"},
}  # fmt: skip
"""Elements and attributes that a lesson's html may have."""
_VOID = {"br", "hr", "img", "input"}


class SafeHtml(HTMLParser):
    """What was read: elements with attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.problems: list[str] = []
        self.opened: list[str] = []
        self.feed(html)
        self.close()
        self.problems += [f"<{tag}> is not closed" for tag in self.opened]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.elements.append((tag, given))
        if tag not in ALLOWED:
            self.problems.append(f"<{tag}>")
        self.problems += [f"<{tag} {name}>" for name in set(given) - ALLOWED.get(tag, set())]
        if len(given) != len(attrs):
            self.problems.append(f"<{tag}> has an attribute twice")
        for name in ("href", "src"):
            if name in given:
                self._address(tag, given[name] or "")
        if tag == "a" and given.get("rel") != "noopener noreferrer nofollow":
            self.problems.append("a link without rel")
        if tag not in _VOID:
            self.opened.append(tag)

    def _address(self, tag: str, address: str) -> None:
        # As a browser does it: white space and control characters go before the scheme is read.
        plain = "".join(each for each in address if each > " ").replace("\\", "/")
        scheme = urlsplit(plain).scheme.lower()
        allowed = {"https", "mailto", ""} if tag == "a" else {"https", ""}
        if scheme not in allowed or plain.startswith("//"):
            self.problems.append(f"<{tag}> leads to {address!r}")

    def handle_endtag(self, tag: str) -> None:
        if not self.opened or self.opened.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.problems.append("a comment")

    def handle_decl(self, decl: str) -> None:
        self.problems.append("a declaration")

    def handle_pi(self, data: str) -> None:
        self.problems.append("a processing instruction")

    @property
    def text(self) -> str:
        """What a reader sees, pictures' descriptions left out."""
        return "".join(self.words)

    def first(self, tag: str) -> dict[str, str | None]:
        """The attributes of the first such element."""
        return next(given for name, given in self.elements if name == tag)

    @property
    def tags(self) -> list[str]:
        """Elements in the order they begin."""
        return [tag for tag, _ in self.elements]
